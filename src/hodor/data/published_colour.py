"""Colour changes of a whole image, in the forms of paper and released code."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hodor.data.views import between, one_of
from hodor.types import AnyArray

Picture = NDArray[np.uint8]

# Colour spaces with a channel for brightness: there, back, and the channel.
BRIGHTNESS = (
    (cv2.COLOR_RGB2YCrCb, cv2.COLOR_YCrCb2RGB, 0),
    (cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB, 2),
    (cv2.COLOR_RGB2HLS, cv2.COLOR_HLS2RGB, 1),
    (cv2.COLOR_RGB2LAB, cv2.COLOR_LAB2RGB, 0),
    (cv2.COLOR_RGB2LUV, cv2.COLOR_LUV2RGB, 0),
    (cv2.COLOR_RGB2YUV, cv2.COLOR_YUV2RGB, 0),
)
HUES = 180  # OpenCV's full circle in 8 bits


def released_colour(image: Picture, brightness: float, g: torch.Generator) -> Picture:
    """Hue, saturation, contrast, then brightness (published_behaviour 6.5), in 8-bit units.

    Args:
        image: (H, W, 3) RGB.
        brightness: largest change, either way: 25 for stills, 20 for videos.
        g: all randomness.
    """
    # The released code takes blue for red here; so must what is to have its colours.
    swapped = np.ascontiguousarray(image[..., ::-1])
    hue, saturation = between(g, -12, 12), between(g, -12, 12)
    changed = _shift(swapped, hue * HUES / 255, saturation)
    changed = cv2.LUT(changed, _contrast(between(g, 0.95, 1.05), 0)).astype(np.uint8, copy=False)
    there, back, channel = BRIGHTNESS[one_of(g, len(BRIGHTNESS))]
    other = cv2.cvtColor(changed, there)
    amount = _table(np.arange(256) + between(g, -brightness, brightness))
    other[..., channel] = cv2.LUT(other[..., channel], amount)
    return np.ascontiguousarray(cv2.cvtColor(other, back)[..., ::-1])


def paper_colour(image: Picture, g: torch.Generator) -> Picture:
    """Hue and saturation by up to 12 % of their range, contrast by 5 %, brightness by 25 % (S4).

    Args:
        image: (H, W, 3) RGB.
        g: all randomness.
    """
    changed = _shift(image, between(g, -0.12, 0.12) * HUES, between(g, -0.12, 0.12) * 255)
    contrast = _contrast(between(g, 0.95, 1.05), between(g, -0.25, 0.25) * 255)
    return cv2.LUT(changed, contrast).astype(np.uint8, copy=False)


def _shift(image: Picture, hue: float, saturation: float) -> Picture:
    """Hue turned, in OpenCV's units of half a degree pair, and saturation raised."""
    tables = np.stack(
        [
            np.round(np.arange(256) + hue) % HUES,
            np.clip(np.arange(256) + saturation, 0, 255),
            np.arange(256),
        ],
        -1,
    )
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv = cv2.LUT(hsv, np.round(tables).astype(np.uint8)[None])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.uint8, copy=False)


def _contrast(factor: float, offset: float) -> Picture:
    return _table(127 + factor * (np.arange(256) - 127.0) + offset)


def _table(values: AnyArray) -> Picture:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
