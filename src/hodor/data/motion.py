"""Optical flow between the frames of a clip, as a tracker finds it: what a refiner learns from."""

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.video import look_back

STRIDE = 4  # of the cells that are carried
SHRINKS = (1, 2)  # of the frames before flow is looked for: a tracker's crop is coarse or fine


class ClipMotion(NamedTuple):
    """Where the cells of each frame but the first were in the frame before it."""

    at: Tensor
    """(B, T - 1, h/4, w/4, 2): x and y from -1 to 1, edge to edge, as ``grid_sample`` takes them"""
    change: Tensor
    """(B, T - 1, h/4, w/4) in [0, 1]: how badly the pixels fit"""


def clip_motion(frames: Tensor, g: torch.Generator) -> ClipMotion:
    """Flow between neighbours in clips.

    Args:
        frames: (B, T, 3, h, w) uint8; h and w are multiples of 4.
        g: draws at which size flow is looked for, a size for each clip.
    """
    pictures = frames.permute(0, 1, 3, 4, 2).contiguous().numpy()
    shrink = torch.randint(0, len(SHRINKS), (len(pictures),), generator=g).tolist()
    each = [_of_clip(clip, SHRINKS[one]) for clip, one in zip(pictures, shrink, strict=True)]
    return ClipMotion(*(torch.stack(values) for values in zip(*each, strict=True)))


def _of_clip(clip: NDArray[np.uint8], shrink: int) -> tuple[Tensor, Tensor]:
    """Places (T - 1, h/4, w/4, 2) and change (T - 1, h/4, w/4) of a clip (T, h, w, 3)."""
    h, w = (side // shrink for side in clip.shape[1:3])
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
    small = [np.asarray(cv2.resize(one, (w, h), interpolation=cv2.INTER_AREA)) for one in grey]
    # The middles of cells, in pixels of the small picture.
    rows, columns = (
        ((np.arange(0, side, STRIDE) + STRIDE / 2) / shrink - 0.5).astype(np.float32)
        for side in clip.shape[1:3]
    )
    places, changes = [], []
    for before, now in pairwise(small):
        carried = look_back(now, before, rows, columns)
        x, y = (2 * carried.x + 1) / w - 1, (2 * carried.y + 1) / h - 1
        places.append(np.stack([x, y], -1))
        changes.append(carried.change)
    return torch.from_numpy(np.stack(places)), torch.from_numpy(np.stack(changes))
