"""Where results go, frame by frame: label maps as PNG files, masks as COCO RLE in JSON.

All sinks can be resumed. A caller that calls `commit` after frame k and notes k + 1 may be killed
at any moment after; it then opens the same sinks with ``resume_from=k + 1`` and goes on. What was
written after the commit is dropped, and the final files have the same content as those of a run
that was not killed and committed after the same frames (an overlay is encoded anew from each
commit on). Commit and note a last time before `close`.
"""

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

import numpy as np

from hodor.errors import MALFORMED, HodorError, explained, one_line
from hodor.files import make_folder, make_room, open_to_append, replacing, sweep, whole_lines
from hodor.types import PlainValues
from hodor.video.coco_rle import ObjectRecord, area_and_box, encode_rle
from hodor.video.frames import Frame, LabelMap
from hodor.video.label_maps import write_label_map
from hodor.video.pooled import THREADS, Pool


class Sink(Protocol):
    """Takes results in the order of frames. In a ``with`` statement, an error in its body leaves
    what was committed ready to be resumed; without one the sink is closed.
    """

    def write(self, frame: Frame, label_map: LabelMap, ids: Sequence[int]) -> None:
        """Add one frame's label map (H, W) with the ids of the objects known so far.

        Raises HodorError naming the file if it cannot be written.
        """
        ...

    def commit(self) -> None:
        """Make all that was written so far survive a kill."""
        ...

    def close(self) -> None:
        """Commit and finish the final file. May be called twice."""
        ...

    def abandon(self) -> None:
        """Let go of open files without finishing them; what was committed can be resumed."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Finishing:
    """The ``with`` statement for sinks: finish after success, stay resumable after an error."""

    def close(self) -> None:
        raise NotImplementedError

    def abandon(self) -> None:
        """Let go of open files without finishing them; committed frames can be resumed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


class LabelMapSink(Finishing):
    """One PNG per frame, named as the frame: palette with the DAVIS colours, or 16-bit greyscale.

    Files are compressed and written in several threads, a few frames at a time, so that a failure
    may be told some frames later; `commit` waits for all. Files of frames that are not written
    again stay as they are.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        wide: bool = False,
        resume_from: int = 0,
        threads: int = THREADS,
    ) -> None:
        """wide: 16 bits, for runs with an id above 255. resume_from: index of the first frame to
        come, 0 for a new run; frames from there on replace what is in the folder. threads: that
        write; with one, frames are written where they are given.
        """
        self._folder = Path(folder)
        self._wide = wide
        self._pool = Pool(threads)
        make_folder(self._folder)
        with explained(self._folder):
            sweep(self._folder)

    def write(self, frame: Frame, label_map: LabelMap, ids: Sequence[int]) -> None:
        """Write a label map (H, W) as `<frame.name>.png`, whole or not at all.

        The map is to stay as it is until the next `commit`.
        """
        path = self._folder / f"{frame.name}.png"
        self._pool.do(partial(write_label_map, path, label_map, wide=self._wide))

    def commit(self) -> None:
        """Wait until all files are written."""
        self._pool.wait()

    def close(self) -> None:
        """Commit, and end the threads."""
        try:
            self._pool.wait()
        finally:
            self._pool.end()

    def abandon(self) -> None:
        """Write what was given, and end the threads."""
        self._pool.end()


class RleSink(Finishing):
    """One JSON file with COCO run-length masks per frame and object.

    Until `close` the frames are lines of the hidden file `.<name>.parts.jsonl` beside it. Objects
    without a pixel in a frame are not listed there.
    """

    def __init__(self, path: str | Path, *, video: str, resume_from: int = 0) -> None:
        """video: the source's name, for the file's head. resume_from: index of the first frame to
        come, 0 for a new run. Raises HodorError if the frames before it are not all there.
        """
        self._path = Path(path)
        self._video = video
        self._parts = self._path.with_name(f".{self._path.name}.parts.jsonl")
        self._file: IO[bytes] | None = None
        self._next = resume_from
        self._size: list[int] | None = None
        make_room(self._path)
        with explained(self._parts):
            self._resume(resume_from)

    def write(self, frame: Frame, label_map: LabelMap, ids: Sequence[int]) -> None:
        """Add a label map (H, W) as a line: index, name, seconds, objects; a size that changed."""
        height, width = label_map.shape
        with explained(self._parts):
            file = self._open_parts()
            if file.tell() == 0:
                self._size = [height, width]
                file.write(_line({"video": self._video, "size": self._size}))
            line: PlainValues = {
                "index": frame.index,
                "name": frame.name,
                "time": round(frame.time, 6),
            }
            if self._size != [height, width]:
                line["size"] = [height, width]
            file.write(_line(line | {"objects": _objects(label_map, ids)}))

    def commit(self) -> None:
        """Flush the lines to the disk."""
        if self._file is not None:
            with explained(self._parts):
                self._file.flush()
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Make the JSON file of the lines, one in memory at a time, and remove them."""
        self.commit()
        self.abandon()
        if self._parts.exists():
            with explained(self._path):
                with replacing(self._path, flush=True) as temporary:
                    self._assemble(temporary)
                self._parts.unlink()

    def abandon(self) -> None:
        """Let go of the lines without finishing."""
        if self._file is not None:
            file, self._file = self._file, None
            with explained(self._parts):
                file.close()

    def _resume(self, resume_from: int) -> None:
        """Cut the lines before the first one that is torn or not before `resume_from`."""
        if resume_from == 0:
            self._parts.unlink(missing_ok=True)
        if not self._parts.exists():
            return
        keep, last = 0, -1
        try:
            for line in whole_lines(self._parts):
                record = json.loads(line)
                index = int(record.get("index", -1))
                if index >= resume_from:
                    break
                keep, last = keep + len(line), index
                self._size = record["size"] if index < 0 else self._size
        except MALFORMED as error:
            raise damaged(self._parts, error) from error
        if last + 1 != resume_from:
            raise HodorError(
                f"{self._path} cannot be resumed from frame {resume_from}: frames up to {last} are "
                "there; start anew."
            )
        os.truncate(self._parts, keep)

    def _open_parts(self) -> IO[bytes]:
        if self._file is None:
            if self._next > 0 and not self._parts.exists():
                raise HodorError(
                    f"{self._path} cannot be resumed from frame {self._next}: its parts "
                    f"({self._parts.name}) are gone; start anew."
                )
            self._file = open_to_append(self._parts)
        return self._file

    def _assemble(self, target: Path) -> None:
        lines = whole_lines(self._parts)
        head = next(lines)
        with target.open("wb") as file:
            file.write(head.rstrip()[:-1] + b', "frames": [')
            for number, line in enumerate(lines):
                file.write((b",\n" if number else b"\n") + line.rstrip())
            file.write(b"\n]}\n")


def damaged(notes: Path, error: Exception) -> HodorError:
    """What is said of notes for a resumed run that cannot be read."""
    return HodorError(
        f"{notes} is damaged ({one_line(error)}), and the run cannot go on from it: start anew in "
        "another folder, or remove this one's results first"
    )


def _objects(label_map: LabelMap, ids: Sequence[int]) -> list[ObjectRecord]:
    turned = np.asfortranarray(label_map)  # once; COCO counts runs down the columns
    objects: list[ObjectRecord] = []
    for number in ids:
        segmentation = encode_rle(turned == number)
        area, box = area_and_box(segmentation)
        if area > 0:
            objects.append(
                {"id": int(number), "area": area, "bbox": box, "segmentation": segmentation}
            )
    return objects


def _line(record: PlainValues) -> bytes:
    return json.dumps(record).encode() + b"\n"
