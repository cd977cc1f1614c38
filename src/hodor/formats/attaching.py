"""A track and its video side by side: pixels, and the frames' true names and times."""

from collections.abc import Iterator
from dataclasses import replace

from hodor.errors import MaskError
from hodor.formats.track import Labelled, Track
from hodor.video import Frame, Source


def with_video(track: Track, source: Source) -> Track:
    """The same track with the video's names, times and rate, and its pixels.

    A frame of the track belongs to the frame of the same name; where both names are numbers, to
    that of the same number. Reading the track raises MaskError if a frame of it is not in the
    video, in the same order, or is of another size.
    """

    def frames() -> Iterator[Labelled]:
        labelled = track.frames()
        waiting = next(labelled, None)
        for frame in source.frames():
            if waiting is None:
                return
            if not _belong(waiting, frame):
                continue
            if waiting.label_map.shape != frame.pixels.shape[:2]:
                raise MaskError(
                    f"{track.video}: frame {waiting.name} is {_size(waiting.label_map.shape)} "
                    f"pixels, but {_size(frame.pixels.shape)} in {source.name}; these masks belong "
                    "to another version of the video."
                )
            yield replace(
                waiting, index=frame.index, name=frame.name, time=frame.time, pixels=frame.pixels
            )
            waiting = next(labelled, None)
        if waiting is not None:
            raise MaskError(
                f"{track.video}: frame {waiting.name} is not in {source.name}, or not in this order"
            )

    return replace(track, frames=frames, video=source.name, fps=source.fps, timed=True)


def _belong(labelled: Labelled, frame: Frame) -> bool:
    if labelled.name == frame.name:
        return True
    both = labelled.name.isdecimal() and frame.name.isdecimal()
    return both and int(labelled.name) == int(frame.name)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
