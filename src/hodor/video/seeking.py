"""Frames by number, in any order: what a page that scrubs through a video asks for.

Tracking reads from the front (``videos``), which holds for every file and says what number a frame
has. Here a file's packets are listed once, without decoding; a frame is then reached from the
keyframe before it. Where packets may not tell what decodes, all of the file is decoded once.
"""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from hodor.errors import DamagedSourceError, SourceError
from hodor.video.containers import Upright
from hodor.video.frames import Closing, Frame, Source, numbered_name
from hodor.video.listing import Listing, list_frames
from hodor.video.pictures import AUTO, Intensity
from hodor.video.sound import Sound
from hodor.video.sources import open_source
from hodor.video.time_codes import TimeCode
from hodor.video.videos import VideoSource

PICTURES_BYTES = 96 * 2**20
"""Decoded pictures kept, about 30 of 1920 x 1080: steps back need no decoding for so long."""

NEAR = 24
"""Frames ahead up to which decoding on is quicker than seeking."""


class SeekableFrames(Protocol):
    """Frames by number. Not to be used by two threads at once.

    name, fps, pixel_aspect, time_code, sound: as of a source. length: number of frames.
    """

    @property
    def name(self) -> str: ...
    @property
    def fps(self) -> float: ...
    @property
    def pixel_aspect(self) -> Fraction: ...
    @property
    def time_code(self) -> TimeCode | None: ...
    @property
    def sound(self) -> Sound | None: ...
    @property
    def length(self) -> int: ...

    def read(self, index: int) -> Frame:
        """The frame of a number in 0..length - 1. Raises SourceError if it cannot be read."""
        ...

    def quick(self, index: int) -> int:
        """Number of a frame near `index`, at or before it, that is to be had without delay."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_seekable(
    what: str | Path, *, fps: float | None = None, intensity: Intensity = AUTO
) -> SeekableFrames:
    """Open a video file, a folder or a pattern of images for reading in any order.

    fps, intensity: as of `open_source`. Raises SourceError: missing, no video, or live.
    """
    source = open_source(what, fps=fps, intensity=intensity)
    if source.live:
        source.close()
        raise SourceError(f"{what} is live: it has no frames to go back to; record it first.")
    if isinstance(source, VideoSource):
        listing = list_frames(source)
        if listing is not None:
            return SeekableVideo(source, listing)
    return FramesInOrder(source)


class FramesInOrder(Closing):
    """Frames by number of any source: quick for images, from the front for what cannot seek."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._frames: Iterator[Frame] = iter(())
        self._next: int | None = None
        self._jumps = not isinstance(source, VideoSource)
        self.name, self.fps, self.pixel_aspect = source.name, source.fps, source.pixel_aspect
        self.time_code, self.sound = source.time_code, source.sound
        if isinstance(source, VideoSource):
            self.length = sum(1 for _ in source.pictures())
        else:
            self.length = source.length or sum(1 for _ in source.frames())
        if self.length == 0:
            next(source.frames(), None)  # which says what is wrong

    def read(self, index: int) -> Frame:
        """See `SeekableFrames`."""
        near = self._next is not None and self._next <= index <= self._next + NEAR
        if self._jumps or not near:
            self._frames, self._next = self._source.frames(index), index
        for frame in self._frames:
            self._next = frame.index + 1
            if frame.index == index:
                return frame
        raise SourceError(f"{self.name}: frame {index} cannot be read; {self.length} were counted.")

    def quick(self, index: int) -> int:
        """See `SeekableFrames`; nothing is quicker than the frame itself."""
        return index

    def close(self) -> None:
        """Give back what is held."""
        self._source.close()


class SeekableVideo(Closing):
    """Frames by number of a video file whose packets all state their times."""

    def __init__(self, source: VideoSource, listing: Listing) -> None:
        self._input = source.input
        self._listing = listing
        self._upright = Upright()
        self._open: tuple[InputContainer, VideoStream] | None = None
        self._pictures: Iterator[VideoFrame] = iter(())
        self._next: int | None = None
        self._from = 0
        self._kept: OrderedDict[int, VideoFrame] = OrderedDict()
        self.name, self.fps, self.length = source.name, source.fps, len(listing.times)
        self.pixel_aspect, self.time_code = source.pixel_aspect, source.time_code
        self.sound = source.sound

    def read(self, index: int) -> Frame:
        """See `SeekableFrames`. A frame that is lost in a damaged file is the one before it."""
        picture = self._kept.get(index) or self._decode(index)
        if picture is None:
            raise DamagedSourceError(
                f"{self._input.label}: frame {index} does not decode; the file is damaged there."
            )
        times = self._listing.times
        seconds = float((times[index] - times[0]) * self._listing.time_base)
        return Frame(index, numbered_name(index), self._upright.pixels(picture), seconds)

    def quick(self, index: int) -> int:
        """See `SeekableFrames`: a kept frame, one just ahead of the decoder, or a keyframe."""
        if index in self._kept or (self._next is not None and 0 <= index - self._next <= 2):
            return index
        return self._key(index)

    def close(self) -> None:
        """Give back the file and the decoded pictures."""
        self._kept.clear()
        self._end_reading()

    def _end_reading(self) -> None:
        self._pictures, self._next = iter(()), None
        if self._open is not None:
            self._open[0].close()
            self._open = None

    def _key(self, index: int) -> int:
        return self._listing.keys[max(bisect_right(self._listing.keys, index) - 1, 0)]

    def _decode(self, index: int) -> VideoFrame | None:
        """Decode up to a frame, from where the decoder is or from a keyframe before."""
        key = self._key(index)
        at = self._next
        if at is None or at > index or (at < key and index - at > NEAR):
            self._seek(key)
        found = self._run_to(index)
        while found is None and key > self._listing.keys[0]:
            # Where a seek lands depends on the container: it may be too late by a few frames.
            key = self._key(key - 1)
            self._seek(key)
            found = self._run_to(index)
        return found

    def _run_to(self, index: int) -> VideoFrame | None:
        before: VideoFrame | None = None
        for picture in self._pictures:
            number = self._number(picture)
            if number is None or number < self._from:
                continue  # Shown before its keyframe: after a seek what it is made of is missing.
            self._next = number + 1
            self._keep(number, picture)
            if number == index:
                return picture
            if number > index:
                return before
            before = picture
        self._next = None
        return before

    def _number(self, picture: VideoFrame) -> int | None:
        if picture.pts is None:
            return None
        at = bisect_left(self._listing.times, picture.pts)
        found = at < self.length and self._listing.times[at] == picture.pts
        return at if found else None

    def _keep(self, number: int, picture: VideoFrame) -> None:
        self._kept[number] = picture
        self._kept.move_to_end(number)
        size = sum(plane.buffer_size for plane in picture.planes)
        while len(self._kept) > max(2, PICTURES_BYTES // size):
            self._kept.popitem(last=False)

    def _seek(self, key: int) -> None:
        if key == self._listing.keys[0]:
            # Some containers cannot seek to their beginning; opening anew always gets there.
            self._end_reading()
        if self._open is None:
            container, stream = self._input.open()
            stream.thread_type = "AUTO"
            self._open = container, stream
        container, stream = self._open
        try:
            if key != self._listing.keys[0]:
                container.seek(self._listing.times[key], stream=stream)
        except (av.FFmpegError, OSError) as error:
            raise SourceError(f"{self._input.label} cannot be read any more ({error}).") from error
        self._pictures, self._next, self._from = _decoded(container, stream), key, key


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Every picture that decodes from here on."""
    try:
        for packet in container.demux(stream):
            try:
                yield from stream.decode(packet)
            except av.FFmpegError:
                continue
    except (av.FFmpegError, OSError):
        return
