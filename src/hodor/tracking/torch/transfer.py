"""Arrays to a device and back, without waiting where the device does not ask for it.

On CUDA a copy from ordinary memory makes Python wait until it is done; from pinned memory it does
not. Elsewhere tensors share the arrays' memory, and nothing is copied.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.types import AnyArray


def send(array: AnyArray, device: torch.device) -> Tensor:
    """An array of any shape as a tensor on a device."""
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def send_together(arrays: Sequence[NDArray[np.float32]], device: torch.device) -> list[Tensor]:
    """Arrays of any shapes as tensors on a device, to CUDA in one copy."""
    if device.type != "cuda":
        return [send(array, device) for array in arrays]
    flat = send(np.concatenate([array.ravel() for array in arrays]), device)
    parts = torch.split(flat, [array.size for array in arrays])
    return [part.view(array.shape) for part, array in zip(parts, arrays, strict=True)]


def fetch(tensor: Tensor) -> AnyArray:
    """A tensor of any shape as an array; Python waits once."""
    if tensor.device.type != "cuda":
        return np.asarray((tensor if tensor.device.type == "cpu" else tensor.cpu()).numpy())
    return Coming(tensor).array()


class Coming:
    """A tensor on its way from a device; who asks for it waits, nobody else does.

    Args:
        tensor: of any shape. It may be written again as soon as this is made.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._there: torch.cuda.Event | None = None
        if tensor.device.type != "cuda":
            self._array = np.array(fetch(tensor))
            return
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        host.copy_(tensor, non_blocking=True)
        self._array = host.numpy()
        self._there = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._there.record()

    def array(self) -> AnyArray:
        """Its values, in memory that is not pinned: label maps may be kept for long."""
        if self._there is None:
            return self._array
        self._there.synchronize()
        return np.array(self._array)
