"""Bars and twigs that pass in front of what is followed: fences, poles, grass, branches.

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
TWIGS = (8, 70)  # how many there are, the last not included
THIN = (0.004, 0.022)  # of the shorter side, the thickest of a tuft
THINNEST = 0.4  # of the thickest
LONG = (0.15, 0.7)  # of the shorter side
WIDE = (0.2, 0.8)  # of the picture's sides: where a tuft's twigs begin
SPREAD = (0.1, 0.9)  # radians, the deviation of where they point
CURVE = 0.5  # radians, the deviation of what they turn by from end to end
GREY = (20, 235)  # levels of what is of one colour
COLOUR = 30.0  # levels, the deviation of its red, green and blue from that
SHADES = 12.0  # levels, the deviation from place to place


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
        _draw(mask, line, float(uniform(g, *THICKNESS, 1)))
    return mask


def draw_twigs(size: tuple[int, int], g: torch.Generator) -> NDArray[np.uint8]:
    """A mask (H, W) of 0 and 1 with a tuft of twigs: many, thin, short and curved, as of grass.

    Args:
        size: (H, W).
        g: all randomness.
    """
    h, w = size
    mask = np.zeros(size, np.uint8)
    count = int(torch.randint(*TWIGS, (1,), generator=g))
    towards = float(uniform(g, 0, 2 * math.pi, 1))
    spread = float(uniform(g, *SPREAD, 1))
    middle = uniform(g, 0.1, 0.9, 2).numpy() * (w, h)
    area = float(uniform(g, *WIDE, 1)) * np.array([w, h])
    thickest = float(uniform(g, *THIN, 1))
    along = np.linspace(0, 1, BENDS)
    for _ in range(count):
        start = middle + uniform(g, -0.5, 0.5, 2).numpy() * area
        angle = towards + float(torch.randn(1, generator=g)) * spread
        length = float(uniform(g, *LONG, 1)) * min(h, w)
        angles = angle + float(torch.randn(1, generator=g)) * CURVE * along
        steps = np.stack([np.cos(angles), np.sin(angles)], 1) * length / BENDS
        line = start + np.cumsum(steps, 0)
        _draw(mask, line, thickest * float(uniform(g, THINNEST, 1, 1)))
    return mask


def one_colour(size: tuple[int, int], g: torch.Generator) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of about one colour, lighter in some places than in others.

    Args:
        size: (H, W).
        g: all randomness.
    """
    h, w = size
    colour = float(uniform(g, *GREY, 1)) + torch.randn(3, generator=g).numpy() * COLOUR
    shades = torch.randn(4, 4, generator=g).numpy() * SHADES
    shade = cv2.resize(shades, (w, h), interpolation=cv2.INTER_CUBIC)
    return (colour + shade[..., None]).clip(0, 255).astype(np.uint8)


def _draw(mask: NDArray[np.uint8], line: NDArray[np.float64], thickness: float) -> None:
    """A line (N, 2) of x and y, into a mask (H, W); its thickness is of the shorter side."""
    thick = max(1, round(thickness * min(mask.shape)))
    cv2.polylines(mask, [line.round().astype(np.int32)], False, 1, thick)
