"""Frames by number: the same as those read from the front, in any order, without keeping many."""

import random
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from hodor.video import open_seekable, open_source, seeking


def _write(path: Path, frames: int, *, gop: int = 12, codec: str = "libx264") -> None:
    """A clip whose frames all differ, with frames out of order where the codec has them."""
    rng = np.random.default_rng(1)
    ground = np.kron(rng.integers(0, 255, (8, 60, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.gop_size = gop
        if codec == "libx264":
            stream.codec_context.max_b_frames = 2
        for t in range(frames):
            pixels = np.ascontiguousarray(ground[:, 2 * t : 2 * t + 96])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "libx264"), ("mkv", "libx264"), ("ts", "libx264"), ("avi", "mpeg4")],
)
def test_frames_in_any_order_are_those_read_from_the_front(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    path = tmp_path / f"clip.{suffix}"
    _write(path, 60, codec=codec)
    with open_source(path) as source:
        frames = list(source.frames())
    order = [*random.Random(0).sample(range(60), 60), *range(59, 40, -1), *range(10, 20)]
    with open_seekable(path) as seekable:
        assert seekable.length == len(frames) == 60
        for t in order:
            found = seekable.read(t)
            assert np.array_equal(found.pixels, frames[t].pixels), t
            assert (found.index, found.name) == (t, frames[t].name)
            assert found.time == pytest.approx(frames[t].time, abs=1e-3)


def test_few_pictures_are_kept_however_many_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    _write(path, 60)
    monkeypatch.setattr(seeking, "PICTURES_BYTES", 96 * 64 * 1.5 * 10)
    with open_seekable(path) as seekable:
        assert isinstance(seekable, seeking.SeekableVideo)
        for t in [*range(60), *range(59, -1, -1)]:
            seekable.read(t)
            assert len(seekable._kept) <= 10


def test_a_quick_frame_is_at_hand_or_a_keyframe_at_or_before(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    _write(path, 60)
    with open_seekable(path) as seekable:
        assert seekable.quick(30) == 24
        seekable.read(30)
        assert [seekable.quick(t) for t in (29, 30, 31, 32, 50)] == [29, 30, 31, 32, 48]


def test_images_are_read_in_any_order(tmp_path: Path) -> None:
    for t in range(5):
        Image.new("RGB", (8, 6), (10 * t, 0, 0)).save(tmp_path / f"{t}.png")
    with open_seekable(tmp_path) as seekable:
        assert [seekable.read(t).pixels[0, 0, 0] for t in (4, 0, 3, 3, 1)] == [40, 0, 30, 30, 10]
        assert seekable.length == 5


def test_a_truncated_video_has_the_frames_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    _write(path, 60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_source(path) as source:
        frames = list(source.frames())
    with open_seekable(path) as seekable:
        last = len(frames) - 3
        assert np.array_equal(seekable.read(last).pixels, frames[last].pixels)
        assert np.array_equal(seekable.read(2).pixels, frames[2].pixels)
