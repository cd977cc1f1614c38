"""Deformable convolution: one interface, a plain way and the fast ways."""

import math
from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable
from torch.nn import functional as F
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from hodor.model.attention import at_least_float32
from hodor.model.linear import linear_rows

TAPS = 9  # of a 3x3 kernel
CORNERS = 4  # pixels around a sampling position
# Samples taken before they are multiplied. So many stay in the last-level cache, and the allocator
# uses their memory again; far larger blocks cost fresh pages each time.
CHUNK = 2**22


def deform_conv2d_plain(x: Tensor, offsets: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """3x3 deformable convolution, padding 1, stride 1, by bilinear sampling (zeros outside).

    Args:
        x: (B, C, h, w).
        offsets: (B, 18, h, w) in pixels: dy, dx for each kernel tap, row-major.
        weight: (D, C, 3, 3).
        bias: (D,).

    Returns:
        (B, D, h, w).
    """
    b, c, h, w = x.shape
    offset = at_least_float32(offsets).reshape(b, TAPS, 2, h, w)
    tap = torch.arange(TAPS, device=x.device)
    # Where taps are without offsets: (1, 9, h, 1) and (1, 9, 1, w)
    y = torch.arange(h, device=x.device).view(1, 1, h, 1) + (tap // 3 - 1).view(1, TAPS, 1, 1)
    z = torch.arange(w, device=x.device).view(1, 1, 1, w) + (tap % 3 - 1).view(1, TAPS, 1, 1)
    grid_y = (2 * (offset[:, :, 0] + y) + 1) / h - 1
    grid_x = (2 * (offset[:, :, 1] + z) + 1) / w - 1
    grid = torch.stack([grid_x, grid_y], -1).view(b, TAPS * h, w, 2)  # (B, 9, h, w, 2) before
    sampled = F.grid_sample(x.to(grid.dtype), grid, align_corners=False).view(b, c, TAPS, h * w)
    columns = sampled.flatten(1, 2).to(x.dtype)  # (B, C * 9, h * w)
    weight, bias = weight.to(x.dtype), bias.to(x.dtype)
    kernel = weight.flatten(1).expand(b, -1, -1)  # (B, D, C * 9)
    return torch.baddbmm(bias[None, :, None], kernel, columns).view(b, -1, h, w)


def deform_conv2d(x: Tensor, offsets: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same as ``deform_conv2d_plain``, by the fastest way that the device has.

    Args:
        x, offsets, weight, bias: as for ``deform_conv2d_plain``.

    Returns:
        (B, D, h, w).
    """
    if x.device.type == "cpu":
        return deform_conv2d_rows(x, offsets, weight, bias)
    if x.device.type == "cuda":
        # torchvision's kernels know no bfloat16.
        full = [at_least_float32(tensor) for tensor in (x, offsets, weight, bias)]
        return cast(Tensor, torchvision_deform_conv2d(*full, padding=1).to(x.dtype))
    return deform_conv2d_plain(x, offsets, weight, bias)


def deform_conv2d_rows(x: Tensor, offsets: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same as ``deform_conv2d_plain``, for processors: sums of rows, then one product.

    Channels-last, a map is a table with one row of C values for each pixel. A sample is a weighted
    sum of four rows, which PyTorch's embedding bags compute with vectors, also in bfloat16.
    Channels-last tensors are not copied.

    Args:
        x, offsets, weight, bias: as for ``deform_conv2d_plain``.

    Returns:
        (B, D, h, w), channels-last.
    """
    rows, shares = corners(at_least_float32(offsets))
    b, _, h, w = x.shape
    with torch.autocast("cpu", enabled=False):
        out = cast(Tensor, _RowsProduct.apply(x, rows, shares, weight, bias))
    return out.view(b, h, w, -1).permute(0, 3, 1, 2)  # (B, h * w, D) before


def corners(offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Where to sample: pixels around each position, and the share that each has in the sample.

    Args:
        offsets: (B, 18, h, w), see ``deform_conv2d_plain``.

    Returns:
        Pixels, y * w + x, (B, h * w, 9, 4) int32, and shares of the same shape, differentiable.
        A corner outside of the image has a share of 0 and some pixel inside.
    """
    b, _, h, w = offsets.shape
    tap = torch.arange(TAPS, device=offsets.device)
    pixel = torch.arange(h * w, device=offsets.device)[:, None]
    moved = offsets.permute(0, 2, 3, 1).reshape(b, h * w, TAPS, 2)  # (B, h, w, 18) before
    # Beyond these limits all corners are outside: clamping changes no sample, and keeps far
    # offsets within the integers.
    y = (moved[..., 0] + (pixel // w + tap // 3 - 1)).clamp(-1, h)
    x = (moved[..., 1] + (pixel % w + tap % 3 - 1)).clamp(-1, w)
    top, left = y.detach().floor(), x.detach().floor()
    below, right = y - top, x - left  # shares of the lower and the right corners
    above = (1 - below) * ((top >= 0) & (top < h))
    beside = (1 - right) * ((left >= 0) & (left < w))
    below, right = below * (top < h - 1), right * (left < w - 1)
    shares = torch.stack([above * beside, above * right, below * beside, below * right], -1)
    rows = torch.stack([top, top + 1], -1).int().clamp(0, h - 1) * w
    columns = torch.stack([left, left + 1], -1).int().clamp(0, w - 1)
    around = rows[..., :, None] + columns[..., None, :]  # (B, h * w, 9, 2, 2)
    return around.flatten(-2), shares


class _RowsProduct(torch.autograd.Function):
    """Samples of a map, times the kernel: a chunk of pixels at a time, so memory is bounded.

    The backward pass samples again rather than keep nine times the map.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, rows: Tensor, shares: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        """(B, h * w, D); ``rows`` and ``shares`` are those of ``corners``."""
        ctx.save_for_backward(x, rows, shares, weight)
        b, c, h, w = x.shape
        kernel = _matrix(weight, x.dtype)
        out = x.new_empty(b, h * w, len(kernel))
        for i, table in enumerate(_tables(x)):
            for part in _chunks(h * w, c):
                columns = _sample(table, rows[i, part], shares[i, part])
                out[i, part] = linear_rows(columns, kernel, bias.to(x.dtype))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of ``x`` (B, C, h, w), shares, weight (D, C, 3, 3) and bias (D,).

        ``rows``, which are integers, get None. ``gradients`` is that of the result, (B, h * w, D).
        """
        # PyTorch's stubs say that one tensor was saved.
        x, rows, shares, weight = cast(tuple[Tensor, ...], ctx.saved_tensors)
        c, h, w = x.shape[1:]
        kernel = _matrix(weight, x.dtype)
        upstream = gradients[0].to(x.dtype)
        # Corners' gradients are subtracted from each other later: they need all digits.
        tables = at_least_float32(_tables(x))
        d_tables, d_shares = torch.zeros_like(tables), torch.empty_like(shares)
        d_kernel = kernel.new_zeros(kernel.shape, dtype=weight.dtype)
        transposed = kernel.t().contiguous()
        for i, table in enumerate(tables):
            for part in _chunks(h * w, c):
                with torch.enable_grad():
                    share = shares[i, part].detach().requires_grad_()
                    columns = _sample(table, rows[i, part], share)
                d_columns = linear_rows(upstream[i, part], transposed, None).to(table.dtype)
                (d_shares[i, part],) = torch.autograd.grad(columns, share, d_columns)
                d_kernel += upstream[i, part].t() @ columns.detach().to(x.dtype)
                d_tables[i] += _spread(d_columns, rows[i, part], share.detach(), h * w)
        d_x = d_tables.view(-1, h, w, c).permute(0, 3, 1, 2).to(x.dtype)  # (B, h * w, C) before
        d_weight = d_kernel.view(-1, 3, 3, c).permute(0, 3, 1, 2)  # (D, 9 * C) before
        return d_x, None, d_shares, d_weight, upstream.sum((0, 1)).to(weight.dtype)


def _tables(x: Tensor) -> Tensor:
    """(B, C, h, w) to (B, h * w, C); for channels-last maps a view."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _matrix(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """(D, C, 3, 3) to (D, 9 * C), taps outside: the order in which samples lie."""
    return weight.to(dtype).permute(0, 2, 3, 1).flatten(1).contiguous()


def _chunks(pixels: int, channels: int) -> Iterator[slice]:
    """Parts of about the same size, none of more than ``CHUNK`` samples."""
    count = math.ceil(pixels * TAPS * channels / CHUNK)
    step = math.ceil(pixels / count)
    return (slice(i, min(i + step, pixels)) for i in range(0, pixels, step))


def _sample(table: Tensor, rows: Tensor, shares: Tensor) -> Tensor:
    """Weighted sums of rows of ``table`` (N, C) by (n, 9, 4) rows and shares: (n, 9 * C)."""
    samples = F.embedding_bag(  # (n * 9, C)
        rows.view(-1, CORNERS),
        table,
        per_sample_weights=shares.view(-1, CORNERS).to(table.dtype),
        mode="sum",
    )
    return samples.view(len(rows), -1)


def _spread(d_columns: Tensor, rows: Tensor, shares: Tensor, pixels: int) -> Tensor:
    """The transpose of ``_sample``: what each of ``pixels`` rows gets of (n, 9 * C): (pixels, C).

    Sorted by row, this too is a weighted sum of rows, and many times faster than additions into
    random places.
    """
    row, order = rows.flatten().sort()
    starts = torch.searchsorted(row, torch.arange(pixels, dtype=row.dtype), out_int32=True)
    return F.embedding_bag(
        (order // CORNERS).int(),
        d_columns.view(len(rows) * TAPS, -1),  # (n * 9, C)
        starts,
        per_sample_weights=shares.flatten()[order],
        mode="sum",
    )


class DeformableConv(nn.Module):
    """3x3 convolution that samples at offsets which it predicts itself (not modulated)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.offsets = nn.Conv2d(channels, 2 * TAPS, 3, padding=1)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        device = x.device.type
        low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        # Offsets are pixel positions: bfloat16 would round them to whole pixels far from zero.
        with torch.autocast(device, enabled=False):
            offsets = self.offsets(at_least_float32(x))
            bias = cast(Tensor, self.conv.bias)
            return deform_conv2d(x.to(low), offsets, self.conv.weight, bias)
