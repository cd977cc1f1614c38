"""Where pixels were in the frame before."""

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.video import look_back, small_grey
from hodor.video.motion import SIDE


def picture(height: int = 240, width: int = 320) -> NDArray[np.uint8]:
    """A textured picture (height, width, 3)."""
    rough = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    return np.asarray(cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC))


def inner(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without what lies near the border, where things come in."""
    return values[20:-20, 20:-20]


def test_a_picture_that_moved_is_found_where_it_was() -> None:
    before = picture()
    now = np.roll(before, (5, -7), (0, 1))  # down by 5, left by 7
    rows, columns = np.arange(240, dtype=np.float32), np.arange(320, dtype=np.float32)
    at = look_back(small_grey(now), small_grey(before), rows, columns)
    assert np.median(np.abs(inner(at.y) - (inner(np.indices((240, 320))[0]) - 5))) < 0.3
    assert np.median(np.abs(inner(at.x) - (inner(np.indices((240, 320))[1]) + 7))) < 0.3
    assert np.median(inner(at.change)) < 0.1


def test_a_mask_is_carried_along() -> None:
    before = picture()
    now = np.roll(before, 9, 1)
    mask = np.zeros((240, 320), np.float32)
    mask[80:140, 100:180] = 1
    rows, columns = np.arange(240, dtype=np.float32), np.arange(320, dtype=np.float32)
    carried = look_back(small_grey(now), small_grey(before), rows, columns).take(mask) > 0.5
    truth = np.roll(mask, 9, 1) > 0.5
    assert (carried & truth).sum() / (carried | truth).sum() > 0.95


def test_another_picture_is_told_to_be_changed() -> None:
    now, before = picture(), 255 - picture()
    rows, columns = np.arange(0, 240, 4, dtype=np.float32), np.arange(0, 320, 4, dtype=np.float32)
    same = look_back(small_grey(now), small_grey(now), rows, columns)
    other = look_back(small_grey(now), small_grey(before), rows, columns)
    assert same.change.max() == 0
    assert other.change.mean() > 0.15
    assert same.change.shape == (60, 80)


def test_frames_of_any_size_are_looked_at_small() -> None:
    assert small_grey(picture(480, 856)).shape == (SIDE, 428)
    assert small_grey(picture(856, 480)).shape == (428, SIDE)
    assert small_grey(picture(64, 96)).shape == (SIDE, 360)
