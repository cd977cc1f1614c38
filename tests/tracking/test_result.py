"""What a result says of objects that are seen, lost, competing or given."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hodor.errors import HodorError
from hodor.tracking import Tracker

pytestmark = pytest.mark.usefixtures("one_thread")

MakeTracker = Callable[..., Tracker]
Scripts = Callable[..., Any]

SIZE = (64, 96)  # as the network sees it, so that a place at stride 4 is four times that here
FRAME = np.full((*SIZE, 3), 99, np.uint8)


def at(rows: slice, columns: slice) -> Any:
    """A place at stride 4 and, for comparison, at source size."""
    return rows, columns


def labels_of(*numbers: int) -> Any:
    """A label map with a small square for each object."""
    labels = np.zeros(SIZE, np.uint16 if max(numbers) > 255 else np.uint8)
    for k, number in enumerate(numbers):
        labels[4:20, 4 + 20 * k : 20 + 20 * k] = number
    return labels


def test_given_masks_are_certain_and_visible(make_tracker: MakeTracker, scene: Any) -> None:
    result = make_tracker().step(scene.frames[0], scene.labels[0])
    assert result.confidence == {3: 1.0, 7: 1.0}
    assert result.visible == {3: True, 7: True}


def test_confidence_is_a_probability(make_tracker: MakeTracker, scene: Any) -> None:
    tracker = make_tracker()
    tracker.step(scene.frames[0], scene.labels[0])
    for frame in scene.frames[1:]:
        result = tracker.step(frame)
        for number in (3, 7):
            assert 0 < result.confidence[number] < 1
            assert result.visible[number]


def test_confidence_is_the_mean_probability_where_the_object_wins(
    make_tracker: MakeTracker, scripted: Scripts
) -> None:
    network = scripted([(slice(2, 6), slice(3, 9))])
    tracker = make_tracker(network)
    tracker.step(FRAME, labels_of(4))
    result = tracker.step(FRAME)
    others = network.config.background_channels - 1
    expected = np.exp(10) / (np.exp(10) + np.exp(5) + others)
    assert result.confidence[4] == pytest.approx(expected, abs=1e-6)


def test_an_object_that_wins_no_pixel_is_lost_and_may_come_back(
    make_tracker: MakeTracker, scripted: Scripts
) -> None:
    here = (slice(2, 6), slice(3, 9))
    network = scripted([here, here], [None, here], [None, None], [here, None])
    tracker = make_tracker(network)
    tracker.step(FRAME, labels_of(2, 5))
    # Where both have the same logits, the first channel wins.
    expected = [(True, False), (False, True), (False, False), (True, False)]
    for first, second in expected:
        result = tracker.step(FRAME)
        assert result.ids == (2, 5)
        assert result.visible == {2: first, 5: second}
        for number in (2, 5):
            assert (result.confidence[number] > 0) == result.visible[number]
            assert result.mask(number).any() == result.visible[number]


def test_an_object_that_wins_only_outside_the_frame_is_lost(
    make_tracker: MakeTracker, scripted: Scripts
) -> None:
    """Frames are padded to multiples of 32: 70 columns to 96, columns 18 to 23 at stride 4."""
    tracker = make_tracker(scripted([(slice(0, 16), slice(19, 24))], [(slice(0, 16), slice(16))]))
    narrow = FRAME[:, :70]
    tracker.step(narrow, labels_of(2)[:, :70])
    outside, inside = tracker.step(narrow), tracker.step(narrow)
    assert not outside.label_map.any()
    assert (outside.confidence, outside.visible) == ({2: 0.0}, {2: False})
    assert inside.visible == {2: True}


def test_a_new_object_next_to_another_takes_none_of_its_pixels(
    make_tracker: MakeTracker, scripted: Scripts
) -> None:
    """At the network's size a mask's border is rough: here it is three pixels wide."""
    results = []
    large = np.full((192, 288, 3), 99, np.uint8)
    first, new = np.zeros((192, 288), np.uint8), np.zeros((192, 288), np.uint8)
    first[10:20, 10:20], new[49:100, 61:140] = 2, 5
    for masks in (new, None):
        tracker = make_tracker(scripted([(slice(0, 16), slice(0, 24))]))
        tracker.step(large, first)
        results.append(tracker.step(large, masks))
    assert (results[1].label_map == 2).all()
    np.testing.assert_array_equal(results[0].label_map, np.where(new, 5, 2))


def test_soft_masks_of_tiny_objects_that_share_a_pixel_of_the_network_sum_to_one(
    make_tracker: MakeTracker,
) -> None:
    large, masks = np.full((512, 512, 3), 99, np.uint8), np.zeros((512, 512), np.uint8)
    masks[201, 201:203], masks[203, 201:203] = 2, 5
    given = make_tracker().step(large, masks)
    assert len(given.warnings) == 2
    soft = given.soft_masks()
    assert min(soft[1].max(), soft[2].max()) > 0.3
    np.testing.assert_allclose(soft.sum(0), 1, atol=1e-5)


def test_the_label_map_has_found_objects_where_the_network_put_them(
    make_tracker: MakeTracker, scripted: Scripts
) -> None:
    tracker = make_tracker(scripted([(slice(2, 6), slice(3, 9)), (slice(8, 14), slice(10, 20))]))
    tracker.step(FRAME, labels_of(300, 5))
    labels = tracker.step(FRAME).label_map
    assert labels.dtype == np.uint16
    assert (labels[12:20, 16:32] == 5).all(), "ids are sorted: 5 has the first channel"
    assert (labels[36:52, 44:76] == 300).all()
    assert not labels[:4].any()
    assert not labels[:, 88:].any()


def test_soft_masks_are_background_and_then_objects(make_tracker: MakeTracker, scene: Any) -> None:
    tracker = make_tracker()
    given = tracker.step(scene.frames[0], scene.labels[0])
    found = tracker.step(scene.frames[1])
    corrected = tracker.step(scene.frames[2], {3: scene.labels[2] == 3})
    for result in (given, found, corrected):
        soft = result.soft_masks()
        assert soft.shape == (3, 60, 90)
        assert soft.dtype == np.float32
        assert soft.min() >= 0
        assert soft.max() <= 1 + 1e-5
        np.testing.assert_allclose(soft.sum(0), 1, atol=1e-4)
    background = ~np.isin(given.label_map, (3, 7))
    assert (given.soft_masks()[0][background] > 0.5).mean() > 0.9
    assert (given.soft_masks()[2][given.mask(7)] > 0.5).mean() > 0.9
    best = np.array([0, 3, 7])[found.soft_masks()[1:].argmax(0) + 1]
    np.testing.assert_array_equal(best[found.label_map > 0], found.label_map[found.label_map > 0])


def test_soft_masks_follow_a_correction(make_tracker: MakeTracker, scripted: Scripts) -> None:
    tracker = make_tracker(scripted([(slice(0, 16), slice(0, 24))]))
    tracker.step(FRAME, labels_of(2))
    right = np.zeros(SIZE, np.uint8)
    right[20:40, 30:60] = 2
    soft = tracker.step(FRAME, right).soft_masks()
    np.testing.assert_allclose(soft[1], right == 2, atol=1e-5)
    np.testing.assert_allclose(soft[0], right == 0, atol=1e-5)


def test_without_objects_all_is_background(make_tracker: MakeTracker) -> None:
    soft = make_tracker().step(FRAME).soft_masks()
    assert soft.shape == (1, *SIZE)
    assert (soft == 1).all()


def test_a_mask_of_an_unknown_object_is_an_error(make_tracker: MakeTracker, scene: Any) -> None:
    result = make_tracker().step(scene.frames[0], scene.labels[0])
    assert result.mask(3).dtype == np.bool_
    with pytest.raises(HodorError, match=r"object 4 is not followed; followed are \[3, 7\]"):
        result.mask(4)


def test_a_models_curve_turns_confidence_into_the_j_to_expect(
    make_tracker: MakeTracker, scene: Any, make_network: Any
) -> None:
    plain = make_tracker(make_network(seed=2))
    bent = make_tracker(copy.deepcopy(make_network(seed=2)))  # networks are shared by tests
    bent.network.metadata["calibration"] = [(0.0, 0.0), (1.0, 0.5)]
    for tracker in (plain, bent):
        tracker.step(scene.frames[0], scene.labels[0])
    before, after = plain.step(scene.frames[1]), bent.step(scene.frames[1])
    assert any(before.visible.values())
    for i, value in before.confidence.items():
        assert after.confidence[i] == pytest.approx(max(0.01, value / 2) if value else 0.0)
    assert before.visible == after.visible


def test_channels_are_catch_all_cells_and_objects_and_add_up_to_one(
    make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    tracker = make_tracker()
    first = tracker.step(scene.frames[0], scene.labels[0])
    assert first.channel_probabilities().shape == (0, 60, 90)
    channels = tracker.step(scene.frames[1]).channel_probabilities()
    assert channels.shape == (1 + 9 + 2, 60, 90)
    np.testing.assert_allclose(channels.sum(0), 1, atol=1e-5)


def test_the_newest_frames_descriptors_can_be_had(
    make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    tracker = make_tracker()
    assert tracker.descriptors is None
    for index in range(2):
        tracker.step(scene.frames[index], scene.labels[0] if index == 0 else None)
        assert tracker.descriptors is not None
        assert tracker.descriptors.index == index
        assert set(tracker.descriptors.objects) == {3, 7}
        assert tracker.descriptors.objects[3].shape == (32,)


def test_a_result_travels_to_another_process_without_the_network(
    make_tracker: MakeTracker,
) -> None:
    tracker = make_tracker()
    result = tracker.step(FRAME, labels_of(3, 7))
    data = pickle.dumps(result)
    assert len(data) < 20_000
    arrived = pickle.loads(data)
    np.testing.assert_array_equal(arrived.label_map, result.label_map)
    assert (arrived.ids, arrived.confidence) == (result.ids, result.confidence)
    for ask in (arrived.soft_masks, arrived.channel_probabilities):
        with pytest.raises(HodorError, match=r"was pickled.*soft_masks\(\) before"):
            ask()
    assert result.soft_masks().shape == (3, *SIZE)


def test_a_result_takes_along_one_label_map_alone(make_tracker: MakeTracker) -> None:
    sizes = []
    for merge in ("max", "logsumexp"):
        tracker = make_tracker(merge=merge)
        tracker.step(FRAME, labels_of(3, 7))
        sizes.append(len(pickle.dumps(tracker.step(FRAME))))
    assert abs(sizes[0] - sizes[1]) < SIZE[0] * SIZE[1] / 2
