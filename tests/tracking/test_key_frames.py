"""Frames remembered as maps: what they hold, how many there are, and that a state keeps them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hodor.model import Hodor
from hodor.tracking import Tracker, TrackerOptions, load_state, save_state
from hodor.tracking.boxes import Crop
from hodor.tracking.doubts import SURE, unmatched
from hodor.tracking.geometry import Geometry
from hodor.tracking.key_frames import (
    FOUND_WEIGHT,
    MAX_FOUND,
    MAX_GIVEN,
    KeyFrame,
    RememberedPlaces,
)
from hodor.tracking.logits import Logits

pytestmark = pytest.mark.usefixtures("one_thread")

FRAME = (480, 640)


@pytest.fixture
def network(make_network: Callable[..., Hodor]) -> Hodor:
    return make_network(refiner_channels=8, match_channels=16)


@pytest.mark.parametrize("crop", [Crop.whole(FRAME), Crop(120, 160, 240, 320)])
def test_masks_are_those_of_the_crop_at_stride_8(crop: Crop) -> None:
    labels = np.zeros(FRAME, np.uint16)
    labels[240:304, 320:400] = 300
    geometry = Geometry.of(FRAME, TrackerOptions(size=240), crop)
    keys = np.zeros((4, 7), np.float32)
    frame = KeyFrame.of(keys, labels, [300, 5], geometry)
    h, w = geometry.padded[0] // 8, geometry.padded[1] // 8
    mask = frame.masks[300].reshape(h, w)
    assert not frame.masks[5].any()
    cell = crop.height // 30  # pixels of the frame
    inside = np.zeros((h, w), bool)
    inside[
        (240 - crop.top) // cell : (304 - crop.top) // cell,
        (320 - crop.left) // cell : (400 - crop.left) // cell,
    ] = True
    np.testing.assert_array_equal(mask, inside)
    assert geometry.padded[0] > geometry.inner[0]


def test_a_place_of_the_frame_is_told_alike_by_any_crop() -> None:
    """So that the last frame's places compare with those of a closer view."""
    options = TrackerOptions(size=240)
    whole = Geometry.of(FRAME, options, Crop.whole(FRAME)).places
    close = Geometry.of(FRAME, options, Crop(120, 160, 240, 320)).places
    # 16 pixels a cell of the whole frame, 8 of the crop, in 480 pixels.
    np.testing.assert_allclose(whole[:, 0, 0], [8 / 480, 8 / 480], rtol=1e-6)
    np.testing.assert_allclose(close[:, 0, 0], [124 / 480, 164 / 480], rtol=1e-6)
    np.testing.assert_allclose(close[:, 1, 3], [132 / 480, 188 / 480], rtol=1e-6)


def test_frames_of_any_size_stand_side_by_side_each_for_the_objects_it_tells_of() -> None:
    one = KeyFrame(
        np.ones((4, 6), np.float32), {1: np.ones(6, np.float32)}, np.zeros((2, 6), np.float32)
    )
    two = KeyFrame(
        np.ones((4, 2), np.float32), {2: np.full(2, 0.5, np.float32)}, np.ones((2, 2), np.float32)
    )
    told = RememberedPlaces.of([one, two], [1, 2], nearby=True)
    assert [keys.shape for keys in told.keys] == [(4, 6), (4, 2)]
    assert told.masks.tolist() == [[1] * 6 + [0] * 2, [0] * 6 + [0.5] * 2]
    assert told.valid.tolist() == [[1] * 6 + [0] * 2, [0] * 6 + [1] * 2]
    assert told.places.tolist() == [[0] * 6 + [1] * 2] * 2
    assert RememberedPlaces.of([one, two], [1, 2], nearby=False).places is None


def test_what_was_found_counts_more_of_an_object_that_has_grown() -> None:
    """It looks as it did lately rather than as it did when it was small."""
    places = np.zeros((2, 8), np.float32)
    keys = np.ones((4, 8), np.float32)

    def covering(**counts: int) -> dict[int, NDArray[np.float32]]:
        return {int(i[1:]): (np.arange(8) < n).astype(np.float32) for i, n in counts.items()}

    first = KeyFrame(keys, covering(_1=2, _2=4, _3=2), places)
    later = KeyFrame(keys, covering(_4=4), places)
    found = KeyFrame(keys, covering(_1=4, _2=3, _3=8, _4=4, _5=8), places, FOUND_WEIGHT)
    told = RememberedPlaces.of([first, later, found], [1, 2, 3, 4, 5], nearby=False)
    # Twice as large, smaller, four times as large, as large, never given.
    weights = [4 * FOUND_WEIGHT, FOUND_WEIGHT, 1, FOUND_WEIGHT, FOUND_WEIGHT]
    np.testing.assert_allclose(told.valid[:, 16:], np.repeat(weights, 8).reshape(5, 8))
    assert told.valid[:, :8].tolist() == [[1] * 8] * 3 + [[0] * 8] * 2


def test_where_no_frame_says_anything_of_the_objects_keys_are_still_compared() -> None:
    """As in training, where what is heard of a frame ends and its keys stay."""
    frames = [
        KeyFrame(
            np.full((4, n), n, np.float32), {1: np.ones(n, np.float32)}, np.ones((2, n), np.float32)
        )
        for n in (6, 2)
    ]
    for told in (
        RememberedPlaces.of(frames, [3, 4], nearby=True),
        RememberedPlaces.of([], [3, 4], nearby=True, instead=frames),
        RememberedPlaces.of([frames[0].without([1])], [1, 3], nearby=True, instead=frames[1:]),
    ):
        assert [keys.shape for keys in told.keys] == [(4, 6)]
        assert told.masks.shape == told.valid.shape == (2, 6)
        assert not told.masks.any()
        assert not told.valid.any()
        assert told.places is not None
        assert told.places.shape == (2, 6)
    assert RememberedPlaces.of([], [3], nearby=False).keys == []


def test_there_are_as_many_maps_however_often_masks_are_given(
    network: Hodor, make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    tracker = make_tracker(network, keep_reference=True)
    first = None
    for frame, labels in zip(scene.frames, scene.labels, strict=True):
        tracker.step(frame, labels)
        first = first or tracker._memory.given_maps[0]
    maps = tracker._memory.given_maps
    assert len(scene.frames) > MAX_GIVEN == len(maps)
    assert maps[0] is first
    assert tracker._memory.last_map is not None


def test_without_the_reference_given_frames_are_not_kept(
    network: Hodor, make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    tracker = make_tracker(network, keep_reference=False)
    tracker.step(scene.frames[0], scene.labels[0])
    assert tracker._memory.given_maps == []


def test_one_frame_in_so_many_is_matched_with_what_was_found_there(
    network: Hodor, make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    tracker = make_tracker(network, keep_reference=True, keep_every=2, object_bias=4.0)
    plain = make_tracker(network, keep_reference=True, object_bias=4.0)
    kept, alike = [], []
    for t, frame in enumerate(scene.frames[:7]):
        masks = scene.labels[0] if t == 0 else None
        ours, theirs = tracker.step(frame, masks), plain.step(frame, masks)
        alike.append(bool((ours.soft_masks() == theirs.soft_masks()).all()))
        kept.append(tracker._memory.last_map)
    memory = tracker._memory
    assert [frame.weight for frame in memory.matched_maps] == [1, FOUND_WEIGHT]
    given, found = memory.matched_maps
    # The frame before the newest that was kept, with all that was visible there.
    assert kept[4] is not None
    assert found.keys is kept[4].keys
    assert set(found.masks) == set(kept[4].masks) == {3, 7}
    assert given.keys is not found.keys
    assert len(memory.found_maps) == MAX_FOUND
    # Frame 2 waits until frame 4 is kept, and is matched from frame 5 on.
    assert alike == [True] * 5 + [False] * 2


def test_what_was_found_is_forgotten_where_an_object_is_corrected_or_removed(
    network: Hodor, make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    tracker = make_tracker(network, keep_reference=True, keep_every=2, object_bias=4.0)
    for t, frame in enumerate(scene.frames[:5]):
        tracker.step(frame, scene.labels[0] if t == 0 else None)
    assert [set(frame.masks) for frame in tracker._memory.found_maps] == [{3, 7}] * 2
    tracker.step(scene.frames[5], {7: scene.labels[5] == 7})
    assert [set(frame.masks) for frame in tracker._memory.found_maps] == [{3}] * 2
    tracker.remove(3)
    assert [set(frame.masks) for frame in tracker._memory.found_maps] == [set()] * 2
    assert tracker.step(scene.frames[6]).ids == (7,)


def test_an_object_that_is_removed_is_in_no_map(
    network: Hodor, make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    tracker = make_tracker(network, keep_reference=True)
    tracker.step(scene.frames[0], scene.labels[0])
    tracker.remove(7)
    memory = tracker._memory
    assert memory.last_map is not None
    assert [set(frame.masks) for frame in (*memory.given_maps, memory.last_map)] == [{3}, {3}]


def test_the_maps_have_a_say_in_what_is_tracked(
    network: Hodor, make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    straight, without = (
        make_tracker(network, keep_reference=True),
        make_tracker(network, keep_reference=True),
    )
    for tracker in (straight, without):
        tracker.step(scene.frames[0], scene.labels[0])
    without._memory.given_maps = []
    theirs, ours = (t.step(scene.frames[1]) for t in (straight, without))
    assert (theirs.soft_masks() != ours.soft_masks()).any()


def test_a_video_that_changes_its_size_is_followed_on(
    network: Hodor, make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    tracker = make_tracker(network, keep_reference=True)
    tracker.step(scene.frames[0], scene.labels[0])
    larger = np.repeat(np.repeat(scene.frames[1], 2, 0), 3, 1)
    assert tracker.step(larger).label_map.shape == larger.shape[:2]
    assert tracker.step(scene.frames[2]).ids == (3, 7)


def test_objects_described_by_another_tracker_are_found_before_there_is_any_map(
    network: Hodor, make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    there, here = (
        make_tracker(network, keep_reference=True),
        make_tracker(network, keep_reference=True),
    )
    there.step(scene.frames[0], scene.labels[0])
    here.add_references(there.references())
    assert here.step(scene.frames[1]).ids == (3, 7)


def test_a_saved_state_goes_on_with_the_maps(
    network: Hodor, make_tracker: Callable[..., Tracker], scene: Any, tmp_path: Path
) -> None:
    options = {"keep_reference": True, "keep_every": 1, "object_bias": 4.0}
    straight, first, second = (make_tracker(network, **options) for _ in range(3))
    masks = {0: scene.labels[0], 3: {7: scene.labels[3] == 7}}
    results = [straight.step(frame, masks.get(n)) for n, frame in enumerate(scene.frames)]
    for n, frame in enumerate(scene.frames[:5]):
        first.step(frame, masks.get(n))
    assert [frame.weight for frame in first._memory.matched_maps] == [1, 1, FOUND_WEIGHT]
    save_state(tmp_path / "state", first.state_dict(), {})
    second.load_state_dict(load_state(tmp_path / "state")[0])
    for frame, result in zip(scene.frames[5:], results[5:], strict=True):
        ours = second.step(frame)
        np.testing.assert_array_equal(ours.label_map, result.label_map)
        assert ours.confidence == result.confidence


def test_what_looks_like_nothing_that_was_given_is_taken_to_be_something_else(
    network: Hodor, make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    options = {"keep_reference": True, "skip_lost": True}
    plain = make_tracker(network, **options)
    strict = make_tracker(network, min_matched=0.99, **options)
    for tracker in (plain, strict):
        tracker.step(scene.frames[0], scene.labels[0])
        assert tracker.step(scene.frames[1], scene.labels[1]).visible == {3: True, 7: True}
    theirs, ours = (tracker.step(scene.frames[2]) for tracker in (plain, strict))
    assert theirs.label_map.any()
    assert max(theirs.confidence.values()) < SURE
    assert ours.visible == {3: False, 7: False}
    assert not ours.label_map.any()
    assert [set(frame.masks) for frame in strict._memory.given_maps] == [{3, 7}] * 2
    assert strict._memory.last_map is not None
    assert not strict._memory.last_map.masks


def test_no_object_is_doubted_of_which_no_given_frame_is_remembered(
    network: Hodor, make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    # An untrained network's masks are what they are: helped, they hold something.
    options = {"keep_reference": False, "object_bias": 4.0}
    strict = make_tracker(network, min_matched=0.99, **options)
    plain = make_tracker(network, **options)
    for tracker in (strict, plain):
        tracker.step(scene.frames[0], scene.labels[0])
    ours, theirs = (tracker.step(scene.frames[1]) for tracker in (strict, plain))
    assert ours.visible == theirs.visible
    assert ours.visible[3]
    assert ours.confidence[3] < SURE  # so that it could be doubted


def test_the_share_is_the_mean_over_what_an_object_wins(
    network: Hodor, make_tracker: Callable[..., Tracker]
) -> None:
    geometry = Geometry.of((64, 64), TrackerOptions(size=64), None)
    values = torch.zeros(4, 16, 16)  # a background, three objects at stride 4
    values[1, :4, :8] = 5
    values[2, 8:, 8:] = 5
    values[3] = -5
    matched = torch.zeros(3, 8, 8)
    matched[:2, :2, :2] = torch.tensor([0.4, 0.5])[:, None, None]  # half of what the first one wins
    matched[1, 4:, 4:] = 0.2
    logits = Logits(values, (1, 2, 3), 1, matched)
    runtime = make_tracker(network).runtime
    assert runtime.matched_likelihoods(logits, geometry) == pytest.approx([0.4, 0.25, 1.0])
    assert runtime.matched_likelihoods(Logits(values, (1, 2, 3), 1), geometry) == [1.0] * 3


def test_what_is_found_with_much_confidence_or_may_not_be_doubted_is_not() -> None:
    confidence = [0.7, SURE, 0.7, 0.7]
    assert unmatched([True, True, False, True], confidence, [0.3, 0.1, 0.1, 0.4], 0.35) == [
        True, False, False, False,
    ]  # fmt: skip
