"""Feature pyramid: backbone features to F4 and F8 (the two levels that encoder and decoder use)."""

from collections.abc import Sequence
from typing import NamedTuple, cast

from torch import Tensor, nn
from torch.nn import functional as F

LEVEL_NORM_GROUPS = 16  # published_behaviour: GroupNorm(16) after each level


class Pyramid(NamedTuple):
    """Features of a batch of images."""

    f4: Tensor
    """(B, fine C, h/4, w/4)"""
    f8: Tensor
    """(B, C, h/8, w/8)"""


class FeaturePyramid(nn.Module):
    """Top-down pyramid (FPN). The coarse levels reach F4 and F8 through the top-down path.

    Args:
        widths: channels of the backbone's features at strides 4, 8, 16 (, 32).
        fine: channels of F4.
        channels: channels of F8 and of the merged levels.
    """

    def __init__(self, widths: Sequence[int], fine: int, channels: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        levels = (fine, channels)
        self.output = nn.ModuleList(nn.Conv2d(channels, c, 3, padding=1) for c in levels)
        self.norms = nn.ModuleList(nn.GroupNorm(LEVEL_NORM_GROUPS, c) for c in levels)

    def forward(self, features: Sequence[Tensor]) -> Pyramid:
        """Merge the backbone's features into a pyramid.

        Args:
            features: each (B, C_i, h/stride, w/stride), at strides 4, 8, 16 (, 32).
        """
        levels = [lateral(f) for lateral, f in zip(self.lateral, features, strict=True)]
        merged = levels[-1]
        fine = []
        for level in reversed(levels[:-1]):
            merged = level + F.interpolate(merged, size=level.shape[-2:], mode="nearest")
            fine.append(merged)
        f8, f4 = (
            cast(Tensor, norm(output(level)))
            for output, norm, level in zip(
                reversed(self.output), reversed(self.norms), fine[-2:], strict=True
            )
        )
        return Pyramid(f4, f8)
