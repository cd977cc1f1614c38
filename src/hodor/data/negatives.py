"""Objects that are not in a clip: their descriptors must find nothing."""

from typing import NamedTuple

import cv2
import torch
from torch import Tensor

from hodor.data.stills import Still


class Absent(NamedTuple):
    """One object for each clip of a batch, in a picture of its own."""

    frames: Tensor
    """(B, 3, h, w) uint8 RGB, of the clips' size"""
    masks: Tensor
    """(B, h, w) bool"""


def absent_object(still: Still, size: tuple[int, int], g: torch.Generator) -> tuple[Tensor, Tensor]:
    """A picture (3, h, w) and the mask (h, w) of one of its objects.

    Args:
        still: at least one object; it fills the frame, whatever its shape.
        size: (h, w).
        g: all randomness.
    """
    h, w = size
    ids = still.labels[still.labels > 0]
    number = int(ids[int(torch.randint(0, len(ids), (1,), generator=g))])  # large ones more often
    image = cv2.resize(still.image, (w, h), interpolation=cv2.INTER_AREA)
    labels = cv2.resize(still.labels, (w, h), interpolation=cv2.INTER_NEAREST)
    return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(labels == number)
