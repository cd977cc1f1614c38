"""Bars that pass in front of what is followed: fences, twigs, poles.

Objects that are pasted in front are as compact as those that are followed. What is thin hides
little at a time and for long, and its pixels stay on the mask of whoever is behind it.
"""

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hodor.data.warp import uniform

MOST = 6
THICKNESS = (0.01, 0.06)  # of the picture's shorter side
PARALLEL = 0.5  # share of clips whose bars run side by side, as a fence's do
SWAY = 0.05  # of the picture's sides: how far from straight a bar runs
BENDS = 6  # places of a bar that sway


def draw_bars(size: tuple[int, int], g: torch.Generator) -> NDArray[np.uint8]:
    """A mask (H, W) of 0 and 1 with one to ``MOST`` bars from edge to edge, or nearly.

    Args:
        size: (H, W).
        g: all randomness.
    """
    h, w = size
    mask = np.zeros(size, np.uint8)
    count = int(torch.randint(1, MOST + 1, (1,), generator=g))
    parallel = float(torch.rand(1, generator=g)) < PARALLEL
    angles = uniform(g, 0, math.pi, 1 if parallel else count).expand(count).tolist()
    reach = math.hypot(h, w) / 2
    along = np.linspace(-reach, reach, BENDS)
    for angle in angles:
        middle = uniform(g, 0.05, 0.95, 2).numpy() * (w, h)
        sway = uniform(g, -SWAY, SWAY, BENDS, 2).numpy() * (w, h)
        line = middle + along[:, None] * (math.cos(angle), math.sin(angle)) + sway
        thick = max(1, round(float(uniform(g, *THICKNESS, 1)) * min(h, w)))
        cv2.polylines(mask, [line.round().astype(np.int32)], False, 1, thick)
    return mask
