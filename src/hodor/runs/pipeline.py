"""One video through its sinks: read, track and write at once, and go on after a kill."""

import queue
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hodor.errors import MALFORMED, HodorError, MaskError, WeightsError, one_line
from hodor.files import write_json
from hodor.runs.look_alikes import LookAlikes
from hodor.runs.soft_masks import soft_masks
from hodor.runs.summary import Summary
from hodor.tracking import Result, Tracker, load_state, save_state, told_of_assumed
from hodor.types import PlainValues
from hodor.video import (
    Frame,
    LabelMap,
    ReferenceMasks,
    Sink,
    Source,
    write_soft_masks,
)

COMMIT_EVERY = 100  # frames; what a kill can cost
AHEAD = 4  # frames read and results waiting to be written; all that is held of a video


@dataclass(frozen=True)
class Progress:
    """After one frame, for whoever shows it."""

    frame: Frame
    result: Result
    done: int
    """Frames tracked in this run"""
    total: int | None
    """Frames of the source, as far as it tells; of a live one None"""
    latency: float | None
    """Seconds since a live source captured the frame"""

    @classmethod
    def of(cls, frame: Frame, result: Result, done: int, source: Source) -> "Progress":
        """Now, after a frame of ``source``."""
        total = source.length or source.estimated_length
        late = None if frame.captured is None else time.monotonic() - frame.captured
        return cls(frame, result, done, total, late)


def _setup(source: Source, tracker: Tracker) -> PlainValues:
    """What is tracked, and by what, as plain values."""
    runtime = tracker.runtime
    return {
        "source_fps": round(source.fps, 6) if source.timed else None,
        # Sources that users write need not know of scales.
        "um_per_pixel": getattr(source, "um_per_pixel", None),
        "model": {"name": runtime.metadata.get("name"), "backbone": runtime.config.backbone},
        "runtime": runtime.name,
        "device": runtime.device_name,
        "precision": runtime.precision,
        **({} if runtime.step == "plain" else {"step": runtime.step}),
        "options": asdict(tracker.options),
    }


def track_video(
    tracker: Tracker,
    source: Source,
    masks: ReferenceMasks | None,
    sinks: Sequence[Sink],
    *,
    state: Path | None = None,
    summary: Summary | None = None,
    soft: Path | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Summary:
    """Follow objects through a source and write results as they come.

    Frames are decoded and results written in threads of their own; at most a few frames wait.

    Args:
        tracker: new, with references, or loaded from a saved state; one that followed another
            video is to be ``reset`` before.
        source: where frames come from; read from ``tracker.next_index`` on.
        masks: reference masks, or None if the tracker knows its objects.
        sinks: where results go.
        state: file for the tracker's state, saved at every commit, removed at the end.
        summary: of the killed run that this one goes on from.
        soft: folder for soft masks, ID/NAME.png; None: they are not written.
        progress: called after every frame.

    Raises:
        HodorError: the source, a mask or a sink failed. What was written is intact.
    """
    summary = summary or Summary(source.name)
    summary.setup = _setup(source, tracker)
    writer = _Writer(sinks)
    began = time.perf_counter()
    try:
        with tracker.runtime.following():
            for one in _follow(tracker, source, masks, summary):
                summary.seconds = time.perf_counter() - began
                _hand_over(writer, one, soft)
                if summary.frames % COMMIT_EVERY == 0:
                    writer.commit(_saver(state, tracker, summary))
                progress(Progress.of(one.frame, one.result, summary.tracked, source))
        # With all of it noted, a kill while the files are being finished can be resumed too.
        if summary.frames % COMMIT_EVERY != 0:
            writer.commit(_saver(state, tracker, summary))
    except KeyboardInterrupt:
        if not source.live:
            writer.abandon()
            raise
        # A camera has no end of its own: this is how its run is finished.
    except BaseException:
        # What was computed before the failure is written before it is told.
        writer.abandon()
        raise
    writer.close()
    if state is not None:
        state.unlink(missing_ok=True)
    summary.seconds = time.perf_counter() - began
    _judge(summary, source, masks, tracker.next_index)
    return summary


class _Followed(NamedTuple):
    """A frame that was stepped through."""

    frame: Frame
    result: Result
    known: tuple[int, ...]
    """Objects that were followed before it"""
    given: LabelMap | None
    """(H, W): the masks that came with it"""


def _hand_over(writer: "_Writer", one: _Followed, soft: Path | None) -> None:
    """Have a frame's results written."""
    if soft is not None:
        edges = soft_masks(one.result, one.known, one.given)
        writer.do(partial(write_soft_masks, soft, one.frame.name, edges))
    writer.write(one.frame, one.result)


def _follow(
    tracker: Tracker, source: Source, masks: ReferenceMasks | None, summary: Summary
) -> Iterator[_Followed]:
    """Step through a source from where the tracker stands, and note what each frame tells."""
    alikes = LookAlikes()
    for frame in _frames(source, tracker):
        given = _masks(masks, frame, summary)
        known = tracker.ids
        result = tracker.step(frame.pixels, given)
        summary.add(result, given)
        summary.warn(alikes.look(tracker, frame, result, masks_came=given is not None))
        yield _Followed(frame, result, known, given)


def _judge(summary: Summary, source: Source, masks: ReferenceMasks | None, next_index: int) -> None:
    """What the end of a run tells of its inputs: warnings, or that nothing came of it."""
    summary.warnings.extend(w for w in source.warnings if w not in summary.warnings)
    unused = masks.unused() if masks and summary.tracked else []
    if unused:
        summary.warnings.append(f"masks that belong to no frame: {', '.join(unused)}")
    if summary.frames == 0:
        stepped = (
            f": the tracker goes on at frame {next_index}, and the video has no more; reset() it "
            "for another video"
        )
        raise HodorError(f"{source.name}: no frame to track{stepped if next_index else ''}")
    if not summary.confidence:
        raise MaskError(
            f"{source.name}: no object was followed, since no mask belongs to any frame; give each "
            "mask the name of its frame"
        )


def resume(tracker: Tracker, state: Path) -> Summary:
    """Bring a tracker to where a killed run last committed, and give that run's summary.

    Raises:
        HodorError: no state was saved, or it is of another model.
    """
    try:
        saved, extra = load_state(state)
        tracker.load_state_dict(saved)
        told = [*extra["warnings"], *told_of_assumed(saved)]
        summary = Summary(extra["source"], extra["frames"], warnings=told)
        for i, values in extra["confidence"].items():
            numbers = [float("nan") if v is None else v for v in values]
            summary.confidence[int(i)] = array("f", numbers)
        summary.given = {int(i): list(frames) for i, frames in extra.get("given", {}).items()}
    except WeightsError as error:
        raise WeightsError(f"{error}; or remove the file to begin this run anew") from error
    except MALFORMED as error:
        raise WeightsError(
            f"{state}: is damaged ({one_line(error)}); remove it to begin this run anew"
        ) from error
    return summary


def write_summary(path: str | Path, values: PlainValues) -> None:
    """Write ``summary.json``, whole or not at all."""
    write_json(Path(path), values)


def _saver(state: Path | None, tracker: Tracker, summary: Summary) -> Callable[[], None]:
    """Something that saves the tracker as it is now, when it is called later."""
    if state is None:
        return lambda: None
    now = tracker.state_dict()
    extra = {
        "source": summary.source,
        "frames": summary.frames,
        "warnings": list(summary.warnings),
        "given": {str(i): list(frames) for i, frames in summary.given.items()},
        # Not rounded, so that a run that goes on gives what one that was not stopped gives.
        "confidence": {
            str(i): [None if v != v else v for v in values]
            for i, values in summary.confidence.items()
        },
    }
    return lambda: save_state(state, now, extra)


def _frames(source: Source, tracker: Tracker) -> Iterator[Frame]:
    """Frames that the tracker takes next; a live source's one by one, as waiting makes them old."""
    if source.live:
        return source.frames()
    return _read_ahead(source.frames(tracker.next_index), tracker.runtime.expect)


def _masks(masks: ReferenceMasks | None, frame: Frame, summary: Summary) -> LabelMap | None:
    """The frame's label map, if there is one with an object in it."""
    given = masks.for_frame(frame) if masks else None
    if given is not None and not given.any():
        summary.warnings.append(f"frame {frame.name}: its mask holds no object and says nothing")
        return None
    return given


def _read_ahead(
    frames: Iterator[Frame], expect: Callable[[NDArray[np.uint8]], None]
) -> Iterator[Frame]:
    """The same frames, decoded in a thread, where ``expect`` is told of each (H, W, 3) too."""
    waiting: queue.Queue[Frame | BaseException | None] = queue.Queue(AHEAD)
    stopped = threading.Event()

    def put(item: Frame | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            for frame in frames:
                expect(frame.pixels)
                put(frame)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:  # told where the frames are used
            put(error)

    thread = threading.Thread(target=read, name="hodor-read", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


class _Writer:
    """Sinks behind a bounded queue, in a thread; the first failure is raised to the caller."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.sinks = sinks
        self.waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(AHEAD)
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._work, name="hodor-write", daemon=True)
        self.thread.start()

    def do(self, job: Callable[[], None]) -> None:
        """Queue something else to be written."""
        self._put(job)

    def write(self, frame: Frame, result: Result) -> None:
        """Queue one frame's results."""
        # A result holds its logits for soft masks; only the map goes on.
        labels, ids = result.label_map, result.ids

        def job() -> None:
            for sink in self.sinks:
                sink.write(frame, labels, ids)

        self._put(job)

    def commit(self, then: Callable[[], None]) -> None:
        """Queue a commit of all sinks; ``then`` runs when all that came before is safe."""

        def job() -> None:
            for sink in self.sinks:
                sink.commit()
            then()

        self._put(job)

    def close(self) -> None:
        """Write what waits and finish the files."""
        self._finish()
        if self.failure is not None:
            self._let_go()
            raise self.failure
        for sink in self.sinks:
            sink.close()

    def abandon(self) -> None:
        """Write what waits, and leave the files ready to be resumed from the last commit.

        No commit is made here: commits at other frames than an uninterrupted run's would cut the
        overlay's parts elsewhere, and a resumed run is to give the same files.
        """
        self._finish()
        self._let_go()

    def _let_go(self) -> None:
        for sink in self.sinks:
            sink.abandon()

    def _put(self, job: Callable[[], None]) -> None:
        if self.failure is not None:
            raise self.failure
        self.waiting.put(job)

    def _finish(self) -> None:
        self.waiting.put(None)
        self.thread.join()

    def _work(self) -> None:
        while (job := self.waiting.get()) is not None:
            if self.failure is not None:
                continue  # keep the queue moving; nothing more is written
            try:
                job()
            except BaseException as error:
                self.failure = error
