"""Nothing but descriptors is kept, and only so many of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hodor.errors import HodorError
from hodor.model import Hodor
from hodor.tracking import Result, Tracker, TrackerOptions, doubts, save_state
from hodor.tracking.boxes import LastBox
from hodor.tracking.descriptors import FrameDescriptors
from hodor.tracking.doubts import BEYOND_RADIUS
from hodor.tracking.memory import Memory

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

MakeTracker = Callable[..., Tracker]
Remembered = Callable[..., dict[int, list[int]]]

FRAME = np.full((64, 96, 3), 99, np.uint8)
HERE = (slice(2, 6), slice(3, 9))


def size_of(tracker: Tracker, folder: Path) -> int:
    path = folder / "state.safetensors"
    save_state(path, tracker.state_dict(), {})
    return path.stat().st_size


@pytest.mark.parametrize("window", [1, 3, 7])
def test_memory_holds_the_latest_frames_of_the_window(
    make_tracker: MakeTracker, scene: Any, remembered: Remembered, window: int
) -> None:
    tracker = make_tracker(window=window)
    for t, frame in enumerate(scene.frames):
        tracker.step(frame, scene.labels[0] if t == 0 else None)
        held = remembered(tracker)
        assert list(held) == list(range(max(0, t + 1 - window), t + 1))
        assert all(ids == [3, 7] for ids in held.values())
    assert remembered(tracker, "last_seen") == {}


def test_the_window_decides_how_far_back_tracking_looks(
    make_tracker: MakeTracker, scene: Any
) -> None:
    """What is longer ago than the window changes nothing; what is not, does."""

    def last(window: int, first: Any) -> Any:
        tracker = make_tracker(window=window)
        tracker.step(scene.frames[0], first)
        tracker.step(scene.frames[1], scene.labels[1])
        tracker.step(scene.frames[2], scene.labels[2])
        return tracker.step(scene.frames[3])

    other = np.where(scene.labels[5] == 3, 7, scene.labels[5] * 0 + 3).astype(np.uint8)
    assert last(2, scene.labels[0]).confidence == last(2, other).confidence
    assert last(3, scene.labels[0]).confidence != last(3, other).confidence


def test_kept_references_outlive_the_window_and_change_what_is_found(
    make_tracker: MakeTracker, scene: Any, remembered: Remembered
) -> None:
    keeping, forgetting = make_tracker(window=2, keep_reference=True), make_tracker(window=2)
    for t in range(5):
        results = []
        for tracker in (keeping, forgetting):
            results.append(tracker.step(scene.frames[t], scene.labels[0] if t == 0 else None))
        # In the window a reference is not counted a second time.
        identical = results[0].confidence == results[1].confidence
        assert identical == (t <= 2), f"frame {t}"
    assert remembered(keeping, "references") == {0: [3, 7]}
    assert list(remembered(keeping)) == [3, 4]


def test_at_most_eight_references_are_kept_the_first_and_the_latest(
    make_tracker: MakeTracker, make_scene: Any, remembered: Remembered
) -> None:
    scene = make_scene(12)
    tracker = make_tracker(window=2, keep_reference=True)
    for frame, labels in zip(scene.frames, scene.labels, strict=True):
        tracker.step(frame, labels)
    assert list(remembered(tracker, "references")) == [0, 5, 6, 7, 8, 9, 10, 11]


def test_no_object_loses_its_only_reference(
    make_tracker: MakeTracker, make_scene: Any, remembered: Remembered
) -> None:
    """Twelve objects, each given in a frame of its own."""
    scene = make_scene(12)
    tracker = make_tracker(window=2, keep_reference=True)
    for t, frame in enumerate(scene.frames):
        mask = np.zeros((60, 90), bool)
        mask[10:20, 5 * t : 5 * t + 10] = True
        tracker.step(frame, {t + 1: mask})
    assert tracker.ids == tuple(range(1, 13))
    assert tracker.references().ids == tracker.ids


def test_a_lost_object_is_described_from_frames_without_it_unless_told_otherwise(
    make_tracker: MakeTracker, scripted: Any, remembered: Remembered
) -> None:
    for skip_lost, expected in ((False, [1, 2]), (True, [2])):
        tracker = make_tracker(scripted([HERE, None][::-1]), skip_lost=skip_lost)
        labels = np.zeros((64, 96), np.uint8)
        labels[4:20, 4:20], labels[30:40, 40:60] = 1, 2
        tracker.step(FRAME, labels)
        tracker.step(FRAME)
        assert remembered(tracker)[1] == expected


def test_a_lost_object_keeps_its_last_box_until_it_is_seen_again(
    make_tracker: MakeTracker, scripted: Any, remembered: Remembered
) -> None:
    plan = [[HERE], *[[None]] * 5, [HERE], *[[None]] * 2]
    tracker = make_tracker(scripted(*plan), window=2, skip_lost=True)
    labels = np.zeros((64, 96), np.uint8)
    labels[4:20, 4:20] = 9
    held = []
    for t in range(1 + len(plan)):
        result = tracker.step(FRAME, labels if t == 0 else None)
        assert result.ids == (9,)
        held.append((remembered(tracker), remembered(tracker, "last_seen")))
    assert held[1] == ({0: [9], 1: [9]}, {})
    assert held[2] == ({1: [9], 2: []}, {})
    for t in range(3, 7):
        assert held[t] == ({t - 1: [], t: []}, {1: [9]})
    assert held[7] == ({6: [], 7: [9]}, {})
    assert held[9] == ({8: [], 9: []}, {7: [9]})


def test_a_lost_object_can_be_removed(make_tracker: MakeTracker, scripted: Any) -> None:
    tracker = make_tracker(scripted(*[[None]] * 3), window=1, skip_lost=True)
    labels = np.zeros((64, 96), np.uint8)
    labels[4:20, 4:20] = 9
    for t in range(4):
        tracker.step(FRAME, labels if t == 0 else None)
    tracker.remove(9)
    assert tracker.ids == ()
    assert tracker.step(FRAME).ids == ()


def test_the_state_stays_small_and_does_not_grow(
    make_tracker: MakeTracker, scene: Any, tmp_path: Path
) -> None:
    tracker = make_tracker(keep_reference=True, skip_lost=True)
    sizes = []
    for t in range(50):
        tracker.step(scene.frames[t % 12], scene.labels[0] if t == 0 else None)
        if t in (20, 49):
            sizes.append(size_of(tracker, tmp_path))
    assert sizes[1] == pytest.approx(sizes[0], abs=64)  # digits of frame numbers
    assert sizes[1] < 300_000


def test_the_state_holds_no_pictures(make_tracker: MakeTracker, make_scene: Any) -> None:
    sizes = []
    for size in ((60, 90), (240, 360)):
        tracker, scene = make_tracker(), make_scene(3, size)
        for t in range(3):
            tracker.step(scene.frames[t], scene.labels[0] if t == 0 else None)
        memory = tracker.state_dict()["memory"]
        sizes.append({name: tuple(value.shape) for name, value in memory.items()})
        assert all(isinstance(value, np.ndarray) for value in memory.values())
    assert sizes[0] == sizes[1]


def test_a_tiny_mask_is_followed_with_a_warning(make_tracker: MakeTracker) -> None:
    tracker = make_tracker()
    large = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    labels = np.zeros((360, 640), np.uint8)
    labels[200:202, 301:303] = 6
    labels[20:120, 20:160] = 2
    result = tracker.step(large, labels)
    assert len(result.warnings) == 1
    assert "object 6 covers 4 px" in result.warnings[0]
    assert "size 64" in result.warnings[0]
    np.testing.assert_array_equal(result.label_map, labels)
    after = tracker.step(large)
    assert after.ids == (2, 6)
    assert after.warnings == ()


def test_a_tiny_mask_is_described_from_its_own_place(make_tracker: MakeTracker) -> None:
    """At size 64 a cell of the network's map is 45 px of a frame of 360 x 640."""
    picture = np.zeros((360, 640, 3), np.uint8)
    picture[:, :320], picture[:, 320:] = (200, 40, 40), (30, 80, 220)
    picture[::7] //= 2

    def descriptor(top: int, left: int, side: int) -> Any:
        labels = np.zeros((360, 640), np.uint8)
        labels[top : top + side, left : left + side] = 1
        tracker = make_tracker()
        tracker.step(picture, labels)
        return tracker.references().frames[0].objects[1]

    tiny = descriptor(181, 136, 2)
    whole_cell, elsewhere = descriptor(180, 135, 45), descriptor(181, 496, 2)
    assert not np.array_equal(tiny, elsewhere)
    near, far = np.linalg.norm(tiny - whole_cell), np.linalg.norm(tiny - elsewhere)
    assert near < 0.5 * far


def test_the_search_radius_rules_an_object_out_far_from_its_last_box() -> None:
    mask = np.zeros((100, 200), bool)
    mask[50:75, 50:75] = True
    box = LastBox.of(mask)
    assert box == LastBox(0.25, 0.5, 0.375, 0.75)
    # an eighth of the shorter side (100) and of the box (25) on each side
    near = box.near((100, 200), search_radius=0.125)
    assert near == (slice(34, 91), slice(34, 91))
    later = box._replace(frames_ago=2).near((100, 200), search_radius=0.125)
    assert later == (slice(3, 122), slice(3, 122))


@pytest.mark.parametrize("search_radius", [0, -0.1, float("nan"), float("inf")])
def test_a_reach_that_is_no_distance_is_refused(search_radius: float) -> None:
    with pytest.raises(HodorError, match=f"search_radius {search_radius} must be"):
        TrackerOptions(search_radius=search_radius)


def test_beyond_reach_only_clear_matches_are_followed(tiny_network: Hodor) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 64, 128, 3), np.uint8)
    masks = np.zeros((64, 128), np.uint8)
    masks[24:32, 8:16] = 1
    logits = {}
    for search_radius in (None, 0.1):
        options = TrackerOptions(size=64, long_side=2, search_radius=search_radius)
        tracker = Tracker(tiny_network, options, device="cpu", precision="fp32")
        tracker.step(frames[0], masks)
        soft = tracker.step(frames[1]).soft_masks()
        logits[search_radius] = np.log(soft[1] / (1 - soft[1]))
    difference = logits[0.1] - logits[None]
    np.testing.assert_allclose(difference[20:36, 4:20], 0, atol=1e-3)
    np.testing.assert_allclose(difference[:, 44:], BEYOND_RADIUS, atol=1e-2)


def test_a_bias_changes_what_is_shown_and_not_what_is_fed_back(tiny_network: Hodor) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 64, 128, 3), np.uint8)
    masks = np.zeros((64, 128), np.uint8)
    masks[16:48, 8:60] = 1
    shown, fed_back = {}, {}
    for bias in (0.0, -2.0):
        options = TrackerOptions(size=64, long_side=2, object_bias=bias)
        tracker = Tracker(tiny_network, options, device="cpu", precision="fp32")
        tracker.step(frames[0], masks)
        shown[bias] = tracker.step(frames[1])
        fed_back[bias] = tracker.state_dict()["memory"]
    soft = {bias: result.soft_masks()[1] for bias, result in shown.items()}
    odds = {bias: np.log(mask / (1 - mask)) for bias, mask in soft.items()}
    np.testing.assert_allclose(odds[-2.0] - odds[0.0], -2.0, atol=1e-2)
    assert (shown[-2.0].label_map > 0).sum() < (shown[0.0].label_map > 0).sum()
    for name, tensor in fed_back[0.0].items():
        assert np.array_equal(tensor, fed_back[-2.0][name]), name


def test_all_of_the_background_counts_in_what_is_shown_and_not_in_what_is_looked_back_at(
    make_network: Callable[..., Hodor],
) -> None:
    # Untrained, it finds the object where it is a little likelier than each background plane.
    network = make_network(refiner_channels=8)
    frames = np.random.default_rng(0).integers(0, 255, (4, 64, 128, 3), np.uint8)
    masks = np.zeros((64, 128), np.uint8)
    masks[16:48, 8:60] = 1
    shown, last = {}, {}
    for merge in ("max", "logsumexp"):
        options = TrackerOptions(size=64, long_side=2, merge=merge, object_bias=1.5)
        tracker = Tracker(network, options, device="cpu", precision="fp32")
        tracker.step(frames[0], masks)
        shown[merge] = tracker.step(frames[1])
        last[merge] = tracker._memory.last.labels
    of_all = shown["logsumexp"].label_map > 0
    likely = shown["logsumexp"].soft_masks()[1]
    assert 0 < of_all.sum() < (shown["max"].label_map > 0).sum()
    assert ((likely > 0.5) == of_all).mean() > 0.99
    assert np.array_equal(last["max"], last["logsumexp"])


def test_an_object_found_with_much_less_confidence_than_usual_is_taken_to_be_out_of_sight(
    make_tracker: MakeTracker, scene: Any, remembered: Remembered
) -> None:
    def last(
        min_confidence_ratio: float, *, skip_lost: bool
    ) -> tuple[Result, dict[int, list[int]]]:
        tracker = make_tracker(min_confidence_ratio=min_confidence_ratio, skip_lost=skip_lost)
        tracker.step(scene.frames[0], scene.labels[0])
        tracker._memory.note_confidence(dict.fromkeys(tracker.ids, 1.0))  # as if always sure
        return tracker.step(scene.frames[1]), remembered(tracker)

    plain, _ = last(0.0, skip_lost=True)
    sure, unsure = sorted(plain.ids, key=lambda i: -plain.confidence[i])
    assert plain.confidence[sure] > plain.confidence[unsure] > 0
    assert plain.mask(unsure).any()
    limit = (plain.confidence[sure] + plain.confidence[unsure]) / 2
    for skip_lost in (True, False):
        found, held = last(limit, skip_lost=skip_lost)
        assert (found.confidence[unsure], found.visible[unsure]) == (0, False)
        assert not found.mask(unsure).any()
        assert found.soft_masks()[1 + found.ids.index(unsure)].max() < 1e-3
        assert found.confidence[sure] == plain.confidence[sure]
        assert (found.mask(sure) >= plain.mask(sure)).all()
        assert held[1] == ([sure] if skip_lost else sorted(plain.ids))


def test_an_object_that_is_never_found_with_confidence_is_not_lost_for_that(
    make_tracker: MakeTracker, scene: Any
) -> None:
    plain, careful = make_tracker(), make_tracker(min_confidence_ratio=0.9)
    for tracker in (plain, careful):
        tracker.step(scene.frames[0], scene.labels[0])
    for _ in range(3):  # nothing moves, so that nothing is less sure than before
        expected, found = plain.step(scene.frames[1]), careful.step(scene.frames[1])
        assert found.confidence == expected.confidence
        assert max(found.confidence.values()) < 0.9
        assert np.array_equal(found.label_map, expected.label_map)
    again = make_tracker()
    again.load_state_dict(careful.state_dict())
    assert again._memory.running_confidence == careful._memory.running_confidence
    assert sorted(again._memory.running_confidence) == sorted(found.ids)
    careful.remove(found.ids[0])
    assert sorted(careful._memory.running_confidence) == sorted(found.ids[1:])


def test_what_is_unlike_the_given_mask_is_taken_to_be_something_else(
    monkeypatch: pytest.MonkeyPatch,
    make_tracker: MakeTracker,
    scripted: Any,
    remembered: Remembered,
) -> None:
    """A red square is given and found, then the dark ground in its place, then it again.

    But for what the network is sure of: who turns round looks like nothing that was given.
    """
    frame = np.random.default_rng(0).integers(0, 60, (64, 96, 3), np.uint8)
    frame[8:32, 8:32] = 220, 40, 30
    labels = np.zeros((64, 96), np.uint8)
    labels[8:32, 8:32] = 9
    square, ground = (slice(2, 8), slice(2, 8)), (slice(8, 14), slice(14, 20))

    def run(
        min_similarity: float, sure: float = 1.1
    ) -> tuple[list[Result], list[float], dict[int, list[int]]]:
        monkeypatch.setattr(doubts, "SURE", sure)
        tracker = make_tracker(
            scripted([square], [ground], [square]), min_similarity=min_similarity, skip_lost=True
        )
        tracker.step(frame, labels)
        results, similarity = [], []
        for _ in range(3):
            results.append(tracker.step(frame))
            described = tracker.descriptors
            assert described is not None
            if 9 in described.objects:
                given = tracker._memory.given(9)
                similarity += tracker.runtime.similarity([described.objects[9]], [given])
        return results, similarity, remembered(tracker)

    plain, similarity, held = run(0.0)
    assert min(similarity[0], similarity[2]) > similarity[1] > 0
    assert all(result.visible[9] for result in plain)
    assert held == {0: [9], 1: [9], 2: [9], 3: [9]}
    between = (similarity[0] + similarity[1]) / 2
    sure = min(own_confidence(result)[9] for result in plain)
    kept, _, held = run(between, sure)
    assert all(result.visible[9] for result in kept)
    assert held == {0: [9], 1: [9], 2: [9], 3: [9]}
    careful, _, held = run(between)
    assert [result.visible[9] for result in careful] == [True, False, True]
    assert held == {0: [9], 1: [9], 2: [], 3: [9]}
    for one, other in zip(careful, plain, strict=True):
        if one.visible[9]:
            assert np.array_equal(one.label_map, other.label_map)
            assert one.confidence == other.confidence
        else:
            assert not one.label_map.any()
            assert one.confidence[9] == 0
            assert one.soft_masks()[1].max() < 1e-3


def test_what_is_found_with_little_confidence_of_the_networks_own_is_lost(
    monkeypatch: pytest.MonkeyPatch, make_tracker: MakeTracker, scene: Any
) -> None:
    def run(least: float, like: float = 1.1) -> list[Result]:
        monkeypatch.setattr(doubts, "LIKE", like)
        tracker = make_tracker(min_confidence=least, skip_lost=True)
        curve = [[0.0, 0.9], [1.0, 0.9]]
        monkeypatch.setitem(tracker.network.metadata, "calibration", curve)
        first = tracker.step(scene.frames[0], scene.labels[0])
        assert first.confidence == {3: 1, 7: 1}  # given masks are not doubted
        return [tracker.step(frame) for frame in scene.frames[1:3]]

    plain = run(0.0)
    own = own_confidence(plain[0])
    assert plain[0].confidence == dict.fromkeys(own, 0.9)  # what results tell is another thing
    assert max(own.values()) < 0.9
    less, more = sorted(own, key=own.__getitem__)
    strict = run((own[less] + own[more]) / 2)
    assert strict[0].visible == {less: False, more: True}
    assert strict[0].confidence == {less: 0, more: 0.9}
    assert not strict[0].mask(less).any()
    assert run(min(own.values()) - 1e-3)[0].visible == {3: True, 7: True}
    # What is like the given masks is in no doubt, however little confidence it is found with.
    assert run(0.99, like=-1.0)[0].visible == {3: True, 7: True}


def own_confidence(result: Result) -> dict[int, float]:
    """The network's own, before any curve: by id, of a result that nothing was doubted in."""
    assert result._runtime is not None
    assert result._logits is not None
    values = result._runtime.confidences(result._logits, result._geometry)
    return dict(zip(result._logits.ids, values, strict=True))


@pytest.mark.parametrize(
    "name", ["min_confidence_ratio", "min_confidence", "min_similarity", "min_matched"]
)
@pytest.mark.parametrize("least", [-0.1, 1, float("nan")])
def test_a_least_confidence_or_likeness_that_is_none_is_refused(name: str, least: float) -> None:
    with pytest.raises(HodorError, match=f"{name} {least} must be (in|a number)"):
        TrackerOptions(**{name: least})  # type: ignore[arg-type]


def test_a_given_mask_is_never_too_unlike(make_tracker: MakeTracker, scene: Any) -> None:
    """Where a mask is given, what was decoded of its object is not doubted for the mask's look."""
    channels = []
    for min_similarity in (0.0, 0.99):
        tracker = make_tracker(min_similarity=min_similarity)
        tracker.step(scene.frames[0], {3: scene.labels[0] == 3})
        corrected = {3: scene.labels[0] == 7}
        result = tracker.step(scene.frames[1], corrected)
        assert result.confidence == {3: 1}
        assert np.array_equal(result.mask(3), corrected[3])
        channels.append(result.channel_probabilities())
    np.testing.assert_array_equal(*channels)


def test_a_new_object_that_takes_part_at_once_is_not_too_unlike(
    make_tracker: MakeTracker, scene: Any
) -> None:
    tracker = make_tracker(min_similarity=0.99, decode_new=True)
    tracker.step(scene.frames[0], {3: scene.labels[0] == 3})
    result = tracker.step(scene.frames[1], {7: scene.labels[1] == 7})
    assert result.visible[7]
    assert np.array_equal(result.mask(7), scene.labels[1] == 7)


def test_the_usual_confidence_is_the_mean_of_the_last_frames_in_sight() -> None:
    memory = Memory(TrackerOptions(window=2))
    assert memory.running_confidence_of(3) == 0
    for confidence in (0.4, 0.6, 0.0):  # 0: out of sight
        memory.note_confidence({3: confidence})
    assert memory.running_confidence_of(3) == pytest.approx(0.5)
    for _ in range(100):
        memory.note_confidence({3: 0.9})
    assert memory.running_confidence_of(3) == pytest.approx(0.9, abs=1e-3)


def test_the_scene_of_another_video_counts_only_until_this_ones_is_known() -> None:
    memory = Memory(TrackerOptions(window=2))
    there, here = np.zeros((9, 4)), np.ones((9, 4))
    memory.add_reference(FrameDescriptors(-1, {3: np.zeros(4)}, there))
    assert memory.recall([3]).background[0][0] is there
    assert memory.recall([3]).background_valid.tolist() == [True]
    memory.push(FrameDescriptors(0, {3: np.ones(4)}, here))
    recalled = memory.recall([3])
    assert recalled.object_valid.tolist() == [[True], [True]]
    assert recalled.background[0][0] is None
    assert recalled.background[1][0] is here
    assert recalled.background_valid.tolist() == [False, True]
