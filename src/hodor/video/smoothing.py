"""Telling a smoothed mask from a label map whose objects are small.

Smoothing (anti-aliasing, bilinear resizing, JPEG) puts shades between the regions whose edges it
blurs. Read as ids they would become objects that nobody drew, or bits of wrong objects. Where a
thin or small object lies on the edge of another it looks the same from near: a few pixels with a
lower value on one side and a higher one on the other. The difference is how much of the edges such
pixels take: an object covers a piece of an edge, smoothing replaces edges altogether; and how many
values there are.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.video.frames import LabelMap

FEWEST_PIXELS = 8
"""Fewer doubtful pixels are believed: an object of 2 x 2 on another's edge has four."""

GRADIENT_VALUES = 8
"""So many values that occur only as shades are a gradient, even without two regions around it."""

GRADIENT_SHARE = 0.25
"""... if they are at least this share of all ids; a map of a crowd may hold a few such objects."""

_SQUARE = np.ones((3, 3), np.uint8)


def find_smoothing(values: LabelMap) -> NDArray[np.bool_]:
    """Pixels (H, W) of a greyscale label map that are shades of smoothed edges; none if it is one.

    A shade is a pixel that belongs to no 3 x 3 block of its own value and has both lower and
    higher values among its neighbours. A map is smoothed if shades between two regions are as
    many as the direct contacts of regions that leave room for one (values 2 or more apart),
    or if one value in a map with white occurs as such a shade only, or if many values do.
    """
    lowest, highest = cv2.erode(values, _SQUARE), cv2.dilate(values, _SQUARE)
    between = (lowest < values) & (values < highest)
    if not between.any():
        return between
    loose = ~_in_block(values, lowest == highest)
    shades = loose & between
    flanked = shades & _lies_between_regions(values, loose)
    gradient = _only_among(values, shades)
    if _is_gradient(values, gradient):
        return flanked | (shades & np.isin(values, gradient))
    white = bool((values == np.iinfo(values.dtype).max).any())
    pixels = np.count_nonzero(flanked)
    replaces_edges = pixels >= _direct_contacts(values, loose)
    if pixels >= FEWEST_PIXELS and (
        replaces_edges or (white and _only_among(values, flanked).size)
    ):
        return flanked
    return np.zeros_like(between)


def _in_block(values: LabelMap, core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a pixel has a core pixel (all nine alike) of its own value beside it."""
    height, width = values.shape
    marked = np.where(core, values.astype(np.int32), -1)
    marked = np.pad(marked, 1, constant_values=-1)
    found = np.zeros(values.shape, bool)
    for down in range(3):
        for right in range(3):
            found |= marked[down : down + height, right : right + width] == values
    return found


def _lies_between_regions(values: LabelMap, loose: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a pixel's patch of loose pixels touches a region below and one above its value."""
    top = int(np.iinfo(values.dtype).max)
    low = cv2.erode(np.where(loose, values.dtype.type(top), values), _SQUARE)
    high = cv2.dilate(np.where(loose, values.dtype.type(0), values), _SQUARE)
    count, patches = cv2.connectedComponents(loose.astype(np.uint8), connectivity=8)
    lows, highs = np.full(count, top), np.zeros(count, int)
    patch = patches[loose].astype(np.intp)
    np.minimum.at(lows, patch, low[loose])
    np.maximum.at(highs, patch, high[loose])
    between: NDArray[np.bool_] = (lows[patches] < values) & (values < highs[patches])
    return between


def _only_among(values: LabelMap, pixels: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Values that at least half of their pixels have among `pixels`."""
    areas = np.bincount(values.ravel())
    return np.flatnonzero(2 * np.bincount(values[pixels], minlength=len(areas)) >= areas.clip(1))


def _is_gradient(values: LabelMap, gradient: NDArray[np.intp]) -> bool:
    kinds = np.count_nonzero(np.bincount(values.ravel())[1:])
    return len(gradient) >= max(GRADIENT_VALUES, GRADIENT_SHARE * kinds)


def _direct_contacts(values: LabelMap, loose: NDArray[np.bool_]) -> int:
    """Number of neighbouring pairs of pixels in regions whose values differ by 2 or more."""
    wide = values.astype(np.int32)
    across = (np.abs(np.diff(wide, axis=1)) > 1) & ~loose[:, 1:] & ~loose[:, :-1]
    along = (np.abs(np.diff(wide, axis=0)) > 1) & ~loose[1:] & ~loose[:-1]
    return int(np.count_nonzero(across) + np.count_nonzero(along))
