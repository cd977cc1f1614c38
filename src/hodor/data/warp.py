"""Random movement of an image: affine, and what more shifts it, as sampling grids."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class Motion:
    """How far things move between the frames of a clip. S4 of the paper, and beyond.

    Each frame is warped from the still itself, not from the frame before it.
    """

    translate: float = 0.15
    """Largest shift, as a share of the frame's sides (S4: 0.25)."""
    rotate: float = 20.0
    """Degrees, either way (published: 20)."""
    scale: float = 1.3
    """Largest change of size; as often smaller as larger."""
    shear: float = 10.0
    """Degrees, either way (S4: 10)."""
    elastic: float = 0.03
    """Smooth non-rigid displacement, as a share of the frame's sides (beyond the paper)."""
    elastic_share: float = 0.6
    """Share of layers that move non-rigidly."""
    perspective: float = 0.0
    """Largest movement of the frame's corners in perspective, as a share of its sides (beyond)."""
    thin_plate: float = 0.0
    """Largest movement of a thin plate's points, as a share of the frame's sides (beyond)."""
    growth: float = 1.0
    """Largest change of size from a clip's first frame to its last, as of what comes near or goes
    away; in parts of it from frame to frame (beyond)."""
    growing: float = 0.0
    """Share of layers that grow or shrink so."""
    steady: float = 0.0
    """Share of clips whose layers go from one pose to another, as between neighbouring frames of a
    video, and hardly change their light; else every frame is a draw of its own (beyond)."""


def uniform(generator: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    """Uniform numbers in [low, high), (N, ...) as ``shape`` says."""
    return torch.rand(shape, generator=generator) * (high - low) + low


def happens(share: float, generator: torch.Generator) -> bool:
    """Whether what happens in a share of cases does in this one.

    Nothing is drawn for 0: clips of recipes that are older than an option stay as they were.
    """
    return share > 0 and bool(torch.rand(1, generator=generator) < share)


UNEVEN = 0.15  # of the range: how far a frame of a steady clip is off the way from end to end


def for_frames(
    frames: int, g: torch.Generator, *shape: int, most: float = 1.0, steady: bool = False
) -> Tensor:
    """Numbers in [-most, most) for every frame, (T, ...): draws of their own, or a way between two.

    Args:
        frames: T.
        g: all randomness.
        shape: of what a frame has.
        most: of the numbers; on a steady way they may be a little more.
        steady: from one number in the first frame to another in the last, a little unevenly.
    """
    drawn = uniform(g, -most, most, frames, *shape)
    return a_way(uniform(g, -most, most, 2, *shape), drawn) if steady else drawn


def a_way(ends: Tensor, apart: Tensor) -> Tensor:
    """From one of two draws, (2, ...), to the other, off by some of ``apart`` (T, ...)."""
    along = torch.linspace(0, 1, len(apart)).view(-1, *[1] * (ends.dim() - 1))
    return torch.lerp(ends[:1], ends[1:], along) + UNEVEN * apart


def random_affine(
    frames: int, motion: Motion, strength: float, g: torch.Generator, *, steady: bool = False
) -> Tensor:
    """Maps from frame to layer coordinates, centred, unit = pixels: (T, 2, 2) and shifts.

    Args:
        frames: T.
        motion: how far.
        strength: of all of it, 0 to 1.
        g: all randomness.
        steady: see ``for_frames``.

    Returns:
        (frames, 2, 3): linear part, and a shift as a share of the frame's sides (x, y).
    """
    angle = for_frames(frames, g, steady=steady) * math.radians(motion.rotate) * strength
    shear = for_frames(frames, g, 2, steady=steady) * math.radians(motion.shear) * strength
    size = torch.exp(for_frames(frames, g, steady=steady) * math.log(motion.scale) * strength)
    # No randomness is used where nothing grows, so that older recipes repeat.
    if happens(motion.growing, g):
        size = size * _growth(frames, motion.growth, g)
    stretch = torch.exp(for_frames(frames, g, steady=steady) * 0.1 * strength)
    cos, sin = angle.cos(), angle.sin()
    rotation = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    ones = torch.ones(frames)
    slant = torch.stack(
        [
            torch.stack([ones, shear[:, 0].tan()], -1),
            torch.stack([shear[:, 1].tan(), ones], -1),
        ],
        -2,
    )
    sizes = torch.stack([size * stretch, size / stretch], -1)
    linear = rotation @ slant * sizes[:, None, :]
    shift = for_frames(frames, g, 2, steady=steady) * motion.translate * strength
    return torch.cat([linear, shift[..., None]], -1)


def _growth(frames: int, most: float, g: torch.Generator) -> Tensor:
    """Factors (T,) that rise or fall from the first frame to the last, by up to ``most`` in all."""
    total = float(uniform(g, -1, 1, 1)) * math.log(most)
    # Somewhere on the way it has the size that it would have without.
    usual = float(uniform(g, 0, 1, 1))
    return torch.exp(total * (torch.linspace(0, 1, frames) - usual))


WHOLE = slice(None)


def sampling_map(
    size: tuple[int, int],
    affine: Tensor,
    elastic: Tensor | None,
    centre: Tensor,
    zoom: float,
    place: tuple[slice, slice] = (WHOLE, WHOLE),
) -> Tensor:
    """Where pixels of each frame look in a still, for ``cv2.remap``.

    Args:
        size: (h, w) of a frame.
        affine: (T, 2, 3), see ``random_affine``.
        elastic: (T, h, w, 2) in pixels, or None.
        centre: (2,) point (x, y) of the still, in its pixels, that the frame's middle shows.
        zoom: pixels of the still for each pixel of a frame.
        place: rows and columns that are wanted.

    Returns:
        (T, y, x, 2): x and y in the still, in pixels, where 0 is the first pixel's centre.
    """
    h, w = size
    rows, columns = place
    x = (torch.arange(w) + 0.5 - w / 2)[columns].view(1, 1, -1)
    y = (torch.arange(h) + 0.5 - h / 2)[rows].view(1, -1, 1)
    out = torch.empty(len(affine), y.shape[1], x.shape[2], 2)
    if elastic is not None:
        x, y = x + elastic[:, rows, columns, 0], y + elastic[:, rows, columns, 1]
    linear = affine[:, :, :2, None, None] * zoom
    shift = affine[:, :, 2] * torch.tensor([w, h]) * zoom + centre - 0.5
    # Written out: a matrix product of two by two for each pixel is several times as slow, and
    # without elastic movement the products are of a row and of a column only.
    for axis in (0, 1):
        moved = linear[:, axis, 0] * x + linear[:, axis, 1] * y
        torch.add(moved, shift[:, axis, None, None], out=out[..., axis])
    return out


class Movement(NamedTuple):
    """How a layer moves in the frames: what ``sampling_map`` takes, and whether it is mirrored."""

    size: tuple[int, int]
    affine: Tensor
    elastic: Tensor | None
    centre: Tensor
    zoom: float
    flipped: bool

    def map(self, place: tuple[slice, slice] = (WHOLE, WHOLE)) -> Tensor:
        """Where the pixels of a part of the frames look, (T, h, w, 2), before mirroring."""
        at = sampling_map(self.size, self.affine, self.elastic, self.centre, self.zoom, place)
        return at.flip(2) if self.flipped else at

    def seen(self, place: tuple[slice, slice]) -> tuple[slice, slice]:
        """Where a part of the frames is after mirroring."""
        rows, columns = place
        if not self.flipped:
            return place
        width = self.size[1]
        return rows, slice(width - columns.stop, width - columns.start)
