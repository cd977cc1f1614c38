"""Tracking and studio number frames alike: held against pictures with drawn numbers."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from recordings import SHARED, needs_shared

from hodor.errors import SourceError
from hodor.video import open_seekable, open_source

FRAMES, SIDE = 40, 16


def drawn(number: int) -> NDArray[np.uint8]:
    """A picture with a number in it: seven squares, white for each bit that is set."""
    picture = np.zeros((2 * SIDE, 8 * SIDE, 3), np.uint8)
    for bit in range(7):
        picture[:, bit * SIDE : (bit + 1) * SIDE] = 235 if number >> bit & 1 else 20
    picture[SIDE:, 7 * SIDE :] = 120
    return picture


def number_in(picture: NDArray[np.uint8]) -> int:
    """The number that `drawn` drew."""
    means = [picture[4:-4, b * SIDE + 4 : (b + 1) * SIDE - 4].mean() for b in range(7)]
    return sum(1 << bit for bit, mean in enumerate(means) if mean > 128)


def write(path: Path, codec: str, options: dict[str, str], form: str | None = None) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no encoder {codec}")
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, 25, options=options)
        stream.width, stream.height, stream.pix_fmt = 8 * SIDE, 2 * SIDE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25)
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(drawn(number), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


OPEN_GROUPS = {
    "bf": "2", "g": "12", "x264-params": "open-gop=1:scenecut=0:keyint=12:min-keyint=12"
}  # fmt: skip


def cut_ts(path: Path) -> None:
    whole = path.with_name("whole.ts")
    write(whole, "libx264", OPEN_GROUPS, "mpegts")
    data = whole.read_bytes()
    path.write_bytes(data[188 * (len(data) // 188 // 5) :])


def hole_mkv(path: Path) -> None:
    whole = path.with_name("whole.mkv")
    write(whole, "libx264", {"bf": "0", "g": "1"})
    with av.open(str(whole)) as container:
        packets = [bytes(p) for p in container.demux(video=0) if p.size]
    data = whole.read_bytes()
    assert data.count(packets[20]) == 1
    path.write_bytes(data.replace(packets[20], bytes(len(packets[20]))))


def same_times(path: Path) -> None:
    whole = path.with_name("whole.mkv")
    write(whole, "mpeg4", {"g": "10"})
    with av.open(str(whole)) as given, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.pts = packet.dts = packet.pts // 2 * 2 if packet.pts % 80 else packet.pts
                packet.stream = stream
                container.mux(packet)


MADE = {
    "groups.mp4": lambda path: write(path, "libx264", {"bf": "2", "g": "12"}),
    "open.mkv": lambda path: write(path, "libx264", OPEN_GROUPS),
    "cut.ts": cut_ts,
    "hole.mkv": hole_mkv,
    "reordered.avi": lambda path: write(path, "mpeg4", {"bf": "2", "g": "10"}),
    "raw.h264": lambda path: write(path, "libx264", {"bf": "2", "g": "12"}, "h264"),
    "raw.hevc": lambda path: write(path, "libx265", {"x265-params": "log-level=none"}, "hevc"),
    "same_times.mkv": same_times,
    "hidden.webm": lambda path: write(
        path, "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "8", "b": "200k"}
    ),
    "plain.webm": lambda path: write(path, "libvpx-vp9", {"b": "200k", "cpu-used": "8"}),
}


@pytest.mark.parametrize("name", MADE)
def test_a_number_means_the_same_picture_to_tracking_and_studio(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    MADE[name](path)
    with open_source(path) as source:
        tracked = [number_in(frame.pixels) for frame in source.frames()]
    assert len(tracked) > 10
    assert tracked == sorted(set(tracked))
    with open_seekable(path) as frames:
        assert frames.length == len(tracked)
        order = [*range(len(tracked) - 1, -1, -7), 0, 3, 1, len(tracked) - 1]
        for index in order:
            assert number_in(frames.read(index).pixels) == tracked[index], index


def test_of_a_file_that_begins_within_a_group_the_beginning_is_said_to_be_missing(
    tmp_path: Path,
) -> None:
    cut_ts(tmp_path / "cut.ts")
    with open_source(tmp_path / "cut.ts") as source:
        first, *_ = [number_in(frame.pixels) for frame in source.frames()]
    assert first > 0
    (warning,) = source.warnings
    assert "lacks its beginning" in warning


def test_what_tracking_refuses_the_studio_refuses_too(tmp_path: Path) -> None:
    path = tmp_path / "raw.h264"
    path.write_bytes(b"\0\0\0\1\x67" + bytes(200))
    for read in (lambda: list(open_source(path).frames()), lambda: open_seekable(path)):
        with pytest.raises(SourceError):
            read()


@needs_shared
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("11_studio_unlistable_video/dup.mkv", 8),
        ("11_studio_unlistable_video/h.avi", 14),
        ("11_studio_unlistable_video/r.hevc", 14),
        ("11_studio_unlistable_video/r1.h264", 8),
        ("11_studio_unlistable_video/x.avi", 12),
        ("12_starts_inside_gop/cut.mkv", 11),
        ("12_starts_inside_gop/cut.ts", 15),
    ],
)
def test_the_studio_opens_what_tracking_reads(name: str, count: int) -> None:
    path = SHARED / "cases" / name
    with open_source(path) as source, open_seekable(path) as frames:
        tracked = [frame.pixels for frame in source.frames()]
        assert len(tracked) == frames.length == count
        for index in (count - 1, 0, count // 2):
            assert np.array_equal(frames.read(index).pixels, tracked[index])
