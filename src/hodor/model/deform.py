"""Deformable convolution: one interface, a plain way and torchvision's kernels."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from hodor.model.attention import at_least_float32

TAPS = 9  # of a 3x3 kernel


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
    offset = at_least_float32(offsets).view(b, TAPS, 2, h, w)
    tap = torch.arange(TAPS, device=x.device)
    y = torch.arange(h, device=x.device).view(1, 1, h, 1) + (tap // 3 - 1).view(1, TAPS, 1, 1)
    z = torch.arange(w, device=x.device).view(1, 1, 1, w) + (tap % 3 - 1).view(1, TAPS, 1, 1)
    grid_y = (2 * (offset[:, :, 0] + y) + 1) / h - 1
    grid_x = (2 * (offset[:, :, 1] + z) + 1) / w - 1
    grid = torch.stack([grid_x, grid_y], -1).view(b, TAPS * h, w, 2)
    sampled = F.grid_sample(x.to(grid.dtype), grid, align_corners=False).view(b, c, TAPS, h * w)
    columns = sampled.flatten(1, 2).to(x.dtype)
    return torch.baddbmm(bias[None, :, None], weight.flatten(1).expand(b, -1, -1), columns).view(
        b, -1, h, w
    )


def deform_conv2d(x: Tensor, offsets: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same as ``deform_conv2d_plain``, by the fastest way that the device has."""
    if x.device.type not in ("cpu", "cuda"):
        return deform_conv2d_plain(x, offsets, weight, bias)
    # torchvision's kernels know no bfloat16.
    full = [at_least_float32(tensor) for tensor in (x, offsets, weight, bias)]
    return cast(Tensor, torchvision_deform_conv2d(*full, padding=1).to(x.dtype))


class DeformableConv(nn.Module):
    """3x3 convolution that samples at offsets which it predicts itself (not modulated)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.offsets = nn.Conv2d(channels, 2 * TAPS, 3, padding=1)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        bias = cast(Tensor, self.conv.bias)
        # Offsets are pixel positions: bfloat16 would round them to whole pixels far from zero.
        with torch.autocast(x.device.type, enabled=False):
            full = at_least_float32(x)
            sampled = deform_conv2d(full, self.offsets(full), self.conv.weight, bias)
            return sampled.to(x.dtype)
