"""Tracking for a session: what is out of date is followed from its nearest given masks."""

import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from hodor.errors import MALFORMED, HodorError, one_line
from hodor.studio.jobs import Control
from hodor.studio.plan import GONE, Pass, Wanted, passes
from hodor.studio.session import Session
from hodor.tracking import Tracker, TrackerState, load_state, save_state, told_of_assumed
from hodor.video import LabelMap, SeekableFrames

SAVE_SECONDS = 5.0
"""So often a pass saves its tracker; what a kill can make it compute again."""


def follow(
    session: Session,
    frames: SeekableFrames,
    tracker: Tracker,
    control: Control,
    *,
    first: int,
    last: int,
    near: int,
) -> None:
    """Bring the results from frame ``first`` to ``last`` up to date, nearest to ``near`` first.

    A change by the user in the meantime is taken in: what is to be done is planned anew.

    Raises:
        HodorError: a frame cannot be read, or a result not be written.
    """
    while True:
        edits, needs = session.edits, session.needs()
        plan = passes(needs, first, last, near)
        if not plan:
            return
        runs = [_Run(session, frames, tracker, one, needs) for one in plan]
        control.expect(sum(run.length for run in runs))
        for run in runs:
            run.work(control, edits)
            session.tell_marks()
            if session.edits != edits:
                break


class _Run:
    """One pass of the tracker."""

    def __init__(
        self,
        session: Session,
        frames: SeekableFrames,
        tracker: Tracker,
        one: Pass,
        needs: Mapping[int, Wanted],
    ) -> None:
        self.session, self.frames, self.tracker = session, frames, tracker
        self.one, self.needs = one, needs
        self.said = session.said()
        self.seeds = self._seeds()
        self.way = "forward" if one.step == 1 else "backward"
        self.file: Path = session.folder.place("tracker", f"{self.way}.safetensors")
        self.warnings: list[str] = []
        """Why a pass that was half done begins anew"""
        self.saved = self._saved()
        self.begin = one.start if self.saved is None else self.saved[0] + one.step
        self.length = abs(one.last - self.begin) + 1

    def work(self, control: Control, edits: int) -> None:
        """Follow to the end of the pass, or until the user changes something."""
        control.warn(self.warnings)
        self.tracker.reset()
        if self.saved is not None:
            self.tracker.load_state_dict(self.saved[1])
        done, moment = None, time.monotonic()
        try:
            for t in range(self.begin, self.one.last + self.one.step, self.one.step):
                control.checkpoint()
                if self.session.edits != edits:
                    return
                self._frame(t, control)
                done = t
                control.advance(t)
                if time.monotonic() - moment > SAVE_SECONDS:
                    self._save(done)
                    moment = time.monotonic()
        finally:
            # A state is a convenience: a disk that is full is told by what matters, the results.
            with suppress(HodorError):
                self._save(done)
                self.session.flush()

    def _frame(self, t: int, control: Control) -> None:
        frame = self.frames.read(t)
        gone = [i for i, mark in self.said.get(t, {}).items() if mark == GONE]
        followed = [i for i in gone if i in self.tracker.ids]
        if followed:
            self.tracker.remove(followed)
        labels = self.seeds if t == self.one.start else self._given(t)
        result = self.tracker.step(frame.pixels, labels)
        control.warn(result.warnings)
        origins = {
            i: (int(self.needs[i].frame[t]), int(self.needs[i].print[t]))
            for i in self.one.objects(t)
        }
        if origins:
            self.session.keep(t, result.label_map.astype(np.uint8), result.confidence, origins)

    def _given(self, t: int) -> LabelMap | None:
        if t not in self.said:
            return None
        labels = self.session.given(t)
        return labels if labels.any() else None

    def _seeds(self) -> LabelMap | None:
        """What the pass starts from: given masks, and others' masks that are up to date there.

        The others are followed too, though nothing of theirs is kept, so that objects compete.
        """
        t = self.one.start
        labels = self.session.labels(t)
        known = [i for i, need in self.needs.items() if not need.stale[t]]
        labels = np.where(np.isin(labels, known), labels, 0).astype(np.uint8)
        return labels if labels.any() else None

    def _saved(self) -> tuple[int, TrackerState] | None:
        """Frame and state where an earlier run of this very pass stopped, if it is of use."""
        if not self.file.is_file():
            return None
        try:
            state, extra = load_state(self.file)
            frame, signature = int(extra["frame"]), str(extra["signature"])
        except (HodorError, *MALFORMED) as error:
            self._warn_of_new_start(one_line(error))
            return None
        step = self.one.step
        behind = step * (self.one.first_wanted() - frame) > 0
        if not behind or step * (frame - self.one.start) < 0:
            return None
        same = signature == self._signature(frame)
        if same and state["network"] == self.tracker.fingerprint:
            return frame, state
        if assumed := told_of_assumed(state):
            self._warn_of_new_start(assumed[0])
        return None

    def _warn_of_new_start(self, reason: str) -> None:
        self.warnings.append(
            f"the pass {self.way} begins anew at its given masks: what was saved of an earlier one "
            f"cannot be used ({reason})"
        )

    def _save(self, frame: int | None) -> None:
        if frame is not None:
            extra = {"frame": frame, "signature": self._signature(frame)}
            save_state(self.file, self.tracker.state_dict(), extra)

    def _signature(self, frame: int) -> str:
        """What the tracker's state after a frame depends on."""
        low, high = sorted((self.one.start, frame))
        fed = [(t, sorted(m.items())) for t, m in sorted(self.said.items()) if low <= t <= high]
        seeds = zlib.crc32(b"" if self.seeds is None else self.seeds.tobytes())
        return f"{self.one.start} {seeds} {self.tracker.options} {fed}"
