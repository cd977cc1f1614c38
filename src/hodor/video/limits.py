"""What a file may state: numbers are checked here before memory is taken for them.

A file of a few bytes can speak of frames of 60,000 x 60,000 pixels, of frame 10,000,000,000 or of a
corner at 1e30. All of that kind ends as a ValueError, of which `readable` makes one line that names
the file.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MOST_PIXELS = 1 << 27
"""Of one frame: 16K (15,360 x 8,640) fits, and a label map of it with a mask takes 400 MB."""

MOST_FRAMES = 1_000_000
"""Of a video: 9 hours at 30 frames a second."""

MOST_OUTLINE = 4_000_000
"""Pixels along a polygon, in and out of its frame: pycocotools takes 80 bytes for each."""

FAR = 10
"""So many times the frame's sides, and `FAR_PIXELS`, may a corner lie beside the frame."""
FAR_PIXELS = 1000

LONGEST_NAME_LIST = 5
"""Names that a message lists before it ends with "..."."""


def whole(value: object, what: str) -> int:
    """A whole number that a file has as a number or as text.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{what} is {_shown(value)}, not a whole number")
    try:
        number = float(value) if isinstance(value, str) else value
        if isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
            number = int(value)
        if not isinstance(number, int) and not number.is_integer():
            raise ValueError
        return int(number)
    except (ValueError, OverflowError):
        raise ValueError(f"{what} is {_shown(value)}, not a whole number") from None


def frame_size(height: object, width: object) -> tuple[int, int]:
    """The size (H, W) of a frame in pixels.

    Raises:
        ValueError: it is no size, or more than `MOST_PIXELS`.
    """
    size = whole(height, "a frame's height"), whole(width, "a frame's width")
    if min(size) < 1:
        raise ValueError(f"a frame is {size[1]} x {size[0]} pixels")
    if size[0] * size[1] > MOST_PIXELS:
        raise ValueError(
            f"a frame is {size[1]} x {size[0]} pixels; frames of up to {MOST_PIXELS:,} are read"
        )
    return size


def frame_index(value: object) -> int:
    """The number of a frame, from 0.

    Raises:
        ValueError: it is none, or is not below `MOST_FRAMES`.
    """
    index = whole(value, "a frame's number")
    if not 0 <= index < MOST_FRAMES:
        raise ValueError(f"a frame has the number {index}; 0 to {MOST_FRAMES - 1:,} are read")
    return index


def frame_count(value: object) -> int:
    """A number of frames. Raises ValueError if it is none, or more than `MOST_FRAMES`."""
    count = whole(value, "the number of frames")
    if not 0 <= count <= MOST_FRAMES:
        raise ValueError(f"there are {count} frames; up to {MOST_FRAMES:,} are read")
    return count


def rate_of(value: object) -> float:
    """Frames per second. Raises ValueError if it is no number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"the frames per second are {_shown(value)}")
    rate = float(value)
    if not (math.isfinite(rate) and 0 < rate <= MOST_FRAMES):
        raise ValueError(f"the frames per second are {_shown(value)}")
    return rate


def scale_of_pixels(value: object) -> float:
    """Micrometres that a pixel's side is long. Raises ValueError if it is no number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"the micrometres per pixel are {_shown(value)}")
    if not 0 < value < math.inf:
        raise ValueError(f"the micrometres per pixel are {_shown(value)}")
    return float(value)


def filling_runs(runs: NDArray[np.int64], size: tuple[int, int], what: str) -> None:
    """Raises ValueError unless run lengths fill a mask of a size (H, W), none being negative."""
    pixels = size[0] * size[1]
    # Each is looked at before their sum, which could wrap around.
    if runs.size and (int(runs.min()) < 0 or int(runs.max()) > pixels):
        raise ValueError(f"{what} hold {int(runs.max()):,} pixels or less than none in one run")
    if int(runs.sum()) != pixels:
        raise ValueError(
            f"{what} hold {int(runs.sum())} pixels, but {size[1]} x {size[0]} are {pixels}"
        )


def corners_of(points: object, size: tuple[int, int]) -> NDArray[np.float64]:
    """Corners (N, 2) of a polygon, x and y in pixels of a frame (H, W).

    Raises:
        ValueError: they are no numbers in pairs, or lie far outside of the frame.
    """
    corners = np.asarray(points, np.float64).reshape(-1, 2)
    if not len(corners):
        return corners
    if not np.isfinite(corners).all():
        raise ValueError("a polygon has a corner that is no number (nan or infinite)")
    sides = np.array(size[::-1], np.float64)
    room = FAR * sides + FAR_PIXELS
    outside = ((corners < -room) | (corners > sides + room)).any(1)
    if outside.any():
        x, y = corners[outside][0]
        raise ValueError(
            f"a polygon has a corner at ({x:g}, {y:g}), far outside of its frame of {size[1]} x "
            f"{size[0]} pixels"
        )
    length = float(np.abs(corners - np.roll(corners, 1, axis=0)).max(1).sum())
    if length > MOST_OUTLINE:
        raise ValueError(f"a polygon is {length:,.0f} pixels long; up to {MOST_OUTLINE:,} are read")
    return corners


def some(names: Iterable[object]) -> str:
    """A few names for a message, the rest as "..."."""
    listed = [str(name) for name in names]
    rest = ", ..." if len(listed) > LONGEST_NAME_LIST else ""
    return ", ".join(listed[:LONGEST_NAME_LIST]) + rest


def _shown(value: object) -> str:
    text = " ".join(repr(value).split()) if isinstance(value, str | int | float) else ""
    return text[:40] if text else f"a {type(value).__name__}"
