"""Swin-T as the paper has it, and a way without gradients that copies less."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hodor.errors import WeightsError
from hodor.model.backbones.base import Backbone, check_weights
from hodor.model.linear import Linear

WINDOW = 7  # Swin-T's window side, in tokens
HIDDEN_VALUES = 2**22  # of an MLP at a time
MASKED = -100.0  # Swin's attention bias between regions that the cyclic shift made neighbours


class WindowAttention(nn.Module):
    """Self-attention inside windows of 7 x 7 tokens with a relative position bias."""

    relative_position_index: Tensor

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(channels, 3 * channels)
        self.proj = Linear(channels, channels)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * WINDOW - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer(
            "relative_position_index", _relative_position_index(), persistent=False
        )

    def forward(self, windows: Tensor, shift_mask: Tensor | None) -> Tensor:
        """Attend within windows.

        Args:
            windows: (N, 49, C).
            shift_mask: (windows per image, 49, 49), added to the logits; None: nothing is.

        Returns:
            (N, 49, C).
        """
        return cast(Tensor, self.proj(self.attend(self.qkv(windows), shift_mask)))

    def attend(self, qkv: Tensor, shift_mask: Tensor | None) -> Tensor:
        """From (N, 49, 3C) to (N, 49, C), without the layers before and after."""
        n, tokens, width = qkv.shape
        qkv = qkv.view(n, tokens, 3, self.heads, width // 3 // self.heads)  # (N, 49, 3C) before
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (N, heads, 49, C/heads)
        bias = self.relative_position_bias_table[self.relative_position_index.flatten()]
        # (1 or N, heads, 49, 49): PyTorch has its fast kernel for biases with four dimensions only.
        bias = bias.view(1, tokens, tokens, self.heads).permute(0, 3, 1, 2)
        if shift_mask is not None:
            per_image = shift_mask.shape[0]
            bias = (bias + shift_mask[:, None]).repeat(n // per_image, 1, 1, 1)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        return attended.transpose(1, 2).reshape(n, tokens, width // 3)  # (N, heads, 49, .) before


def _relative_position_index() -> Tensor:
    """Row of the bias table for each pair of tokens of a window: (49, 49) int64."""
    axis = torch.arange(WINDOW)
    tokens = torch.stack(torch.meshgrid(axis, axis, indexing="ij")).flatten(1)  # (2, 49)
    apart = tokens[:, :, None] - tokens[:, None, :] + WINDOW - 1
    return apart[0] * (2 * WINDOW - 1) + apart[1]


@lru_cache(maxsize=32)
def _shift_mask(rows: int, columns: int, shift: int, device: torch.device) -> Tensor:
    """Bias that keeps shifted windows from mixing regions: (windows, 49, 49)."""
    regions = torch.zeros(1, rows, columns, 1, device=device)
    bands = (slice(0, -WINDOW), slice(-WINDOW, -shift), slice(-shift, None))
    for number, (band_y, band_x) in enumerate((y, x) for y in bands for x in bands):
        regions[:, band_y, band_x] = number
    windows = _to_windows(regions).squeeze(-1)
    return torch.where(windows[:, None] == windows[:, :, None], 0.0, MASKED)


class _WindowPlan(NamedTuple):
    """Where the rows of a batch of maps lie in shifted windows, and back."""

    sources: Tensor
    """(B * windows * 49,) row of the map for each token of the windows; some row for padding"""
    padding: Tensor
    """(n,) tokens that are padding"""
    targets: Tensor
    """(B * H * W,) token of the windows for each row of the map"""
    inner_windows: int
    """The first so many windows hold no regions that the shift made neighbours"""
    mask: Tensor | None
    """(other windows, 49, 49): the bias that keeps regions apart in the others"""


@lru_cache(maxsize=32)
def _window_plan(b: int, h: int, w: int, shift: int, device: torch.device) -> _WindowPlan:
    """How rows of (B, H, W, C) go into windows, those without a shift mask first."""
    with torch.inference_mode(False):  # what is cached may be used in any mode
        row = torch.arange(b * h * w, device=device).view(b, h, w, 1)
        row = F.pad(row, (0, 0, 0, -w % WINDOW, 0, -h % WINDOW), value=-1)
        rows, columns = row.shape[1:3]
        windows = _to_windows(row.roll((-shift, -shift), (1, 2))).squeeze(-1)  # (windows, 49)
        inner, mask = len(windows), None
        if shift:
            mask = _shift_mask(rows, columns, shift, device).repeat(b, 1, 1)
            mixed = mask.flatten(1).any(1)  # (windows,)
            order = mixed.int().argsort(stable=True)
            inner = int((~mixed).sum())
            windows, mask = windows[order], mask[order[inner:]]
        sources = windows.flatten()  # (windows * 49,)
        padding = sources < 0
        targets = torch.empty(b * h * w, dtype=torch.int64, device=device)
        token = torch.arange(len(sources), device=device)
        targets[sources[~padding]] = token[~padding]
        return _WindowPlan(sources.clamp(min=0), token[padding], targets, inner, mask)


def _to_windows(x: Tensor) -> Tensor:
    """(B, H, W, C) to (B * windows, 49, C)."""
    b, h, w, c = x.shape
    x = x.view(b, h // WINDOW, WINDOW, w // WINDOW, WINDOW, c)
    x = x.permute(0, 1, 3, 2, 4, 5)  # (B, H/7, W/7, 7, 7, C)
    return x.reshape(-1, WINDOW * WINDOW, c)


def _from_windows(windows: Tensor, h: int, w: int) -> Tensor:
    """(B * windows, 49, C) to (B, H, W, C)."""
    c = windows.shape[-1]
    x = windows.view(-1, h // WINDOW, w // WINDOW, WINDOW, WINDOW, c)
    x = x.permute(0, 1, 3, 2, 4, 5)  # (B, H/7, 7, W/7, 7, C)
    return x.reshape(-1, h, w, c)


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Linear(channels, hidden)
        self.fc2 = Linear(hidden, channels)

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """Map (..., C) to (..., C); ``plus``, of that shape, is added to the result."""
        return cast(Tensor, self.fc2(self.fc1(x, "gelu"), plus=plus))


def _in_chunks(mlp: Mlp, x: Tensor, plus: Tensor) -> Tensor:
    """``mlp(x, plus)`` of rows (N, C), so many at a time that hidden values stay in the cache."""
    step = HIDDEN_VALUES // mlp.fc1.out_features
    if x.device.type != "cpu" or len(x) <= step:
        return cast(Tensor, mlp(x, plus))
    out = torch.empty_like(plus)
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        out[part] = mlp(x[part], plus[part])
    return out


class SwinBlock(nn.Module):
    """One pre-norm block: (shifted) window attention, then an MLP, both residual."""

    def __init__(self, channels: int, heads: int, shift: int, drop_path: float) -> None:
        super().__init__()
        self.shift = shift
        self.drop_path = drop_path
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Mlp(channels, 4 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to the same shape."""
        if not torch.is_grad_enabled() and not self.training:
            return self.infer(x)
        x = x + self._dropped(self._attend(self.norm1(x)))
        return x + self._dropped(self.mlp(self.norm2(x)))

    def infer(self, x: Tensor) -> Tensor:
        """The same as ``forward``, (B, H, W, C) to that, without gradients and with fewer copies.

        Layers around the attention see no padding, and padding, shifting and cutting into windows
        are one gathering of rows.
        """
        b, h, w, c = x.shape
        rows = x.reshape(b * h * w, c)
        plan = _window_plan(b, h, w, self.shift, x.device)
        qkv = self.attn.qkv(self.norm1(rows))
        windows = qkv.index_select(0, plan.sources)
        # Padding is zero before the layer, so its bias comes out.
        windows[plan.padding] = self.attn.qkv.bias.to(windows.dtype)
        windows = windows.view(-1, WINDOW * WINDOW, 3 * c)  # (windows * 49, 3C) before
        inner = plan.inner_windows
        attended = self.attn.attend(windows[:inner], None)
        if inner < len(windows):
            mixed = self.attn.attend(windows[inner:], plan.mask)
            attended = torch.cat([attended, mixed])
        attended = attended.view(-1, c).index_select(0, plan.targets)  # (B * H * W, C)
        rows = self.attn.proj(attended, plus=rows)
        return _in_chunks(self.mlp, self.norm2(rows), rows).view(b, h, w, c)

    def _attend(self, x: Tensor) -> Tensor:
        h, w = x.shape[1:3]
        # Zeros join after the norm and take part in attention, as in the released network.
        x = F.pad(x, (0, 0, 0, -w % WINDOW, 0, -h % WINDOW))
        rows, columns = x.shape[1:3]
        mask = None
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (1, 2))
            mask = _shift_mask(rows, columns, self.shift, x.device)
        x = _from_windows(self.attn(_to_windows(x), mask), rows, columns)
        if self.shift:
            x = x.roll((self.shift, self.shift), (1, 2))
        return x[:, :h, :w]

    def _dropped(self, branch: Tensor) -> Tensor:
        """Stochastic depth: leave out the whole branch for some images of the batch."""
        if not self.training or self.drop_path == 0:
            return branch
        keep = 1 - self.drop_path
        kept = branch.new_empty(branch.shape[0], 1, 1, 1).bernoulli_(keep)
        return branch * kept / keep


class PatchMerging(nn.Module):
    """Halve the resolution: 2 x 2 tokens become one of twice the width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels)
        self.reduction = Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to (B, ceil(H/2), ceil(W/2), 2C)."""
        h, w = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, w % 2, 0, h % 2))
        quads = [x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]]
        return cast(Tensor, self.reduction(self.norm(torch.cat(quads, dim=-1))))


class SwinStage(nn.Module):
    """Blocks at one resolution, and the merging that leads to the next."""

    def __init__(self, channels: int, heads: int, drop_paths: Sequence[float], last: bool) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                SwinBlock(channels, heads, WINDOW // 2 * (i % 2), rate)
                for i, rate in enumerate(drop_paths)
            )
        )
        self.downsample = None if last else PatchMerging(channels)


class PatchEmbed(nn.Module):
    """Patches of 4 x 4 pixels to tokens."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, channels, 4, 4)
        self.norm = nn.LayerNorm(channels)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, h, w) to (B, ceil(h/4), ceil(w/4), C)."""
        h, w = images.shape[-2:]
        images = F.pad(images, (0, -w % 4, 0, -h % 4))
        tokens = self.proj(images).permute(0, 2, 3, 1)  # (B, C, y, x) before
        return cast(Tensor, self.norm(tokens))


class SwinTiny(Backbone):
    """Swin-T with a norm on each stage's output; parameter names of public Swin checkpoints."""

    channels = (96, 192, 384, 768)
    depths = (2, 2, 6, 2)

    def __init__(self, drop_path: float = 0.2) -> None:
        super().__init__()
        blocks = sum(self.depths)
        rates = [drop_path * i / (blocks - 1) for i in range(blocks)]
        self.patch_embed = PatchEmbed(self.channels[0])
        self.layers = nn.ModuleList()
        for i, (width, depth) in enumerate(zip(self.channels, self.depths, strict=True)):
            stage_rates, rates = rates[:depth], rates[depth:]
            self.layers.append(SwinStage(width, width // 32, stage_rates, last=i == 3))
            self.add_module(f"norm{i}", nn.LayerNorm(width))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of ``images`` (B, 3, h, w) at strides 4, 8, 16, 32: each (B, C_i, ., .)."""
        x = self.patch_embed(images)
        features = []
        for i, stage in enumerate(cast(Iterable[SwinStage], self.layers)):
            x = stage.blocks(x)
            features.append(self.get_submodule(f"norm{i}")(x).permute(0, 3, 1, 2))  # (B, C_i, ., .)
            if stage.downsample is not None:
                x = stage.downsample(x)
        return features

    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """See ``Backbone``; the layout is that of Swin's authors."""
        known = {name: value for name, value in weights.items() if name in self.state_dict()}
        check_weights("swin_tiny", self.state_dict(), known)
        self.load_state_dict(known, strict=False)

    def fetch(self) -> Mapping[str, Tensor]:
        """See ``Backbone``."""
        raise WeightsError(
            "initial.backbone timm: timm's Swin has other names and norms than swin_tiny; give a "
            "safetensors file in the layout of Swin's authors, or choose a timm backbone"
        )
