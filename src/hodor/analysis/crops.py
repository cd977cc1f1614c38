"""Pictures of objects, cut out of their frames."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.analysis.table import Descriptor
from hodor.video import open_source

MARGIN = 0.08  # around an object's box, as a share of its longer side
Pixels = NDArray[np.uint8]


def read_crops(rows: Sequence[Descriptor], size: int = 96) -> list[Pixels]:
    """Each row's box cut out of its frame, its longer side ``size`` pixels: (h, w, 3) uint8 RGB.

    Frames are read from the rows' sources, each of them once. Raises SourceError where one is gone.
    """
    wanted: dict[str, dict[int, list[int]]] = {}
    for number, row in enumerate(rows):
        wanted.setdefault(row.source, {}).setdefault(row.index, []).append(number)
    crops: dict[int, Pixels] = {}
    for source, by_index in wanted.items():
        for index, pixels in _frames(source, by_index).items():
            for number in by_index[index]:
                crops[number] = crop(pixels, rows[number].box, size)
    return [crops[number] for number in range(len(rows))]


def _frames(source: str, by_index: Mapping[int, object]) -> dict[int, Pixels]:
    """Frames of a source by number; those between are skipped over."""
    found = {}
    with open_source(source) as opened:
        for index in sorted(by_index):
            # Asked for anew, a folder's source goes straight to the frame.
            found[index] = next(iter(opened.frames(index))).pixels
    return found


def crop(pixels: Pixels, box: tuple[int, int, int, int] | None, size: int) -> Pixels:
    """A box with a margin cut out of a frame (H, W, 3) and resized; the whole frame for None."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = box or (0, 0, width, height)
    margin = round(MARGIN * max(right - left, bottom - top)) if box else 0
    part = pixels[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
    scale = size / max(part.shape[:2])
    target = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, target, interpolation=way), np.uint8)
