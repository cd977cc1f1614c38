"""Label maps with work only where the winner is in doubt: ``torch.label_map`` with NumPy.

All channels compete in every cell in doubt, where ``torch.label_map`` takes the likeliest sixteen.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hodor.tracking.geometry import STRIDE, Geometry
from hodor.tracking.logits import Logits
from hodor.tracking.result import label_kind
from hodor.types import AnyArray

SIDE = STRIDE + 2  # pixels of the network's image that a cell's pixels are mixed from, on an axis
VALUES = 2**22  # probabilities that are held at a time
IN_DOUBT = -1

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def fast_label_map(
    logits: Logits[Floats], geometry: Geometry
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """What ``label_map_of`` makes of ``probabilities``, (H, W), for a frame without given masks.

    Args:
        logits: of the frame.
        geometry: of the frame.
    """
    values, background = logits.values, logits.backgrounds
    winner = sure_winner(values, background)
    rows, columns = map(_along, geometry.inner, geometry.crop_size, values.shape[1:])
    ids: AnyArray = np.array([0, *logits.ids], label_kind(logits.ids))
    labels: NDArray[np.uint8] | NDArray[np.uint16]
    labels = ids[winner.clip(min=0)][:, columns.cell][rows.cell]
    cells = np.argwhere((winner == IN_DOUBT) & rows.used[:, None] & columns.used)
    step = max(1, VALUES // (max(SIDE**2, SIDE * len(rows.mixtures)) * len(values)))
    for first in range(0, len(cells), step):
        y, x = cells[first : first + step].T
        probabilities = _surroundings(values, y, x)
        down = np.stack([_mixed(probabilities, one, y) for one in rows.mixtures], 2)
        for pixel, mixture in zip(columns.pixels, columns.mixtures, strict=True):
            best = _best(_mixed(down, mixture, x), background)
            labels[rows.pixels[:, y], pixel[x]] = ids[best]
    return labels


def sure_winner(logits: Floats, background: int) -> Integers:
    """Who wins all pixels of a cell: (y, x), 0 background, 1..O objects, or ``IN_DOUBT``.

    See ``torch.label_map.sure_winner``.
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
    """The frame's pixels along one axis; see ``torch.label_map``."""

    cell: Integers
    used: NDArray[np.bool_]
    pixels: Integers
    mixtures: list[list[tuple[int, Floats]]]


@lru_cache(maxsize=64)  # crops have up to 16 sizes
def _along(inner: int, source: int, cells: int) -> _Along:
    """inner, source: the axis' length in pixels, in the network's image and in the crop."""
    place = (np.arange(source) + 0.5) * (inner / source) - 0.5
    # As published: at the frame's border nothing is taken from the padding.
    place = place.clip(0, inner - 1)
    cell = (place + 0.5).astype(np.int64) // STRIDE
    within = place - (cell * STRIDE - 1)
    count = np.bincount(cell, minlength=cells)
    last = (count - 1).clip(min=0)
    pixels = count.cumsum() - count + np.minimum(np.arange(count.max())[:, None], last)
    pixels = pixels.clip(max=source - 1)
    used = count > 0
    before = within.astype(np.int64)[pixels]
    share = within[pixels] - before
    mixtures = []
    for here, after in zip(before, share, strict=True):
        taken = range(here[used].min(), min(here[used].max() + 2, SIDE))
        shares = (
            np.where(here == i, 1 - after, 0) + np.where(here + 1 == i, after, 0) for i in taken
        )
        mixtures.append([(i, one.astype(np.float32)) for i, one in zip(taken, shares, strict=True)])
    return _Along(cell, used, pixels, mixtures)


def _surroundings(logits: Floats, y: Integers, x: Integers) -> Floats:
    """Probabilities in the network's pixels of n cells and one pixel around each.

    Args:
        logits: (P, rows, columns).
        y, x: (n,), of the cells.

    Returns:
        (P, SIDE, SIDE, n).
    """
    near = np.arange(3)[:, None]
    values = _wider(logits)[:, (y + near)[:, None], x + near].reshape(len(logits), 9, len(y))
    full = _upsampling() @ values
    full -= full.max(0)
    np.exp(full, out=full)
    full /= full.sum(0)
    return np.asarray(full.reshape(len(logits), SIDE, SIDE, len(y)), np.float32)


@lru_cache(maxsize=1)
def _upsampling() -> Floats:
    """The matrix (SIDE * SIDE, 9) from 3 x 3 cells to the pixels of the middle one, widened."""
    offset = (np.arange(SIDE) - (SIDE - 1) / 2) / STRIDE  # in cells
    along = np.stack([(-offset).clip(min=0), 1 - np.abs(offset), offset.clip(min=0)], -1)
    return np.asarray(np.kron(along, along), np.float32)


def _mixed(values: Floats, mixture: list[tuple[int, Floats]], cells: Integers) -> Floats:
    """``values`` (P, SIDE, ..., n), mixed along their second axis as each of the n cells asks."""
    (first, share), *others = mixture
    mixed = values[:, first] * share[cells]
    for i, share in others:
        mixed += values[:, i] * share[cells]
    return mixed


def _best(probabilities: Floats, background: int) -> Integers:
    """Which object leads in (P, ..., n): 0 background, 1..O; of equals the first one."""
    greatest = probabilities[:background].max(0)
    best = np.zeros(greatest.shape, np.int64)
    for number, value in enumerate(probabilities[background:], 1):
        best[value > greatest] = number
        np.maximum(greatest, value, out=greatest)
    return best


def _wider(x: AnyArray) -> AnyArray:
    """(..., y, x) with the cells at the edge repeated once on every side."""
    return np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)], mode="edge")


def _neighbours(x: AnyArray) -> list[AnyArray]:
    """The nine neighbours of each cell of (..., y, x), itself included; the edge is repeated."""
    h, w = x.shape[-2:]
    wide = _wider(x)
    return [wide[..., i : i + h, j : j + w] for i in range(3) for j in range(3)]
