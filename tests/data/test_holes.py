"""Holes in pasted objects, through which what is behind is seen."""

from dataclasses import replace

import cv2
import numpy as np
import torch

from hodor.data.clips import ClipSettings, make_clip
from hodor.data.holes import LEFT, with_holes
from hodor.data.stills import Still

QUIET = ClipSettings(size=(128, 192), frames=3, extra=0, pasted_only=1.0, same_source=0)


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def still(colour: int) -> Still:
    """A box in a picture (128, 192) of one colour."""
    labels = np.zeros((128, 192), np.uint8)
    labels[32:96, 48:144] = 1
    return Still(np.full((128, 192, 3), colour, np.uint8), labels)


def test_holes_lie_in_the_object_and_leave_most_of_it() -> None:
    mask = still(0).labels
    pierced = 0
    for seed in range(40):
        found = with_holes(mask, seeded(seed))
        assert set(np.unique(found)) <= {0, 1}
        assert not (found & ~mask).any()
        assert found.sum() >= LEFT * mask.sum()
        # A hole is background that the object surrounds.
        count, names = cv2.connectedComponents(1 - found, connectivity=4)
        pierced += any(not (names == n)[:32].any() for n in range(1, count))
    assert pierced > 20
    assert mask.sum() == 64 * 96  # as it was


def test_an_object_of_a_pixel_stays() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[7, 9] = 1
    for seed in range(20):
        assert np.array_equal(with_holes(mask, seeded(seed)), mask)


def test_what_is_behind_is_seen_through_holes_and_is_not_followed() -> None:
    for seed in range(6):
        whole = make_clip(still(30), [still(220)] * 2, 1, QUIET, seeded(seed))
        pierced = make_clip(still(30), [still(220)] * 2, 1, replace(QUIET, holes=1.0), seeded(seed))
        for clip in (whole, pierced):
            # Colours change, but the pasted object alone is bright, and not in its holes.
            bright = clip.frames.float().mean(1)
            inside, outside = bright[clip.labels == 1], bright[clip.labels == 0]
            assert inside.mean() > outside.mean() + 30
            middle = (inside.mean() + outside.mean()) / 2
            assert (outside > middle).sum() < 0.05 * len(inside)


def test_without_holes_older_clips_stay_the_same() -> None:
    for seed in range(3):
        one, other, pierced = (
            make_clip(still(30), [still(220)] * 2, 1, each, seeded(seed))
            for each in (QUIET, replace(QUIET, holes=0.0), replace(QUIET, holes=1.0))
        )
        assert one.frames.equal(other.frames)
        assert one.labels.equal(other.labels)
        assert not one.labels.equal(pierced.labels)
