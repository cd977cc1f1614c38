"""Holes in objects: gaps, wheels with spokes, slits.

Objects of stills are compact, or annotated as if they were. Through a wheel, and between an arm and
a body, one sees the background, which moves otherwise than what it is seen through.
"""

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hodor.data.bars import draw_twigs
from hodor.data.warp import happens, uniform

GAPS = (1, 8)  # how many there are, the last not included
GAP = (0.04, 0.3)  # of the sides of an object's box
CORNERS = 3  # of half of the gaps; the others are round
WHEELS = (1, 3)
RIM = (0.12, 0.35)  # of the shorter side of an object's box: the radius of a wheel
HUB = (0.1, 0.4)  # of its radius
SPOKES = (0, 13)
SPOKE = (0.03, 0.1)  # of its radius, the thickness
LEFT = 0.5  # of an object's area, at least, or it stays whole


def with_holes(mask: NDArray[np.uint8], g: torch.Generator) -> NDArray[np.uint8]:
    """An object's mask (H, W) of 0 and 1 with gaps, wheels that one sees through, or slits.

    Args:
        mask: of an object that is somewhere.
        g: all randomness.

    Returns:
        Another mask, or this one where little of the object would be left.
    """
    left, top, width, height = cv2.boundingRect(mask)
    holes = np.zeros((height, width), np.uint8)
    draw = (_gaps, _wheels, _slits)[int(torch.randint(0, 3, (1,), generator=g))]
    draw(holes, g)
    part = mask[top : top + height, left : left + width]
    rest = part & ~holes & 1
    if rest.sum() < LEFT * part.sum():
        return mask
    found = mask.copy()
    found[top : top + height, left : left + width] = rest
    return found


def _gaps(holes: NDArray[np.uint8], g: torch.Generator) -> None:
    """A few ellipses and triangles, into holes (H, W)."""
    sides = np.array(holes.shape[::-1])
    for _ in range(int(torch.randint(*GAPS, (1,), generator=g))):
        middle = uniform(g, 0.05, 0.95, 2).numpy() * sides
        reach = uniform(g, *GAP, 2).numpy() * sides / 2
        count = CORNERS if happens(0.5, g) else 4 * CORNERS
        around = uniform(g, 0, 2 * math.pi, count).sort().values.numpy()
        corners = middle + np.stack([np.cos(around), np.sin(around)], 1) * reach
        cv2.fillPoly(holes, [corners.round().astype(np.int32)], 1)


def _wheels(holes: NDArray[np.uint8], g: torch.Generator) -> None:
    """What one sees between the spokes of wheels, into holes (H, W)."""
    sides = np.array(holes.shape[::-1])
    for _ in range(int(torch.randint(*WHEELS, (1,), generator=g))):
        x, y = (uniform(g, 0.15, 0.85, 2).numpy() * sides).round().astype(int).tolist()
        radius = float(uniform(g, *RIM, 1)) * min(holes.shape)
        hub = float(uniform(g, *HUB, 1)) * radius
        between = np.zeros_like(holes)
        cv2.circle(between, (x, y), max(1, round(radius)), 1, -1)
        cv2.circle(between, (x, y), max(1, round(hub)), 0, -1)
        thick = max(1, round(float(uniform(g, *SPOKE, 1)) * radius))
        count, turn = int(torch.randint(*SPOKES, (1,), generator=g)), float(uniform(g, 0, 1, 1))
        for number in range(count):
            angle = (number + turn) * 2 * math.pi / count
            end = (round(x + math.cos(angle) * radius), round(y + math.sin(angle) * radius))
            cv2.line(between, (x, y), end, 0, thick)
        holes |= between


def _slits(holes: NDArray[np.uint8], g: torch.Generator) -> None:
    """A tuft of slits, as between feathers or the bars of a railing, into holes (H, W)."""
    holes |= draw_twigs((holes.shape[0], holes.shape[1]), g)
