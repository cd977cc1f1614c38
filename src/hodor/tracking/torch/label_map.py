"""Label maps with work only where the winner is in doubt, and many objects for the price of few.

What is published upsamples every channel to the frame's size and takes the best there. Away from
outlines the winner is known at stride 4: a pixel is a mixture of the cells around it, and a channel
that leads in all of them leads in the mixture. Only pixels of the other cells are computed, each
from the channels that can matter in its cell.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hodor.tracking.geometry import STRIDE, Geometry
from hodor.tracking.logits import Logits
from hodor.tracking.result import label_kind
from hodor.tracking.torch.images import to_source
from hodor.tracking.torch.transfer import fetch
from hodor.types import AnyArray

SIDE = STRIDE + 2  # pixels of the network's image that a cell's pixels are mixed from, on an axis
CANDIDATES = 16  # channels that compete in a cell; all there are, with up to six objects
VALUES = 2**24  # probabilities that are held at a time
AT_ONCE = 2**28  # probabilities of a whole frame that a GPU holds; beyond, it takes the sparse way
IN_DOUBT = -1


def fast_label_map(
    logits: Logits[Tensor], geometry: Geometry
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """What ``label_map_of`` makes of ``probabilities``, for a frame without given masks.

    With more than ``CANDIDATES`` channels it may differ in a few pixels in ten thousand, on
    outlines where many objects meet.

    Args:
        logits: (K + O, h/4, w/4) of the frame.
        geometry: of the frame.

    Returns:
        (H', W') of the crop, in the type that holds the greatest id.
    """
    values, background = logits.values, logits.backgrounds
    kind = label_kind(logits.ids)
    pixels = geometry.crop_size[0] * geometry.crop_size[1]
    if values.device.type == "cuda" and len(values) * pixels <= AT_ONCE:
        labels = dense_labels(values, background, numbers_of(logits.ids, values.device), geometry)
        return np.asarray(fetch(labels).astype(kind, copy=False))
    if values.device.type == "mps":
        values = values.cpu()  # for the types below
    winner = sure_winner(values, background)
    rows, columns = (
        _along(inner, source, cells, values.device)
        for inner, source, cells in zip(
            geometry.inner, geometry.crop_size, values.shape[1:], strict=True
        )
    )
    ids = numbers_of(logits.ids, values.device)
    labels = ids[winner.clamp(min=0)].index_select(1, columns.cell).index_select(0, rows.cell)
    cells = torch.nonzero((winner == IN_DOUBT) & rows.used[:, None] & columns.used)
    held = max(SIDE**2, SIDE * len(rows.mixtures)) * min(len(values), CANDIDATES)
    for part in torch.split(cells, VALUES // held or 1):
        y, x = part.T
        candidates, probabilities = _compete(values, part)
        numbers = ids[(candidates - background + 1).clamp(min=0)]
        # The first channels are one where all of them are background.
        merged = background if len(values) <= CANDIDATES else 1
        down = torch.stack([_mixed(probabilities, one, y) for one in rows.mixtures], 2)
        for pixel, mixture in zip(columns.pixels, columns.mixtures, strict=True):
            best = _best(_mixed(down, mixture, x), numbers, merged)
            labels[rows.pixels[:, y], pixel[x]] = best
    array: AnyArray = fetch(labels).astype(kind, copy=False)
    return array


@lru_cache(maxsize=64)
def numbers_of(ids: tuple[int, ...], device: torch.device) -> Tensor:
    """What planes are called in a label map: (1 + O,), 0 for the background, then the ids."""
    narrow = torch.uint8 if label_kind(ids) is np.uint8 else torch.int32
    with torch.inference_mode(False):  # what is cached may be used in any mode
        return torch.tensor([0, *ids], dtype=narrow, device=device)


def dense_labels(values: Tensor, background: int, numbers: Tensor, geometry: Geometry) -> Tensor:
    """The same label map with all planes at the crop's size, for GPUs: nothing depends on values.

    Args:
        values: logits (K + O, h/4, w/4), objects last.
        background: K.
        numbers: (1 + O,), see ``numbers_of``.
        geometry: of the frame.

    Returns:
        (H', W') in the type of ``numbers``.
    """
    full = F.interpolate(values[None], scale_factor=4, mode="bilinear", align_corners=False)
    p = to_source(full.softmax(1), geometry)
    objects = p[background:].max(0)
    ahead = objects.values > p[:background].amax(0)
    return numbers[torch.where(ahead, objects.indices + 1, 0)]


def merged(values: Tensor, background: int) -> Tensor:
    """Logits (1 + O, y, x) of (K + O, y, x): K planes of background as one, their logsumexp."""
    return torch.cat([values[:background].logsumexp(0, keepdim=True), values[background:]])


def sure_winner(logits: Tensor, background: int) -> Tensor:
    """Who wins all pixels of a cell: (y, x), 0 background, 1..O objects, or ``IN_DOUBT``.

    A pixel is a mixture of the 3 x 3 cells around it. An object that leads in all nine wins. The
    background wins if one of its channels is ahead of all objects in all nine; that channel is
    looked for where the middle is.

    Args:
        logits: (K + O, y, x), objects last.
        background: K.
    """
    behind, objects = logits[:background], logits[background:]
    best, ground = objects.max(0), behind.max(0)
    leads = torch.where(best.values > ground.values, best.indices + 1, 0)
    low, high = _extremes_around(leads)
    ahead = [
        here.gather(0, ground.indices[None])[0] >= there
        for here, there in zip(_neighbours(behind), _neighbours(best.values), strict=True)
    ]
    winner = torch.where((low == high) & (low > 0), low, IN_DOUBT)
    return winner.masked_fill(torch.stack(ahead).all(0), 0)


class _Along(NamedTuple):
    """The frame's pixels along one axis, and how they are mixed of the network's."""

    cell: Tensor
    """(pixels,) the cell that each lies in"""
    used: Tensor
    """(cells,) whether any pixel lies in it"""
    pixels: Tensor
    """(S, cells) the pixels of each cell; where one has fewer than S, its last one again"""
    mixtures: list[list[tuple[int, Tensor]]]
    """For each of the S pixels: which of its cell's ``SIDE`` pixels it takes from, and the share
    (cells,) that it takes"""


@lru_cache(maxsize=64)  # crops have up to 16 sizes
def _along(inner: int, source: int, cells: int, device: torch.device) -> _Along:
    """inner, source: the axis' length in pixels, in the network's image and in the crop."""
    with torch.inference_mode(False):  # what is cached may be used in any mode
        place = (torch.arange(source, device=device) + 0.5) * (inner / source) - 0.5
        # As published: at the frame's border nothing is taken from the padding.
        place = place.clamp(0, inner - 1)
        cell = (place + 0.5).long() // STRIDE
        within = place - (cell * STRIDE - 1)
        count = torch.bincount(cell, minlength=cells)
        number = torch.arange(int(count.max()), device=device)[:, None]
        last = (count - 1).clamp(min=0)
        pixels = (count.cumsum(0) - count + torch.minimum(number, last)).clamp(max=source - 1)
        used = count > 0
        before, share = within.long()[pixels], within.frac()[pixels]
        mixtures = []
        for here, after in zip(before, share, strict=True):
            taken = range(int(here[used].min()), min(int(here[used].max()) + 2, SIDE))
            shares = (torch.where(here == i, 1 - after, 0) for i in taken)
            others = (torch.where(here + 1 == i, after, 0) for i in taken)
            mixtures.append([(i, a + b) for i, a, b in zip(taken, shares, others, strict=True)])
        return _Along(cell, used, pixels, mixtures)


def _compete(logits: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Channels that can matter in each cell, and what they make of its surroundings.

    Args:
        logits: (P, y, x).
        cells: (n, 2), row and column.

    Returns:
        Channels (S, n), in their order so that of equals the background wins, as published. Their
        probabilities (S, SIDE, SIDE, n) in the network's pixels of each cell and one around it:
        cells come last, so that work on them is work on long rows.
    """
    y, x = cells.T
    near = torch.arange(3, device=cells.device)[:, None]
    wide = _wider(logits)
    width = wide.shape[2]
    around = ((y + near)[:, None] * width + x + near).flatten(0, 1)  # (9, n)
    wide = wide.flatten(1)
    if len(logits) <= CANDIDATES:
        candidates = torch.arange(len(logits), device=cells.device)[:, None].expand(-1, len(cells))
        values = wide.index_select(1, around.flatten()).view(len(wide), *around.shape)  # (P, 9, n)
        return candidates, _apart(_upsampled(values).softmax(0))
    lag = torch.stack(_neighbours(logits - logits.amax(0))).amax(0)[:, y, x]
    candidates = lag.topk(CANDIDATES, 0).indices.sort(0).values
    values = wide[candidates[:, None], around]  # (S, 9, n)
    total = _wider(logits.logsumexp(0, keepdim=True)).flatten()[around]
    # All the others together are one more channel.
    others = total + (1 - (values - total).exp().sum(0)).clamp(min=1e-9).log()
    return candidates, _apart(_upsampled(torch.cat([values, others[None]])).softmax(0)[:-1])


def _apart(values: Tensor) -> Tensor:
    """(S, SIDE * SIDE, n) to (S, SIDE, SIDE, n)."""
    return values.view(len(values), SIDE, SIDE, values.shape[2])


def _upsampled(cells: Tensor) -> Tensor:
    """Values of 3 x 3 cells, (S, 9, n), in the pixels of the middle one and one pixel around it."""
    with torch.autocast(cells.device.type, enabled=False):  # bfloat16 would move outlines
        return _upsampling(cells.device) @ cells


@lru_cache(maxsize=4)
def _upsampling(device: torch.device) -> Tensor:
    """The matrix (SIDE * SIDE, 9) of ``_upsampled``."""
    with torch.inference_mode(False):  # what is cached may be used in any mode
        offset = (torch.arange(SIDE, device=device) - (SIDE - 1) / 2) / STRIDE  # in cells
        along = torch.stack([(-offset).clamp(min=0), 1 - offset.abs(), offset.clamp(min=0)], -1)
        return torch.kron(along, along).contiguous()


def _mixed(values: Tensor, mixture: list[tuple[int, Tensor]], cells: Tensor) -> Tensor:
    """``values`` (S, SIDE, ..., n), mixed along their second axis as each of the n cells asks."""
    (first, share), *others = mixture
    mixed = values[:, first] * share[cells]
    for i, share in others:
        mixed.addcmul_(values[:, i], share[cells])
    return mixed


def _best(probabilities: Tensor, numbers: Tensor, merged: int) -> Tensor:
    """The number (n,) or (..., n) of the greatest of (S, ..., n), the first one of equals.

    Args:
        probabilities: of S channels.
        numbers: (S, n), what each channel is called in each cell.
        merged: so many first channels are called the same.
    """
    greatest = probabilities[:merged].amax(0)
    best = numbers[0].expand(greatest.shape)
    for value, number in zip(probabilities[merged:], numbers[merged:], strict=True):
        best = torch.where(value > greatest, number, best)
        greatest = torch.maximum(greatest, value)
    return best


def _wider(x: Tensor) -> Tensor:
    """(P, y, x) with the cells at the edge repeated once on every side."""
    return F.pad(x[None], (1, 1, 1, 1), mode="replicate")[0]


def _neighbours(x: Tensor) -> list[Tensor]:
    """The nine neighbours of each cell of (..., y, x), itself included; the edge is repeated."""
    h, w = x.shape[-2:]
    wide = _wider(x.view(-1, h, w)).view(*x.shape[:-2], h + 2, w + 2)
    return [wide[..., i : i + h, j : j + w] for i in range(3) for j in range(3)]


def _extremes_around(x: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest of the 3 x 3 cells around each of (y, x)."""
    around = torch.stack(_neighbours(x.float()))
    return around.amin(0).long(), around.amax(0).long()
