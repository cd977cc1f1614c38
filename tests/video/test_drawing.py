"""Drawing: the known palette, and overlays in which every object can be told apart."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from hodor.errors import HodorError, MaskError
from hodor.video import davis_palette, draw_overlay, hex_colour, object_colour, parse_colour

GREY = 90


def ground(height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), GREY, np.uint8)


def block(height: int, width: int, rows: slice, columns: slice) -> NDArray[np.uint8]:
    label_map = np.zeros((height, width), np.uint8)
    label_map[rows, columns] = 1
    return label_map


def changed(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (pixels != GREY).any(axis=2)


def test_the_palette_is_that_of_voc_and_davis() -> None:
    palette = davis_palette()
    assert (palette.shape, palette.dtype) == ((256, 3), np.uint8)
    assert palette[:9].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
        [0, 128, 128],
        [128, 128, 128],
        [64, 0, 0],
    ]
    assert palette[20].tolist() == [0, 64, 128]
    assert palette[255].tolist() == [224, 224, 192]
    assert len(np.unique(palette, axis=0)) == 256


def test_colours_of_neighbouring_ids_differ_also_above_255() -> None:
    for first in (1, 256, 65281):
        colours = [object_colour(number) for number in range(first, first + 255)]
        assert len(set(colours)) == 255
    assert all(max(object_colour(number)) > 100 for number in range(1, 30))


def test_an_object_gets_a_veil_and_an_outline_of_its_colour() -> None:
    label_map = block(240, 320, slice(40, 200), slice(60, 260))
    drawn = draw_overlay(ground(240, 320), label_map, [1], alpha=0.5)
    colour = np.array(object_colour(1))
    assert (drawn[40, 61:259] == colour).all()
    assert (drawn[41:199, 60] == colour).all()
    assert np.abs(drawn[50, 70] - (colour + GREY) / 2).max() <= 1
    assert not changed(drawn)[label_map == 0].any()


def test_colours_and_names_that_were_chosen_take_the_place_of_colours_and_ids() -> None:
    label_map = block(240, 320, slice(40, 200), slice(60, 260))
    colour = parse_colour("#3ea6ff")
    plain = draw_overlay(ground(240, 320), label_map, [1], colours={1: colour})
    assert plain[40, 100].tolist() == list(colour) == [0x3E, 0xA6, 0xFF]
    assert hex_colour(colour) == "#3ea6ff"
    named = draw_overlay(ground(240, 320), label_map, [1], colours={1: colour}, names={1: "camel"})
    tag = np.flatnonzero((named != plain).any((0, 2)))
    assert tag.max() - tag.min() > 30, "a name is wider than an id"
    unknown = draw_overlay(ground(240, 320), label_map, [1], colours={1: colour}, names={1: "猫"})
    np.testing.assert_array_equal(unknown, plain)


def test_a_word_that_is_no_colour_is_refused() -> None:
    assert parse_colour("orange") == (255, 165, 0)
    with pytest.raises(HodorError, match="'rainbow' is no colour: write it as #ff8800"):
        parse_colour("rainbow")


def test_the_outline_grows_with_the_frame() -> None:
    widths = []
    for scale in (1, 4):
        label_map = block(240 * scale, 320 * scale, slice(40, -40), slice(40, -40))
        drawn = draw_overlay(ground(240 * scale, 320 * scale), label_map, [1])
        widths.append(int((drawn[120 * scale, 40:80] == object_colour(1)).all(axis=1).sum()))
    assert widths == [1, 4]


def test_touching_objects_keep_an_outline_each() -> None:
    label_map = block(480, 640, slice(100, 300), slice(100, 300))
    label_map[100:300, 300:500] = 2
    drawn = draw_overlay(ground(480, 640), label_map, [1, 2])
    assert tuple(drawn[120, 299]) == object_colour(1)
    assert tuple(drawn[120, 300]) == object_colour(2)


def test_the_border_of_the_frame_is_no_outline() -> None:
    label_map = block(240, 320, slice(0, 240), slice(0, 160))
    drawn = draw_overlay(ground(240, 320), label_map, [1])
    assert tuple(drawn[20, 0]) != object_colour(1)
    assert tuple(drawn[20, 159]) == object_colour(1)


def test_the_frame_that_is_given_stays_as_it_is() -> None:
    pixels = ground(48, 64)
    draw_overlay(pixels, block(48, 64, slice(10, 40), slice(10, 40)), [1])
    assert not changed(pixels).any()


def test_ids_that_are_not_seen_or_not_asked_for_are_left_out() -> None:
    label_map = block(48, 64, slice(10, 40), slice(10, 40))
    assert not changed(draw_overlay(ground(48, 64), label_map, [2, 3])).any()
    assert not changed(draw_overlay(ground(48, 64), label_map, [])).any()


def test_the_id_stands_on_a_large_object() -> None:
    label_map = block(480, 640, slice(100, 300), slice(100, 400))
    label_map[290:470, 100:110] = 1
    with_id = draw_overlay(ground(480, 640), label_map, [1], alpha=0)
    tag = changed(with_id)
    tag[near_the_edge(label_map)] = False
    rows, columns = np.nonzero(tag)
    assert 180 < rows.mean() < 220
    assert 190 < columns.mean() < 310
    assert len(rows) > 100


def test_the_id_of_an_object_at_the_border_stands_away_from_it() -> None:
    label_map = block(480, 640, slice(0, 480), slice(400, 640))
    drawn = draw_overlay(ground(480, 640), label_map, [1], alpha=0)
    _, columns = np.nonzero(changed(drawn)[:, 410:])
    assert 490 < 410 + columns.mean() < 550


def near_the_edge(label_map: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels of the object within 3 pixels of something else."""
    padded = np.pad(label_map, 3)
    height, width = label_map.shape
    shifts = [(down, right) for down in range(7) for right in range(7)]
    whole = np.all([padded[d : d + height, r : r + width] == 1 for d, r in shifts], axis=0)
    outline: NDArray[np.bool_] = (label_map == 1) & ~whole
    return outline


@pytest.mark.parametrize("place", [(60, 60), (0, 0), (0, 316), (236, 0), (236, 316)])
def test_the_id_does_not_hide_a_small_object_and_stays_inside(place: tuple[int, int]) -> None:
    row, column = place
    label_map = block(240, 320, slice(row, row + 4), slice(column, column + 4))
    drawn = draw_overlay(ground(240, 320), label_map, [1], alpha=1)
    assert (changed(drawn) & (label_map == 0)).sum() > 60
    assert (drawn[label_map == 1] == object_colour(1)).all()


def test_different_ids_have_different_tags() -> None:
    label_map = block(240, 320, slice(40, 200), slice(60, 260))
    one = draw_overlay(ground(240, 320), label_map, [1])
    other = draw_overlay(ground(240, 320), label_map * 11, [11])
    middle = (slice(100, 140), slice(140, 180))
    assert not np.array_equal(
        (one[middle] == one[120, 160]).all(axis=2), (other[middle] == other[120, 160]).all(axis=2)
    )


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (8, 8)])
def test_tiny_frames_are_drawn_too(size: tuple[int, int]) -> None:
    drawn = draw_overlay(ground(*size), np.ones(size, np.uint8), [1])
    assert drawn.shape == (*size, 3)


def test_ids_above_255_are_drawn() -> None:
    label_map = block(120, 160, slice(20, 100), slice(20, 140)).astype(np.uint16) * 4000
    drawn = draw_overlay(ground(120, 160), label_map, [4000])
    assert tuple(drawn[20, 50]) == object_colour(4000)


def test_a_label_map_of_another_size_is_refused() -> None:
    with pytest.raises(MaskError, match=r"\(4, 5\) cannot be drawn on a frame of \(8, 9\)"):
        draw_overlay(ground(8, 9), np.zeros((4, 5), np.uint8), [])


def test_drawing_is_quick() -> None:
    """About 5 ms for three objects at 854 x 480 on one core; the bound leaves room for others."""
    label_map = np.zeros((480, 854), np.uint8)
    label_map[100:300, 100:250], label_map[50:400, 300:420], label_map[300:450, 500:800] = 1, 2, 3
    pixels = ground(480, 854)
    durations = []
    for _ in range(5):
        began = time.process_time()
        draw_overlay(pixels, label_map, [1, 2, 3])
        durations.append(time.process_time() - began)
    assert min(durations) < 0.05
