"""Frames for the page: JPEG at the size that is shown, with bounded caches."""

import threading
from collections import OrderedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.errors import SourceError
from hodor.video import Frame, SeekableFrames

JPEG_BYTES = 64 * 2**20
"""JPEGs kept: some 400 of 1280 x 720."""

QUALITY = 88
WIDTHS = (320, 640, 960, 1280, 1600, 1920, 2560, 3840)
"""Widths, in pixels, that pages ask for: few, so that two pages share what is kept."""


class Pictures:
    """A video's frames as JPEG. To be used by any thread.

    size: (H, W) of every frame.
    """

    def __init__(self, frames: SeekableFrames, size: tuple[int, int]) -> None:
        self._frames, self._size = frames, size
        self._mutex = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._bytes = 0

    def frame(self, index: int) -> Frame:
        """A frame at source size.

        Raises:
            SourceError: it cannot be read, or is of another size than the first.
        """
        with self._mutex:
            return self._read(index)

    def jpeg(self, index: int, width: int, *, quick: bool = False) -> tuple[int, bytes]:
        """A frame's number and JPEG, at least ``width`` pixels wide where it has as many.

        quick: a frame near it will do, if it is sooner to be had, as while scrubbing.
        Raises SourceError as ``frame``.
        """
        width = next((w for w in WIDTHS if w >= width), WIDTHS[-1])
        with self._mutex:
            key = (index, width)
            if quick and key not in self._kept:
                key = (self._frames.quick(index), width)
            if key not in self._kept:
                self._keep(key, _encode(self._read(key[0]).pixels, width))
            self._kept.move_to_end(key)
            return key[0], self._kept[key]

    def close(self) -> None:
        """Give back the file."""
        with self._mutex:
            self._frames.close()

    def _read(self, index: int) -> Frame:
        if not 0 <= index < self._frames.length:
            raise SourceError(f"frame {index}: the video has {self._frames.length} frames")
        return checked(self._frames.read(index), self._size)

    def _keep(self, key: tuple[int, int], data: bytes) -> None:
        self._kept[key] = data
        self._bytes += len(data)
        while self._bytes > JPEG_BYTES and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)


def checked(frame: Frame, size: tuple[int, int]) -> Frame:
    """The frame, if it has the video's size (H, W).

    Raises:
        SourceError: it has another.
    """
    if frame.pixels.shape[:2] != size:
        height, width = frame.pixels.shape[:2]
        raise SourceError(
            f"frame {frame.name} has {width} x {height} pixels, the first one {size[1]} x "
            f"{size[0]}; the studio needs frames of one size"
        )
    return frame


def _encode(pixels: NDArray[np.uint8], width: int) -> bytes:
    height, full = pixels.shape[:2]
    if width < full:
        size = (width, max(1, round(height * width / full)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise SourceError("a frame could not be encoded for the page")
    return bytes(data)
