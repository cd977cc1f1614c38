"""What part of an image a frame shows: views as matrices, and pictures seen through them."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hodor.data.views import (
    CROPS,
    affine,
    keeping_window,
    keeps,
    perspective,
    random_window,
    released_video_view,
    warp,
    window,
)

SIZE = (60, 80)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one_box(left: int, top: int, width: int, height: int) -> NDArray[np.uint8]:
    labels = np.zeros(SIZE, np.uint8)
    labels[top : top + height, left : left + width] = 1
    return labels


def shown(labels: NDArray[np.uint8], view: NDArray[np.float64]) -> NDArray[np.uint8]:
    return warp(labels, view, SIZE, cv2.INTER_NEAREST, 0)


def at(view: NDArray[np.float64], x: float, y: float) -> tuple[float, float]:
    """Where a place of the frame is in the image."""
    across, down, scale = view @ (x, y, 1.0)
    return across / scale, down / scale


def test_the_identity_shows_every_pixel_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    for way in (cv2.INTER_NEAREST, cv2.INTER_LINEAR):
        assert np.array_equal(warp(picture, np.eye(3), SIZE, way, 0), picture)


def test_a_window_shows_its_part_as_large_as_the_frame() -> None:
    labels = one_box(20, 15, 40, 30)  # the middle half of each side
    view = window(20, 15, 0.5, 0.5)
    assert (shown(labels, view) == 1).all()
    assert at(view, 0, 0) == (20, 15)
    assert at(view, 80, 60) == (60, 45)
    # A frame of twice the size shows the same place, not half of it.
    twice = warp(labels, view, (120, 160), cv2.INTER_NEAREST, 0)
    assert twice.shape == (120, 160)
    assert (twice == 1).all()


def test_pixels_are_squares_so_that_halving_takes_the_mean_of_four() -> None:
    picture = np.zeros((4, 4), np.uint8)
    picture[:2, :2] = [[0, 40], [80, 120]]
    assert warp(picture, np.eye(3), (2, 2), cv2.INTER_LINEAR, 0)[0, 0] == 60


@pytest.mark.parametrize("outside", [9, (1, 2, 3)])
def test_what_the_picture_does_not_reach_has_the_value_outside(
    outside: int | tuple[int, int, int],
) -> None:
    colours = isinstance(outside, tuple)
    picture = np.full((*SIZE, 3) if colours else SIZE, 200, np.uint8)
    moved = warp(picture, window(40, 0, 1, 1), SIZE, cv2.INTER_NEAREST, outside)
    assert (moved[:, :40] == 200).all()
    assert (moved[:, 40:] == outside).all()


def test_without_amounts_nothing_moves() -> None:
    assert affine(SIZE, 0, 0, 0, generator()) == pytest.approx(np.eye(3))
    assert perspective(SIZE, 0, 0, generator()) == pytest.approx(np.eye(3))


@pytest.mark.parametrize("seed", range(5))
def test_a_turn_keeps_the_middle_and_all_distances(seed: int) -> None:
    view = affine(SIZE, 0, 30, 0, generator(seed))
    assert at(view, 40, 30) == pytest.approx((40, 30))
    assert np.linalg.det(view[:2, :2]) == pytest.approx(1)
    turn = np.degrees(np.arctan2(view[1, 0], view[0, 0]))
    assert 0 < abs(turn) <= 30
    assert view[:2, :2] @ view[:2, :2].T == pytest.approx(np.eye(2))


@pytest.mark.parametrize("seed", range(5))
def test_a_shift_is_a_share_of_the_sides(seed: int) -> None:
    view = affine(SIZE, 0.25, 0, 0, generator(seed))
    x, y = at(view, 0, 0)
    assert 0 < abs(x) <= 0.25 * 80
    assert 0 < abs(y) <= 0.25 * 60
    assert view[:2, :2] == pytest.approx(np.eye(2))


@pytest.mark.parametrize("seed", range(5))
def test_perspective_shows_the_inner_part_of_the_image_only(seed: int) -> None:
    view = perspective(SIZE, 0.1, 0.12, generator(seed))
    assert view != pytest.approx(np.eye(3))
    for x, y in ((0, 0), (80, 0), (80, 60), (0, 60)):
        across, down = at(view, x, y)
        assert -1e-6 <= across <= 80 + 1e-6
        assert -1e-6 <= down <= 60 + 1e-6
        # Towards the middle: each corner stays in its own quarter.
        assert (across < 40, down < 30) == (x < 40, y < 30)


@pytest.mark.parametrize("share", CROPS)
def test_a_random_window_lies_in_the_image(share: float) -> None:
    for seed in range(5):
        view = random_window(SIZE, share, generator(seed))
        left, top = at(view, 0, 0)
        right, bottom = at(view, 80, 60)
        assert (right - left, bottom - top) == pytest.approx((80 * share, 60 * share))
        assert left >= 0
        assert top >= 0
        assert right <= 80 + 1e-6
        assert bottom <= 60 + 1e-6


def test_a_view_keeps_an_object_while_half_of_it_is_in_sight() -> None:
    labels = one_box(10, 10, 20, 20)
    assert keeps(np.eye(3), labels)
    # An object of under 2,000 pixels must stay whole.
    assert not keeps(window(15, 0, 1, 1), labels)
    large = np.zeros((200, 200), np.uint8)
    large[:, :60] = 1  # 12,000 pixels
    assert keeps(window(29, 0, 1, 1), large)
    assert not keeps(window(32, 0, 1, 1), large)
    both = large.copy()
    both[90:100, 190:] = 2
    assert keeps(np.eye(3), both)
    assert not keeps(window(-20, 0, 1, 1), both), "the small one has left on the right"


def test_enlarging_does_not_make_up_for_what_is_cut_off() -> None:
    large = np.zeros((200, 200), np.uint8)
    large[:, :100] = 1
    quarter = window(75, 50, 0.5, 0.5)  # shows a quarter of it, as large as half of the frame
    assert not keeps(quarter, large)


@pytest.mark.parametrize("seed", range(8))
def test_the_first_frame_of_a_crop_keeps_its_objects_wherever_they_are(seed: int) -> None:
    view = keeping_window(one_box(2, 3, 12, 10), generator(seed))
    left, top = at(view, 0, 0)
    right, bottom = at(view, 80, 60)
    assert left <= 2
    assert top <= 3
    assert right >= 14
    assert bottom >= 13
    assert right - left < 80, "it is a crop"
    apart = one_box(0, 0, 5, 5)
    apart[55:, 75:] = 2
    assert keeping_window(apart, generator(seed)) == pytest.approx(np.eye(3)), "no crop holds both"


@pytest.mark.parametrize("seed", range(8))
def test_the_one_view_of_a_video_keeps_the_objects_of_its_first_frame(seed: int) -> None:
    labels = np.zeros((240, 320), np.uint8)
    labels[60:180, 80:240] = 1
    assert keeps(released_video_view(labels, generator(seed)), labels)


def test_the_same_seed_gives_the_same_view() -> None:
    labels = one_box(30, 20, 20, 20)
    one, other = (released_video_view(labels, generator(7)) for _ in range(2))
    assert np.array_equal(one, other)
