"""What decoding a frame gives: planes of background and objects, and whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

ArrayT = TypeVar("ArrayT")
"""Whatever a runtime computes with: PyTorch's tensors, or NumPy's arrays"""


@dataclass(frozen=True)
class Logits(Generic[ArrayT]):
    """Logits of one frame. The planes are the K background planes, then one for each object."""

    values: ArrayT
    """(K + O, h/4, w/4) float32; h and w are those of the network's image, padding included"""
    ids: tuple[int, ...]
    """Of the O objects, sorted"""
    backgrounds: int
    """K: the catch-all and the cells of the background grid, row by row"""
    matched: ArrayT | None = None
    """(O, h/8, w/8), from networks that match: see ``hodor.model.Refined``"""

    def with_values(self, values: ArrayT) -> "Logits[ArrayT]":
        """The same planes with other values (K + O, h/4, w/4)."""
        return replace(self, values=values)

    def with_one_background(self, values: ArrayT) -> "Logits[ArrayT]":
        """Other values (1 + O, h/4, w/4), whose background is one plane."""
        return replace(self, values=values, backgrounds=1)


def backgrounds_of(planes: int, ids: Sequence[int]) -> int:
    """How many of ``planes`` are background, if the last ones are those of ``ids``."""
    return planes - len(ids)
