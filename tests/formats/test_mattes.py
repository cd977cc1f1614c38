"""Mattes: what an editor gets of colours, alpha and times."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from formats.tracks import COUNT, FPS, SIZE, hard_track, label_map_at, pixels_at
from numpy.typing import NDArray

from hodor.formats import FORMATS, Labelled, Track, write_track


def decoded(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.time is not None
            yield frame.time, frame.reformat(format="rgba", threads=1).to_ndarray()


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "wrong"),
    # ProRes has YCbCr of 10 bits and is lossy; FFV1 is not.
    [("prores", "prores", "yuva444p12le", 4), ("ffv1", "ffv1", "bgra", 0)],
)
def test_a_video_for_each_object_has_its_picture_and_its_alpha(
    name: str, codec: str, pixels: str, wrong: int, tmp_path: Path
) -> None:
    write_track(hard_track(pixels=True), tmp_path / name, name)
    files = sorted((tmp_path / name).iterdir())
    assert [int(file.stem) for file in files] == [1, 300, 7]
    for file in files:
        with av.open(str(file)) as container:
            (stream,) = container.streams.video
            assert stream.codec_context.name == codec
            assert stream.codec_context.pix_fmt == pixels
            assert stream.average_rate == Fraction(30000, 1001)
        frames = list(decoded(file))
        assert len(frames) == COUNT
        for index, (time, picture) in enumerate(frames):
            assert time == pytest.approx(index / FPS, abs=6e-4)
            alpha = np.where(label_map_at(index) == int(file.stem), 255, 0)
            np.testing.assert_array_equal(picture[..., 3], alpha)
            assert np.abs(picture[..., :3].astype(int) - pixels_at(index)).max() <= wrong


def test_without_the_video_the_picture_is_white(tmp_path: Path) -> None:
    write_track(hard_track(), tmp_path / "ffv1", "ffv1")
    _, picture = next(decoded(tmp_path / "ffv1/1.mkv"))
    assert (picture[..., :3] == 255).all()


def test_times_that_stand_still_do_not_stop_the_encoder(tmp_path: Path) -> None:
    def frames() -> Iterator[Labelled]:
        for index, time in enumerate([0.0, 0.04, 0.04, 0.5]):
            yield Labelled(index, f"{index}", time, np.ones(SIZE, np.uint8))

    write_track(Track(frames, "clip", 25.0), tmp_path / "prores", "prores")
    times = [time for time, _ in decoded(tmp_path / "prores/1.mov")]
    assert times == pytest.approx([0, 0.04, 0.04, 0.5], abs=1e-4)
    assert times == sorted(set(times))


def test_no_pixel_of_a_wide_matte_is_stray(tmp_path: Path) -> None:
    """Threads of the converter of colours left some where their parts met: 854 x 480, the size of
    DAVIS, showed it in every second frame.
    """
    label_map = np.zeros((480, 854), np.uint8)
    label_map[200:300, 300:500] = 1

    def frames() -> Iterator[Labelled]:
        for index in range(12):
            yield Labelled(index, f"{index}", index / 25, label_map)

    write_track(Track(frames, "clip", 25.0), tmp_path / "prores", "prores")
    for _, picture in decoded(tmp_path / "prores" / "1.mov"):
        np.testing.assert_array_equal(picture[..., 3], 255 * label_map)
    assert FORMATS["prores"].pixels
