"""From a frame to what the network sees, and back: what ``torch.images`` does, with NumPy."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor.model import HodorConfig
from hodor.tracking.geometry import NEARLY_MOST, Geometry

Floats = NDArray[np.float32]


def image_of(frame: NDArray[np.uint8], geometry: Geometry, config: HodorConfig) -> Floats:
    """The network's image (1, 3, h, w) of a frame (H, W, 3): resized, normalised, padded."""
    pixels = frame.astype(np.float32)
    if geometry.shrinks:
        small = np.stack([_smoothed(pixels[..., i], geometry.inner) for i in range(3)], -1)
    else:
        small = resized(pixels, geometry.inner)
    mean, std = (np.array(of, np.float32) for of in (config.pixel_mean, config.pixel_std))
    small = (small - mean) / std
    return pad(small.transpose(2, 0, 1), geometry)[None]


def pad(inner: Floats, geometry: Geometry) -> Floats:
    """Zeros right of and below an image (B, 3, h, w), to the padded size."""
    below, right = geometry.padding
    return np.pad(inner, [(0, 0)] * (inner.ndim - 2) + [(0, below), (0, right)])


def mask_of(mask: NDArray[np.bool_], geometry: Geometry) -> tuple[Floats, bool]:
    """A given mask (H, W) as (h, w) of 0 and 1, and whether it vanished and was kept by force."""
    source = mask.astype(np.float32)
    small = resized(source, geometry.inner) > 0.5
    vanished = not small.any()
    if vanished:
        covered = _areas(source, geometry.inner)
        small = covered >= covered.max() * NEARLY_MOST
    return pad(small.astype(np.float32), geometry), vanished


def resized(pixels: Floats, size: tuple[int, int]) -> Floats:
    """(H, W) or (H, W, C) to another size, bilinear, sampled without smoothing."""
    if pixels.shape[:2] == size:
        return pixels
    found = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(found, np.float32)


def channels_resized(channels: Floats, size: tuple[int, int]) -> Floats:
    """(P, h, w) to (P, H, W)."""
    return np.stack([resized(channel, size) for channel in channels])


def upsampled(channels: Floats, times: int) -> Floats:
    """(P, h, w) to (P, times * h, times * w)."""
    h, w = channels.shape[1:]
    return channels_resized(channels, (times * h, times * w))


def _smoothed(channel: Floats, size: tuple[int, int]) -> Floats:
    """(H, W) to another size, bilinear over all pixels that fall into one."""
    small = Image.fromarray(channel).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32)


def _areas(source: Floats, size: tuple[int, int]) -> Floats:
    """Means over the pixels that each pixel of the smaller size touches (adaptive pooling)."""
    rows, columns = (_touching(n, full) for n, full in zip(size, source.shape, strict=True))
    return np.asarray(rows @ source @ columns.T, np.float32)


def _touching(n: int, full: int) -> Floats:
    """Shares (n, full) of the pixels of an axis in each of n parts of it."""
    part = np.arange(n)
    first, last = part * full // n, -(-(part + 1) * full // n)
    pixel = np.arange(full)
    inside = (pixel >= first[:, None]) & (pixel < last[:, None])
    return np.asarray(inside / inside.sum(1, keepdims=True), np.float32)
