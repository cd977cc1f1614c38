"""What the network sees in a frame, as tensors."""

from typing import NamedTuple

from torch import Tensor

from hodor.model import Pyramid


class Features(NamedTuple):
    """A frame as the network sees it."""

    pyramid: Pyramid
    image: Tensor
    """(1, 3, h, w), for the refiner"""
    keys: Tensor | None
    """(1, C, h/8, w/8), for matching"""
