"""Attention between descriptors and pixels, and the sine code of positions."""

import itertools
import math
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hodor.model.config import HodorConfig
from hodor.model.linear import Linear

TEMPERATURE = 10_000.0  # of the sine code


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, C) to (B, heads, N, C/heads)."""
    b, n, c = x.shape
    return x.view(b, n, heads, c // heads).transpose(1, 2)  # (B, N, heads, C/heads) between


def join_heads(x: Tensor) -> Tensor:
    """(B, heads, N, C/heads) to (B, N, C)."""
    b, heads, n, width = x.shape
    return x.transpose(1, 2).reshape(b, n, heads * width)  # (B, N, heads, C/heads) between


def at_least_float32(x: Tensor) -> Tensor:
    """``x``, any (..., C), in float32, or as it is if that is wider.

    Softmax and sampling positions need more digits than bfloat16 has.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


class MaskedCrossAttention(nn.Module):
    """Descriptors absorb pixels of their patches: soft-masked attention, Eq. 2 of the paper.

    softmax((K^T Q + alpha M) / sqrt(C)) V, here with a row for each descriptor and a column for
    each pixel, in every head by itself::

        descriptors         keys               masks              values
        (B, P, C)           (B, N, C)          (B, P, N)          (B, N, C)
            | query             | key              |                  | value
            v                   v                  v                  v
        Q = q               K = k              alpha (M - 1)      V = v
        (B, heads, P, d)    (B, heads, N, d)   = bias             (B, heads, N, d)
            |                   |              (B, heads, P, N)       |
            +--------+----------+                  |                  |
                     v                             |                  |
        K^T Q / sqrt(d) = logits ------> + <-------+                  |
        (B, heads, P, N)                 |                            |
                                         v                            |
                        softmax over N = weights -----> @ <-----------+
                        (B, heads, P, N)                | join heads, output
                                                        v
                                                   (B, P, C)

    P are the patches (the paper's O + B), N the pixels of F8, d = C / heads the width of a head,
    by whose root logits are divided; alpha (heads,) is learned. Adding alpha (M - 1) instead of
    alpha M gives the same softmax, and stays small. As released, it is added after the division;
    with ``alpha_inside_scaling``, as in Eq. 2, before it. Gradients reach Q, K, V, alpha and M.
    """

    def __init__(self, config: HodorConfig) -> None:
        super().__init__()
        c = config.channels
        self.heads = config.heads
        self.masking = config.masking
        self.alpha_scale = (c // config.heads) ** -0.5 if config.alpha_inside_scaling else 1.0
        self.query = Linear(c, c)
        self.key = Linear(c, c)
        self.value = Linear(c, c)
        self.output = Linear(c, c)
        self.dropout = nn.Dropout(config.dropout)
        if self.masking == "soft":
            # S4: 32, 32, 16, 16, 8, 8, 4, 4 for eight heads.
            start = [2.0 ** (5 - 4 * h // self.heads) for h in range(self.heads)]
            self.alpha = nn.Parameter(torch.tensor(start))

    def forward(self, descriptors: Tensor, keys: Tensor, values: Tensor, masks: Tensor) -> Tensor:
        """Attend.

        Args:
            descriptors: (B, P, C).
            keys, values: pixels (B, N, C).
            masks: (B, P, N) in [0, 1].

        Returns:
            (B, P, C).
        """
        q = split_heads(self.query(descriptors), self.heads)  # (B, heads, P, C/heads)
        k = split_heads(self.key(keys), self.heads)  # (B, heads, N, C/heads)
        v = split_heads(self.value(values), self.heads)
        bias = self._bias(masks)
        if not torch.is_grad_enabled() and not self.training:
            # In bfloat16 the bias of a hard mask is exact, that of a soft one near.
            allowed = None if bias is None else bias.to(q.dtype)
            attended = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
            return cast(Tensor, self.output(join_heads(attended)))
        logits = at_least_float32(q @ k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
        if bias is not None:
            logits = logits + bias  # (B, heads, P, N)
        weights = logits.softmax(-1).to(v.dtype)
        return cast(Tensor, self.output(join_heads(self.dropout(weights) @ v)))

    def weights(self, descriptors: Tensor, keys: Tensor, masks: Tensor) -> Tensor:
        """Where each descriptor looks, for analyses.

        Args:
            descriptors, keys, masks: as for ``forward``.

        Returns:
            (B, heads, P, N) in [0, 1], with a sum of 1 over the N pixels.
        """
        q = split_heads(self.query(descriptors), self.heads)
        k = split_heads(self.key(keys), self.heads)
        logits = at_least_float32(q @ k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
        bias = self._bias(masks)
        return (logits if bias is None else logits + bias).softmax(-1)

    def _bias(self, masks: Tensor) -> Tensor | None:
        """What masks add to the logits: broadcastable to (B, heads, P, N)."""
        if self.masking == "none":
            return None
        if self.masking == "soft":
            alpha = self.alpha_scale * self.alpha[:, None, None]
            return alpha * (masks.to(alpha.dtype)[:, None] - 1)
        seen = masks > 0.5
        seen = seen | ~seen.any(-1, keepdim=True)  # an empty patch looks everywhere
        return torch.zeros_like(at_least_float32(masks)).masked_fill(~seen, -math.inf)[:, None]


class DescriptorAttention(nn.Module):
    """Pixels listen to descriptors of the whole history (Eq. 3): no output projection.

    Objects and background have key and value projections of their own.
    """

    def __init__(self, config: HodorConfig) -> None:
        super().__init__()
        c = config.channels
        self.heads = config.heads
        self.dropout = config.dropout
        self.query = Linear(c, c)
        self.object_key = Linear(c, c)
        self.object_value = Linear(c, c)
        self.background_key = Linear(c, c)
        self.background_value = Linear(c, c)

    def forward(
        self,
        pixels: Tensor,
        objects: tuple[Tensor, Tensor],
        background: tuple[Tensor, Tensor],
        valid: Tensor | None,
    ) -> Tensor:
        """Attend.

        Args:
            pixels: (B, N, C), position code included.
            objects: descriptors with and without embedding, each (B, T * O, C).
            background: the same for background, each (B, T * G, C).
            valid: (B, T * (G + O)) bool, background first; None: all are.

        Returns:
            (B, N, C).
        """
        keys = torch.cat([self.background_key(background[0]), self.object_key(objects[0])], 1)
        values = torch.cat([self.background_value(background[1]), self.object_value(objects[1])], 1)
        q = split_heads(self.query(pixels), self.heads)  # (B, heads, N, C/heads)
        k = split_heads(keys, self.heads)  # (B, heads, T * (G + O), C/heads)
        v = split_heads(values, self.heads)
        allowed = None if valid is None else valid[:, None, None]  # (B, 1, 1, T * (G + O))
        if not self.training or self.dropout == 0:
            return join_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=allowed))
        # The released network drops logits before the softmax, not weights after it.
        logits = F.dropout(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), self.dropout)
        if allowed is not None:
            logits = logits.masked_fill(~allowed, -math.inf)
        return join_heads(logits.softmax(-1) @ v)

    def weights(
        self,
        pixels: Tensor,
        objects: tuple[Tensor, Tensor],
        background: tuple[Tensor, Tensor],
        valid: Tensor | None,
    ) -> Tensor:
        """Which descriptors each pixel listens to, for analyses: (B, heads, N, T * (G + O)).

        Arguments are those of ``forward``; background comes first, and the sum over it is 1.
        """
        keys = torch.cat([self.background_key(background[0]), self.object_key(objects[0])], 1)
        q = split_heads(self.query(pixels), self.heads)
        k = split_heads(keys, self.heads)
        logits = at_least_float32(q @ k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
        if valid is not None:
            logits = logits.masked_fill(~valid[:, None, None], -math.inf)
        return logits.softmax(-1)


def sine_positions(
    h: int, w: int, channels: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """The same as ``sine_positions_anew``, (N, C), kept for a few sizes.

    A captured CUDA graph makes them itself: what is kept could be dropped under it.
    """
    if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        return sine_positions_anew(h, w, channels, device, dtype)
    return _kept_positions(h, w, channels, device, dtype)


def sine_positions_anew(
    h: int, w: int, channels: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Sine code of pixel positions, the y half first, then the x half.

    Positions are counted from 1 and scaled to 2 pi over each axis; sine and cosine interleave.

    Args:
        h, w: rows and columns of the map.
        channels: C, divisible by 4.
        device, dtype: of the result.

    Returns:
        (N, C) in [-1, 1], for the N = h * w pixels row by row.
    """
    half = channels // 2
    exponent = 2 * (torch.arange(half, device=device) // 2) / half
    frequency = TEMPERATURE**exponent

    def code(n: int) -> Tensor:
        """(n, C/2): the code of n places along one axis."""
        steps = torch.arange(1, n + 1, device=device, dtype=torch.float32)
        angle = (steps / (n + 1e-6) * 2 * math.pi)[:, None] / frequency  # (n, C/2)
        pairs = torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], -1)  # (n, C/4, 2)
        return pairs.flatten(1)

    y = code(h)[:, None].expand(h, w, half)
    x = code(w)[None].expand(h, w, half)
    return torch.cat([y, x], -1).flatten(0, 1).to(dtype)  # (h, w, C) before


_kept_positions = lru_cache(maxsize=16)(sine_positions_anew)


class FeedForward(nn.Module):
    """The FFN of Eqs. 1 and 3: linear layers with ReLU between."""

    def __init__(self, config: HodorConfig, hidden: int) -> None:
        super().__init__()
        c = config.channels
        widths = [c, *[hidden] * (config.ffn_layers - 1), c]
        self.layers = nn.ModuleList(Linear(a, b) for a, b in itertools.pairwise(widths))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """Map (..., C) to the same shape; ``plus``, of that shape, is added to the result."""
        *inner, last = self.layers
        for layer in inner:
            x = self.dropout(layer(x, "relu"))
        if not self.training:
            return cast(Tensor, last(x, plus=plus))
        x = self.dropout(last(x))
        return x if plus is None else plus + x
