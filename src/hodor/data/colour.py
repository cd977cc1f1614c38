"""Random changes of colour and sharpness of the frames of a clip."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.data.warp import happens, uniform

# RGB to luma and two chroma axes (YIQ), in which hue is a rotation.
_TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_TO_RGB = torch.linalg.inv(_TO_YIQ)

SHARPENED = (0.3, 1.6)
"""Least and most of the finest detail that sharpening adds: then the gradients within objects are
about those of videos made smaller."""


@dataclass(frozen=True)
class Colour:
    """Strength of colour changes. A clip is changed as a whole, then each frame a little."""

    clip: float = 1.0
    """Factor on the ranges below for the whole clip."""
    frame: float = 0.35
    """Factor on the ranges below for each frame by itself."""
    brightness: float = 0.25
    """Share of the full range added or taken (S4: 0.25)."""
    contrast: float = 0.25
    """Relative change of contrast."""
    saturation: float = 0.35
    """Relative change of saturation."""
    hue: float = 15.0
    """Degrees of hue, either way."""
    blur: float = 0.2
    """Share of frames blurred, by motion or by focus (beyond the paper)."""
    jpeg: float = 0.0
    """Share of frames compressed, which also hides where objects were pasted (beyond the paper)."""
    sharpen: float = 0.0
    """Share of clips whose pictures are sharpened before anything is pasted: stills that are made
    larger are smoother than videos that are made smaller (beyond the paper)."""


def sharpening(colour: Colour, g: torch.Generator) -> float:
    """How much a clip is sharpened, see ``sharpened``."""
    if not happens(colour.sharpen, g):
        return 0.0
    return float(uniform(g, *SHARPENED, 1))


def sharpened(images: Tensor, amount: float) -> Tensor:
    """Images (T, 3, h, w) in 0..255 with ``amount`` of their finest detail added."""
    if not amount:
        return images
    smooth = torch.from_numpy(
        np.stack([[cv2.GaussianBlur(c, (5, 5), 1.0) for c in image] for image in images.numpy()])
    )
    return torch.lerp(smooth, images, 1 + amount).clamp_(0, 255)


def change_colours(frames: Tensor, colour: Colour, g: torch.Generator) -> Tensor:
    """Change a clip (T, 3, h, w) of values in 0..255; the result stays in that range."""
    t = frames.shape[0]
    matrix = torch.eye(3).expand(t, 3, 3)
    offset = torch.zeros(t, 1, 1, 1)
    for factor, count in ((colour.clip, 1), (colour.frame, t)):
        matrix = _mixing(colour, factor, count, g) @ matrix
        offset = offset + (uniform(g, -1, 1, count, 1, 1, 1) * colour.brightness * 255 * factor)
    middle = frames.mean((1, 2, 3), keepdim=True)
    flat = matrix @ (frames - middle).flatten(2)
    return flat.view_as(frames).add_(middle).add_(offset).clamp_(0, 255)


def _mixing(colour: Colour, factor: float, count: int, g: torch.Generator) -> Tensor:
    """Colour matrices (count, 3, 3) of random contrast, saturation and hue."""
    contrast = 1 + uniform(g, -1, 1, count) * colour.contrast * factor
    saturation = contrast * (1 + uniform(g, -1, 1, count) * colour.saturation * factor)
    angle = uniform(g, -1, 1, count) * math.radians(colour.hue) * factor
    yiq = torch.zeros(count, 3, 3)
    yiq[:, 0, 0] = contrast
    yiq[:, 1, 1] = yiq[:, 2, 2] = saturation * angle.cos()
    yiq[:, 1, 2] = -saturation * angle.sin()
    yiq[:, 2, 1] = saturation * angle.sin()
    mixing: Tensor = _TO_RGB @ yiq @ _TO_YIQ
    return mixing


def blur_some(frames: Tensor, colour: Colour, g: torch.Generator) -> Tensor:
    """Blur a share of the frames (T, 3, h, w) along a line (motion) or all round (focus)."""
    chosen = torch.rand(frames.shape[0], generator=g) < colour.blur
    frames = frames.clone() if chosen.any() else frames
    for index in chosen.nonzero().flatten().tolist():
        kernel = _line_kernel(g) if torch.rand(1, generator=g) < 0.6 else _disc_kernel(g)
        for channel in frames[index].numpy():
            cv2.filter2D(channel, -1, kernel.numpy(), channel, borderType=cv2.BORDER_REPLICATE)
    return frames


def blur_by_motion(
    images: NDArray[np.uint8], share: float, g: torch.Generator
) -> NDArray[np.uint8]:
    """Blur a share of the frames (T, h, w, 3) uint8 along a line, in place."""
    for index in (torch.rand(len(images), generator=g) < share).nonzero().flatten().tolist():
        kernel = _line_kernel(g).numpy()
        cv2.filter2D(images[index], -1, kernel, images[index], borderType=cv2.BORDER_REPLICATE)
    return images


def compress_some(frames: Tensor, colour: Colour, g: torch.Generator) -> Tensor:
    """Compress a share of the frames (T, 3, h, w), uint8 RGB, as JPEGs of quality 25 to 85."""
    if not colour.jpeg:
        return frames
    frames = frames.clone()
    for index in (torch.rand(len(frames), generator=g) < colour.jpeg).nonzero().flatten().tolist():
        quality = int(torch.randint(25, 86, (1,), generator=g))
        # The order of the channels matters to the compression: OpenCV takes the first as blue.
        image = frames[index].permute(1, 2, 0).flip(-1).numpy()
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = torch.from_numpy(cv2.imdecode(data, cv2.IMREAD_COLOR))
        frames[index] = decoded.flip(-1).permute(2, 0, 1)
    return frames


def _line_kernel(g: torch.Generator) -> Tensor:
    length = int(torch.randint(3, 10, (1,), generator=g))
    angle = float(uniform(g, 0, math.pi, 1))
    kernel = torch.zeros(9, 9)
    for step in torch.linspace(-(length - 1) / 2, (length - 1) / 2, 4 * length).tolist():
        kernel[round(4 + step * math.sin(angle)), round(4 + step * math.cos(angle))] += 1
    return kernel / kernel.sum()


def _disc_kernel(g: torch.Generator) -> Tensor:
    sigma = float(uniform(g, 0.5, 1.8, 1))
    axis = torch.arange(-3, 4).float()
    line = torch.exp(-(axis**2) / (2 * sigma**2))
    kernel = line[:, None] * line[None]
    return kernel / kernel.sum()
