"""Label maps without work where there is nothing, and many objects at about the price of few.

What is done at the frame's own size costs as much as there are pixels and channels. An object can
only win pixels near where its logit comes close to the best one: nothing else is looked at, and
objects whose surroundings do not touch share a channel, to be told apart by place afterwards.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hodor.tracking.geometry import Geometry
from hodor.tracking.result import STRIDE, label_kind

NEGLIGIBLE = 1e-7  # probability below which an object is left out; all together stay below 1e-4
FAR = -1e4  # a logit whose probability is zero


def fast_label_map(
    logits: Tensor, channels: Sequence[int], geometry: Geometry
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """What ``label_map_of`` makes of ``source_probabilities``, for a frame without given masks.

    Only the part of the frame where there can be objects is looked at.

    Args:
        logits: (K + O, h/4, w/4), objects last.
        channels: ids of the O objects.
        geometry: of the frame.
    """
    background = len(logits) - len(channels)
    boxes = surroundings(logits, background)
    numbers: NDArray[Any] = np.array([0, *channels], label_kind(channels))
    labels: NDArray[Any] = np.zeros(geometry.source, numbers.dtype)
    if not boxes.any():
        return labels
    shared = share_channels(logits, background, boxes)
    top, left = boxes[boxes[:, 1] > 0][:, (0, 2)].min(0)
    bottom, right = boxes[:, (1, 3)].max(0)
    part = (slice(int(top), int(bottom)), slice(int(left), int(right)))
    near = F.interpolate(
        shared.logits[(None, slice(None), *part)], scale_factor=STRIDE, mode="bilinear"
    ).softmax(1)
    rows, columns = (
        _Along.of(cells, inner, source, logits.device)
        for cells, inner, source in zip(part, geometry.inner, geometry.source, strict=True)
    )
    best, behind = _resized(near, rows, columns, background)
    width = shared.owner.shape[2]
    cell = (best.indices * shared.owner[0].numel()).add_(rows.cell[:, None] * width + columns.cell)
    number = shared.owner.flatten()[cell] + 1
    found = torch.where(best.values > behind, number, 0).cpu().numpy()
    labels[rows.pixels, columns.pixels] = numbers[found]
    return labels


class _Along(NamedTuple):
    """Pixels of the frame along one axis, and where they lie in the network's image."""

    pixels: slice
    """Those that lie in the part"""
    place: Tensor
    """Where each lies in the part, as ``grid_sample`` takes it"""
    cell: Tensor
    """The cell of the whole image that each lies in"""

    @classmethod
    def of(cls, part: slice, inner: int, source: int, device: torch.device) -> "_Along":
        """Pixels within ``part``, given in cells; inner, source: lengths in pixels."""
        place = (torch.arange(source, device=device) + 0.5) * (inner / source) - 0.5
        # As published: at the frame's border nothing is taken from the padding.
        place = place.clamp(0, inner - 1)
        first, last = part.start * STRIDE, min(part.stop * STRIDE, inner)
        pixels = slice(*np.searchsorted(place.cpu().numpy(), (first - 0.5, last - 0.5)).tolist())
        here = place[pixels]
        scaled = (2 * (here - first) + 1) / ((part.stop - part.start) * STRIDE) - 1
        return cls(pixels, scaled, (here + 0.5).long() // STRIDE)


def _resized(near: Tensor, rows: _Along, columns: _Along, background: int) -> tuple[Any, Tensor]:
    """The best shared channel and the best background for each pixel, from (1, P, y, x)."""
    size = (len(rows.place), len(columns.place))
    grid = torch.stack([columns.place.expand(size), rows.place[:, None].expand(size)], -1)
    values = F.grid_sample(near, grid[None], padding_mode="border", align_corners=False)[0]
    return values[background:].max(0), values[:background].amax(0)


class Shared(NamedTuple):
    """Logits in which several objects share a channel."""

    logits: Tensor
    """(K + S, y, x): background as it was, then S channels shared by objects"""
    owner: Tensor
    """(S, y, x) int64: number of the object that the channel stands for at this cell"""


def share_channels(logits: Tensor, background: int, boxes: NDArray[np.int64]) -> Shared:
    """Put objects into as few channels as it takes to keep their surroundings apart.

    Args:
        logits: (K + O, y, x), objects last.
        background: K.
        boxes: (O, 4) as ``surroundings`` gives them.
    """
    groups = _apart(boxes)
    objects, size = logits[background:], logits.shape[1:]
    shared = logits.new_full((max(groups, default=-1) + 1, *size), FAR)
    owner = torch.zeros(shared.shape, dtype=torch.int64, device=logits.device)
    for number, (group, (top, bottom, left, right)) in enumerate(
        zip(groups, boxes.tolist(), strict=True)
    ):
        if group >= 0:
            box = (group, slice(top, bottom), slice(left, right))
            shared[box] = objects[(number, *box[1:])]
            owner[box] = number
    return Shared(torch.cat([logits[:background], shared]), owner)


def surroundings(logits: Tensor, background: int) -> NDArray[np.int64]:
    """Where each object matters: (O, 4) top, bottom, left, right in cells, ends exclusive.

    Pixels of a cell are mixtures of its 3 x 3 neighbours. There an object's logit is at most the
    greatest of the nine, and the best of all at least the greatest of the channels' least. A box
    holds all cells where the probability could reach ``NEGLIGIBLE``, and one more cell on every
    side, whose values mix into them; it is empty for an object that matters nowhere.
    """
    best = -_largest_around(-logits)
    limit = best.amax(0) + math.log(NEGLIGIBLE)
    matters = _largest_around(logits[background:]) >= limit
    rows, columns = matters.any(2).cpu().numpy(), matters.any(1).cpu().numpy()
    boxes = np.zeros((len(rows), 4), np.int64)
    for first, last, along in ((0, 1, rows), (2, 3, columns)):
        length = along.shape[1]
        boxes[:, first] = np.maximum(along.argmax(1) - 1, 0)
        boxes[:, last] = np.minimum(length - along[:, ::-1].argmax(1) + 1, length)
    boxes[~rows.any(1)] = 0
    return boxes


def _largest_around(x: Tensor) -> Tensor:
    """The greatest of the 3 x 3 cells around each cell of (P, y, x); beyond the edge is nothing."""
    # Much faster than max_pool2d: whole rows at a time.
    x = F.pad(x[None], (1, 1, 1, 1), mode="replicate")[0]
    x = torch.maximum(torch.maximum(x[:, :-2], x[:, 1:-1]), x[:, 2:])
    return torch.maximum(torch.maximum(x[..., :-2], x[..., 1:-1]), x[..., 2:])


def _apart(boxes: NDArray[np.int64]) -> list[int]:
    """A group for each box so that boxes of one group do not touch; -1 for empty ones."""
    top, bottom, left, right = boxes.T
    touch = (top[:, None] < bottom) & (top < bottom[:, None])
    touch &= (left[:, None] < right) & (left < right[:, None])
    groups = np.full(len(boxes), -1)
    for i in np.flatnonzero(bottom > top):
        taken = set(groups[touch[i]].tolist())
        groups[i] = next(group for group in range(len(boxes)) if group not in taken)
    return [int(group) for group in groups]
