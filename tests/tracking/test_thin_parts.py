"""Ropes and other parts too thin for the network are followed by colour and contrast, or left."""

import copy
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hodor import Tracker
from hodor.errors import WeightsError
from hodor.runs.soft_masks import soft_masks
from hodor.tracking import Geometry, TrackerOptions, load_state, save_state
from hodor.tracking.thin_parts import ThinParts, followed_together

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


NO_OTHERS = np.zeros(SIZE, np.bool_)


def given(picture: Picture, mask: Mask) -> ThinParts | None:
    """The thin parts of a mask that is given for a frame that ``small`` would see whole."""
    geometry = Geometry.of((mask.shape[0], mask.shape[1]), TrackerOptions(size=192))
    return ThinParts.of(picture, mask, geometry)


def at_first() -> ThinParts:
    """The thin parts of ``scene`` as they are given."""
    picture, body, ropes = scene(0)
    parts = given(picture, body | ropes)
    assert parts is not None
    return parts


def near(found: Mask, true: Mask) -> tuple[float, float]:
    """Shares of what was found that is right, and of what is there that was found, by 2 pixels."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    around = [cv2.dilate(mask.astype(np.uint8), disc) > 0 for mask in (true, found)]
    return float(around[0][found].mean()), float(around[1][true].mean())


def test_ropes_are_followed_as_their_object_moves() -> None:
    parts: ThinParts | None = at_first()
    for t in range(1, 16):
        assert parts is not None
        picture, body, ropes = scene(t)
        parts, found = parts.followed(picture, body, NO_OTHERS)
        right, complete = near(found, ropes)
        assert (right > 0.85, complete > 0.75) == (True, True), (t, right, complete)


def test_ropes_that_are_gone_are_not_found_and_are_found_when_they_are_back() -> None:
    parts = at_first()
    for t in (1, 2, 3):
        picture, body, ropes = scene(t, rope=None)
        parts, found = parts.followed(picture, body, NO_OTHERS)
        assert found.sum() < 0.1 * ropes.sum()
    picture, body, ropes = scene(4)
    assert near(parts.followed(picture, body, NO_OTHERS)[1], ropes)[1] > 0.7


def test_one_of_two_that_is_hidden_for_a_moment_is_found_again() -> None:
    def scene_without_one(t: int) -> tuple[Picture, Mask, Mask]:
        picture, body, ropes = scene(t)
        cut = np.zeros(SIZE, np.uint8)
        cv2.line(cut, (150 + 4 * t, 140 - t), (60 + 4 * t, 0), 1, 9)
        gone = (cut > 0) & ropes & ~body
        picture[gone] = SEA
        return picture, body, ropes & ~gone

    parts: ThinParts | None = at_first()
    for t, make in enumerate((scene_without_one, scene_without_one, scene, scene), 1):
        assert parts is not None
        picture, body, ropes = make(t)
        parts, found = parts.followed(picture, body, NO_OTHERS)
        assert near(found, ropes)[1] > 0.7, t


def test_ropes_that_leave_the_picture_are_found_when_they_come_back() -> None:
    def moved(shift: int) -> tuple[Picture, Mask, Mask]:
        picture, body, ropes = scene(0)
        width = SIZE[1]
        where = np.arange(width) - shift
        inside = (where >= 0) & (where < width)
        picture = picture[:, where % width]
        return picture, body[:, where % width] & inside, ropes[:, where % width] & inside

    picture, body, ropes = moved(0)
    parts = given(picture, body | ropes)
    away = [*range(-20, -221, -20), *range(-200, -19, 20), *[0] * 8]
    for shift in away:  # what comes in at the picture's side is found bit by bit
        assert parts is not None
        picture, body, ropes = moved(shift)
        parts, found = parts.followed(picture, body, NO_OTHERS)
    assert near(found, ropes)[1] > 0.7


def test_those_of_two_objects_that_come_near_each_other_stay_theirs() -> None:
    def two(gap: int) -> tuple[Picture, dict[int, Mask], dict[int, Mask]]:
        picture = np.full((*SIZE, 3), SEA, np.uint8)
        picture += np.random.default_rng(gap).integers(0, 6, picture.shape, np.uint8)
        bodies, ropes = {}, {}
        for i, x in ((1, 200 - gap // 2), (2, 200 + gap // 2)):
            body, rope = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
            cv2.ellipse(body, (x, 190), (min(12, gap // 2), 25), 0, 0, 360, 1, -1)
            cv2.line(rope, (x, 165), (x, 20), 1, 2)
            bodies[i], ropes[i] = body > 0, (rope > 0) & (body == 0)
            picture[bodies[i]], picture[ropes[i]] = BODY, ROPE
        return picture, bodies, ropes

    picture, bodies, ropes = two(60)
    parts = {i: given(picture, bodies[i] | ropes[i]) for i in bodies}
    for gap in (*range(56, 11, -4), *range(12, 61, 4)):
        picture, bodies, ropes = two(gap)
        labels = bodies[1] + 2 * bodies[2].astype(np.uint8)
        known = {i: one for i, one in parts.items() if one is not None}
        parts, found = followed_together(known, picture, labels)
    for i in bodies:
        right, complete = near(found[i], ropes[i])
        assert (right > 0.95, complete > 0.9) == (True, True), (i, right, complete)


def test_an_object_out_of_sight_shows_none_and_keeps_what_they_look_like() -> None:
    parts = at_first()
    parts, found = parts.followed(scene(1)[0], NO_OTHERS, NO_OTHERS)
    assert not found.any()
    picture, body, ropes = scene(8)  # it comes back elsewhere, and they with it
    assert near(parts.followed(picture, body, NO_OTHERS)[1], ropes)[1] > 0.7


def test_where_ever_more_looks_alike_none_is_shown_until_it_is_gone() -> None:
    parts: ThinParts | None = at_first()
    for t in range(1, 7):
        assert parts is not None
        picture, body, _ = scene(t)
        for x in range(-60, SIZE[1], 8):
            cv2.line(picture, (x, 0), (x + 60, SIZE[0]), ROPE, 1)
        parts, found = parts.followed(picture, body, NO_OTHERS)
    assert not found.any()
    picture, body, ropes = scene(7)
    right, complete = near(parts.followed(picture, body, NO_OTHERS)[1], ropes)
    assert (right > 0.85, complete > 0.75) == (True, True), (right, complete)


def test_what_the_network_finds_by_itself_is_left_to_it() -> None:
    parts = at_first()
    picture, body, ropes = scene(1)
    left, found = parts.followed(picture, body | (ropes & (np.arange(SIZE[1]) > 95)), NO_OTHERS)
    assert left is None
    assert not found.any()
    # Once they were lost it may find a piece now and then.
    lost, _ = parts.followed(picture, body, NO_OTHERS)
    assert lost is not None
    picture, body, ropes = scene(2)
    mask = body | (ropes & (np.arange(SIZE[1]) > 95))
    left, found = lost.followed(picture, mask, NO_OTHERS)
    assert left is not None
    assert near(found | mask, ropes)[1] > 0.7


def test_what_is_no_thin_part_is_left_to_the_network() -> None:
    picture, body, ropes = scene(0)
    assert given(picture, body | ropes) is not None
    assert given(picture, body) is None
    assert given(picture, np.zeros_like(body)) is None
    # Nothing tells them from what is around: neither colour nor contrast.
    picture, body, ropes = scene(0, rope=None)
    assert given(picture, body | ropes) is None
    # Nothing but a rope: there is nothing by which it would be followed.
    picture, body, ropes = scene(0)
    assert given(picture, ropes) is None
    flat = np.zeros_like(picture)
    assert given(flat, body | ropes) is None
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
        parts, found = parts.followed(picture, body, np.zeros(size, np.bool_))
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
        opaque = soft_masks(shown[t], (1,), None)[1]
        assert opaque[more].min() == 1


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


def test_a_step_that_breaks_off_over_them_can_be_taken_again(
    pretrained: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, _ = followed(pretrained, 2, thin_parts=True)
    other = copy.deepcopy(tracker)

    def full(*_: object) -> None:
        raise MemoryError

    picture = scene(2)[0]
    with monkeypatch.context() as patched:
        patched.setattr(ThinParts, "followed", full)
        with pytest.raises(MemoryError):
            tracker.step(picture)
    for t in (2, 3):
        again = tracker.step(scene(t)[0])
        np.testing.assert_array_equal(again.label_map, other.step(scene(t)[0]).label_map)
    assert tracker.state_dict()["memory"].keys() == other.state_dict()["memory"].keys()


def test_a_state_whose_thin_parts_are_damaged_is_told_when_it_is_read(
    pretrained: Tracker, tmp_path: Path
) -> None:
    state = followed(pretrained, 1, thin_parts=True)[0].state_dict()
    wrong = {
        "weights": np.zeros(5),
        "numbers": np.full(8, np.nan),
        "size": np.array([0, 10]),
        "scale": np.zeros((2, 3)),
        "place": np.array([[1 << 40], [1]]),
    }
    for name, value in [*wrong.items(), ("size", np.array([1 << 30, 1 << 30]))]:
        memory = state["memory"] | {f"thin_parts.000.{name}": value}
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
