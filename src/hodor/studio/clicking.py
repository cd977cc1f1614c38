"""Masks from clicks and a box for the page: a frame is looked at once, then prompts are quick."""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hodor.segmenter import Embedding, Prompts, Segmenter

if TYPE_CHECKING:
    from hodor.studio.pictures import Pictures

KEPT = 8
"""Frames whose descriptions are kept, of 4 MiB each."""


class Clicks:
    """The promptable network over a video's frames. To be used by any thread.

    Opened when it is first asked, which takes a moment.
    """

    def __init__(self, pictures: "Pictures") -> None:
        self._pictures = pictures
        self._mutex = threading.Lock()
        self._wanted: int | None = None
        self._segmenter: Segmenter | None = None
        self._seen: OrderedDict[int, Embedding] = OrderedDict()
        self._newest: Prompts | None = None

    def look(self, index: int) -> bool:
        """Describe a frame, so that its first click need not wait.

        Gives whether it is described; False if in the meantime another frame was wanted.

        Raises:
            HodorError: the frame cannot be read, or the network not be opened.
        """
        self._wanted = index
        with self._mutex:
            if self._wanted != index:
                return False
            self._embedding(index)
            return True

    def masks(
        self, index: int, prompts: Prompts, first: int | None
    ) -> tuple[NDArray[np.uint8], int]:
        """Four masks (H, W) in the bits 0 to 3 of one map, and which of them is the likeliest.

        first: which of the four masks the first prompt was taken to mean; None: the likeliest.

        Raises:
            HodorError: as ``look``.
        """
        self._newest = prompts
        with self._mutex:
            return self._masks(index, prompts, first)

    def passing(self, index: int, prompts: Prompts) -> tuple[NDArray[np.uint8], int] | None:
        """As ``masks``, for a pointer that passes over the frame.

        None if something else was asked while this one waited, for nobody looks at its answer then,
        or if the frame has not been looked at, which takes too long for a pointer.

        Raises:
            HodorError: as ``look``.
        """
        self._newest = prompts
        with self._mutex:
            if self._newest is not prompts or index not in self._seen:
                return None
            return self._masks(index, prompts, None)

    def _masks(
        self, index: int, prompts: Prompts, first: int | None
    ) -> tuple[NDArray[np.uint8], int]:
        seen = self._embedding(index)
        found = self._network().follow(seen, prompts, first)
        bits = np.zeros(seen.size, np.uint8)
        for bit, mask in enumerate(found.masks):
            bits |= mask.astype(np.uint8) << bit
        return bits, found.best

    def _network(self) -> Segmenter:
        if self._segmenter is None:
            self._segmenter = Segmenter()
        return self._segmenter

    def _embedding(self, index: int) -> Embedding:
        if index not in self._seen:
            self._seen[index] = self._network().embed(self._pictures.frame(index).pixels)
            if len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        self._seen.move_to_end(index)
        return self._seen[index]


def has_network() -> bool:
    """Whether onnxruntime, which runs the network, can be loaded."""
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        return False
    return True
