"""COCO's run-length masks: masks to runs and back, and what runs tell without a mask being made."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from types import ModuleType
from typing import NotRequired, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from hodor.video.limits import corners_of, filling_runs, frame_size

LEAST_CORNERS = 3
"""Of a polygon that covers anything."""


class Rle(TypedDict):
    """COCO's runs of a mask as JSON has them."""

    size: Sequence[int]
    """H and W of the mask, in pixels"""
    counts: str
    """Lengths of runs down the columns, of background first, packed into a text"""


class Runs(TypedDict):
    """The same with the lengths themselves."""

    size: Sequence[int]
    """H and W"""
    counts: list[int]


Segmentation: TypeAlias = list[list[float]] | Rle | Runs
"""A mask in COCO's files: polygons, each x and y in pixels in turn, or runs"""


class ObjectRecord(TypedDict):
    """An object in a frame, as ``masks.json`` has it."""

    id: int
    area: int
    """In pixels"""
    bbox: list[int]
    """x, y, width, height in pixels"""
    segmentation: Rle
    confidence: NotRequired[float]
    """In [0, 1], where it is known"""


class FrameRecord(TypedDict):
    """A frame, as ``masks.json`` has it."""

    index: int
    name: str
    time: float
    """In seconds"""
    size: NotRequired[list[int]]
    """[H, W], of a frame whose size is not the file's"""
    objects: list[ObjectRecord]


def _coco() -> ModuleType:
    """pycocotools, which training on stills in folders does without."""
    return import_module("pycocotools.mask")


def encode_rle(mask: NDArray[np.bool_]) -> Rle:
    """A mask (H, W) as COCO RLE for JSON: {"size": [H, W], "counts": "..."}."""
    # COCO counts runs down the columns.
    rle = _coco().encode(np.asfortranarray(mask).view(np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def decode_rle(rle: Rle | Runs) -> NDArray[np.bool_]:
    """The mask (H, W) of COCO RLE, compressed or a list of counts.

    Raises ValueError if the runs do not fill it: pycocotools would give what happens to be in
    memory for the rest of a mask whose text is cut off.
    """
    (height, width), runs = _unpacked(rle)
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def area_and_box(rle: Rle) -> tuple[int, list[int]]:
    """Area in pixels, and x, y, width, height, of what `encode_rle` gave."""
    packed = {"size": rle["size"], "counts": rle["counts"].encode("ascii")}
    return int(_coco().area(packed)), [int(edge) for edge in _coco().toBbox(packed)]


def box_of_rle(rle: Rle | Runs) -> tuple[float, float, float, float] | None:
    """Columns and rows (left, top, right, bottom), ends excluded, of COCO RLE; None for no pixel.

    Raises ValueError as `decode_rle`, which takes the memory that this does not need.
    """
    (height, _), runs = _unpacked(rle)
    ends = runs.cumsum()[1::2]
    starts = ends - runs[1::2]
    starts, ends = starts[ends > starts], ends[ends > starts] - 1
    if not len(starts):
        return None
    over = bool((starts // height != ends // height).any())  # from one column into the next
    top, bottom = (
        (0, height) if over else (int((starts % height).min()), int((ends % height).max()) + 1)
    )
    return float(starts[0] // height), float(top), float(ends[-1] // height + 1), float(bottom)


def fill_polygons(polygons: Iterable[object], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels (H, W) whose centres are inside any of the polygons, as COCO counts them.

    Args:
        polygons: corners, each (N, 2) or flat, x and y in pixels; fewer than three cover nothing.
        size: (H, W) of the frame.

    Raises:
        ValueError: corners are no numbers, or lie far outside of the frame.
    """
    height, width = size
    corners = [corners_of(polygon, size) for polygon in polygons]
    flat = [found.ravel().tolist() for found in corners if len(found) >= LEAST_CORNERS]
    if not flat:
        return np.zeros(size, np.bool_)
    together = _coco().merge(_coco().frPyObjects(flat, height, width))
    return np.asarray(_coco().decode(together), np.bool_)


def _unpacked(rle: Rle | Runs) -> tuple[tuple[int, int], NDArray[np.int64]]:
    """Size (H, W) and run lengths, which fill it."""
    height, width = rle["size"]
    size = frame_size(height, width)
    counts = rle["counts"]
    runs = np.array(counts, np.int64).ravel() if isinstance(counts, list) else _runs(str(counts))
    filling_runs(runs, size, "the run lengths of a mask")
    return size, runs


def _runs(text: str) -> NDArray[np.int64]:
    """The run lengths that COCO packed into a text.

    A character holds five bits of a number, the lowest first, and whether more follow; the highest
    bit of all is the sign. From the fourth number on, a number is the change from that before last.
    """
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    if not codes.size or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise ValueError("the run lengths of a mask are cut off")
    ends = np.flatnonzero(codes & 32 == 0) + 1
    starts = np.concatenate([[0], ends[:-1]])
    shifts = 5 * (np.arange(codes.size) - np.repeat(starts, ends - starts))
    numbers = np.add.reduceat((codes & 31) << shifts, starts)
    numbers -= np.where(codes[ends - 1] & 16, 1 << 5 * (ends - starts), 0)
    numbers[1::2] = numbers[1::2].cumsum()
    numbers[2::2] = numbers[2::2].cumsum()
    return numbers
