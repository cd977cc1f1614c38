"""What every source gives (frames), and what every source is."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hodor.video.sound import Sound
    from hodor.video.time_codes import TimeCode

LabelMap = NDArray[np.uint8] | NDArray[np.uint16]
"""One integer per pixel, (H, W): 0 is background, other values are the user's object ids."""

DEFAULT_FPS = 25.0
"""Frames per second where nothing states a rate, as in a folder of images."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video at source size.

    index: position in the source, from 0. A live source counts dropped frames too.
    name: stem under which results are saved: the image file's stem, else the index as "00042".
    pixels: (H, W, 3) uint8 RGB.
    time: seconds from the source's first frame.
    captured: for live sources the moment of capture on ``time.monotonic``'s clock, in seconds.
    """

    index: int
    name: str
    pixels: NDArray[np.uint8]
    time: float
    captured: float | None = None


def numbered_name(index: int) -> str:
    """Name of a frame that has no file of its own: 42 -> "00042"."""
    return f"{index:05d}"


class Source(Protocol):
    """Anything that gives frames in order, one at a time; use it in a ``with`` statement.

    length: number of frames where the source states it, else None.
    estimated_length: `length`, or a guess from duration and rate for a progress bar, or None.
    fps: nominal frames per second; the true times are in the frames.
    timed: whether rate and times are known; images for which nobody gave a rate only count, but a
        stack of ImageJ or OME may say how long a frame is.
    pixel_aspect: width over height of a pixel when the frame is shown; 1 but for anamorphic video.
    um_per_pixel: micrometres that a pixel's side is long, where a TIFF of ImageJ or OME says so.
    time_code: of frame 0, where a video states it.
    sound: of a video file that has any and gives its own times.
    live: whether frames that come too late are dropped (cameras and streams).
    warnings: messages for the user, gathered while reading; complete once `frames` has ended.
    """

    @property
    def name(self) -> str: ...
    @property
    def length(self) -> int | None: ...
    @property
    def estimated_length(self) -> int | None: ...
    @property
    def fps(self) -> float: ...
    @property
    def timed(self) -> bool: ...
    @property
    def pixel_aspect(self) -> Fraction: ...
    @property
    def um_per_pixel(self) -> float | None: ...
    @property
    def time_code(self) -> "TimeCode | None": ...
    @property
    def sound(self) -> "Sound | None": ...
    @property
    def live(self) -> bool: ...
    @property
    def warnings(self) -> list[str]: ...

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Read from frame `start` on; indices, names and times stay those of the whole source.

        A live source has no past to skip: its first frame gets the index `start`.
        Raises SourceError where a frame cannot be read and leaving it out would be a lie.
        """
        ...

    def close(self) -> None:
        """End reading and give back files, threads and devices. May be called twice."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Closing:
    """The ``with`` statement for sources: leaving it closes."""

    timed = True
    """Of videos and streams; see `Source`"""
    pixel_aspect = Fraction(1)
    """Of images and arrays, which do not say; see `Source`"""
    um_per_pixel: float | None = None
    """Of videos, which do not say; see `Source`"""
    time_code: "TimeCode | None" = None
    """Of images; see `Source`"""
    sound: "Sound | None" = None
    """As above"""

    def close(self) -> None:
        """Give back what is held; a source that holds nothing between frames has nothing to do."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
