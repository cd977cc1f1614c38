"""Masks as the encoder takes them: ``hodor.model``'s patches with NumPy, for one frame."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

STRIDE = 8  # encoder and descriptors work on F8


def background_cells(masks: Floats, grid: tuple[int, int]) -> Floats:
    """What no object of (O, y, x) takes, in each cell of the grid, row by row: (G, y, x)."""
    free = (1 - masks.sum(0)).clip(min=0)
    row, column = (
        np.minimum(np.arange(n) // max(n // parts, 1), parts - 1)
        for n, parts in zip(free.shape, grid, strict=True)
    )
    cell = row[:, None] * grid[1] + column
    return np.asarray(free * (cell == np.arange(grid[0] * grid[1])[:, None, None]), np.float32)


def to_stride_8(masks: Floats) -> Floats:
    """(P, h, w) to (P, h/8, w/8): the mean of the central 2 x 2 of each 8 x 8 block."""
    middle = slice(STRIDE // 2 - 1, STRIDE // 2 + 1)
    return np.asarray(_blocks(masks)[:, :, middle, :, middle].mean((2, 4)), np.float32)


def objects_to_stride_8(masks: Floats) -> Floats:
    """``to_stride_8`` for O objects (O, h, w), none of which gets lost (see ``hodor.model``)."""
    small = to_stride_8(masks)
    missed = (small.max((1, 2)) <= 0) & (masks.max((1, 2)) > 0)
    if missed.any():
        area = _blocks(masks[missed]).mean((2, 4))
        small[missed] = area / area.max((1, 2), keepdims=True).clip(min=1e-6)
    return small


def _blocks(masks: Floats) -> Floats:
    """(P, h, w) to (P, h/8, 8, w/8, 8)."""
    p, h, w = masks.shape
    return masks.reshape(p, h // STRIDE, STRIDE, w // STRIDE, STRIDE)
