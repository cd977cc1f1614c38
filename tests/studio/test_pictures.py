"""Frames as JPEG: at the size that is shown, few kept, of one size."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hodor.errors import SourceError
from hodor.studio import pictures
from hodor.studio.pictures import Pictures
from hodor.video import open_seekable


def _decoded(data: bytes) -> tuple[int, ...]:
    return tuple(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape)


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Eight frames of 1000 x 500."""
    rng = np.random.default_rng(0)
    for t in range(8):
        small = Image.fromarray(rng.integers(0, 255, (50, 100, 3), np.uint8))
        small.resize((1000, 500)).save(tmp_path / f"{t}.png")
    return tmp_path


def test_frames_are_shrunk_to_what_is_shown_and_never_enlarged(wide: Path) -> None:
    frames = Pictures(open_seekable(wide), (500, 1000))
    assert _decoded(frames.jpeg(0, 600)[1]) == (320, 640, 3)
    assert _decoded(frames.jpeg(0, 2000)[1]) == (500, 1000, 3)


def test_no_more_is_kept_than_the_bound_and_the_last_used_stay(
    wide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = Pictures(open_seekable(wide), (500, 1000))
    size = len(frames.jpeg(0, 640)[1])
    monkeypatch.setattr(pictures, "JPEG_BYTES", 3.5 * size)
    for t in range(8):
        frames.jpeg(t, 640)
        frames.jpeg(0, 640)  # used again and again: it stays
        assert sum(map(len, frames._kept.values())) <= pictures.JPEG_BYTES
    assert (0, 640) in frames._kept
    assert (2, 640) not in frames._kept


def test_a_frame_of_another_size_is_told(wide: Path) -> None:
    Image.new("RGB", (40, 30)).save(wide / "3.png")
    frames = Pictures(open_seekable(wide), (500, 1000))
    with pytest.raises(SourceError, match="frame 3 has 40 x 30 pixels, the first one 1000 x 500"):
        frames.jpeg(3, 640)
