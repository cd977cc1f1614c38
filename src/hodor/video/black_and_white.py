"""Masks of one object that tools save as black and white in colours, or as JPEG."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

HALF = 128
"""From this of 255 on a pixel is white."""

TINT = 24
"""So far the colours of a grey may lie apart in a file that changes pixels."""

NEARLY = 32
"""So far from black or white a pixel is no shade in a file that changes pixels; else 0."""

EXACT_REACH = 3
LOSSY_REACH = 8
"""So many pixels from an edge shades are the edge's: smoothing of a brush; a block of JPEG."""


FLAT = 8
"""A block of 3 x 3 shades that differ by no more is a region of its own, not an edge."""

_SQUARE = np.ones((3, 3), np.uint8)


class BlackAndWhite(NamedTuple):
    """A mask (H, W) of one object, and how many of its pixels were neither black nor white."""

    white: NDArray[np.bool_]
    shades: int


def black_and_white(image: Image.Image, *, exact: bool) -> BlackAndWhite | None:
    """What is white in a picture of black and white, or None if it is anything else.

    Transparent pixels are laid on black. Shades count as smoothed edges where white and black lie
    beside them, and are split at ``HALF``; shades elsewhere may be other objects.

    Args:
        image: of any mode but a palette of ids.
        exact: whether the file's format keeps every pixel.
    """
    grey = _grey(image, 0 if exact else TINT)
    if grey is None:
        return None
    white = grey >= HALF
    if not white.any():
        return None
    if exact and len(np.unique(grey)) == 2 and grey.min() == 0:
        return BlackAndWhite(white, 0)
    margin = 0 if exact else NEARLY
    shades = (grey > margin) & (grey < 255 - margin)
    far = shades & ~_edges(white, EXACT_REACH if exact else LOSSY_REACH)
    if far.any() or _has_region(grey, shades):
        return None
    return BlackAndWhite(white, int(np.count_nonzero(shades)))


def _grey(image: Image.Image, tint: int) -> NDArray[np.uint8] | None:
    """The picture (H, W) on black, or None where it has colours."""
    pixels = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
    colours = np.asarray(Image.alpha_composite(ground, pixels))[..., :3]
    if int((colours.max(2) - colours.min(2)).max(initial=0)) > tint:
        return None
    return np.asarray(colours[..., 1])


def _has_region(grey: NDArray[np.uint8], shades: NDArray[np.bool_]) -> bool:
    """Whether some shades are alike over a block: an object of another grey."""
    blocks = cv2.erode(shades.astype(np.uint8), _SQUARE) > 0
    spread = cv2.dilate(grey, _SQUARE) - cv2.erode(grey, _SQUARE)
    return bool((blocks & (spread <= FLAT)).any())


def _edges(white: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Pixels within ``reach`` of where black and white meet."""
    around = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    values = white.astype(np.uint8)
    return np.asarray((cv2.dilate(values, around) > 0) & (cv2.erode(values, around) == 0))
