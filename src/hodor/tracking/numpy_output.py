"""Label maps with work only where the winner is in doubt: ``torch_output`` with NumPy.

All channels compete in every cell in doubt, where ``torch_output`` takes the likeliest sixteen.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hodor.tracking.geometry import STRIDE, Geometry
from hodor.tracking.result import label_kind

SIDE = STRIDE + 2  # pixels of the network's image that a cell's pixels are mixed from, on an axis
VALUES = 2**22  # probabilities that are held at a time
IN_DOUBT = -1

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def fast_label_map(
    logits: Floats, channels: Sequence[int], geometry: Geometry
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """What ``label_map_of`` makes of ``probabilities``, for a frame without given masks.

    Args:
        logits: (K + O, h/4, w/4), objects last.
        channels: ids of the O objects.
        geometry: of the frame.
    """
    background = len(logits) - len(channels)
    winner = sure_winner(logits, background)
    cells = np.argwhere(winner == IN_DOUBT)
    # Each cell in doubt gets a negative number of its own.
    winner[cells[:, 0], cells[:, 1]] = IN_DOUBT - np.arange(len(cells))
    rows, columns = map(_Along.of, geometry.inner, geometry.source)
    number = winner[rows.cell[:, None], columns.cell]  # (H, W): 0 background, 1..O objects
    step = max(1, VALUES // (SIDE**2 * len(logits)))
    for first in range(0, len(cells), step):
        # Cells of earlier parts have their winners, which are not negative.
        y, x = np.nonzero((number < 0) & (number > IN_DOUBT - first - step))
        cell = IN_DOUBT - first - number[y, x]
        mixed = _mixed(
            _surroundings(logits, cells[first : first + step]), cell, rows.only(y), columns.only(x)
        )
        number[y, x] = (mixed.argmax(1) - background + 1).clip(min=0)
    ids: NDArray[Any] = np.array([0, *channels], label_kind(channels))
    labels: NDArray[np.uint8] | NDArray[np.uint16] = ids[number]
    return labels


def sure_winner(logits: Floats, background: int) -> Integers:
    """Who wins all pixels of a cell: (y, x), 0 background, 1..O objects, or ``IN_DOUBT``.

    See ``torch_output.sure_winner``.
    """
    behind, objects = logits[:background], logits[background:]
    best, ground = objects.max(0), behind.max(0)
    nearest = behind.argmax(0)
    leads = np.where(best > ground, objects.argmax(0) + 1, 0)
    around = _neighbours(leads)
    low, high = np.minimum.reduce(around), np.maximum.reduce(around)
    ahead = [
        np.take_along_axis(here, nearest[None], 0)[0] >= there
        for here, there in zip(_neighbours(behind), _neighbours(best), strict=True)
    ]
    winner = np.where((low == high) & (low > 0), low, IN_DOUBT)
    winner[np.logical_and.reduce(ahead)] = 0
    return winner


class _Along(NamedTuple):
    """The frame's pixels along one axis; see ``torch_output``."""

    cell: Integers
    before: Integers
    share: Floats

    @classmethod
    def of(cls, inner: int, source: int) -> "_Along":
        """inner, source: the axis' length in pixels, in the network's image and in the frame."""
        place = (np.arange(source) + 0.5) * (inner / source) - 0.5
        # As published: at the frame's border nothing is taken from the padding.
        place = place.clip(0, inner - 1)
        cell = (place + 0.5).astype(np.int64) // STRIDE
        within = place - (cell * STRIDE - 1)
        before = within.astype(np.int64)
        return cls(cell, before, (within - before).astype(np.float32))

    def only(self, pixels: Integers) -> "_Along":
        """Some of the pixels."""
        return _Along(self.cell[pixels], self.before[pixels], self.share[pixels])


def _surroundings(logits: Floats, cells: Integers) -> Floats:
    """Probabilities in the network's pixels of each of ``cells`` (n, 2) and one pixel around it.

    Returns:
        (n, SIDE * SIDE, P).
    """
    near = np.arange(3)
    y, x = cells[:, 0, None, None] + near[:, None], cells[:, 1, None, None] + near
    values = _wider(logits)[:, y, x].reshape(len(logits), len(cells), 9)
    full = (values @ _upsampling()).transpose(1, 2, 0)
    full = np.exp(full - full.max(2, keepdims=True))
    return np.asarray(full / full.sum(2, keepdims=True), np.float32)


@lru_cache(maxsize=1)
def _upsampling() -> Floats:
    """The matrix (9, SIDE * SIDE) from 3 x 3 cells to the pixels of the middle one, widened."""
    offset = (np.arange(SIDE) - (SIDE - 1) / 2) / STRIDE  # in cells
    along = np.stack([(-offset).clip(min=0), 1 - np.abs(offset), offset.clip(min=0)], -1)
    return np.ascontiguousarray(np.kron(along, along).T, np.float32)


def _mixed(probabilities: Floats, cell: Integers, rows: _Along, columns: _Along) -> Floats:
    """Probabilities (m, P) of m of the frame's pixels, each from four of the network's.

    Args:
        probabilities: (n, SIDE * SIDE, P).
        cell: (m,), which of the n each pixel lies in.
        rows, columns: of the m pixels.
    """
    table = probabilities.reshape(-1, probabilities.shape[-1])
    first = cell * SIDE**2 + rows.before * SIDE + columns.before
    down, across = rows.share[:, None], columns.share[:, None]
    above = (1 - across) * table[first] + across * table[first + 1]
    below = (1 - across) * table[first + SIDE] + across * table[first + SIDE + 1]
    return np.asarray((1 - down) * above + down * below, np.float32)


def _wider(x: NDArray[Any]) -> NDArray[Any]:
    """(..., y, x) with the cells at the edge repeated once on every side."""
    return np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)], mode="edge")


def _neighbours(x: NDArray[Any]) -> list[NDArray[Any]]:
    """The nine neighbours of each cell of (..., y, x), itself included; the edge is repeated."""
    h, w = x.shape[-2:]
    wide = _wider(x)
    return [wide[..., i : i + h, j : j + w] for i in range(3) for j in range(3)]
