"""The re-segmentation decoder (section 3.2): a pyramid and descriptors to logits."""

import copy
import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hodor.model.attention import (
    DescriptorAttention,
    FeedForward,
    at_least_float32,
    sine_positions,
)
from hodor.model.config import HodorConfig
from hodor.model.deform import DeformableConv
from hodor.model.descriptors import History
from hodor.model.linear import Linear, linear
from hodor.model.pyramid import Pyramid

NORM_GROUPS = 16  # after the deformable convolution
HEAD_NORM_GROUPS = 8
COMPARED = 8192  # pixels at a time


class DecoderLayer(nn.Module):
    """Eq. 3: (deformable) convolution, cross-attention to descriptors, FFN."""

    def __init__(self, config: HodorConfig) -> None:
        super().__init__()
        c = config.channels
        self.normalize_first = config.normalize_first
        self.conv: nn.Module = (
            DeformableConv(c) if config.deformable else nn.Conv2d(c, c, 3, padding=1)
        )
        self.conv_norm = nn.GroupNorm(NORM_GROUPS, c)
        self.attention = DescriptorAttention(config)
        self.attention_norm = nn.Identity() if config.normalize_first else nn.LayerNorm(c)
        self.ffn = FeedForward(config, hidden=c)
        self.ffn_norm = nn.LayerNorm(c)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        f8: Tensor,
        positions: Tensor | float,
        objects: tuple[Tensor, Tensor],
        background: tuple[Tensor, Tensor],
        valid: Tensor | None,
    ) -> Tensor:
        """Refine the map ``f8`` (B, C, y, x); the rest as ``DescriptorAttention`` takes it."""
        b, c, h, w = f8.shape
        f8 = f8 + cast(Tensor, self.conv_norm(F.relu(self.conv(f8), inplace=True)))
        x = f8.flatten(2).transpose(1, 2)  # (B, N, C)
        attended = self.attention(x + positions, objects, background, valid)
        x = cast(Tensor, self.attention_norm(x + self.dropout(attended)))
        if self.normalize_first:
            x = x + cast(Tensor, self.ffn_norm(self.ffn(x)))
        else:
            x = cast(Tensor, self.ffn_norm(self.ffn(x, plus=x)))
        return x.reshape(b, h, w, c).permute(0, 3, 1, 2)  # (B, C, y, x), channels-last


class Head(nn.Module):
    """Eqs. 4 and S1: the refined map at stride 4, and its product with the descriptors."""

    def __init__(self, config: HodorConfig) -> None:
        super().__init__()
        c, fine = config.channels, config.stride_4_channels
        self.scale = 1 / math.sqrt(fine)
        self.width = fine // 4 if config.fusion == "quarter" else fine
        self.narrow = nn.Conv2d(c, fine, 1) if fine != c else nn.Identity()
        self.reduce: nn.Module = nn.Identity()
        if config.fusion == "quarter":
            self.reduce = nn.Sequential(
                nn.Conv2d(fine, self.width, 1, bias=False),
                nn.ReLU(inplace=True),
                nn.GroupNorm(min(HEAD_NORM_GROUPS, self.width // 2), self.width),
            )
        self.fuse = nn.Sequential(
            nn.Conv2d(fine, fine, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
            nn.GroupNorm(HEAD_NORM_GROUPS, fine),
        )
        self.catch_all: nn.Module | None = None
        if config.catch_all:
            self.catch_all = nn.Sequential(
                nn.Conv2d(fine, fine // 2, 3, padding=1, bias=False),
                nn.GroupNorm(HEAD_NORM_GROUPS, fine // 2),
                nn.ReLU(inplace=True),
                nn.Conv2d(fine // 2, 1, 1, bias=False),
            )
        project = config.logit_projection
        self.objects = Linear(c, fine) if project else nn.Identity()
        self.background = Linear(c, fine) if project else nn.Identity()

    def merge(self, pyramid: Pyramid, f8: Tensor) -> Tensor:
        """F4 of the last layer: (B, fine C, h/4, w/4), from ``f8`` (B, C, h/8, w/8)."""
        up = F.interpolate(self.narrow(f8), scale_factor=2, mode="bilinear", align_corners=False)
        fine = self.reduce(pyramid.f4)
        return cast(Tensor, self.fuse(_added_to_first(up, fine)))

    def forward(self, f4: Tensor, history: History) -> Tensor:
        """Logits (B, K + O, h/4, w/4): catch-all, cells, objects; maximum over the history."""
        projected = history._replace(
            objects=self.objects(history.objects), background=self.background(history.background)
        )
        logits = compare(f4, projected, self.scale)
        if self.catch_all is not None:
            logits = torch.cat([self.catch_all(f4), logits], 1)
        return at_least_float32(logits)


def compare_plain(f4: Tensor, history: History, scale: float) -> Tensor:
    """Dot product of every pixel with every descriptor, at its greatest over the history.

    Args:
        f4: (B, C, y, x).
        history: whose descriptors have the map's channels.
        scale: factor on the products.

    Returns:
        (B, G + O, y, x), background first.
    """
    objects = _product(f4, history.objects) * scale
    if history.object_valid is not None:
        objects = objects.masked_fill(~history.object_valid[..., None, None], -math.inf)
    background = _product(f4, history.background) * scale
    if history.background_valid is not None:
        blocked = ~history.background_valid[:, :, None, None, None]
        background = background.masked_fill(blocked, -math.inf)
    return torch.cat([background.amax(1), objects.amax(1)], 1)


def compare(f4: Tensor, history: History, scale: float) -> Tensor:
    """The same as ``compare_plain``; in inference on processors some pixels at a time.

    Products with the whole history, many times the result, then stay in the cache.

    Args:
        f4, history, scale: as for ``compare_plain``.

    Returns:
        (B, G + O, y, x), background first, at least float32.
    """
    if torch.is_grad_enabled() or f4.device.type != "cpu":
        return at_least_float32(compare_plain(f4, history, scale))
    b, c, h, w = f4.shape
    t, g = history.background.shape[1:3]
    p = g + history.objects.shape[2]
    # (B, T * P, C), all background first
    keys = torch.cat([history.background.flatten(1, 2), history.objects.flatten(1, 2)], 1)
    valid = history.valid_keys()  # (B, T * P)
    out = torch.empty(b, p, h * w, dtype=torch.promote_types(f4.dtype, torch.float32))
    for i, pixels in enumerate(f4.permute(0, 2, 3, 1).reshape(b, h * w, c)):  # (N, C)
        for start in range(0, h * w, COMPARED):
            part = slice(start, start + COMPARED)
            products = linear(keys[i], pixels[part], None)  # (T * P, pixels)
            if valid is not None:
                products = products.masked_fill(~valid[i, :, None], -math.inf)
            # (T * G, pixels) to (T, G, pixels), and so the objects
            out[i, :g, part] = products[: t * g].view(t, g, -1).amax(0)
            out[i, g:, part] = products[t * g :].view(t, p - g, -1).amax(0)
    return out.mul_(scale).view(b, p, h, w)


def _product(f4: Tensor, descriptors: Tensor) -> Tensor:
    """(B, C, y, x) and (B, T, P, C) to (B, T, P, y, x)."""
    b, t, p, c = descriptors.shape
    h, w = f4.shape[-2:]
    products = descriptors.reshape(b, t * p, c) @ f4.flatten(2)  # (B, T * P, N)
    return products.view(b, t, p, h, w)


def _added_to_first(x: Tensor, part: Tensor) -> Tensor:
    """``part`` added to as many first channels of ``x``, in place where no gradient is asked."""
    width = part.shape[1]
    if width == x.shape[1]:
        return x + part
    if torch.is_grad_enabled() or part.dtype != x.dtype:
        return torch.cat([x[:, :width] + part, x[:, width:]], 1)
    x[:, :width] += part
    return x


class Decoder(nn.Module):
    """Refines F8 while it listens to descriptors, then tells which pixel is whose."""

    def __init__(self, config: HodorConfig) -> None:
        super().__init__()
        c = config.channels
        self.config = config
        layer = DecoderLayer(config)
        self.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(config.decoder_layers))
        self.norm = nn.GroupNorm(1, c) if config.normalize_first else nn.Identity()
        self.stand_in: nn.Module = nn.Identity()
        if config.decoder_layers == 0 and config.zero_layers == "paper":
            self.stand_in = nn.Sequential(
                nn.Conv2d(c, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, c, 3, padding=1)
            )
        self.head = Head(config)

    def forward(
        self,
        pyramid: Pyramid,
        history: History,
        object_embedding: Tensor,
        background_embedding: Tensor,
    ) -> Tensor:
        """Logits (B, K + O, h/4, w/4) of the objects in ``history`` (Eqs. 3, 4, S1).

        Args:
            pyramid: of the frame to segment.
            history: of past frames.
            object_embedding: (C,), shared by all objects.
            background_embedding: (G, C), one for each cell.
        """
        f8 = self.refine(pyramid, history, object_embedding, background_embedding)
        return cast(Tensor, self.head(self.head.merge(pyramid, f8), history))

    def refine(
        self,
        pyramid: Pyramid,
        history: History,
        object_embedding: Tensor,
        background_embedding: Tensor,
    ) -> Tensor:
        """The map F8 after the last layer: (B, C, h/8, w/8)."""
        f8 = pyramid.f8
        h, w = f8.shape[-2:]
        positions: Tensor | float = 0.0
        if self.config.decoder_positions:
            positions = sine_positions(h, w, f8.shape[1], f8.device, f8.dtype)
        o, g = history.objects, history.background
        # (B, T, O, C) to (B, T * O, C), and so the background
        objects = ((o + object_embedding).flatten(1, 2), o.flatten(1, 2))
        background = ((g + background_embedding).flatten(1, 2), g.flatten(1, 2))
        valid = history.valid_keys()
        for layer in self.layers:
            f8 = layer(f8, positions, objects, background, valid)
        return cast(Tensor, self.stand_in(self.norm(f8)))
