"""From a frame to what the network sees, and back, with PyTorch."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hodor.model import HodorConfig, normalise
from hodor.tracking.geometry import NEARLY_MOST, Geometry
from hodor.tracking.torch.transfer import send


def image_of(
    frame: NDArray[np.uint8], geometry: Geometry, config: HodorConfig, device: torch.device
) -> Tensor:
    """The network's image (1, 3, h, w) of a frame's crop (H', W', 3); see ``seen_image``."""
    # PyTorch warns of arrays that are not writable, such as Pillow's.
    return seen_image(send(np.require(frame, requirements=["C", "W"]), device), geometry, config)


def seen_image(pixels: Tensor, geometry: Geometry, config: HodorConfig) -> Tensor:
    """The network's image (1, 3, h, w) of a crop (H', W', 3): resized, normalised, padded."""
    pixels = pixels.permute(2, 0, 1)[None].float()
    pixels = F.interpolate(
        pixels, geometry.inner, mode="bilinear", align_corners=False, antialias=geometry.shrinks
    )
    image = pad(normalise(config, pixels), geometry)
    return image.contiguous(memory_format=torch.channels_last)


def pad(inner: Tensor, geometry: Geometry) -> Tensor:
    """Zeros right and bottom: (B, C, y, x) at ``geometry.inner`` to (B, C, h, w)."""
    below, right = geometry.padding
    return F.pad(inner, (0, right, 0, below))


def mask_of(
    mask: NDArray[np.bool_], geometry: Geometry, device: torch.device
) -> tuple[Tensor, bool]:
    """A given mask (H, W) as the network takes it: (h, w) of 0 and 1.

    Also tells whether the mask all but vanished in resizing and was kept by force: it is then
    the pixels that it covers most.
    """
    source = torch.from_numpy(np.ascontiguousarray(mask)).to(device).float()[None, None]
    small = F.interpolate(source, geometry.inner, mode="bilinear", align_corners=False) > 0.5
    vanished = not bool(small.any())
    if vanished:
        covered = F.interpolate(source, geometry.inner, mode="area")
        small = covered >= covered.max() * NEARLY_MOST
    return pad(small.float(), geometry)[0, 0], vanished


def to_source(probabilities: Tensor, geometry: Geometry) -> Tensor:
    """Crop the padding off (1, P, h, w) and resize to (P, H, W)."""
    inner = probabilities[..., : geometry.inner[0], : geometry.inner[1]]
    return F.interpolate(inner, geometry.crop_size, mode="bilinear", align_corners=False)[0]
