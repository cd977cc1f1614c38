"""A line of a run's progress now and then, where no bar can be drawn: log files, other machines."""

import time
from collections.abc import Callable

from hodor.training.loop import Progress

SHARES = 10
"""A run says so many times how far it is, whatever it takes"""

EVERY = 60.0
"""Seconds without a line after which there is one all the same"""

HOUR, MINUTE = 3600, 60


class ProgressLines:
    """Says a step in a line: the first, at each tenth of the run, and once a minute at least.

    say: takes the line, such as ``30/300, loss 0.412, IoU 0.71, 1.20 it/s, 4 min left``.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began = self._shown = 0.0
        self._first: int | None = None

    def report(self, at: Progress) -> None:
        """Say a step, if it is its turn."""
        now = time.monotonic()
        begins = self._first is None
        if self._first is None:
            self._first, self._began = at.step - 1, now - at.seconds
        tenth = at.step * SHARES // at.of > (at.step - 1) * SHARES // at.of
        if not (begins or tenth or now - self._shown >= EVERY):
            return
        self._shown = now
        left = (now - self._began) / (at.step - self._first) * (at.of - at.step)
        self._say(
            f"{at.step}/{at.of}, loss {at.loss:.3f}, IoU {at.iou:.2f}, "
            f"{1 / max(at.seconds, 1e-9):.2f} it/s, {_in_words(left)} left"
        )


def _in_words(seconds: float) -> str:
    if seconds >= HOUR:
        return f"{seconds / HOUR:.1f} h"
    return f"{seconds / MINUTE:.0f} min" if seconds >= MINUTE else f"{seconds:.0f} s"
