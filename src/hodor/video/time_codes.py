"""Time code: what an editor calls a frame, counted from a start that the file states."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

WRITTEN = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d\d?)\Z")
HOURS = 24
DROPPED_OF_30 = 2
"""Numbers of frames that drop-frame time code leaves out at 30 frames a second in each minute but
every tenth."""


@dataclass(frozen=True)
class TimeCode:
    """A frame's time code.

    count: frames since 00:00:00:00. rate: frames a second. drop: whether numbers are left out (as
    for 30000/1001 frames a second), so that the numbers keep up with the clock.
    """

    count: int
    rate: Fraction
    drop: bool = False

    @classmethod
    def parse(cls, text: str, fps: float) -> Self | None:
        """Of such as 01:00:00:00, or 01:00:00;00 with dropped numbers; None if it is none."""
        found = WRITTEN.match(text.strip())
        rate = Fraction(fps).limit_denominator(1001)
        base = round(rate)
        if found is None or base < 1:
            return None
        hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
        drop = found[4] != ":"
        if hours >= HOURS or minutes > 59 or seconds > 59 or frames >= base or (drop and base % 30):
            return None
        minute = hours * 60 + minutes
        dropped = _dropped(base, drop) * (minute - minute // 10)
        return cls((minute * 60 + seconds) * base + frames - dropped, rate, drop)

    def after(self, seconds: float) -> Self:
        """The time code so many seconds later, of the nearest frame; after a day it begins anew."""
        base, dropped = round(self.rate), _dropped(round(self.rate), self.drop)
        day = HOURS * 6 * (base * 600 - 9 * dropped)
        return replace(self, count=(self.count + round(seconds * self.rate)) % day)

    @property
    def parts(self) -> tuple[int, int, int, int]:
        """Hours, minutes, seconds, frames."""
        base = round(self.rate)
        dropped = _dropped(base, self.drop)
        tens, rest = divmod(self.count, base * 600 - 9 * dropped)
        # The first of ten minutes is whole; each of the others lacks its first numbers.
        within = max(rest - dropped, 0) // (base * 60 - dropped)
        number = self.count + dropped * (9 * tens + within)
        seconds, frames = divmod(number, base)
        return seconds // 3600, seconds // 60 % 60, seconds % 60, frames

    def __str__(self) -> str:
        hours, minutes, seconds, frames = self.parts
        return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if self.drop else ':'}{frames:02d}"


def stated_time_code(
    container: "InputContainer", stream: "VideoStream", fps: float
) -> tuple[TimeCode, float] | None:
    """The time code that a file states, and the time in it, in seconds, to which that belongs.

    A track of time code (QuickTime, MP4) states its own beginning; a tag is of the first frame.
    """
    tracks = [(data.metadata, _start(data)) for data in container.streams.data]
    tags = [(noted, _start(stream)) for noted in (stream.metadata, container.metadata)]
    for noted, start in (*tracks, *tags):
        text = next((noted[key] for key in noted if key.lower() == "timecode"), "")
        code = TimeCode.parse(text, fps)
        if code is not None:
            return code, start
    return None


def _start(stream: "Stream") -> float:
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)


def _dropped(base: int, drop: bool) -> int:
    return base // 30 * DROPPED_OF_30 if drop else 0
