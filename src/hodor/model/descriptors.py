"""Descriptors as tensors: of one frame, and of past frames as the decoder takes them."""

from typing import NamedTuple

import torch
from torch import Tensor


class Descriptors(NamedTuple):
    """What one frame's patches look like."""

    objects: Tensor
    """(B, O, C)"""
    background: Tensor
    """(B, G, C); with objects one at a time (B, O * G, C), an object's cells together"""


class History(NamedTuple):
    """Descriptors of past frames, in any order."""

    objects: Tensor
    """(B, T, O, C)"""
    background: Tensor
    """(B, T, G, C)"""
    object_valid: Tensor | None = None
    """(B, T, O) bool: whether the object is described in that frame; None: all are"""
    background_valid: Tensor | None = None
    """(B, T) bool: whether the background is described in that frame; None: always"""

    @classmethod
    def of(cls, *frames: Descriptors) -> "History":
        """A history of T frames, each (B, O, C) and (B, G, C), all described in all of them."""
        objects = torch.stack([d.objects for d in frames], 1)
        return cls(objects, torch.stack([d.background for d in frames], 1))

    def valid_keys(self) -> Tensor | None:
        """Which of the N = T * (G + O) descriptors may be listened to, background first.

        Returns:
            (B, N) bool; None: all of them.
        """
        if self.object_valid is None and self.background_valid is None:
            return None
        b, t, o, _ = self.objects.shape
        device = self.objects.device
        objects = self.object_valid
        if objects is None:
            objects = torch.ones(b, t, o, dtype=torch.bool, device=device)
        background = self.background_valid
        if background is None:
            background = torch.ones(b, t, dtype=torch.bool, device=device)
        background = background[..., None].expand(-1, -1, self.background.shape[2])  # (B, T, G)
        return torch.cat([background.flatten(1), objects.flatten(1)], 1)
