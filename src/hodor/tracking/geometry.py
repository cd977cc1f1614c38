"""From a frame to what the network sees, and back."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hodor.model import SIZE_MULTIPLE, HodorConfig, normalise
from hodor.tracking.options import TrackerOptions

ANTIALIAS_FROM = 2.0  # shrinking by more than this, plain bilinear skips source pixels


@dataclass(frozen=True)
class Geometry:
    """Sizes (height, width) that a frame goes through."""

    source: tuple[int, int]
    inner: tuple[int, int]
    """After resizing"""
    padded: tuple[int, int]
    """After padding right and bottom, multiples of 32"""

    @classmethod
    def of(cls, source: tuple[int, int], options: TrackerOptions) -> "Geometry":
        """Shorter side to ``options.size``, the longer one limited; aspect kept."""
        short, long = min(source), max(source)
        scale = min(options.size / short, round(options.size * options.long_side) / long)
        h, w = (max(1, round(side * scale)) for side in source)
        padded = (h + -h % SIZE_MULTIPLE, w + -w % SIZE_MULTIPLE)
        return cls(source, (h, w), padded)

    def image(self, frame: NDArray[np.uint8], config: HodorConfig, device: torch.device) -> Tensor:
        """The network's image (1, 3, h, w) of a frame (H, W, 3): resized, normalised, padded."""
        # PyTorch warns of arrays that are not writable, such as Pillow's.
        pixels = torch.from_numpy(np.require(frame, requirements=["C", "W"])).to(device)
        pixels = pixels.permute(2, 0, 1)[None].float()
        shrinks = self.source[0] / self.inner[0] > ANTIALIAS_FROM
        pixels = F.interpolate(
            pixels, self.inner, mode="bilinear", align_corners=False, antialias=shrinks
        )
        image = self.pad(normalise(config, pixels))
        return image.contiguous(memory_format=torch.channels_last)

    def pad(self, inner: Tensor) -> Tensor:
        """Zeros right and bottom, to the padded size."""
        h, w = self.inner
        return F.pad(inner, (0, self.padded[1] - w, 0, self.padded[0] - h))

    def mask(self, mask: NDArray[np.bool_], device: torch.device) -> tuple[Tensor, bool]:
        """A given mask (H, W) as the network takes it: (h, w) of 0 and 1.

        Also tells whether the mask all but vanished in resizing and was kept by force: it is then
        the pixels that it covers most.
        """
        source = torch.from_numpy(np.ascontiguousarray(mask)).to(device).float()[None, None]
        small = F.interpolate(source, self.inner, mode="bilinear", align_corners=False) > 0.5
        vanished = not bool(small.any())
        if vanished:
            covered = F.interpolate(source, self.inner, mode="area")
            small = covered >= covered.max() * 0.999
        return self.pad(small.float())[0, 0], vanished

    def to_source(self, probabilities: Tensor) -> Tensor:
        """Crop the padding off (1, P, h, w) and resize to (P, H, W)."""
        inner = probabilities[..., : self.inner[0], : self.inner[1]]
        return F.interpolate(inner, self.source, mode="bilinear", align_corners=False)[0]
