"""Many objects at about the price of few: objects that are far apart share a channel.

What is done for each pixel at the frame's own size costs as much as there are channels. An object
can only win pixels near where its logit comes close to the best one, so that objects whose
surroundings do not touch can be put into one channel, and told apart by place afterwards.
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
from hodor.tracking.result import STRIDE, label_kind, source_probabilities

NEGLIGIBLE = 1e-7  # probability below which an object is left out; all together stay below 1e-4
FAR = -1e4  # a logit whose probability is zero


def label_map_of_many(
    logits: Tensor, channels: Sequence[int], geometry: Geometry
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """What ``label_map_of`` makes of ``source_probabilities``, for a frame without given masks.

    Args:
        logits: (K + O, h/4, w/4), objects last.
        channels: ids of the O objects.
        geometry: of the frame.
    """
    background = len(logits) - len(channels)
    shared = share_channels(logits, background)
    numbers: NDArray[Any] = np.array([0, *channels], label_kind(channels))
    if not len(shared.owner):
        return np.zeros(geometry.source, numbers.dtype)
    probabilities = source_probabilities(shared.logits, (), geometry, None)
    best, behind = probabilities[background:].max(0), probabilities[:background].amax(0)
    # The cell that each pixel of the frame lies in.
    rows, columns = (
        ((torch.arange(to, device=logits.device) + 0.5) * (inner / to)).long() // STRIDE
        for inner, to in zip(geometry.inner, geometry.source, strict=True)
    )
    width = shared.owner.shape[2]
    cell = (best.indices * shared.owner[0].numel()).add_(rows[:, None] * width + columns)
    number = shared.owner.flatten()[cell] + 1
    found: NDArray[Any] = numbers[torch.where(best.values > behind, number, 0).cpu().numpy()]
    return found


class Shared(NamedTuple):
    """Logits in which several objects share a channel."""

    logits: Tensor
    """(K + S, y, x): background as it was, then S channels shared by objects"""
    owner: Tensor
    """(S, y, x) int64: number of the object that the channel stands for at this cell"""


def share_channels(logits: Tensor, background: int) -> Shared:
    """Put objects into as few channels as it takes to keep their surroundings apart.

    Args:
        logits: (K + O, y, x), objects last.
        background: K.
    """
    boxes = _surroundings(logits, background)
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


def _surroundings(logits: Tensor, background: int) -> NDArray[np.int64]:
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
