"""What clips are made of: which objects count, negative objects, colours, bends and flow."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hodor.data import ObjectRules, Still
from hodor.data.bend import bend, perspective_field, thin_plate_field
from hodor.data.motion import clip_motion
from hodor.data.negatives import absent_object
from hodor.data.objects import RELEASED, renumbered, usable_ids
from hodor.data.published_colour import paper_colour, released_colour


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Objects


def test_the_released_rule_asks_for_more_than_2000_pixels_and_20_on_each_side() -> None:
    labels = np.zeros((400, 400), np.uint8)
    labels[:50, :40] = 1  # 2,000 pixels: not more
    labels[100:150, :41] = 2  # 2,050
    labels[200:220, :200] = 3  # 4,000, but 20 high
    labels[300:321, :200] = 4  # 21 high
    assert usable_ids(labels, RELEASED).tolist() == [2, 4]
    assert usable_ids(labels, ObjectRules(share=0.02)).tolist() == [3, 4]
    assert usable_ids(labels, ObjectRules(share=0)).tolist() == [1, 2, 3, 4]


def test_a_share_of_nothing_still_asks_for_a_pixel() -> None:
    assert usable_ids(np.zeros((4, 4), np.uint8), ObjectRules(share=0)).tolist() == []


def test_ids_that_are_left_count_from_1_and_the_others_are_background() -> None:
    labels = np.array([[0, 3, 7, 255]], np.uint8)
    assert renumbered(labels, np.array([7, 255])).tolist() == [[0, 0, 1, 2]]


# Negative objects


def two_objects() -> Still:
    """A red box of 300 pixels and a blue one of 100, on grey."""
    image, labels = np.full((40, 60, 3), 90, np.uint8), np.zeros((40, 60), np.uint8)
    image[5:20, 5:25], labels[5:20, 5:25] = (220, 0, 0), 1
    image[25:35, 40:50], labels[25:35, 40:50] = (0, 0, 220), 2
    return Still(image, labels)


def test_a_negative_object_is_one_object_of_its_picture_at_the_clips_size() -> None:
    chosen = []
    for seed in range(40):
        picture, mask = absent_object(two_objects(), (80, 120), generator(seed))
        assert (tuple(picture.shape), tuple(mask.shape)) == ((3, 80, 120), (80, 120))
        assert (picture.dtype, mask.dtype) == (torch.uint8, torch.bool)
        colours = picture[:, mask].float().mean(1)
        red, blue = float(colours[0]), float(colours[2])
        assert max(red, blue) > 200
        assert min(red, blue) < 20, "of both objects"
        chosen.append(red > blue)
    assert 20 < sum(chosen) < 40, "the large one more often, not always"


# Colours


def picture() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(40, 216, (24, 32, 3), np.uint8)


@pytest.mark.parametrize("seed", range(4))
def test_a_change_of_colour_is_one_for_the_whole_image(seed: int) -> None:
    image = picture()
    image[:, 16:] = image[:, :16]
    for change in (
        paper_colour(image, generator(seed)),
        released_colour(image, 25.0, generator(seed)),
    ):
        assert (change.shape, change.dtype) == (image.shape, np.uint8)
        assert np.array_equal(change[:, 16:], change[:, :16])
        assert not np.array_equal(change, image)


@pytest.mark.parametrize("seed", range(6))
def test_the_papers_colours_of_a_grey_stay_near_their_bounds(seed: int) -> None:
    grey = np.full((4, 4, 3), 127, np.uint8)
    changed = paper_colour(grey, generator(seed)).astype(int)
    # Brightness by up to a quarter of 255, saturation by up to 12 %, contrast not at all at 127.
    assert abs(changed.max() - 127) <= 64 + 1
    assert changed.max() - changed.min() <= 0.12 * 255 + 2


def test_brightness_of_the_released_code_has_the_bound_that_is_given() -> None:
    grey = np.full((4, 4, 3), 127, np.uint8)
    means = [released_colour(grey, 25.0, generator(seed)).mean() for seed in range(30)]
    still = [released_colour(grey, 0.0, generator(seed)).mean() for seed in range(30)]
    assert np.ptp(means) > 2 * np.ptp(still)
    assert max(abs(one - other) for one, other in zip(means, still, strict=True)) <= 32


# Bends


def test_a_perspective_moves_corners_by_no_more_than_it_may_and_lines_stay_straight() -> None:
    h, w = 60, 80
    field = perspective_field(3, (h, w), 0.1, generator())
    assert tuple(field.shape) == (3, h, w, 2)
    corners = field[:, [0, 0, -1, -1], [0, -1, 0, -1]].abs().amax((0, 1))
    assert float(corners[0]) <= 0.1 * w + 1
    assert float(corners[1]) <= 0.1 * h + 1
    assert float(field.abs().max()) > 1
    # Where the pixels of a row come from lies on one line.
    x, y = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
    row = np.stack([x, y], -1)[20] + field[0, 20].numpy()
    along = row - row.mean(0)
    assert np.linalg.svd(along)[1][1] < 1e-2 * w


def test_a_thin_plate_bends_smoothly_and_each_frame_otherwise() -> None:
    field = thin_plate_field(2, (60, 80), 0.1, generator())
    assert tuple(field.shape) == (2, 60, 80, 2)
    steps = [field.diff(dim=axis).abs().max() for axis in (1, 2)]
    assert max(map(float, steps)) < 2, "pixels"
    assert not torch.allclose(field[0], field[1])
    again = thin_plate_field(2, (60, 80), 0.1, generator())
    assert torch.equal(field, again)


def test_bends_add_up_and_no_amount_takes_no_number() -> None:
    size = (30, 40)
    assert bend(2, size, (0, 0, 0), generator()) is None
    g, other = generator(), generator()
    both = bend(2, size, (0.1, 0.1, 0), g)
    assert both is not None
    apart = perspective_field(2, size, 0.1, other) + thin_plate_field(2, size, 0.1, other)
    assert torch.allclose(both, apart)
    untouched = generator()
    bend(2, size, (0, 0, 0), untouched)
    assert torch.equal(untouched.get_state(), generator().get_state())


# Flow


def test_flow_finds_a_shift_and_says_how_well_it_fits() -> None:
    ground = np.random.default_rng(0).integers(0, 255, (64, 120, 3), np.uint8)
    import cv2

    ground = cv2.GaussianBlur(ground, (0, 0), 2)
    clip = np.stack([ground[:, at : at + 96] for at in (16, 12, 8)])  # to the right, by 4
    frames = torch.from_numpy(clip).permute(0, 3, 1, 2)[None]
    found = clip_motion(frames, generator())
    assert tuple(found.at.shape) == (1, 2, 16, 24, 2)
    assert tuple(found.change.shape) == (1, 2, 16, 24)
    middles = (torch.arange(24) * 4 + 2.0)[None]
    x = (found.at[0, 0, 4:12, :, 0] + 1) / 2 * 96
    moved = (x - middles)[:, 6:18]
    assert float(moved.median()) == pytest.approx(-4, abs=0.7)
    y = (found.at[0, 0, 4:12, 6:18, 1] + 1) / 2 * 64
    rows = (torch.arange(4, 12) * 4 + 2.0)[:, None]
    assert float((y - rows).median()) == pytest.approx(0, abs=0.5)
    fits = float(found.change[0, 0, 4:12, 6:18].median())
    noise = torch.randint(0, 255, frames.shape, dtype=torch.uint8, generator=generator())
    assert float(clip_motion(noise, generator()).change.median()) > fits + 0.2
