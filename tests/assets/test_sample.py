"""The bundled sample: its files fit one another, and something really is hidden in it."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hodor.assets import sample_clip, sample_masks, sample_truth

FRAMES, HEIGHT, WIDTH = 72, 288, 512


@pytest.fixture(scope="module")
def frames() -> list[NDArray[np.uint8]]:
    with av.open(str(sample_clip())) as container:
        decoded = container.decode(video=0)
        rgb = [frame.to_ndarray(format="rgb24", threads=1) for frame in decoded]
        return [np.asarray(pixels, np.uint8) for pixels in rgb]


@pytest.fixture(scope="module")
def truth() -> NDArray[np.uint8]:
    return sample_truth()


def areas(truth: NDArray[np.uint8], number: int) -> NDArray[np.intp]:
    return np.asarray(np.count_nonzero(truth == number, axis=(1, 2)))


def test_video_is_h264_of_three_seconds_that_every_player_shows() -> None:
    with av.open(str(sample_clip())) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 24
        assert container.duration == pytest.approx(3 * av.time_base, rel=0.02)


def test_video_decodes_to_all_its_frames(frames: list[NDArray[np.uint8]]) -> None:
    assert len(frames) == FRAMES
    assert {frame.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}


def test_masks_fit_the_video_and_number_the_objects_from_one() -> None:
    with Image.open(sample_masks()) as picture:
        assert picture.mode == "P"
        assert picture.size == (WIDTH, HEIGHT)
        assert np.unique(np.asarray(picture)).tolist() == [0, 1, 2, 3]
        assert (picture.getpalette() or [])[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


def test_truth_covers_all_frames_and_starts_with_the_masks(truth: NDArray[np.uint8]) -> None:
    assert truth.shape == (FRAMES, HEIGHT, WIDTH)
    assert truth.dtype == np.uint8
    with Image.open(sample_masks()) as picture:
        np.testing.assert_array_equal(truth[0], np.asarray(picture))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_object_can_be_seen_in_every_frame(truth: NDArray[np.uint8], number: int) -> None:
    assert areas(truth, number).min() > 1000


def test_the_cup_goes_behind_the_astronaut_and_comes_back(truth: NDArray[np.uint8]) -> None:
    cup = areas(truth, 2)
    hidden = int(cup.argmin())
    assert 0 < hidden < FRAMES - 1
    assert cup[hidden] < 0.4 * cup[0]
    assert cup[-1] > 0.9 * cup[0]


def test_the_shuttle_crosses_in_front_of_the_astronaut(truth: NDArray[np.uint8]) -> None:
    astronaut = areas(truth, 1)
    assert astronaut.min() < 0.95 * astronaut[0]
    assert astronaut[-1] > astronaut[0]
    columns = [np.flatnonzero((frame == 3).any(axis=0)) for frame in truth[[0, -1]]]
    assert columns[0].max() < WIDTH / 3
    assert columns[1].min() > WIDTH / 2


@pytest.mark.parametrize("number", [1, 2, 3])
def test_truth_lies_on_the_objects_in_the_video(
    frames: list[NDArray[np.uint8]], truth: NDArray[np.uint8], number: int
) -> None:
    first = np.median(frames[0][truth[0] == number], axis=0)
    last = np.median(frames[-1][truth[-1] == number], axis=0)
    np.testing.assert_allclose(first, last, atol=25)


def test_sky_moves_behind_the_objects(
    frames: list[NDArray[np.uint8]], truth: NDArray[np.uint8]
) -> None:
    sky = (truth[0] == 0) & (truth[-1] == 0)
    change = np.abs(frames[0].astype(int) - frames[-1])[sky]
    assert change.mean() > 10


def test_files_are_small_and_credited() -> None:
    folder = sample_clip().parent
    sizes = {file.name: file.stat().st_size for file in folder.iterdir() if file.is_file()}
    assert sizes["sample.mp4"] < 500_000
    assert sizes["sample_truth.npz"] < 300_000
    assert sum(sizes.values()) < 600_000
    credit = Path(folder, "CREDITS.md").read_text(encoding="utf-8")
    for picture in ("astronaut", "coffee", "hubble_deep_field", "retina"):
        assert f"skimage.data.{picture}" in credit
