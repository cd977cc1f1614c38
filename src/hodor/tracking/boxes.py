"""Where objects were last seen, and which part of the next frame is looked at."""

from collections.abc import Iterable
from math import ceil, floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STEPS = 16  # sizes that a crop may have: few, so that it does not breathe with every mask
UPSCALED = 2  # times that a crop is enlarged at most; beyond, there is nothing more to see
# What is seen around a box, as a share of a view's shorter side and of the box (docs, Runs).
AROUND = 0.28
LENGTHS = 64  # pixels that the network sees: steps of the longer side of a narrowed view


class Crop(NamedTuple):
    """A part of a frame, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def whole(cls, frame: tuple[int, int]) -> "Crop":
        """All of a frame of this size (H, W)."""
        return cls(0, 0, *frame)

    @property
    def area(self) -> tuple[slice, slice]:
        """Rows and columns."""
        rows = slice(self.top, self.top + self.height)
        return rows, slice(self.left, self.left + self.width)


class LastBox(NamedTuple):
    """Where an object was last seen: a box in shares of a width and a height."""

    left: float
    top: float
    right: float
    bottom: float
    frames_ago: int = 0

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> "LastBox":
        """The box around a mask (H, W) that is not empty."""
        h, w = mask.shape
        y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        return cls(x[0] / w, y[0] / h, (x[-1] + 1) / w, (y[-1] + 1) / h)

    def near(self, size: tuple[int, int], search_radius: float) -> tuple[slice, slice]:
        """Rows and columns of a map of ``size`` (h, w) that are within reach of the box."""
        h, w = size
        times = search_radius * (1 + self.frames_ago)
        across = times * (min(h, w) + (self.right - self.left) * w)
        down = times * (min(h, w) + (self.bottom - self.top) * h)
        rows = _stretch(self.top * h - down, self.bottom * h + down)
        return rows, _stretch(self.left * w - across, self.right * w + across)

    def moving_on(self, before: "LastBox") -> "LastBox":
        """This box and where it will be if each side moves on as it did since the one before."""
        frames = 1 + before.frames_ago
        across = (0.0, (self.left - before.left) / frames, (self.right - before.right) / frames)
        down = (0.0, (self.top - before.top) / frames, (self.bottom - before.bottom) / frames)
        return self._replace(
            left=self.left + min(across),
            right=self.right + max(across),
            top=self.top + min(down),
            bottom=self.bottom + max(down),
        )

    def in_crop(self, crop: Crop, frame: tuple[int, int]) -> "LastBox":
        """This box of a frame (H, W) in shares of the crop."""
        h, w = frame
        across, down = w / crop.width, h / crop.height
        return self._moved(across, -crop.left / crop.width, down, -crop.top / crop.height)

    def in_frame(self, crop: Crop, frame: tuple[int, int]) -> "LastBox":
        """This box of a crop in shares of the frame (H, W)."""
        h, w = frame
        return self._moved(crop.width / w, crop.left / w, crop.height / h, crop.top / h)

    def _moved(self, across: float, right: float, down: float, below: float) -> "LastBox":
        return self._replace(
            left=self.left * across + right,
            right=self.right * across + right,
            top=self.top * down + below,
            bottom=self.bottom * down + below,
        )


def crop_around(
    last_boxes: Iterable[LastBox], frame: tuple[int, int], crop_margin: float, size: int
) -> Crop:
    """The part of a frame that holds all these boxes and a margin around each; frame's aspect.

    Args:
        last_boxes: in shares of the frame; at least one.
        frame: (H, W).
        crop_margin: as a share of the frame's shorter side and of the box, for each frame since.
        size: shorter side at which the network sees the crop.
    """
    areas = [box.near(frame, crop_margin) for box in last_boxes]
    top, bottom = _span([rows for rows, _ in areas], frame[0])
    left, right = _span([columns for _, columns in areas], frame[1])
    least = size / UPSCALED / min(frame)
    share = max((bottom - top) / frame[0], (right - left) / frame[1], least)
    share = min(1, ceil(share * STEPS) / STEPS)
    height, width = (max(2, round(side * share)) for side in frame)
    return Crop(
        _start((top + bottom) / 2, height, frame[0]),
        _start((left + right) / 2, width, frame[1]),
        height,
        width,
    )


def narrowed(
    last_boxes: Iterable[LastBox],
    frame: tuple[int, int],
    crop: Crop,
    seen: tuple[int, int],
    *,
    crop_margin: float,
    search_radius: float,
) -> tuple[Crop, tuple[int, int]]:
    """A crop without what is far from all boxes along its longer side, but no narrower than square.

    Args:
        last_boxes: in shares of the frame; at least one.
        frame: (H, W).
        crop: a part of it.
        seen: height and width at which the network sees the crop.
        crop_margin: as of ``crop_around``; all of it stays.
        search_radius: as a share of the crop's shorter side and of the box; all of it stays.

    Returns:
        The crop, and the size at which it is seen, as large as before.
    """
    axis = int(seen[1] > seen[0])
    whole = crop[2 + axis]
    around = max(AROUND, search_radius)
    reach = []
    for box in last_boxes:
        reach.append(box.in_crop(crop, frame).near(crop[2:], around)[axis])
        promised = box.near(frame, crop_margin)[axis]
        reach.append(slice(promised.start - crop[axis], promised.stop - crop[axis]))
    start, stop = _span(reach, whole)
    start = max(0, start)
    scale = seen[axis] / whole
    length = LENGTHS * ceil((stop - start) * scale / LENGTHS)
    length = max(length, min(seen))
    if length >= seen[axis]:
        return crop, seen
    pixels = round(length / scale)
    first = crop[axis] + _start((start + stop) / 2, pixels, whole)
    if axis:
        return crop._replace(left=first, width=pixels), (seen[0], length)
    return crop._replace(top=first, height=pixels), (length, seen[1])


def _stretch(start: float, stop: float) -> slice:
    """Cells from ``start`` to ``stop``; below 0, where a slice would count from the end, none."""
    return slice(max(0, floor(start)), max(0, floor(stop) + 1))


def _span(slices: list[slice], side: int) -> tuple[int, int]:
    return min(s.start for s in slices), min(max(s.stop for s in slices), side)


def _start(middle: float, length: int, side: int) -> int:
    return min(max(round(middle - length / 2), 0), side - length)
