"""Which frame is where in a video file: what its packets say, or, where that is in doubt, decoding.

Numbers are those of ``videos``. Packets tell them at once, but a packet may give no picture: in a
file that begins within a group of pictures, that is damaged, or whose codec hides pictures.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from hodor.video.videos import VideoSource

HIDING = frozenset({"vp8"})
"""Codecs with packets that are never shown."""

PROBED = 48
"""Pictures decoded from the beginning, to see whether packets tell what decodes there."""

HEAD = 16
"""Bytes of a packet that are zeros only where a hole is in the file: no codec begins so."""


@dataclass(frozen=True)
class Listing:
    """Where frames are. times: of each frame, rising, in ticks of `time_base` seconds. keys:
    numbers of frames that decoding can begin at.
    """

    times: list[int]
    keys: list[int]
    time_base: Fraction


def list_frames(source: VideoSource) -> Listing | None:
    """Times of all frames; None where they cannot tell frames apart."""
    container, stream = source.input.open()
    with container:
        packets = _Packets(container, stream)
    if packets.time_base is None or not packets.keys or not packets.distinct:
        return None
    times = sorted(packets.times)
    if packets.doubtful or not _begins_with(source, times):
        decoded = [picture.pts for picture in source.pictures()]
        times = [pts for pts in decoded if pts is not None]
        if len(times) != len(decoded) or any(b <= a for a, b in pairwise(times)):
            return None
    found = {time: number for number, time in enumerate(times)}
    keys = sorted(found[time] for time in packets.keys if time in found)
    return Listing(times, keys, packets.time_base) if keys and keys[0] == 0 else None


class _Packets:
    """What the packets of a video say. distinct: whether their times tell them apart. doubtful:
    whether one of them may give no picture.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.time_base = stream.time_base
        self.times: list[int] = []
        self.keys: list[int] = []
        context = stream.codec_context
        # AVI has no presentation times; with reordered frames what FFmpeg puts there is wrong.
        self.distinct = not (container.format.name == "avi" and context.has_b_frames)
        self.doubtful = context.name in HIDING
        try:
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    self._add(packet)
        except (av.FFmpegError, OSError):
            self.doubtful = True  # cut off, perhaps within a packet
        self.distinct = self.distinct and len(set(self.times)) == len(self.times)

    def _add(self, packet: "Packet[VideoStream]") -> None:
        if packet.pts is None:
            self.distinct = False
            return
        self.times.append(packet.pts)
        if packet.is_keyframe:
            self.keys.append(packet.pts)
        hole = not any(memoryview(packet)[:HEAD])
        self.doubtful = self.doubtful or packet.is_corrupt or hole


def _begins_with(source: VideoSource, times: list[int]) -> bool:
    """Whether the first pictures that decode are those that packets say."""
    decoded = [picture.pts for picture in islice(source.pictures(), PROBED)]
    return decoded == times[: len(decoded)] and len(decoded) == min(PROBED, len(times))
