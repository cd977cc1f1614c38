"""Video files: every frame that decodes, once, with its own time and the right way up.

Here is what numbers frames, for tracking and studio alike: the pictures that decode when a file is
read from its beginning, in the order in which they are shown, are frames 0, 1, 2, ... A packet that
gives no picture has no number.
"""

import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from hodor.errors import DamagedSourceError
from hodor.video.containers import Input, Upright, nominal_rate, pixel_aspect, short_name
from hodor.video.frames import DEFAULT_FPS, Closing, Frame, numbered_name
from hodor.video.sound import Sound
from hodor.video.time_codes import stated_time_code

DURATION = re.compile(r"([0-9]{1,4}):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]{1,12})?)")
"""How Matroska's tag states hours, minutes and seconds, 00:00:02.400000000; another says none."""

RESTART_SECONDS = 1.0
"""Timestamps that go back further than this have begun anew, as in recordings put together."""


class VideoSource(Closing):
    """A video file, or a video of known length behind a URL."""

    live = False

    def __init__(self, path: str | Path, *, fps: float | None = None) -> None:
        """fps: replaces the file's own timestamps by a constant rate. Raises SourceError."""
        self.input = Input(str(path))
        self._fixed_fps = fps
        self.name = short_name(self.input)
        self.warnings: list[str] = []
        container, stream = self.input.open()
        with container:
            rate = nominal_rate(stream) or DEFAULT_FPS
            aspect = pixel_aspect(stream)
            self.fps = fps or rate
            self.length: int | None = stream.frames or None
            self.estimated_length = self.length or _guess_length(container, stream, rate)
            # Of other times than the file's own, frames have no time code and no sound.
            stated = None if fps else stated_time_code(container, stream, rate)
            self._tick = stream.time_base or Fraction(0)
            if container.streams.audio and not fps:
                self.sound = Sound(self.input, self._begin)
        first = next(self.pictures(), None) if aspect != 1 or stated else None
        if stated:
            code, start = stated
            self.time_code = code.after(self._begin(first) - start)
        self.pixel_aspect = 1 / aspect if first and first.rotation % 180 else aspect

    def _begin(self, first: VideoFrame | None = None) -> float:
        """The time in the file, in seconds, of frame 0."""
        first = first or next(self.pictures(), None)
        return float((first.pts or 0) * self._tick) if first else 0.0

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Every frame that decodes. A damaged file adds one warning at its end.

        Raises SourceError if no frame decodes at all.
        """
        tally = _Tally(constant_rate=self._fixed_fps is not None)
        clock, upright = _Clock(self.fps), Upright()
        for index, picture in enumerate(self.pictures(tally)):
            time = clock.read(picture, tally)
            # No seeking: where a seek lands depends on container and codec, and a frame too many
            # or too few would shift every mask that follows. Decoding is cheap beside tracking.
            if index >= start:
                yield Frame(index, numbered_name(index), upright.pixels(picture), time)
        self._conclude(tally, clock)

    def pictures(self, tally: "_Tally | None" = None) -> Iterator[VideoFrame]:
        """The picture of every frame, in order, as it was decoded: what numbers frames."""
        tally = tally or _Tally(constant_rate=False)
        for picture in self._decode("AUTO", tally):
            if picture.is_corrupt and tally.comes_late(picture):
                continue  # The remains of a lost frame, given after its successors.
            tally.add_picture(picture)
            yield picture
        if not tally.lost_tail:
            return
        # PyAV ends a decoder's draining at the first error, and with it the intact frames that
        # other decoding threads still held. Without those threads nothing is held: read again
        # and give what follows the last frame given.
        for number, picture in enumerate(self._decode("SLICE", _Tally(tally.constant_rate))):
            if tally.misses(number, picture):
                tally.add_picture(picture)
                yield picture

    def _decode(self, threads: Literal["AUTO", "SLICE"], tally: "_Tally") -> Iterator[VideoFrame]:
        container, stream = self.input.open()
        with container:
            stream.thread_type = threads
            tally.describe(container, stream)
            with closing(_packets(container, stream, tally)) as packets:
                for packet in packets:
                    yield from _decode_packet(stream, packet, tally)

    def _conclude(self, tally: "_Tally", clock: "_Clock") -> None:
        label = self.input.label
        if tally.pictures == 0:
            raise DamagedSourceError(
                f"{label} opens, but none of its frames decodes; it is damaged or incomplete. "
                "Copy or export it again."
            )
        lost = tally.lost_before_first
        if lost:
            self._warn(
                f"{label} lacks its beginning: it starts within a group of pictures, and {lost} "
                f"frame{'s' * (lost > 1)} before the first that decodes cannot be shown; frame 0 "
                "is the first that can."
            )
        if tally.ended_early(clock.last):
            of = f" of about {self.estimated_length}" if self.estimated_length else ""
            self._warn(
                f"{label} is truncated: {tally.pictures}{of} frames could be decoded; reading "
                f"stopped at {clock.last:.2f} s, and the end is missing."
            )
        elif tally.faults and not lost:
            self._warn(
                f"{label} is damaged (faults met in its middle: {tally.faults}): {tally.pictures} "
                f"frames could be decoded, up to {clock.last:.2f} s; pictures near a fault may be "
                "broken."
            )

    def _warn(self, message: str) -> None:
        if message not in self.warnings:  # a file may be read twice
            self.warnings.append(message)


def ends(url: str) -> bool:
    """Whether a URL holds a video of known duration, to be read whole, and no live stream."""
    container, _ = Input(url).open()
    with container:
        return bool(container.duration and container.duration > 0)


@dataclass
class _Tally:
    """What was seen of a file while reading it, to tell an intact one from a damaged one."""

    constant_rate: bool
    declared: int = 0
    duration: float | None = None
    time_base: Fraction = Fraction(1)
    packets: int = 0
    faults: int = 0
    pictures: int = 0
    last_packet: int | None = None
    last_picture: int | None = None
    first_packet: int | None = None
    first_picture: int | None = None
    _before: list[int] = field(default_factory=list)

    def describe(self, container: InputContainer, stream: VideoStream) -> None:
        self.declared = stream.frames
        self.time_base = stream.time_base or Fraction(1)
        self.duration = _duration(container, stream)
        # AVI has no presentation times; with reordered frames what FFmpeg puts there is wrong.
        if container.format.name == "avi" and stream.codec_context.has_b_frames:
            self.constant_rate = True

    def add_packet(self, packet: "Packet[VideoStream]") -> None:
        self.packets += 1
        self.faults += packet.is_corrupt
        if packet.pts is not None and not packet.is_discard:
            self.last_packet = max(packet.pts, self.last_packet or packet.pts)
            first = packet.pts if self.first_packet is None else self.first_packet
            self.first_packet = min(packet.pts, first)
            if self.first_picture is None or packet.pts < self.first_picture:
                self._before.append(packet.pts)

    def add_picture(self, picture: VideoFrame) -> None:
        self.pictures += 1
        self.faults += picture.is_corrupt
        if picture.pts is not None:
            self.last_picture = max(picture.pts, self.last_picture or picture.pts)
            if self.first_picture is None:
                self.first_picture = picture.pts

    @property
    def lost_before_first(self) -> int:
        """Packets of frames before the first picture: of a file that begins within a group."""
        if self.constant_rate or self.first_picture is None:
            return 0
        return sum(pts < self.first_picture for pts in self._before)

    @property
    def lost_seconds(self) -> float:
        """From the first packet to the first picture."""
        if not self.lost_before_first or self.first_picture is None or self.first_packet is None:
            return 0.0
        return float((self.first_picture - self.first_packet) * self.time_base)

    def comes_late(self, picture: VideoFrame) -> bool:
        """Whether a later picture was given before."""
        if picture.pts is None or self.last_picture is None:
            return False
        return picture.pts < self.last_picture

    def misses(self, number: int, picture: VideoFrame) -> bool:
        """Whether a picture of another reading comes after all that this one has."""
        if picture.pts is None or self.last_picture is None:
            return number >= self.pictures
        return picture.pts > self.last_picture

    @property
    def lost_tail(self) -> bool:
        if self.last_packet is None or self.last_picture is None:
            return self.pictures < self.packets
        return self.last_picture < self.last_packet

    def ended_early(self, last_time: float) -> bool:
        """Judged by time and by count: a count alone includes frames that an edit list hides."""
        if self.declared and self.packets >= self.declared:
            return False
        if self.duration is None or self.pictures == 0:
            return False
        interval = last_time / max(self.pictures - 1, 1)
        known = self.lost_seconds + last_time + interval
        return known < self.duration - max(3 * interval, 0.2)


@dataclass
class _Clock:
    """Seconds since the first frame, from the file's timestamps where it has them; they rise."""

    fps: float
    first: float = 0.0
    last: float = 0.0

    def read(self, picture: VideoFrame, tally: _Tally) -> float:
        stated = None if picture.pts is None else float(picture.pts * tally.time_base)
        if tally.pictures == 1:
            self.first = stated or 0.0
        elif tally.constant_rate:
            self.last = (tally.pictures - 1) / self.fps
        elif stated is None:
            self.last += 1 / self.fps
        else:
            self.last = self._risen(stated)
        return self.last

    def _risen(self, stated: float) -> float:
        time = stated - self.first
        if time > self.last:
            return time
        if self.last - time < RESTART_SECONDS:
            return self.last + 0.5 / self.fps  # Half a step, so that the next frame is on time.
        self.first = stated - self.last - 1 / self.fps
        return self.last + 1 / self.fps


def _packets(
    container: InputContainer, stream: VideoStream, tally: _Tally
) -> Generator["Packet[VideoStream] | None", None, None]:
    """The stream's packets, then None to empty the decoder, also where reading breaks off."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                tally.add_packet(packet)
                yield packet
    except (av.FFmpegError, OSError):
        tally.faults += 1
    yield None


def _decode_packet(
    stream: VideoStream, packet: "Packet[VideoStream] | None", tally: _Tally
) -> list[VideoFrame]:
    try:
        return stream.decode(packet)
    except av.error.EOFError:
        return []
    except av.FFmpegError:
        tally.faults += 1
        return []


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds of the video stream as stated, not of a longer soundtrack beside it."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    stated = DURATION.fullmatch(stream.metadata.get("DURATION", ""))
    if stated is not None:
        return int(stated[1]) * 3600 + int(stated[2]) * 60 + float(stated[3])
    if container.duration is not None and len(container.streams) == 1:
        return float(Fraction(container.duration, av.time_base))
    return None


def _guess_length(container: InputContainer, stream: VideoStream, fps: float) -> int | None:
    seconds = _duration(container, stream)
    return max(1, round(seconds * fps)) if seconds else None
