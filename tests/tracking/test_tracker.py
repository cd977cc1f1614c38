"""The tracker keeps its word on masks, ids, additions, corrections and bad calls."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np
import pytest

from hodor.errors import HodorError, MaskError, SourceError
from hodor.model import Hodor
from hodor.tracking import Result, Tracker

pytestmark = pytest.mark.usefixtures("one_thread")

MakeTracker = Callable[..., Tracker]


def same(a: Result, b: Result) -> bool:
    """Whether two results are identical, to the last bit."""
    return (
        (a.index, a.ids, a.confidence, a.visible) == (b.index, b.ids, b.confidence, b.visible)
        and a.label_map.dtype == b.label_map.dtype
        and np.array_equal(a.label_map, b.label_map)
    )


@pytest.mark.parametrize("size", [(60, 90), (61, 91), (97, 53), (33, 200), (240, 320)])
def test_a_given_mask_comes_back_unchanged(make_tracker: MakeTracker, size: Any) -> None:
    rng = np.random.default_rng(1)
    labels = rng.choice(np.array([0, 0, 0, 2, 9], np.uint8), size)  # as ragged as can be
    result = make_tracker().step(rng.integers(0, 255, (*size, 3), np.uint8), labels)
    np.testing.assert_array_equal(result.label_map, labels)
    assert result.label_map.dtype == np.uint8
    assert result.ids == (2, 9)


def test_a_mask_given_in_a_later_frame_comes_back_unchanged(
    make_tracker: MakeTracker, scene: Any
) -> None:
    tracker = make_tracker()
    tracker.step(scene.frames[0], scene.labels[0])
    tracker.step(scene.frames[1])
    result = tracker.step(scene.frames[2], scene.labels[2])
    np.testing.assert_array_equal(
        np.isin(result.label_map, (3, 7)) * result.label_map, scene.labels[2]
    )


@pytest.mark.parametrize("number", [300, 65535])
@pytest.mark.parametrize("kind", [np.uint16, np.int64])
def test_large_ids_make_the_label_map_16_bit(
    make_tracker: MakeTracker, scene: Any, number: int, kind: Any
) -> None:
    labels = scene.labels[0].astype(kind)
    labels[labels == 7] = number
    tracker = make_tracker()
    result = tracker.step(scene.frames[0], labels)
    np.testing.assert_array_equal(result.label_map, labels)
    after = tracker.step(scene.frames[1])
    for one in (result, after):
        assert one.label_map.dtype == np.uint16
        assert one.ids == (3, number)
    assert set(np.unique(after.label_map)) == {0, 3, number}


def test_masks_by_id_say_the_same_as_a_label_map(make_tracker: MakeTracker, scene: Any) -> None:
    labels = scene.labels[0]
    one, other = make_tracker(), make_tracker()
    as_bool, as_integers = labels == 3, (labels == 7).astype(np.uint8)
    results = [
        one.step(scene.frames[0], labels),
        other.step(scene.frames[0], {7: as_integers, 3: as_bool}),
    ]
    assert same(*results)
    assert same(one.step(scene.frames[1]), other.step(scene.frames[1]))


def test_where_masks_by_id_overlap_the_later_one_wins(
    make_tracker: MakeTracker, scene: Any
) -> None:
    below, above = np.zeros((60, 90), bool), np.zeros((60, 90), bool)
    below[10:30, 10:50], above[20:40, 30:70] = True, True
    result = make_tracker().step(scene.frames[0], {5: below, 2: above})
    np.testing.assert_array_equal(result.mask(2), above)
    np.testing.assert_array_equal(result.mask(5), below & ~above)


def test_ids_never_change_and_results_cover_the_followed_ones(
    make_tracker: MakeTracker, scene: Any
) -> None:
    tracker = make_tracker(window=2)
    assert tracker.ids == ()
    for t, frame in enumerate(scene.frames):
        result = tracker.step(frame, scene.labels[0] if t == 0 else None)
        assert result.index == t
        assert result.ids == tracker.ids == (3, 7)
        assert set(result.confidence) == set(result.visible) == {3, 7}
        assert set(np.unique(result.label_map)) <= {0, 3, 7}
    assert tracker.next_index == len(scene.frames)


def test_before_any_mask_nothing_is_found(make_tracker: MakeTracker, scene: Any) -> None:
    tracker = make_tracker()
    result = tracker.step(scene.frames[0])
    assert result.ids == ()
    assert result.label_map.shape == (60, 90)
    assert not result.label_map.any()
    assert tracker.step(scene.frames[1], scene.labels[1]).index == 1


def test_tracking_depends_on_what_is_seen(make_tracker: MakeTracker, scene: Any) -> None:
    tracker = make_tracker()
    tracker.step(scene.frames[0], scene.labels[0])
    result = tracker.step(scene.frames[1])
    assert result.mask(3).sum() > 50
    assert result.mask(7).sum() > 50
    other = make_tracker()
    other.step(scene.frames[0], scene.labels[0])
    assert not np.array_equal(other.step(255 - scene.frames[1]).label_map, result.label_map)


def test_adding_an_object_leaves_the_others_alone(make_tracker: MakeTracker, scene: Any) -> None:
    with_new, without = make_tracker(), make_tracker()
    for tracker in (with_new, without):
        tracker.step(scene.frames[0], scene.labels[0])
    new = np.zeros((60, 90), np.uint8)
    new[15:47, 33:62] = 1  # an odd place across both objects
    added, plain = with_new.step(scene.frames[1], new), without.step(scene.frames[1])
    assert added.ids == (1, 3, 7)
    for number in (3, 7):
        assert (plain.mask(number) & (new > 0)).any(), "the new mask should lie on the object"
        np.testing.assert_array_equal(added.mask(number), plain.mask(number) & (new == 0))
        assert added.confidence[number] == plain.confidence[number]


def test_a_new_object_may_take_part_in_decoding_if_asked(
    make_tracker: MakeTracker, scene: Any
) -> None:
    new = np.zeros((60, 90), np.uint8)
    new[40:55, 5:25] = 1
    results = []
    for decode_new in (False, True):
        tracker = make_tracker(decode_new=decode_new)
        tracker.step(scene.frames[0], scene.labels[0])
        results.append(tracker.step(scene.frames[1], new))
    np.testing.assert_array_equal(results[0].mask(1), new == 1)
    np.testing.assert_array_equal(results[1].mask(1), new == 1)
    assert results[0].confidence[3] != results[1].confidence[3]


def test_a_correction_changes_what_follows(make_tracker: MakeTracker, scene: Any) -> None:
    corrected, plain = make_tracker(), make_tracker()
    for tracker in (corrected, plain):
        tracker.step(scene.frames[0], scene.labels[0])
        tracker.step(scene.frames[1])
    where = {3: scene.labels[0] == 7}
    now = corrected.step(scene.frames[2], where)
    np.testing.assert_array_equal(now.mask(3), where[3])
    assert now.confidence[3] == 1.0
    plain.step(scene.frames[2])
    later = corrected.step(scene.frames[3]), plain.step(scene.frames[3])
    assert later[0].ids == later[1].ids
    assert not np.array_equal(later[0].mask(3), later[1].mask(3))


@pytest.mark.parametrize("keep_reference", [False, True])
def test_a_correction_drops_what_was_predicted_of_the_object_and_only_that(
    make_tracker: MakeTracker, scene: Any, remembered: Any, keep_reference: bool
) -> None:
    tracker = make_tracker(window=5, keep_reference=keep_reference)
    for t in range(4):
        masks = {0: scene.labels[0], 3: {3: scene.labels[3] == 3}}.get(t)
        tracker.step(scene.frames[t], masks)
    assert remembered(tracker) == {0: [3, 7], 1: [7], 2: [7], 3: [3, 7]}
    assert remembered(tracker, "references") == {0: [3, 7], 3: [3]}


def test_a_removed_object_is_followed_no_more(make_tracker: MakeTracker, scene: Any) -> None:
    tracker = make_tracker(keep_reference=True, window=2)
    for t in range(4):
        tracker.step(scene.frames[t], scene.labels[0] if t == 0 else None)
    tracker.remove(3)
    for t in range(4, 8):
        result = tracker.step(scene.frames[t])
        assert result.ids == tracker.ids == (7,)
        assert not (result.label_map == 3).any()
    tracker.remove([7])
    result = tracker.step(scene.frames[8])
    assert result.ids == ()
    assert not result.label_map.any()


def test_a_removed_object_leaves_nothing_behind(make_tracker: MakeTracker, scene: Any) -> None:
    tracker, fresh = make_tracker(keep_reference=True), make_tracker(keep_reference=True)
    tracker.step(scene.frames[0], scene.labels[0])
    tracker.remove((3, 7))
    fresh.step(scene.frames[0])
    for one in (tracker, fresh):
        one.step(scene.frames[1], {3: scene.labels[1] == 3})
        assert one.ids == (3,)
    assert tracker.references().ids == fresh.references().ids == (3,)
    assert len(tracker.references().frames) == 1


def test_ids_as_numpy_has_them_can_be_removed(make_tracker: MakeTracker, scene: Any) -> None:
    tracker = make_tracker()
    tracker.step(scene.frames[0], scene.labels[0])
    tracker.remove(np.unique(scene.labels[0])[1])
    assert tracker.ids == (7,)
    tracker.remove(np.array([7]))
    assert tracker.ids == ()


@pytest.mark.parametrize("ids", [5, [3, 5], (5, 3)])
def test_removing_an_unknown_object_is_an_error_and_removes_none(
    make_tracker: MakeTracker, scene: Any, ids: Any
) -> None:
    tracker = make_tracker()
    tracker.step(scene.frames[0], scene.labels[0])
    with pytest.raises(HodorError, match=r"object 5 is not followed; followed are \[3, 7\]"):
        tracker.remove(ids)
    assert tracker.ids == (3, 7)


def test_after_reset_a_tracker_is_as_new(make_tracker: MakeTracker, scene: Any) -> None:
    used, new = make_tracker(keep_reference=True), make_tracker(keep_reference=True)
    for t in range(5):
        used.step(scene.frames[t], scene.labels[0] if t == 0 else None)
    used.reset()
    assert used.ids == ()
    for t in range(4, 7):
        masks = {7: scene.labels[4] == 7} if t == 4 else None
        assert same(used.step(scene.frames[t], masks), new.step(scene.frames[t], masks))


def test_the_frame_size_may_change_in_the_middle(
    make_tracker: MakeTracker, make_scene: Any
) -> None:
    tracker = make_tracker()
    first = make_scene(1)
    tracker.step(first.frames[0], first.labels[0])
    for size in [(90, 60), (61, 91), (120, 180), (60, 90)]:
        moved = make_scene(2, size)
        result = tracker.step(moved.frames[1])
        assert result.label_map.shape == size
        assert result.ids == (3, 7)
        assert result.label_map.any()
    corrected = tracker.step(moved.frames[1], moved.labels[1])
    np.testing.assert_array_equal(corrected.mask(3), moved.labels[1] == 3)


BAD_FRAMES = {
    "float": (np.zeros((60, 90, 3)), r"expected uint8 .*found float64 \(60, 90, 3\)"),
    "16 bit": (
        np.zeros((60, 90, 3), np.uint16),
        r"expected uint8 .*found uint16.*take .astype\(np.uint8\)",
    ),
    "grey": (
        np.zeros((60, 90), np.uint8),
        r"expected an RGB array \(H, W, 3\), found .*\(60, 90\); of greys take np.dstack",
    ),
    "four channels": (
        np.zeros((60, 90, 4), np.uint8),
        r"\(60, 90, 4\); without alpha it is frame\[\.\.\., :3\]",
    ),
    "channels first": (
        np.zeros((3, 60, 90), np.uint8),
        r"\(3, 60, 90\); with channels last it is .*\(1, 2, 0\)",
    ),
    "no array": (None, r"expected an RGB array \(H, W, 3\), found NoneType"),
    "a ragged list": ([[1, 2], [3]], r"expected an RGB array \(H, W, 3\), found list"),
    "a line": (np.zeros((1, 90, 3), np.uint8), r"\(1, 90, 3\) is too small"),
}

ONE = np.ones((60, 90), bool)
BAD_MASKS = {
    "another size": (np.ones((90, 60), np.uint8), r"its size is 90 x 60, the frame's is 60 x 90"),
    "one axis more": (np.ones((60, 90, 1), np.uint8), r"its size is 60 x 90 x 1, .* 60 x 90"),
    "a file's name": ("first.png", r"expected an array \(H, W\), found str; .*read_label_map"),
    "rows of several lengths": ([[1, 2], [3]], r"expected an array \(H, W\), found list"),
    "a number": (1, r"its size is one number, the frame's is 60 x 90"),
    "soft": (np.full((60, 90), 0.5), r"expected integers, .*found float64"),
    "bool": (ONE, r"expected integers, .*found bool; .*given as {1: mask}"),
    "empty": (np.zeros((60, 90), np.uint8), r"no object in it"),
    "negative": (np.full((60, 90), -1), r"ids run from 1 to 65535, found -1 to -1"),
    "too large": (np.full((60, 90), 65536), r"ids run from 1 to 65535, found 65536 to 65536"),
    "no mask by id": ({}, r"empty mapping"),
    "id 0": ({0: ONE}, r"object id 0: ids are integers from 1 to 65535"),
    "negative id": ({-3: ONE}, r"object id -3: ids are integers from 1 to 65535"),
    "id too large": ({65536: ONE}, r"object id 65536: ids are integers from 1 to 65535"),
    "id that is a name": ({"cup": ONE}, r"object id 'cup': ids are integers from 1 to 65535"),
    "a name by id": ({1: "first.png"}, r"mask of object 1: expected an array \(H, W\), found str"),
    "soft by id": ({1: ONE * 0.5}, r"mask of object 1: expected bool or 0 and 1"),
    "0 and 255 by id": ({1: ONE * np.uint8(255)}, r"object 1: expected bool .*mask > 127"),
    "empty by id": ({1: ONE, 2: ~ONE}, r"mask of object 2: empty"),
    "size by id": ({8: ONE.T}, r"mask of object 8: its size is 90 x 60, the frame's is 60 x 90"),
    "hidden by id": ({3: ONE, 4: ONE}, r"object 3 is covered wholly"),
}


def assert_bad_call_changes_nothing(
    make_tracker: MakeTracker, scene: Any, error: type[HodorError], message: str, *call: Any
) -> None:
    tracker, undisturbed = make_tracker(), make_tracker()
    for one in (tracker, undisturbed):
        one.step(scene.frames[0], scene.labels[0])
        one.step(scene.frames[1])
    with pytest.raises(error, match=message) as told:
        tracker.step(*call)
    assert "\n" not in str(told.value)
    for t in (2, 3):
        assert same(tracker.step(scene.frames[t]), undisturbed.step(scene.frames[t]))


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_a_bad_frame_is_told_and_changes_nothing(
    make_tracker: MakeTracker, scene: Any, name: str
) -> None:
    frame, message = BAD_FRAMES[name]
    assert_bad_call_changes_nothing(make_tracker, scene, SourceError, message, frame)


@pytest.mark.parametrize("name", BAD_MASKS)
def test_bad_masks_are_told_and_change_nothing(
    make_tracker: MakeTracker, scene: Any, name: str
) -> None:
    masks, message = BAD_MASKS[name]
    assert_bad_call_changes_nothing(make_tracker, scene, MaskError, message, scene.frames[2], masks)


def test_what_is_given_is_not_changed_and_what_is_returned_is_not_shared(
    make_tracker: MakeTracker, scene: Any
) -> None:
    frame, labels = scene.frames[0].copy(), scene.labels[0].copy()
    tracker, other = make_tracker(), make_tracker()
    result = tracker.step(frame, labels)
    np.testing.assert_array_equal(frame, scene.frames[0])
    np.testing.assert_array_equal(labels, scene.labels[0])
    result.label_map[:] = 0
    frame[:], labels[:] = 0, 0
    other.step(scene.frames[0], scene.labels[0])
    assert same(tracker.step(scene.frames[1]), other.step(scene.frames[1]))


@pytest.mark.filterwarnings("error")
def test_arrays_that_cannot_be_written_to_are_fine(make_tracker: MakeTracker, scene: Any) -> None:
    frame, labels = scene.frames[0].copy(), scene.labels[0].copy()
    frame.flags.writeable = labels.flags.writeable = False
    assert make_tracker().step(frame, labels).ids == (3, 7)


@pytest.mark.parametrize(
    "changes",
    [
        {"joint_objects": False},
        {"barebones": True, "embeddings": False},
        {"catch_all": False},
        {"background_grid": (1, 1)},
        {"encoder_layers": 0, "decoder_layers": 0},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_networks_of_other_forms_track_too(
    make_tracker: MakeTracker, make_network: Callable[..., Hodor], scene: Any, changes: Any
) -> None:
    tracker = make_tracker(make_network(**changes), keep_reference=True, window=2)
    new = np.zeros((60, 90), np.uint8)
    new[40:55, 5:25] = 1
    for t in range(6):
        masks = {0: scene.labels[0], 2: new, 3: {3: scene.labels[3] == 3}}.get(t)
        result = tracker.step(scene.frames[t], masks)
        assert result.ids == ((3, 7) if t < 2 else (1, 3, 7))
        assert all(0 <= value <= 1 for value in result.confidence.values())
        np.testing.assert_allclose(result.soft_masks().sum(0), 1, atol=1e-4)
    assert len(np.unique(result.label_map)) > 1


def test_a_network_that_takes_objects_one_at_a_time_does_not_mix_them(
    make_tracker: MakeTracker, make_network: Callable[..., Hodor], scene: Any
) -> None:
    """Each object alone, and each with another one beside: the same descriptors."""
    network = make_network(joint_objects=False)
    both, alone = make_tracker(network), make_tracker(network)
    both.step(scene.frames[0], scene.labels[0])
    alone.step(scene.frames[0], {7: scene.labels[0] == 7})
    of_both = both.references([7]).frames[0]
    of_alone = alone.references().frames[0]
    np.testing.assert_allclose(of_both.objects[7], of_alone.objects[7], atol=1e-5)
    np.testing.assert_allclose(of_both.alone[7], of_alone.alone[7], atol=1e-5)


def test_a_second_thread_in_the_middle_of_a_step_is_refused_and_changes_nothing(
    make_tracker: MakeTracker, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, alone = make_tracker(), make_tracker()
    begun, go_on = Event(), Event()
    extract = tracker.runtime.extract

    def waiting(*given: Any) -> Any:
        begun.set()
        go_on.wait()
        return extract(*given)

    monkeypatch.setattr(tracker.runtime, "extract", waiting)
    state = alone.state_dict()
    with ThreadPoolExecutor(1) as other:
        step = other.submit(tracker.step, scene.frames[0], scene.labels[0])
        begun.wait()
        try:
            for asked in (
                lambda: tracker.step(scene.frames[1]),
                lambda: tracker.load_state_dict(state),
                tracker.reset,
            ):
                with pytest.raises(HodorError, match="another thread"):
                    asked()
        finally:
            go_on.set()
        assert same(step.result(), alone.step(scene.frames[0], scene.labels[0]))
    assert same(tracker.step(scene.frames[1]), alone.step(scene.frames[1]))
