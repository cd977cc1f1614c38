"""Something to follow, of any size: the sample clip, resized, and boxes as objects."""

import math
from collections.abc import Iterable, Iterator
from itertools import chain, cycle, islice
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from hodor.assets import sample_clip
from hodor.errors import HodorError
from hodor.video import open_source

SMALLEST_BOX = 2  # pixels


def clip(height: int, width: int, count: int) -> Iterator[NDArray[np.uint8]]:
    """``count`` frames (H, W, 3) uint8 of the sample clip, forwards, backwards and so on.

    Real frames matter where they are decoded: noise costs many times as much.
    """
    with open_source(sample_clip()) as source:
        forwards = [frame.pixels for frame in islice(source.frames(), count)]
    for _, pixels in zip(range(count), cycle(forwards + forwards[-2:0:-1]), strict=False):
        yield np.asarray(
            cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )


def grid_of_boxes(height: int, width: int, objects: int) -> NDArray[np.uint16]:
    """A label map (H, W) of boxes 1..objects, side by side in a grid.

    Raises:
        HodorError: they do not fit.
    """
    columns = math.ceil(math.sqrt(objects))
    h, w = height // columns, width // columns
    if min(h, w) < 2 * SMALLEST_BOX:
        raise HodorError(
            f"{objects} objects: more than fit into a frame of {height} x {width} pixels; take "
            "fewer objects or a larger frame"
        )
    labels = np.zeros((height, width), np.uint16)
    for number in range(objects):
        top, left = h * (number // columns) + h // 4, w * (number % columns) + w // 4
        labels[top : top + h // 2, left : left + w // 2] = number + 1
    return labels


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]]) -> str:
    """Encode frames (H, W, 3) of even sides; returns the codec: H.264 where it is to be had."""
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    pictures = (av.VideoFrame.from_ndarray(pixels, format="rgb24") for pixels in frames)
    first = next(pictures)
    with av.open(str(path), "w") as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=24))
        stream.height, stream.width, stream.pix_fmt = first.height, first.width, "yuv420p"
        for picture in chain([first], pictures):
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return codec
