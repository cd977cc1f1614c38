"""A session's folder: plain files, each written whole or not at all, and one owner at a time.

::

    session.json        the video, the objects, and where objects are said to be gone
    given/00012.png     masks that the user gave in frame 12: a label map of palette colours
    results/00013.png   what tracking found in frame 13
    confidence.jsonl    a line a result: frame, and by object its confidence and origin
    tracker/            where the last passes stopped, so that they go on from there
    exports/            what was exported
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from hodor.errors import MALFORMED, HodorError, MaskError, explained, one_line
from hodor.files import open_to_append, replacing, stays_inside, write_json
from hodor.locks import FolderLock
from hodor.studio.plan import Origins
from hodor.studio.runs import HIGHEST
from hodor.types import Json, JsonObject, PlainValues
from hodor.video import LabelMap, read_label_map, write_label_map

SETTINGS = "session.json"
FORMAT = "hodor-studio-1"
PARTS = ("given", "results", "tracker", "exports")
FLUSH_SECONDS = 1.0
"""What a power failure can cost of a session; a kill costs nothing that was written."""


def is_session(folder: Path) -> bool:
    """Whether a folder is a session's."""
    return (folder / SETTINGS).is_file()


def _refuse_others(root: Path) -> None:
    """Make no session among other files. One that never got its settings may go on."""
    if is_session(root) or not root.is_dir():
        return
    others = sorted({path.name for path in root.iterdir()} - {*PARTS, ".lock"})
    if others:
        raise HodorError(
            f"{root}: is no session's folder and holds other things ({others[0]}"
            f"{', ...' if others[1:] else ''}); name a new folder, or an empty one"
        )


class SessionFolder:
    """The files of one session, locked for this process until `close`.

    Raises:
        HodorError: it cannot be written, holds other things, or another server has it open.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        with explained(root):
            _refuse_others(root)
            for part in PARTS:
                self.place(part).mkdir(parents=True, exist_ok=True)
        self._lock = FolderLock(root, self._busy())
        self._journal: IO[bytes] | None = None
        self._flushed = 0.0
        self._fresh: set[Path] = set()

    def place(self, *parts: str) -> Path:
        """The path of something in the folder. Raises HodorError where a link leads out of it."""
        return stays_inside(self.root, self.root.joinpath(*parts))

    def _busy(self) -> str:
        address = self.address()
        where = f" at {address}" if address else ""
        return (
            f"{self.root}: another hodor studio has this session open{where}; use that page, or "
            "stop it first"
        )

    def close(self) -> None:
        """Let go of the folder."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        self._lock.release()

    def read_settings(self) -> JsonObject | None:
        """What ``session.json`` holds; None in a new folder.

        Raises:
            HodorError: the file is damaged, or another version's.
        """
        path = self.place(SETTINGS)
        if not path.is_file():
            return None
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, *MALFORMED) as error:
            raise HodorError(
                f"{path}: cannot be read ({one_line(error)}); restore it or begin anew"
            ) from None
        if not isinstance(settings, dict) or settings.get("format") != FORMAT:
            raise HodorError(f"{path}: no session of this version of hodor (format {FORMAT})")
        return settings

    def write_settings(self, settings: PlainValues) -> None:
        """Replace ``session.json``."""
        write_json(self.root / SETTINGS, {"format": FORMAT, **settings}, flush=True)

    def read_map(self, kind: str, frame: int) -> LabelMap | None:
        """A given or result label map (H, W); None if there is none, or it was lost with power."""
        path = self._map(kind, frame)
        if not path.is_file():
            return None
        try:
            return read_label_map(path)
        except MaskError:
            return None

    def write_map(self, kind: str, frame: int, labels: LabelMap | None) -> None:
        """Write a label map (H, W), or remove it (None)."""
        path = self._map(kind, frame)
        if labels is None:
            with explained(path):
                path.unlink(missing_ok=True)
            self._fresh.discard(path)
            return
        write_label_map(path, labels)
        self._fresh.add(path)

    def maps(self, kind: str) -> list[int]:
        """Frames of which there is a label map, sorted."""
        found = (p for p in self.place(kind).glob("*.png") if p.stem.isdecimal())
        return sorted(int(p.stem) for p in found if p.stat().st_size)

    def _map(self, kind: str, frame: int) -> Path:
        return self.place(kind, f"{frame:05d}.png")

    def read_origins(self, length: int) -> dict[int, Origins]:
        """What the results are known to come from, by object; the journal is then rewritten."""
        path = self.place("confidence.jsonl")
        origins: dict[int, Origins] = {}
        there = set(self.maps("results"))
        for frame, values in _lines(path):
            if frame not in there or frame >= length:
                continue
            # A damaged number costs one result, which is then tracked again.
            with suppress(*MALFORMED):
                for name, (confidence, origin, mark) in values.items():
                    if not 0 < int(name) <= HIGHEST:
                        continue
                    one = origins.setdefault(int(name), Origins(length))
                    one.frame[frame], one.print[frame] = origin, mark
                    one.confidence[frame] = confidence
        with (
            explained(path),
            replacing(path, flush=True) as temporary,
            temporary.open("wb") as file,
        ):
            for frame in range(length):
                if line := _line(frame, origins):
                    file.write(line)
        return origins

    def note(self, frame: int, origins: dict[int, Origins]) -> None:
        """Add one frame's line, and once a second see that lines and results are on the disk."""
        path = self.place("confidence.jsonl")
        with explained(path):
            if self._journal is None:
                self._journal = open_to_append(path, buffering=0)
            end = self._journal.seek(0, os.SEEK_END)
            line = _line(frame, origins)
            try:
                if self._journal.write(line) != len(line):
                    raise OSError(28, "No space left on device")
            except OSError:
                self._journal.truncate(end)  # no half line before the next one
                raise
        self.flush()

    def flush(self, *, now: bool = False) -> None:
        """Make what was noted survive a power failure, at most once a second."""
        moment = time.monotonic()
        if self._journal is None or (moment - self._flushed < FLUSH_SECONDS and not now):
            return
        self._flushed = moment
        with explained(self.root):
            for path in self._fresh:
                with path.open("r+b") as file:
                    os.fsync(file.fileno())
            os.fsync(self._journal.fileno())
        self._fresh.clear()

    def address(self) -> str | None:
        """Where the server of this session is, or was."""
        return self.server().get("address")

    def server(self) -> JsonObject:
        """Port, token and address of the server that last had this session; empty if unknown."""
        try:
            found = json.loads(self.place(".server.json").read_text(encoding="utf-8"))
        except (OSError, *MALFORMED):
            return {}
        return found if isinstance(found, dict) else {}

    def write_server(self, values: PlainValues) -> None:
        """Note port, token and address, for this user's eyes only."""
        write_json(self.root / ".server.json", values, mode=0o600, flush=True)


def _line(frame: int, origins: dict[int, Origins]) -> bytes:
    values = {
        str(i): [round(float(o.confidence[frame]), 4), int(o.frame[frame]), int(o.print[frame])]
        for i, o in origins.items()
        if o.frame[frame] >= 0
    }
    return json.dumps([frame, values]).encode() + b"\n" if values else b""


def _lines(path: Path) -> Iterator[tuple[int, dict[str, list[Json]]]]:
    """The journal's whole lines; one that a kill or a failing disk left torn is left out."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for line in file:
            with suppress(*MALFORMED):
                frame, values = json.loads(line)
                yield int(frame), values
