"""Parts of a video that is not finished: finished MP4 files, a list of them, joining them.

An MP4 that was not finished cannot be read, so a video that must survive a kill is written in
parts. The list names only finished parts; anything else in the folder is left over from a kill.
"""

import heapq
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from hodor.errors import HodorError, one_line
from hodor.files import Replacement, open_to_append, replacing, whole_lines
from hodor.video.sound import Sound, SoundCopy

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet

    MediaPacket = Packet[VideoStream] | Packet[AudioStream]

Codec = Literal["libx264", "mpeg4"]

TICKS: dict[Codec, int] = {"libx264": 120_000, "mpeg4": 60_000}
"""Ticks a second. 120000 states 24, 25, 30, 50 and 60 frames a second, their 1000/1001 forms and
milliseconds exactly; MPEG-4 part 2 allows at most 65535."""

# Without B-frames packets come in the order of frames, and parts are joined by shifting times.
# x264's macroblock tree (mbtree) reads memory that nothing has written: once in some hundred times
# the same frames give another video, and a run that goes on after a stop other files.
OPTIONS: dict[Codec, dict[str, str]] = {
    "libx264": {"preset": "veryfast", "crf": "20", "bf": "0", "mbtree": "0"},
    "mpeg4": {"bf": "0"},
}
MPEG4_BITS_PER_PIXEL = 0.3

BT709 = 1
"""FFmpeg's number for the matrix, primaries and transfer that players expect of H.264."""
LIMITED_RANGE = 1


@dataclass(frozen=True)
class Head:
    """What all parts share: sides in pixels (even), the encoder, and a pixel's width to height."""

    height: int
    width: int
    codec: Codec
    pixel_width: int = 1
    pixel_height: int = 1


@dataclass(frozen=True)
class Part:
    """A finished part: frames `first` up to before `next`, at ticks `start` to `last`."""

    file: str
    first: int
    next: int
    start: int
    last: int


class Parts:
    """The folder of parts and its list. Owns all files in the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.head: Head | None = None
        self.last: Part | None = None
        self._list = folder / "parts.jsonl"

    def resume(self, resume_from: int) -> None:
        """Keep the parts before frame `resume_from`, remove the rest. 0 removes everything.

        Raises HodorError if the parts do not end there; OSError.
        """
        if self.folder.is_symlink():
            self.folder.unlink()
        if resume_from == 0:
            shutil.rmtree(self.folder, ignore_errors=True)
        if not self._list.exists():
            return
        self.head, listed = self._read()
        kept = [part for part in listed if part.next <= resume_from]
        if not kept or kept[-1].next != resume_from:
            ends = ", ".join(str(part.next) for part in listed) or "none"
            raise HodorError(
                f"{self.folder} cannot be resumed from frame {resume_from}: its parts end before "
                f"the frames {ends}. Resume from one of those, or start anew."
            )
        self.last = kept[-1]
        with replacing(self._list) as temporary:
            temporary.write_text(_line(self.head) + "".join(map(_line, kept)))
        keep = {self._list.name, *(part.file for part in kept)}
        for path in self.folder.iterdir():
            if path.name not in keep:
                path.unlink()

    def begin(self, head: Head) -> None:
        """Fix the size and encoder of all parts."""
        self.head = head
        self.folder.mkdir(exist_ok=True)
        with replacing(self._list) as temporary:
            temporary.write_text(_line(head))

    def add(self, part: Part) -> None:
        """List a finished part: from now on it survives a kill."""
        with open_to_append(self._list) as file:
            file.write(_line(part).encode())
            file.flush()
            os.fsync(file.fileno())
        self.last = part

    def join(self, target: Path, rate: Fraction, sound: Sound | None = None) -> list[str]:
        """Copy all packets into one MP4, with the times of their parts; sound beside them.

        rate: frames a second, of the last frame. Gives warnings of what sound was left out. Raises
        SourceError where the sound's file cannot be opened.
        """
        head, parts = self._read()
        ticks = TICKS[head.codec]
        options = {"movflags": "+faststart", "video_track_timescale": str(ticks)}
        with ExitStack() as open_files:
            copied = None
            if sound is not None:
                opened, _ = sound.input.open()
                open_files.enter_context(opened)
                end = float(parts[-1].last / Fraction(ticks) + 1 / rate)
                copied = SoundCopy(opened, sound.input.label, sound.begin(), end)
            joined = open_files.enter_context(
                av.open(str(target), "w", format="mp4", options=options)
            )
            with av.open(str(self.folder / parts[0].file)) as first:
                stream = joined.add_stream_from_template(first.streams.video[0])
            pictures = (packet for part in parts for packet in self._packets(part, head, stream))
            if copied is None:
                _mux_all(joined, pictures)
                return []
            copied.add_to(joined)
            _mux_all(joined, heapq.merge(pictures, copied.packets(), key=_decoding_time))
            return copied.warnings

    def remove(self) -> None:
        """Remove all parts, the list first: without it the rest is only left over."""
        self.head = self.last = None
        self._list.unlink()
        shutil.rmtree(self.folder)

    def _packets(
        self, part: Part, head: Head, stream: VideoStream
    ) -> Iterator["Packet[VideoStream]"]:
        with av.open(str(self.folder / part.file)) as container:
            given = container.streams.video[0]
            if given.codec_context.extradata != stream.codec_context.extradata:
                raise HodorError(
                    f"{self.folder} holds parts of different encoders; start the overlay anew."
                )
            shift = Fraction(part.start, TICKS[head.codec])
            for packet in container.demux(given):
                if packet.pts is None or packet.dts is None:
                    continue  # The empty packet at the end.
                packet.pts += round(shift / packet.time_base)
                packet.dts += round(shift / packet.time_base)
                packet.stream = stream
                yield packet

    def _read(self) -> tuple[Head, list[Part]]:
        lines = whole_lines(self._list)
        try:
            return Head(**json.loads(next(lines))), [Part(**json.loads(line)) for line in lines]
        except (ValueError, TypeError, StopIteration) as error:
            raise HodorError(
                f"{self._list} is damaged ({one_line(error)}), and the overlay cannot go on from "
                "it: start anew in another folder, or remove this one's results first"
            ) from error


class OpenPart:
    """The part being written; nothing of it counts before `finish`."""

    def __init__(self, parts: Parts, head: Head, first: int, start: int, rate: Fraction) -> None:
        """first: index of its first frame; start: that frame's tick; rate: frames a second."""
        self._file = Replacement(parts.folder / f"{first:08d}.mp4")
        self._head, self._first, self._start = head, first, start
        self.next, self.last = first, start
        ticks = TICKS[head.codec]
        self._duration = round(ticks / rate)
        self._time_base = Fraction(1, ticks)
        options = {"video_track_timescale": str(ticks)}
        self._container = av.open(str(self._file.path), "w", format="mp4", options=options)
        self._stream = _add_stream(self._container, head, rate)
        self._stream.codec_context.time_base = self._time_base

    def write(self, pixels: NDArray[np.uint8], index: int, tick: int) -> None:
        """Encode (H, W, 3) uint8 RGB of the head's size; ticks must rise."""
        # One thread is as fast, or faster: several are started anew for every picture.
        picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED_RANGE, threads=1
        )
        picture.pts, picture.time_base = tick - self._start, self._time_base
        self.next, self.last = index + 1, tick
        self._mux(picture)

    def finish(self) -> Part:
        """End the file and put it in place."""
        self._mux(None)
        self._container.close()
        self._file.put_in_place(flush=True)
        return Part(self._file.target.name, self._first, self.next, self._start, self.last)

    def drop(self) -> None:
        """Remove what was written."""
        with suppress(OSError, av.FFmpegError):
            self._container.close()
        self._file.drop()

    def _mux(self, picture: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(picture):
            packet.duration = self._duration  # Counts for the last frame only.
            self._container.mux(packet)


def _mux_all(target: OutputContainer, packets: Iterable["MediaPacket"]) -> None:
    for packet in packets:
        target.mux(packet)


def _decoding_time(packet: "MediaPacket") -> Fraction:
    return (packet.dts or 0) * packet.time_base


def _add_stream(container: OutputContainer, head: Head, rate: Fraction) -> VideoStream:
    stream: VideoStream = container.add_stream(head.codec, rate, options=dict(OPTIONS[head.codec]))
    stream.width, stream.height, stream.pix_fmt = head.width, head.height, "yuv420p"
    if head.pixel_width != head.pixel_height:
        aspect = Fraction(head.pixel_width, head.pixel_height)
        stream.codec_context.sample_aspect_ratio = aspect
    stream.codec_context.colorspace = BT709
    stream.codec_context.color_primaries = BT709
    stream.codec_context.color_trc = BT709
    stream.codec_context.color_range = LIMITED_RANGE
    if head.codec == "mpeg4":
        pixels = head.width * head.height
        stream.bit_rate = round(MPEG4_BITS_PER_PIXEL * pixels * rate)
    return stream


def _line(record: Head | Part) -> str:
    return json.dumps(asdict(record)) + "\n"
