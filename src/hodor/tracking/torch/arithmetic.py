"""How sure a frame's logits and descriptors are of objects, as tensors."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from hodor.model.matching import likeliest


def winners(values: Tensor, background: int) -> Tensor:
    """Who wins each cell of (K + O, y, x), as ``hodor.tracking.apart.Winners``: (y, x)."""
    # argmax takes five times as long on a CPU
    return (values.max(0).indices - (background - 1)).clamp(min=0).to(torch.int32)


def wins(planes: Tensor, background: int) -> Tensor:
    """Cells that each object wins, (O, y, x) of 0 and 1, from (K + O, y, x)."""
    best = winners(planes, background)
    numbers = torch.arange(1, 1 + len(planes) - background, device=best.device)
    return (best == numbers[:, None, None]).to(planes.dtype)


def confidences(probabilities: Tensor, background: int) -> Tensor:
    """Confidence of each object, (O,), from probabilities (K + O, y, x); 0 if it wins no pixel."""
    won = wins(probabilities, background)
    count = won.flatten(1).sum(1)
    return (probabilities[background:] * won).flatten(1).sum(1) / count.clamp(min=1)


def matched_likelihoods(
    values: Tensor, matched: Tensor, background: int, homes: Sequence[int] | None = None
) -> Tensor:
    """How likely each object is by matching over what it wins: (O,); 1 where it wins nothing.

    Args:
        values: logits (K + O, y, x), of cells that hold some of the frame.
        matched: (O, h/8, w/8), see ``Logits``.
        background: K.
        homes: see ``likeliest``.
    """
    won = wins(values, background)
    y, x = values.shape[1:]
    likely = likeliest(matched, homes)
    fine = likely.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, :y, :x]
    count = won.flatten(1).sum(1)
    mean = (fine * won).flatten(1).sum(1) / count.clamp(min=1)
    return torch.where(count > 0, mean, 1.0)


def cosines(found: Sequence[Tensor], given: Sequence[Sequence[Tensor]]) -> Tensor:
    """Of each descriptor (C,) with each of those given for it, one after the other: (n,)."""
    ours = [one for one, those in zip(found, given, strict=True) for _ in those]
    theirs = [one for those in given for one in those]
    return F.cosine_similarity(torch.stack(ours).float(), torch.stack(theirs).float())


def greatest(values: Sequence[float], given: Sequence[Sequence[Tensor]]) -> list[float]:
    """For each object the greatest of its ``cosines`` (n,)."""
    each = iter(values)
    return [max(next(each) for _ in those) for those in given]


def lowered_outside(objects: Tensor, limits: Tensor, amount: float) -> Tensor:
    """Planes with a number added outside of each one's area.

    Args:
        objects: (O, y, x).
        limits: first row, row after the last, first column, column after the last: (O, 4).
        amount: what is added.
    """
    top, bottom, left, right = limits.T[..., None, None]  # (O, 1, 1) each
    rows = torch.arange(objects.shape[1], device=objects.device)[:, None]
    columns = torch.arange(objects.shape[2], device=objects.device)
    inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    return torch.where(inside, objects, objects + amount)
