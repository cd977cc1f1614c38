"""Last masks with mistakes."""

import torch

from hodor.training.mistakes import with_mistakes


def boxes() -> torch.Tensor:
    """Two objects (16, 2, 96, 160), side by side."""
    masks = torch.zeros(16, 2, 96, 160)
    masks[:, 0, 20:70, 20:70] = 1
    masks[:, 1, 30:80, 90:140] = 1
    return masks


def test_no_share_leaves_the_masks_as_they_are() -> None:
    assert with_mistakes(boxes(), 0.0).equal(boxes())


def test_objects_gain_and_lose_parts_and_no_place_is_of_two() -> None:
    torch.manual_seed(1)
    wrong = with_mistakes(boxes(), 1.0)
    assert (wrong.sum(1) <= 1).all()
    assert set(wrong.unique().tolist()) == {0.0, 1.0}
    gained = ((wrong > boxes()).flatten(2).any(2)).any()
    lost = ((wrong < boxes()).flatten(2).any(2)).any()
    assert gained
    assert lost


def test_mistakes_stay_near_to_their_object() -> None:
    torch.manual_seed(2)
    masks = torch.zeros(16, 1, 128, 256)
    masks[:, 0, 10:30, 10:30] = 1
    far = with_mistakes(masks, 1.0)[..., 120:]
    assert not far.any()


def test_what_is_not_there_gets_no_mistake() -> None:
    masks = torch.zeros(4, 2, 32, 32)
    assert with_mistakes(masks, 1.0).equal(masks)
