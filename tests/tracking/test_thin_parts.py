"""Ropes and other parts too thin for the network are followed by colour and contrast, or left."""

import copy
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hodor import Tracker
from hodor.errors import WeightsError
from hodor.tracking import Geometry, TrackerOptions, load_state, save_state
from hodor.tracking.thin_parts import ThinParts

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SIZE = 240, 420
ROPE, SEA, BODY = (40, 40, 50), (40, 120, 160), (200, 60, 40)


def scene(
    t: int, *, rope: tuple[int, int, int] | None = ROPE, size: tuple[int, int] = SIZE
) -> tuple[Picture, Mask, Mask]:
    """A body that moves over waves and hangs on two ropes: picture, its mask, that of the ropes."""
    h, w = SIZE
    y, x = np.mgrid[:h, :w]
    waves = 12 * np.sin((y + 3 * np.sin(x / 17) + t) / 4)
    grain = np.random.default_rng(t).normal(0, 4, (h, w))
    picture = np.clip(np.array(SEA) + (waves + grain)[..., None], 0, 255).astype(np.uint8)
    left, top = 150 + 4 * t, 140 - t
    body, ropes = np.zeros((h, w), np.uint8), np.zeros((h, w), np.uint8)
    cv2.ellipse(body, (left, top), (40, 28), 0, 0, 360, 1, -1)
    for end in (-90, -40):
        cv2.line(ropes, (left, top), (left + end, 0), 1, 2)
    ropes[body > 0] = 0
    picture[body > 0] = BODY
    if rope is not None:
        picture[ropes > 0] = rope
    sides = size[::-1]
    return (
        np.asarray(cv2.resize(picture, sides, interpolation=cv2.INTER_CUBIC), np.uint8),
        cv2.resize(body, sides, interpolation=cv2.INTER_NEAREST) > 0,
        cv2.resize(ropes, sides, interpolation=cv2.INTER_NEAREST) > 0,
    )


def given(picture: Picture, mask: Mask) -> ThinParts | None:
    """The thin parts of a mask that is given for a frame that ``small`` would see whole."""
    geometry = Geometry.of((mask.shape[0], mask.shape[1]), TrackerOptions(size=192))
    return ThinParts.of(picture, mask, geometry)


def near(found: Mask, true: Mask) -> tuple[float, float]:
    """Shares of what was found that is right, and of what is there that was found, by 2 pixels."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    around = [cv2.dilate(mask.astype(np.uint8), disc) > 0 for mask in (true, found)]
    return float(around[0][found].mean()), float(around[1][true].mean())


def test_ropes_are_followed_as_their_object_moves() -> None:
    picture, body, ropes = scene(0)
    parts = given(picture, body | ropes)
    for t in range(1, 16):
        assert parts is not None
        picture, body, ropes = scene(t)
        parts, found = parts.followed(picture, body)
        right, complete = near(found, ropes)
        assert (right > 0.85, complete > 0.75) == (True, True), (t, right, complete)


def test_ropes_that_are_gone_are_not_found_and_are_found_when_they_are_back() -> None:
    picture, body, ropes = scene(0)
    parts = given(picture, body | ropes)
    assert parts is not None
    for t in (1, 2, 3):
        picture, body, _ = scene(t, rope=None)
        parts, found = parts.followed(picture, body)
        assert found.sum() < 0.1 * ropes.sum()
    picture, body, ropes = scene(4)
    assert near(parts.followed(picture, body)[1], ropes)[1] > 0.7


def test_an_object_out_of_sight_shows_none_and_keeps_what_they_look_like() -> None:
    picture, body, ropes = scene(0)
    parts = given(picture, body | ropes)
    assert parts is not None
    parts, found = parts.followed(scene(1)[0], np.zeros(SIZE, np.bool_))
    assert not found.any()
    picture, body, ropes = scene(8)  # it comes back elsewhere, and they with it
    assert near(parts.followed(picture, body)[1], ropes)[1] > 0.7


def test_where_ever_more_looks_alike_none_is_shown_until_it_is_gone() -> None:
    picture, body, ropes = scene(0)
    parts = given(picture, body | ropes)
    for t in range(1, 7):
        assert parts is not None
        picture, body, _ = scene(t)
        for x in range(-60, SIZE[1], 8):
            cv2.line(picture, (x, 0), (x + 60, SIZE[0]), ROPE, 1)
        parts, found = parts.followed(picture, body)
    assert not found.any()
    picture, body, ropes = scene(7)
    right, complete = near(parts.followed(picture, body)[1], ropes)
    assert (right > 0.85, complete > 0.75) == (True, True), (right, complete)


def test_what_is_no_thin_part_is_left_to_the_network() -> None:
    picture, body, ropes = scene(0)
    assert given(picture, body | ropes) is not None
    assert given(picture, body) is None
    assert given(picture, np.zeros_like(body)) is None
    # Nothing tells them from what is around: neither colour nor contrast.
    picture, body, ropes = scene(0, rope=None)
    assert given(picture, body | ropes) is None
    # A few pixels more than the network's do not matter.
    few = ropes & (np.arange(SIZE[0])[:, None] > 105)
    picture, body, _ = scene(0)
    assert given(picture, body | few) is None


def test_large_frames_are_looked_at_smaller_and_frames_may_change_size() -> None:
    large = (1080, 1890)
    picture, body, ropes = scene(0, size=large)
    parts = given(picture, body | ropes)
    assert parts is not None
    assert parts.place.shape[0] < 0.5 * large[0]
    for t, size in ((1, large), (2, SIZE), (3, large)):
        picture, body, ropes = scene(t, size=size)
        parts, found = parts.followed(picture, body)
        assert found.shape == size
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
        assert found[cv2.dilate(ropes.astype(np.uint8), disc) > 0].sum() > 0.9 * found.sum() > 0
        assert near(found, ropes)[1] > 0.7


@pytest.fixture(scope="module")
def pretrained() -> Tracker:
    return Tracker.from_pretrained("tiny", device="cpu", precision="fp32", crop_margin="off")


def followed(network: Tracker, frames: int, **options: bool) -> tuple[Tracker, list]:
    tracker = Tracker(network.runtime, network.options.changed(options))
    picture, body, ropes = scene(0)
    results = [tracker.step(picture, (body | ropes).astype(np.uint8))]
    return tracker, [*results, *(tracker.step(scene(t)[0]) for t in range(1, frames))]


def test_a_tracker_shows_them_and_the_network_does_not_see_them(pretrained: Tracker) -> None:
    _, plain = followed(pretrained, 6, thin_parts=False)
    _, shown = followed(pretrained, 6, thin_parts=True)
    for t in range(1, 6):
        ropes = scene(t)[2]
        assert near(plain[t].mask(1), ropes)[1] < 0.4  # where ropes meet the body
        assert near(shown[t].mask(1), ropes)[1] > 0.7
        more = shown[t].mask(1) & ~plain[t].mask(1)
        assert near(more, ropes)[0] > 0.85
        # All else is as without: what is looked back at, and what the network says.
        np.testing.assert_array_equal(shown[t].carried, plain[t].carried)
        np.testing.assert_array_equal(shown[t].mask(1) & ~more, plain[t].mask(1))
        assert shown[t].confidence == plain[t].confidence
        behind, soft = shown[t].soft_masks()
        assert soft[more].min() == 1
        assert behind[more].max() == 0
        np.testing.assert_array_equal(soft[~more], plain[t].soft_masks()[1][~more])


def test_a_tracker_goes_on_with_them_from_a_saved_state(
    pretrained: Tracker, tmp_path: Path
) -> None:
    tracker, _ = followed(pretrained, 3, thin_parts=True)
    save_state(tmp_path / "state.safetensors", tracker.state_dict(), {})
    other = Tracker(pretrained.runtime)
    other.load_state_dict(load_state(tmp_path / "state.safetensors")[0])
    copied = copy.deepcopy(tracker)
    for t in (3, 4):
        wanted = tracker.step(scene(t)[0]).label_map
        assert near(wanted == 1, scene(t)[2])[1] > 0.7
        np.testing.assert_array_equal(other.step(scene(t)[0]).label_map, wanted)
        np.testing.assert_array_equal(copied.step(scene(t)[0]).label_map, wanted)


def test_a_state_whose_thin_parts_are_damaged_is_told_when_it_is_read(
    pretrained: Tracker, tmp_path: Path
) -> None:
    state = followed(pretrained, 1, thin_parts=True)[0].state_dict()
    for name, wrong in (("weights", np.zeros(5)), ("place", np.zeros(3, np.uint8))):
        memory = state["memory"] | {f"thin_parts.000.{name}": wrong}
        save_state(tmp_path / "state.safetensors", {**state, "memory": memory}, {})
        with pytest.raises(WeightsError, match="damaged"):
            load_state(tmp_path / "state.safetensors")


def test_a_correction_without_them_ends_them_and_so_does_removing_the_object(
    pretrained: Tracker,
) -> None:
    tracker, _ = followed(pretrained, 2, thin_parts=True)
    removed = copy.deepcopy(tracker)
    picture, body, _ = scene(2)
    tracker.step(picture, body.astype(np.uint8))
    picture, _, ropes = scene(3)
    assert near(tracker.step(picture).mask(1), ropes)[1] < 0.4
    removed.remove(1)
    picture, body, ropes = scene(2)
    removed.step(picture, body.astype(np.uint8))  # the same id, another object
    assert near(removed.step(scene(3)[0]).mask(1), scene(3)[2])[1] < 0.4


def test_they_take_no_pixel_of_another_object(pretrained: Tracker) -> None:
    beam = np.zeros(SIZE, np.bool_)
    beam[30:60, 40:400] = True  # in front of the ropes

    def frame(t: int) -> tuple[Picture, Mask, Mask]:
        picture, body, ropes = scene(t)
        picture[beam] = 220, 210, 60
        return picture, body & ~beam, ropes & ~beam

    picture, body, ropes = frame(0)
    labels = np.where(body | ropes, 1, beam * 2)
    plain, shown = (
        Tracker(pretrained.runtime, pretrained.options.changed({"thin_parts": on}))
        for on in (False, True)
    )
    for t in range(4):
        picture, _, ropes = frame(t)
        masks = labels if t == 0 else None
        without, result = plain.step(picture, masks), shown.step(picture, masks)
        np.testing.assert_array_equal(result.mask(2), without.mask(2))
        assert near(result.mask(1), ropes & ~result.mask(2))[1] > 0.6
