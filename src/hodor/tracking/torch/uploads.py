"""Frames on their way to a GPU before they are asked for, while it works on the one before."""

from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MOST = 8  # frames on their way or there; who announces more loses the earliest


class Uploads:
    """Frames that are to be stepped soon, copied to CUDA on a stream of its own.

    Elsewhere nothing is announced: frames are taken as they lie in memory.

    Args:
        device: where the network is.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: torch.cuda.Stream | None = None
        # By the array's identity; it is kept so that no other can have the same.
        self._coming: OrderedDict[int, tuple[NDArray[np.uint8], Upload]] = OrderedDict()
        self._turn = Lock()

    def begin(self, frame: NDArray[np.uint8]) -> None:
        """Start a frame (H, W, 3) on its way. It must not be written to until it is taken."""
        if self._device.type != "cuda":
            return
        upload = self._copied(frame)
        with self._turn:
            self._coming[id(frame)] = (frame, upload)
            while len(self._coming) > MOST:
                self._coming.popitem(last=False)

    def take(self, frame: NDArray[np.uint8]) -> Tensor | None:
        """The frame (H, W, 3) on the device, for this thread's stream; None: it did not begin."""
        with self._turn:
            known = self._coming.pop(id(frame), None)
        return None if known is None else known[1].here()

    def _copied(self, frame: NDArray[np.uint8]) -> "Upload":
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        # PyTorch warns of arrays that are not writable, such as Pillow's.
        pinned = torch.from_numpy(np.require(frame, requirements=["C", "W"])).pin_memory()
        with torch.cuda.stream(self._stream):
            pixels = pinned.to(self._device, non_blocking=True)
            there = torch.cuda.Event()  # type: ignore[no-untyped-call]
            there.record(self._stream)
        return Upload(pixels, there)


class Upload(NamedTuple):
    """One frame's copy."""

    pixels: Tensor
    """(H, W, 3) uint8"""
    there: torch.cuda.Event

    def here(self) -> Tensor:
        """The copy, after which the stream of this thread waits; Python does not."""
        stream = torch.cuda.current_stream(self.pixels.device)
        stream.wait_event(self.there)
        # Its memory may be given to others only when this stream is done with it, too.
        self.pixels.record_stream(stream)
        return self.pixels
