"""Reading masks by keys with gradients, some lines of a frame at a time.

``softmax(scores) @ values`` keeps, for the gradients, several tensors of as many scores as a frame
has pairs of places with those remembered: millions, and most of the time of a step of training
goes into carrying them to memory and back. Here they are computed again when the gradients are
wanted, as in FlashAttention (Dao et al. 2022), so that those at hand stay in the cache. With p the
weights, r = p @ values and g the gradient of r::

    d scores_qj = p_qj (g_q . values_j - g_q . r_q)

For CPUs: on a GPU it was not measured.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

AT_ONCE = 400_000  # scores of one clip at a time; they stay in the processor's cache
# Log of a weight: nothing beside 1, and times a gradient no denormal number, which slow CPUs down.
LEAST = -50.0


class Near(NamedTuple):
    """Logs of how near places are to remembered ones, along each axis."""

    across: Tensor
    """(B, l, J), of lines"""
    along: Tensor
    """(B, x, J), of places in a line"""


def read_by_lines(
    ours: Tensor, theirs: Tensor, values: Tensor, unheard: Tensor, near: Near | None
) -> tuple[Tensor, Tensor]:
    """``softmax(ours @ theirs + unheard + nearness) @ values``, and greatest scores.

    Args:
        ours: (B, l x, C), keys times their sharpness.
        theirs: (B, C, J).
        values: (B, J, V); they get no gradient.
        unheard: (B, 1, J), added to the scores of places.
        near: of the l lines of x places each; None: near and far are alike.

    Returns:
        (B, l x, V), and the greatest of ``ours @ theirs + unheard``, (B, l x); float32 or wider.
    """
    across, along = (None, None) if near is None else near
    kind = ours.dtype
    if torch.is_autocast_enabled(ours.device.type):
        kind = torch.get_autocast_dtype(ours.device.type)
    with torch.autocast(ours.device.type, enabled=False):
        read, greatest = _Reading.apply(
            ours.to(kind), theirs.to(kind), values.to(kind), unheard, across, along
        )
    return read, greatest


class _Reading(torch.autograd.Function):
    """See the module."""

    @staticmethod
    def forward(
        ctx: Any,
        ours: Tensor,
        theirs: Tensor,
        values: Tensor,
        unheard: Tensor,
        across: Tensor | None,
        along: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        b, n, _ = ours.shape
        wide = torch.promote_types(ours.dtype, torch.float32)
        read = ours.new_empty((b, n, values.shape[2]), dtype=wide)
        greatest, total = ours.new_empty((2, b, n), dtype=wide)
        best = torch.empty((b, n), dtype=torch.long, device=ours.device)
        for clip, some, lines in _parts(ours, theirs, along):
            scores = _scores(ours[clip, some], theirs[clip], unheard[clip], wide)
            greatest[clip, some], best[clip, some] = scores.max(1)
            _add_near(scores, across, along, clip, lines)
            most = scores.amax(1, keepdim=True)
            weights = scores.sub_(most).clamp_(min=LEAST).exp_()
            each = weights.sum(1, keepdim=True)
            read[clip, some] = (weights.to(ours.dtype) @ values[clip]).to(wide) / each
            total[clip, some] = (most + each.log())[:, 0]
        ctx.save_for_backward(ours, theirs, values, unheard, across, along, read, total, best)
        return read, greatest

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_read: Tensor, of_greatest: Tensor) -> tuple[Tensor | None, ...]:
        ours, theirs, values, unheard, across, along, read, total, best = ctx.saved_tensors
        wide = read.dtype
        of_ours = torch.empty_like(ours, dtype=wide)
        of_theirs = torch.zeros_like(theirs, dtype=wide)
        shares = (of_read * read).sum(2, keepdim=True)
        of_read = of_read.to(ours.dtype)
        for clip, some, lines in _parts(ours, theirs, along):
            mine, all_theirs = ours[clip, some], theirs[clip]
            weights = _scores(mine, all_theirs, unheard[clip], wide)
            _add_near(weights, across, along, clip, lines)
            weights.sub_(total[clip, some, None]).clamp_(min=LEAST).exp_()
            of_scores = (of_read[clip, some] @ values[clip].T).to(wide)
            of_scores = of_scores.sub_(shares[clip, some]).mul_(weights).to(ours.dtype)
            of_ours[clip, some] = (of_scores @ all_theirs.T).to(wide)
            of_theirs[clip] += mine.T @ of_scores
        # The greatest score is one product: its gradient goes to two keys alone.
        grown = of_greatest[..., None].to(wide)
        where = best[:, None].expand(-1, theirs.shape[1], -1)
        of_ours += grown * theirs.gather(2, where).transpose(1, 2)
        of_theirs.scatter_add_(2, where, (grown * ours).transpose(1, 2))
        return of_ours.to(ours.dtype), of_theirs.to(theirs.dtype), None, None, None, None


def _parts(ours: Tensor, theirs: Tensor, along: Tensor | None) -> list[tuple[int, slice, slice]]:
    """Which places, and which lines, of which clip are read together."""
    b, n, _ = ours.shape
    x = 1 if along is None else along.shape[1]
    lines = max(1, AT_ONCE // (x * max(1, theirs.shape[2])))
    return [
        (clip, slice(first * x, (first + lines) * x), slice(first, first + lines))
        for clip in range(b)
        for first in range(0, n // x, lines)
    ]


def _scores(ours: Tensor, theirs: Tensor, unheard: Tensor, wide: torch.dtype) -> Tensor:
    """(n, J) of keys (n, C) and (C, J)."""
    return (ours @ theirs).to(wide).add_(unheard)


def _add_near(
    scores: Tensor, across: Tensor | None, along: Tensor | None, clip: int, lines: slice
) -> None:
    """Add to scores (l x, J) how near places are."""
    if across is None or along is None:
        return
    of_lines = scores.view(-1, along.shape[1], scores.shape[1])
    of_lines += across[clip, lines, None]
    of_lines += along[clip]
