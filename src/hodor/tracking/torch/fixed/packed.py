"""Small arrays that go to the device together, into memory that stays where it is."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Packed:
    """Named arrays side by side in one piece of memory, here and on the device.

    Args:
        shapes: by name.
        device: where they go.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], device: torch.device) -> None:
        sizes = [math.prod(shape) for shape in shapes.values()]
        host = torch.zeros(sum(sizes), pin_memory=device.type == "cuda")
        self._flat: NDArray[np.float32] = host.numpy()
        self._host = host
        self._there = torch.zeros(sum(sizes), device=device)
        self.arrays: dict[str, NDArray[np.float32]] = {}
        """Here, to be filled"""
        self.tensors: dict[str, Tensor] = {}
        """On the device, as they were when they were last sent"""
        start = 0
        for (name, shape), size in zip(shapes.items(), sizes, strict=True):
            self.arrays[name] = self._flat[start : start + size].reshape(shape)
            self.tensors[name] = self._there[start : start + size].view(shape)
            start += size

    def send(self) -> None:
        """Copy all of it to the device, without waiting."""
        self._there.copy_(torch.from_numpy(self._flat), non_blocking=True)
