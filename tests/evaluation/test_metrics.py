"""J and F against numbers worked out by hand, a slow reference and the official toolkit."""

import json
from math import ceil, hypot
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hodor.errors import MaskError
from hodor.evaluation import (
    boundary_accuracy,
    boundary_map,
    measure_label_maps,
    read_label_map,
    region_similarity,
    statistics,
)

pytestmark = pytest.mark.slow

EXCERPT = Path(__file__).resolve().parents[1] / "data" / "metrics"
SHARED = Path(__file__).resolve().parents[3] / "shared"
SETS = {
    "excerpt": (EXCERPT / "reference/Annotations/480p", EXCERPT / "results"),
    "single": (
        SHARED / "data/davis2016/Annotations/480p",
        SHARED / "metrics/single/results",
    ),
    "multi": (
        SHARED / "metrics/multi/reference/Annotations/480p",
        SHARED / "metrics/multi/results",
    ),
}


def drawn(*rows: str) -> NDArray[np.bool_]:
    """A mask drawn with # on dots."""
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def dots(height: int, width: int, *places: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), bool)
    for y, x in places:
        mask[y, x] = True
    return mask


def test_j_is_intersection_over_union() -> None:
    reference = drawn("##..", "##..")
    result = drawn(".##.", ".##.")
    assert region_similarity(reference[None], result[None]) == pytest.approx([2 / 6])


def test_two_empty_masks_agree_fully() -> None:
    empty = np.zeros((1, 4, 4), bool)
    assert region_similarity(empty, empty) == 1
    assert boundary_accuracy(empty, empty) == 1


@pytest.mark.parametrize("swapped", [False, True])
def test_one_empty_mask_scores_nothing(swapped: bool) -> None:
    masks = [np.zeros((1, 9, 9), bool), dots(9, 9, (4, 4))[None]]
    reference, result = masks[::-1] if swapped else masks
    assert region_similarity(reference, result) == 0
    assert boundary_accuracy(reference, result) == 0


def test_boundary_lies_on_both_sides_north_and_west_and_inside_south_and_east() -> None:
    mask = drawn(".....", ".###.", ".###.", ".###.", ".....")
    expected = drawn("####.", "#..#.", "#..#.", "####.", ".....")
    np.testing.assert_array_equal(boundary_map(mask), expected)


def test_boundary_at_the_border_looks_along_the_border_only() -> None:
    mask = drawn("....", "..##", "..##")
    # Last column: south differs at the top only. Last row: east differs at one place only.
    expected = drawn(".###", ".#..", ".#..")
    np.testing.assert_array_equal(boundary_map(mask), expected)


def test_a_mask_of_the_whole_picture_has_no_boundary_and_f_is_0_beside_one_that_has() -> None:
    whole, part = np.ones((1, 6, 6), bool), drawn(*["###..."] * 6)[None]
    assert not boundary_map(whole[0]).any()
    assert boundary_accuracy(whole, whole) == 1
    assert boundary_accuracy(whole, part) == 0


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        ((0, 4), 1.0),  # every boundary pixel 4 px off, the tolerance of a 300 x 400 picture
        ((1, 4), 0.75),  # one of four pixels is sqrt(17) off
        ((0, 5), 0.5),  # half of each 2 x 2 boundary is 5 px off
        ((0, 6), 0.0),
        ((4, 4), 0.0),  # nearest corners are sqrt(18) off
        ((3, 3), 0.75),  # ... all but the far corners
    ],
)
def test_f_counts_boundary_pixels_within_a_disk_of_the_tolerance(
    shift: tuple[int, int], expected: float
) -> None:
    reference = dots(300, 400, (100, 100))
    result = dots(300, 400, (100 + shift[0], 100 + shift[1]))
    assert boundary_accuracy(reference[None], result[None]) == pytest.approx([expected])


def test_f_is_the_harmonic_mean_of_precision_and_recall() -> None:
    reference = dots(300, 400, (100, 100))
    result = dots(300, 400, (100, 100), (200, 200))
    # All of the reference is found; half of the result is right.
    assert boundary_accuracy(reference[None], result[None]) == pytest.approx([2 * 0.5 / 1.5])


def slow_boundary(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    height, width = mask.shape
    found = []
    for y in range(height):
        for x in range(width):
            south, east = min(y + 1, height - 1), min(x + 1, width - 1)
            others = {mask[y, east], mask[south, x], mask[south, east]}
            if y == height - 1:
                others = {mask[y, east]}
            elif x == width - 1:
                others = {mask[south, x]}
            if others != {mask[y, x]}:
                found.append((y, x))
    return found


def slow_f(reference: NDArray[np.bool_], result: NDArray[np.bool_]) -> float:
    ours, theirs = slow_boundary(reference), slow_boundary(result)
    if not ours or not theirs:
        return float(ours == theirs)
    radius = ceil(0.008 * hypot(*reference.shape))

    def share(pixels: list[tuple[int, int]], others: list[tuple[int, int]]) -> float:
        near = [any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in others) for y, x in pixels]
        return sum(near) / len(near)

    precision, recall = share(theirs, ours), share(ours, theirs)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@st.composite
def pairs_of_masks(draw: st.DrawFn) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rectangles with holes in pictures wide enough for tolerances of 1 to 6 pixels."""
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 700))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    masks = []
    for _ in range(2):
        mask = np.zeros((height, width), bool)
        y, x = rng.integers(0, height), rng.integers(max(width - 12, 0), width)
        part = mask[y : y + rng.integers(1, 9), x - rng.integers(0, 9) : x + 1]
        part[...] = rng.random(part.shape) < 0.8
        masks.append(mask)
    return masks[0], masks[1]


@settings(max_examples=60, deadline=None)
@given(pairs_of_masks())
def test_j_and_f_equal_a_slow_reference_anywhere_in_the_picture(
    pair: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> None:
    reference, result = pair
    union = (reference | result).sum()
    j = (reference & result).sum() / union if union else 1.0
    assert region_similarity(reference[None], result[None])[0] == pytest.approx(j)
    f = boundary_accuracy(reference[None], result[None])[0]
    assert f == pytest.approx(slow_f(reference, result))
    rows, columns = slow_boundary(reference), np.argwhere(boundary_map(reference))
    assert rows == [tuple(place) for place in columns.tolist()]


def test_the_first_and_the_last_frame_do_not_count() -> None:
    reference = np.zeros((4, 8, 8), np.uint8)
    reference[:, 2:5, 2:5] = 7
    result = reference.copy()
    result[0] = result[3] = 0
    measures = measure_label_maps(reference, result, [7])[7]
    np.testing.assert_array_equal(measures.j, [1, 1])
    np.testing.assert_array_equal(measures.f, [1, 1])


def test_each_object_is_measured_for_itself() -> None:
    reference = np.zeros((3, 8, 8), np.uint8)
    reference[:, :4, :4], reference[:, 4:, 4:] = 1, 2
    result = np.where(reference == 2, np.uint8(0), reference)
    measures = measure_label_maps(reference, result, [1, 2])
    assert (measures[1].j, measures[2].j) == (1, 0)


@pytest.mark.parametrize("shape", [(2, 8, 8), (3, 8, 9), (4, 8, 8)])
def test_arrays_that_do_not_fit_or_are_too_short_are_named(shape: tuple[int, ...]) -> None:
    reference = np.zeros((2, 8, 8) if shape[0] == 2 else (3, 8, 8), np.uint8)
    with pytest.raises(MaskError, match=str(shape[0])):
        measure_label_maps(reference, np.zeros(shape, np.uint8), [1])


def test_masks_of_integers_are_refused() -> None:
    with pytest.raises(MaskError, match="uint8"):
        region_similarity(np.zeros((1, 4, 4), np.uint8), np.zeros((1, 4, 4), np.uint8))  # type: ignore[arg-type]


def test_recall_counts_frames_above_one_half_only() -> None:
    assert statistics(np.array([0.5, 0.51, 0.2, 0.9])).recall == 0.5


def test_decay_compares_quarters_that_share_their_edge_frames() -> None:
    # Eight frames: linspace(1, 8, 5) = 1, 2.75, 4.5, 6.25, 8 becomes 1, 3, 5, 6, 8,
    # so that the quarters are frames 1-3, 3-5, 5-6 and 6-8.
    values = np.array([1.0, 0.9, 0.8, 0, 0, 0.3, 0.2, 0.1])
    assert statistics(values).decay == pytest.approx(0.9 - 0.2)


def test_halves_round_up_where_quarters_are_cut() -> None:
    # linspace(1, 3, 5) = 1, 1.5, 2, 2.5, 3 becomes 1, 2, 2, 3, 3: the last quarter is frame 3.
    assert statistics(np.array([1.0, 0.5, 0.0])).decay == pytest.approx(0.75 - 0.0)


def test_long_sequences_are_cut_in_quarters_too() -> None:
    values = np.linspace(1, 0, 1001)
    assert statistics(values).decay == pytest.approx(0.75)


def test_nan_is_left_out_of_mean_and_decay_and_is_not_recalled() -> None:
    found = statistics(np.array([np.nan, 0.8, 0.8, 0.4, 0.4]))
    assert found.mean == pytest.approx(0.6)
    assert found.recall == pytest.approx(2 / 5)
    assert found.decay == pytest.approx(0.8 - 0.4)


@pytest.mark.parametrize("name", SETS)
def test_every_number_equals_the_official_toolkits(name: str) -> None:
    reference, results = SETS[name]
    if not results.is_dir():
        pytest.skip("needs the folder 'shared' beside the checkout")
    expected = recorded(name)
    compared = 0
    for sequence in sorted(folder.name for folder in results.iterdir()):
        maps = [
            [read_label_map(path) for path in sorted((folder / sequence).glob("*.png"))]
            for folder in (reference, results)
        ]
        ids = range(1, int(maps[0][0].max()) + 1)
        for object_id, measures in measure_label_maps(*maps, ids).items():
            for measure, values in (("J", measures.j), ("F", measures.f)):
                ours, theirs = statistics(values), expected[f"{sequence}_{object_id}"][measure]
                found = (ours.mean, ours.recall, ours.decay)
                assert found == pytest.approx((theirs["M"], theirs["R"], theirs["D"]), abs=1e-6)
                compared += 1
    assert compared == 2 * len(expected)


def recorded(name: str) -> dict[str, Any]:
    if name == "excerpt":
        return dict(json.loads((EXCERPT / "expected.json").read_text()))
    return dict(json.loads((SHARED / "metrics" / "expected.json").read_text())[name]["objects"])
