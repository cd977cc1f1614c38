"""Label maps with work only where the winner is in doubt, and many objects for the price of few.

What is published upsamples every channel to the frame's size and takes the best there. Away from
outlines the winner is known at stride 4: a pixel is a mixture of the cells around it, and a channel
that leads in all of them leads in the mixture. Only pixels of the other cells are computed, each
from the channels that can matter in its cell.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hodor.tracking.geometry import STRIDE, Geometry
from hodor.tracking.result import label_kind

SIDE = STRIDE + 2  # pixels of the network's image that a cell's pixels are mixed from, on an axis
CANDIDATES = 16  # channels that compete in a cell; all there are, with up to six objects
VALUES = 2**24  # probabilities that are held at a time
IN_DOUBT = -1


def fast_label_map(
    logits: Tensor, channels: Sequence[int], geometry: Geometry
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """What ``label_map_of`` makes of ``probabilities``, for a frame without given masks.

    With more than ``CANDIDATES`` channels it may differ in a few pixels in ten thousand, on
    outlines where many objects meet.

    Args:
        logits: (K + O, h/4, w/4), objects last.
        channels: ids of the O objects.
        geometry: of the frame.
    """
    if logits.device.type == "mps":
        logits = logits.cpu()  # Metal has no embedding bags
    background = len(logits) - len(channels)
    winner = sure_winner(logits, background)
    cells = torch.nonzero(winner == IN_DOUBT)
    # Each cell in doubt gets a negative number of its own.
    winner[cells[:, 0], cells[:, 1]] = IN_DOUBT - torch.arange(len(cells), device=winner.device)
    rows, columns = (
        _Along.of(inner, source, logits.device)
        for inner, source in zip(geometry.inner, geometry.source, strict=True)
    )
    number = winner[rows.cell][:, columns.cell]  # (H, W): 0 background, 1..O objects
    step = VALUES // (SIDE**2 * min(len(logits), CANDIDATES))
    for first in range(0, len(cells), step):
        # Cells of earlier parts have their winners, which are not negative.
        y, x = torch.nonzero((number < 0) & (number > IN_DOUBT - first - step), as_tuple=True)
        cell = IN_DOUBT - first - number[y, x]
        candidates, probabilities = _compete(logits, cells[first : first + step])
        mixed = _mixed(probabilities, cell, rows.only(y), columns.only(x))
        best = candidates[cell, mixed.argmax(1)]
        number[y, x] = (best - background + 1).clamp(min=0)
    ids: NDArray[Any] = np.array([0, *channels], label_kind(channels))
    labels: NDArray[np.uint8] | NDArray[np.uint16] = ids[number.cpu().numpy()]
    return labels


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
    """The frame's pixels along one axis."""

    cell: Tensor
    """The cell that each lies in"""
    before: Tensor
    """The last of its cell's ``SIDE`` pixels that is not beyond it"""
    share: Tensor
    """Share of the pixel after that one in the mixture of both"""

    @classmethod
    def of(cls, inner: int, source: int, device: torch.device) -> "_Along":
        """inner, source: the axis' length in pixels, in the network's image and in the frame."""
        place = (torch.arange(source, device=device) + 0.5) * (inner / source) - 0.5
        # As published: at the frame's border nothing is taken from the padding.
        place = place.clamp(0, inner - 1)
        cell = (place + 0.5).long() // STRIDE
        within = place - (cell * STRIDE - 1)
        return cls(cell, within.long(), within.frac())

    def only(self, pixels: Tensor) -> "_Along":
        """Some of the pixels."""
        return _Along(*(values[pixels] for values in self))


def _compete(logits: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Channels that can matter in each cell, and what they make of its surroundings.

    Args:
        logits: (P, y, x).
        cells: (n, 2), row and column.

    Returns:
        Channels (n, S), in their order so that of equals the background wins, as published. Their
        probabilities (n, S, SIDE * SIDE) in the network's pixels of each cell and one around it.
    """
    y, x = cells.T
    near = torch.arange(3, device=cells.device)
    around = (y[:, None, None] + near[:, None], x[:, None, None] + near)  # (n, 3, 1), (n, 1, 3)
    wide = _wider(logits)
    if len(logits) <= CANDIDATES:
        candidates = torch.arange(len(logits), device=cells.device).expand(len(cells), -1)
        values = wide[:, around[0], around[1]].flatten(2).transpose(0, 1)  # (n, P, 9)
        return candidates, _upsampled(values).softmax(1)
    lag = torch.stack(_neighbours(logits - logits.amax(0))).amax(0)[:, y, x]
    candidates = lag.topk(CANDIDATES, 0).indices.sort(0).values.T
    values = wide[candidates[:, :, None, None], around[0][:, None], around[1][:, None]].flatten(2)
    total = _wider(logits.logsumexp(0, keepdim=True))[0][around].flatten(1)[:, None]
    # All the others together are one more channel.
    others = total + (1 - (values - total).exp().sum(1, keepdim=True)).clamp(min=1e-9).log()
    return candidates, _upsampled(torch.cat([values, others], 1)).softmax(1)[:, :-1]


def _upsampled(cells: Tensor) -> Tensor:
    """Values of 3 x 3 cells, (n, S, 9), in the pixels of the middle one and one pixel around it."""
    with torch.autocast(cells.device.type, enabled=False):  # bfloat16 would move outlines
        return cells @ _upsampling(cells.device)


@lru_cache(maxsize=4)
def _upsampling(device: torch.device) -> Tensor:
    """The matrix (9, SIDE * SIDE) of ``_upsampled``."""
    with torch.inference_mode(False):  # what is cached may be used in any mode
        offset = (torch.arange(SIDE, device=device) - (SIDE - 1) / 2) / STRIDE  # in cells
        along = torch.stack([(-offset).clamp(min=0), 1 - offset.abs(), offset.clamp(min=0)], -1)
        return torch.kron(along, along).T.contiguous()


def _mixed(probabilities: Tensor, cell: Tensor, rows: _Along, columns: _Along) -> Tensor:
    """Probabilities (m, S) of m of the frame's pixels, each from four of the network's.

    Args:
        probabilities: (n, S, SIDE * SIDE).
        cell: (m,), which of the n each pixel lies in.
        rows, columns: of the m pixels.
    """
    first = cell * SIDE**2 + rows.before * SIDE + columns.before
    four = first[:, None] + first.new_tensor([0, 1, SIDE, SIDE + 1])
    down, across = rows.share[:, None], columns.share[:, None]
    shares = torch.cat(
        [(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across], 1
    )
    table = probabilities.transpose(1, 2).flatten(0, 1)
    return F.embedding_bag(four, table, mode="sum", per_sample_weights=shares)


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
