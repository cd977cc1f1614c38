"""Objects that look alike are kept apart: none is in the place of another."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hodor.model.matching import UNTOLD
from hodor.model.matching import likeliest as likeliest_of_tensors
from hodor.tracking import Tracker
from hodor.tracking.apart import (
    ALIKE,
    NOWHERE,
    HandedOver,
    Piece,
    Winners,
    handed_over,
    pieces_elsewhere,
    places_of,
)
from hodor.tracking.logits import Logits
from hodor.tracking.onnx.runtime import OnnxRuntime, likeliest

MakeTracker = Callable[..., Tracker]


def drawn(*rows: str) -> Winners:
    """Winners from a picture: a dot is background, a digit an object's number."""
    return np.array([[0 if c == "." else int(c) for c in row] for row in rows], np.int32)


def masks_of(winners: Winners, objects: int) -> NDArray[np.float32]:
    """Each object's cells, (O, y, x)."""
    return np.stack([winners == i + 1 for i in range(objects)]).astype(np.float32)


APART = drawn(
    "11......",
    "11....22",
    "11....22",
    "........",
)
TAKING_OVER = drawn(  # the first one has half of the second
    "11......",
    "11....12",
    "11....12",
    "........",
)


def test_an_object_is_at_home_where_most_of_it_was() -> None:
    places = places_of(TAKING_OVER, 2)
    assert len(set(places.numbers.ravel().tolist())) == 3
    assert places.homes == (places.numbers[0, 0], places.numbers[1, 6])
    moved = masks_of(drawn(*["......11"] * 4), 2)
    assert places_of(TAKING_OVER, 2, moved).homes == (places.numbers[1, 6],) * 2
    assert places_of(APART, 3).homes[2] == NOWHERE
    assert places_of(np.zeros((4, 8), np.int32), 2).homes == (NOWHERE, NOWHERE)


def test_what_touches_by_a_corner_is_one_place() -> None:
    assert places_of(drawn("1.", ".2"), 2).homes == (1, 1)


def test_what_is_in_the_home_of_another_is_a_piece_elsewhere() -> None:
    (piece,) = pieces_elsewhere(TAKING_OVER, masks_of(APART, 2))
    assert (piece.of, piece.others) == (0, (1,))
    np.testing.assert_array_equal(piece.cells, (TAKING_OVER == 1) & (np.arange(8) > 3))
    assert pieces_elsewhere(APART, masks_of(APART, 2)) == []


def test_objects_that_share_a_place_are_left_as_they_are() -> None:
    # A rider's leg before the bicycle that it parts in two.
    bicycle = drawn("11211", "11211", "..2..")
    before = masks_of(drawn("1122.", "1122.", "..22."), 2)
    assert pieces_elsewhere(bicycle, before) == []


def test_what_was_a_part_of_its_own_before_is_none() -> None:
    # One of two skis, that comes to lie beside somebody else's.
    skis = drawn("11......", "........", "..1122..")
    assert pieces_elsewhere(skis, masks_of(drawn("11......", "........", ".11..22."), 2)) == []
    assert len(pieces_elsewhere(skis, masks_of(drawn("11......", "........", ".....22."), 2))) == 1


def test_what_has_no_home_gets_the_place_that_is_covered_by_another_and_none_else() -> None:
    everything = drawn("11......", "11....11", "11....11")
    before = masks_of(drawn("11......", "11....22", "11....22"), 2)
    (piece,) = pieces_elsewhere(everything, before)
    assert piece.others == (1,)
    elsewhere = masks_of(drawn("11.22...", "11......", "11......"), 2)
    assert pieces_elsewhere(everything, elsewhere) == []


def test_nothing_is_known_of_last_masks_and_the_greatest_part_is_at_home() -> None:
    (piece,) = pieces_elsewhere(TAKING_OVER, np.zeros((2, 4, 8), np.float32))
    assert (piece.of, piece.others) == (0, (1,))


def shares_of(*shares: float) -> NDArray[np.float32]:
    """What matching says of objects, the same everywhere: (O, 2, 4)."""
    return np.tile(np.array(shares, np.float32)[:, None, None], (1, 2, 4))


def test_a_piece_goes_to_whose_looks_are_most_like_it_if_they_are_at_all() -> None:
    cells = (TAKING_OVER == 1) & (np.arange(8) > 3)
    piece = Piece(cells, 0, (1, 2))
    (given,) = handed_over([piece], shares_of(0.6, 0.1, 0.2))
    assert (given.of, given.to) == (0, 2)
    assert given.cells is cells
    assert handed_over([piece], shares_of(0.9, 0.9 * ALIKE / 2, 0.0)) == []
    # Where the background is likeliest, that is what it is held against.
    assert handed_over([piece], shares_of(0.01, ALIKE / 2, 0.0)) == []
    assert handed_over([piece], shares_of(0.5, UNTOLD, UNTOLD)) == []
    assert handed_over([piece], None) == []


@pytest.mark.parametrize("form", ["torch", "onnx"])
def test_in_cells_that_are_handed_over_two_objects_change_places(
    make_tracker: MakeTracker, form: str
) -> None:
    values = torch.tensor([[0.0, 0.0], [5.0, 5.0], [1.0, 7.0], [3.0, 3.0]])[:, None]
    cells = np.array([[True, False]])
    both = HandedOver(cells, 0, 1), HandedOver(~cells, 1, 2)
    runtime: Any = make_tracker().runtime if form == "torch" else OnnxRuntime.__new__(OnnxRuntime)
    logits: Logits[Any] = Logits(values if form == "torch" else values.numpy(), (4, 5, 6), 1)
    np.testing.assert_array_equal(runtime.winners(logits), [[1, 2]])
    found = runtime.hand_over(logits, both)
    np.testing.assert_array_equal(np.asarray(found.values)[:, 0], [[0, 0], [1, 5], [5, 3], [3, 7]])
    np.testing.assert_array_equal(runtime.winners(found), [[2, 3]])
    assert float(logits.values[1, 0, 0]) == 5.0  # the given ones are as they were
    many = replace(logits, values=logits.values[[0, 0, 0, 1]], ids=(4,), backgrounds=3)
    np.testing.assert_array_equal(runtime.winners(many), [[1, 1]])


def test_what_looks_like_one_that_is_elsewhere_may_be_this_one() -> None:
    told = torch.zeros(4, 1, 2)
    told[:, 0, 0] = torch.tensor([0.1, 0.8, 0.05, UNTOLD])
    told[:, 0, 1] = torch.tensor([0.1, 0.1, 0.1, UNTOLD])
    rivals = likeliest_of_tensors(told)
    torch.testing.assert_close(rivals[:, 0, 0], torch.tensor([0.125, 1.0, 0.0625, 1.0]))
    # The background has 0.05 of the first place, and 0.7 of the second.
    apart = likeliest_of_tensors(told, [1, 2, 1, NOWHERE])
    torch.testing.assert_close(apart[:, 0, 0], torch.tensor([1.0, 1.0, 0.5, 1.0]))
    torch.testing.assert_close(apart[:3, 0, 1], torch.full((3,), 1 / 7))
    # One that is nowhere may be anywhere.
    anywhere = likeliest_of_tensors(told, [1, NOWHERE, 1, 2])
    torch.testing.assert_close(anywhere[0, 0, 0], torch.tensor(0.125))


@pytest.mark.parametrize("homes", [None, [1, 1, 2, NOWHERE, 2, 3], [NOWHERE] * 6])
def test_exported_files_go_by_the_same_likelihoods(homes: list[int] | None) -> None:
    g = torch.Generator().manual_seed(4)
    told = torch.rand(6, 5, 7, generator=g).softmax(0)
    told[2] = UNTOLD
    ours = likeliest(told.numpy(), homes)
    np.testing.assert_allclose(ours, likeliest_of_tensors(told, homes).numpy(), rtol=1e-5)
    alone = likeliest(told[:1].numpy(), homes and homes[:1])
    expected = likeliest_of_tensors(told[:1], homes and homes[:1])
    np.testing.assert_allclose(alone, expected.numpy(), rtol=1e-5)
