"""The sound of a video, copied as it is encoded into another file with the video's times."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError

from hodor.video.containers import Input

if TYPE_CHECKING:
    from av.packet import Packet

    SoundPacket = Packet[AudioStream]


@dataclass(frozen=True)
class Sound:
    """Where a video's sound is. begin: gives the time in the file, in seconds, of frame 0."""

    input: Input
    begin: Callable[[], float]


@dataclass(eq=False)
class SoundCopy:
    """All tracks of sound that a container takes, from frame 0 to the end of the last frame.

    end is in seconds. into, container: what the other file is called in warnings, and its kind.
    warnings: what was not copied, complete when `packets` has ended.
    """

    opened: InputContainer
    label: str
    begin: float
    end: float
    into: str = "the overlay"
    container: str = "MP4"
    warnings: list[str] = field(default_factory=list)
    _streams: dict[int, AudioStream] = field(default_factory=dict)

    def add_to(self, target: OutputContainer) -> None:
        """Add the tracks to a file that nothing was written to."""
        refused = []
        for given in self.opened.streams.audio:
            try:
                stream = target.add_stream_from_template(given)
            except (FFmpegError, ValueError):  # PyAV's word for a codec that has no place there.
                refused.append(given.codec_context.name if given.codec_context else "unknown")
                continue
            language = given.metadata.get("language")
            if language:
                stream.metadata["language"] = language
            self._streams[given.index] = stream
        if refused:
            self.warnings.append(
                f"sound of {self.label} was left out of {self.into}: {self.container} does not "
                f"take what it is encoded with ({', '.join(dict.fromkeys(refused))}); add it in an "
                "editor, or convert the video's sound to AAC first"
            )

    def packets(self) -> Iterator["SoundPacket"]:
        """The packets of all tracks, shifted to the times of the frames."""
        if not self._streams:
            return
        last: dict[int, int] = {}
        lost = 0
        for packet in self._read():
            base = packet.time_base
            if packet.pts is None or packet.dts is None or not base:
                continue
            index, shift = packet.stream.index, round(self.begin / base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            # What ends where the picture begins lets a decoder start.
            if (packet.pts + (packet.duration or 0)) * base < 0 or packet.pts * base >= self.end:
                continue
            if packet.dts <= last.get(index, packet.dts - 1):
                lost += 1
                continue
            last[index] = packet.dts
            packet.stream = self._streams[index]
            yield packet
        if lost:
            self.warnings.append(
                f"the sound of {self.label} goes back in time: {lost} of its packets were left "
                f"out of {self.into}"
            )

    def _read(self) -> Iterator["SoundPacket"]:
        tracks = [s for s in self.opened.streams.audio if s.index in self._streams]
        try:
            yield from cast("Iterator[SoundPacket]", self.opened.demux(tracks))
        except (FFmpegError, OSError):
            self.warnings.append(
                f"the sound of {self.label} is damaged; {self.into} has it up to there"
            )
