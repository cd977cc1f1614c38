"""A track and its video side by side: pixels, and the frames' true names and times."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hodor.errors import MaskError
from hodor.formats.frame_numbers import same_frame
from hodor.formats.track import Labelled, Track
from hodor.video import Frame, LabelMap, Source


def with_video(track: Track, source: Source, *, whole: bool = False) -> Track:
    """The same track with the video's names, times and rate, and its pixels.

    A frame of the track belongs to the frame of the same name; to one that is called by a number
    (those of every video are) if it ends with that number; and what CVAT calls frame_000007 itself
    to number 7.

    Args:
        track: of the same video.
        source: the video.
        whole: whether frames of the video that are not in the track come too, without objects.

    Raises:
        MaskError: when the track is read: a frame of it is not in the video, in the same order, or
            is of another size.
    """

    def frames() -> Iterator[Labelled]:
        labelled = track.frames()
        waiting = next(labelled, None)
        for frame in source.frames():
            if waiting is None and not whole:
                return
            if waiting is None or not same_frame(waiting.name, frame.name, frame.index):
                if whole:
                    nothing = np.zeros(frame.pixels.shape[:2], np.uint8)
                    yield Labelled(
                        frame.index, frame.name, frame.time, nothing, pixels=frame.pixels
                    )
                continue
            if waiting.label_map.shape != frame.pixels.shape[:2]:
                raise MaskError(
                    f"{track.video}: frame {waiting.name} is {_size(waiting.label_map.shape)} "
                    f"pixels, but {_size(frame.pixels.shape)} in {source.name}; these masks belong "
                    f"to another version of the video{_turned(waiting.label_map, frame)}."
                )
            yield replace(
                waiting, index=frame.index, name=frame.name, time=frame.time, pixels=frame.pixels
            )
            waiting = next(labelled, None)
        if waiting is not None:
            raise MaskError(
                f"{track.video}: frame {waiting.name} is not in {source.name}, or not in this order"
            )

    return replace(
        track, frames=frames, video=source.name, fps=source.fps, timed=source.timed,
        pixel_aspect=source.pixel_aspect, time_code=source.time_code, sound=source.sound,
        um_per_pixel=source.um_per_pixel or track.um_per_pixel,
    )  # fmt: skip


def _turned(label_map: LabelMap, frame: Frame) -> str:
    swapped = label_map.shape == frame.pixels.shape[1::-1]
    return ", which is turned by a quarter" if swapped else ""


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
