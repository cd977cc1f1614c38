"""Masks from boxes and strokes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hodor.errors import MaskError
from hodor.studio import GrabCut, Prompt

SIZE = (120, 160)
NOWHERE = np.zeros(SIZE, np.bool_)


@pytest.fixture(scope="module")
def picture() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A red disc on green noise, and where it is."""
    frame = np.random.default_rng(0).integers(0, 60, (*SIZE, 3)).astype(np.uint8)
    frame[..., 1] += 120
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    disc = (x - 70) ** 2 + (y - 60) ** 2 < 30**2
    frame[disc] = (200, 40, 40)
    return frame, disc


def _overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_a_box_around_an_object_finds_it(
    picture: tuple[NDArray[np.uint8], NDArray[np.bool_]],
) -> None:
    frame, disc = picture
    found = GrabCut().segment(frame, Prompt((34, 24, 106, 96), NOWHERE, NOWHERE))
    assert _overlap(found, disc) > 0.95


def test_strokes_inside_and_outside_find_it_and_are_kept(
    picture: tuple[NDArray[np.uint8], NDArray[np.bool_]],
) -> None:
    frame, disc = picture
    inside, outside = NOWHERE.copy(), NOWHERE.copy()
    inside[58:62, 55:85] = True
    outside[10:14, 20:140] = True
    outside[60:64, 94:98] = True  # a piece of the disc that the user wants left out
    found = GrabCut().segment(frame, Prompt(None, inside, outside))
    assert _overlap(found, disc) > 0.9
    assert found[inside].all()
    assert not found[outside].any()


def test_without_a_box_or_a_stroke_there_is_nothing_to_segment(
    picture: tuple[NDArray[np.uint8], NDArray[np.bool_]],
) -> None:
    with pytest.raises(MaskError, match="draw a box, or a stroke"):
        GrabCut().segment(picture[0], Prompt(None, NOWHERE, NOWHERE))
    with pytest.raises(MaskError, match="outside of the frame"):
        GrabCut().segment(picture[0], Prompt((300, 20, 300, 40), NOWHERE, NOWHERE))


def test_a_mask_that_is_there_is_mended_by_strokes(
    picture: tuple[NDArray[np.uint8], NDArray[np.bool_]],
) -> None:
    frame, disc = picture
    prior = disc.copy()
    prior[:, 100:130] = True  # it ran over into the background
    prior[:, :60] = False
    outside, inside = NOWHERE.copy(), NOWHERE.copy()
    outside[20:100, 112:118] = True
    inside[58:62, 46:50] = True
    found = GrabCut().segment(frame, Prompt(None, inside, outside, prior))
    assert _overlap(found, disc) > 0.9 > _overlap(prior, disc)


def test_a_stroke_stays_within_the_box_that_was_drawn_before(
    picture: tuple[NDArray[np.uint8], NDArray[np.bool_]],
) -> None:
    frame, _ = picture
    prior = NOWHERE.copy()
    prior[50:70, 60:80] = True
    inside = NOWHERE.copy()
    inside[58:62, 62:78] = True
    box = (40, 30, 80, 90)
    found = GrabCut().segment(frame, Prompt(box, inside, NOWHERE, prior))
    within = NOWHERE.copy()
    within[30:90, 40:80] = True
    assert not (found & ~within).any()
    assert found[58:62, 62:78].all()
