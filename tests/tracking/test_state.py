"""A tracker goes on in another process, and objects are found again in other videos."""

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from hodor.errors import HodorError, WeightsError
from hodor.model import Hodor
from hodor.tracking import (
    References,
    Tracker,
    TrackerOptions,
    load_state,
    save_state,
    told_of_assumed,
)
from hodor.weights import save_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

MakeTracker = Callable[..., Tracker]

GO_ON = """
import sys
from pathlib import Path
import numpy as np
from hodor.tracking import Tracker, load_state
from hodor.weights import load_model

model, state, frames, found = map(Path, sys.argv[1:])
tracker = Tracker(load_model(model), device="cpu", precision="fp32")
saved, extra = load_state(state)
tracker.load_state_dict(saved)
assert extra == {"note": [1, None, "two"]}, extra
results = [tracker.step(frame) for frame in np.load(frames)]
np.savez(
    found,
    labels=np.stack([r.label_map for r in results]),
    confidence=np.array([[r.confidence[i] for i in r.ids] for r in results]),
    index=[r.index for r in results],
)
"""


def started(make_tracker: MakeTracker, scene: Any, until: int = 6, **options: Any) -> Tracker:
    tracker = make_tracker(**options)
    for t in range(until):
        masks = {0: scene.labels[0], 2: {300: scene.labels[2] == 7}}.get(t)
        tracker.step(scene.frames[t], masks)
    return tracker


@pytest.mark.slow
def test_a_saved_state_goes_on_identically_in_another_process(
    make_tracker: MakeTracker,
    scene: Any,
    tiny_model: Path,
    run_python: Callable[..., Any],
    tmp_path: Path,
) -> None:
    tracker = started(make_tracker, scene, keep_reference=True, window=3, skip_lost=True)
    state, frames, found = (tmp_path / name for name in ("state", "frames.npy", "found.npz"))
    save_state(state, tracker.state_dict(), {"note": [1, None, "two"]})
    np.save(frames, np.stack(scene.frames[6:10]))
    done = run_python(GO_ON, tiny_model, state, frames, found)
    assert done.returncode == 0, done.stderr
    other = np.load(found)
    for at in range(4):
        result = tracker.step(scene.frames[6 + at])
        assert other["index"][at] == result.index == 6 + at
        np.testing.assert_array_equal(other["labels"][at], result.label_map)
        np.testing.assert_array_equal(other["confidence"][at], list(result.confidence.values()))


@pytest.mark.parametrize("changes", [{}, {"joint_objects": False}], ids=["joint", "alone"])
def test_a_state_from_a_file_equals_the_tracker(
    make_tracker: MakeTracker,
    make_network: Callable[..., Hodor],
    scene: Any,
    tmp_path: Path,
    changes: Any,
) -> None:
    network = make_network(**changes)
    options = {"keep_reference": True, "window": 2, "search_radius": 0.1, "crop_margin": 0.1}
    tracker = started(make_tracker, scene, network=network, **options)
    save_state(tmp_path / "state", tracker.state_dict(), {})
    other = make_tracker(network, size=32, window=7)
    other.load_state_dict(load_state(tmp_path / "state")[0])
    assert other.options == tracker.options == TrackerOptions(size=64, **options)
    assert (other.ids, other.next_index) == (tracker.ids, tracker.next_index)
    for frame in scene.frames[6:9]:
        here, there = tracker.step(frame), other.step(frame)
        assert here.confidence == there.confidence
        np.testing.assert_array_equal(here.label_map, there.label_map)


def test_a_state_is_a_picture_of_its_moment(make_tracker: MakeTracker, scene: Any) -> None:
    tracker = started(make_tracker, scene)
    state = tracker.state_dict()
    first = tracker.step(scene.frames[6])
    tracker.step(scene.frames[9], scene.labels[3])
    tracker.load_state_dict(state)
    again = tracker.step(scene.frames[6])
    assert again.index == first.index
    assert again.confidence == first.confidence
    np.testing.assert_array_equal(again.label_map, first.label_map)


def test_a_state_before_any_object_can_be_saved(
    make_tracker: MakeTracker, scene: Any, tmp_path: Path
) -> None:
    tracker = make_tracker()
    tracker.step(scene.frames[0])
    save_state(tmp_path / "state", tracker.state_dict(), {})
    other = make_tracker()
    other.load_state_dict(load_state(tmp_path / "state")[0])
    assert other.next_index == 1
    assert other.step(scene.frames[1], scene.labels[1]).ids == (3, 7)


def test_a_state_of_another_network_is_refused(
    make_tracker: MakeTracker, make_network: Callable[..., Hodor], scene: Any
) -> None:
    state = started(make_tracker, scene).state_dict()
    other = make_tracker(make_network(seed=1))
    other.step(scene.frames[0], {5: scene.labels[0] == 3})
    with pytest.raises(HodorError, match=r"saved with another model .fingerprint .*, here "):
        other.load_state_dict(state)
    assert other.ids == (5,)
    assert other.next_index == 1


@pytest.mark.parametrize("load", [load_state, References.load], ids=["state", "references"])
def test_files_of_another_kind_are_refused(load: Any, tiny_model: Path, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no tensors here, but some words that are long enough")
    for path, message in (
        (tmp_path / "nothing", "no such file"),
        (text, "not a safetensors file"),
        (tiny_model, "holds 'hodor-2', expected"),
    ):
        with pytest.raises(WeightsError, match=message) as told:
            load(path)
        assert str(path) in str(told.value)
        assert "\n" not in str(told.value)


def with_options(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the options in a saved state."""
    arrays = load_file(path)
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    plain = json.loads(metadata["plain"])
    change(plain["options"])
    save_file(arrays, path, metadata | {"plain": json.dumps(plain)})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda options: options.update(newer=1), "newer"),
        (lambda options: options.pop("window"), "window"),
        (lambda options: options.clear(), "long_side, size, window"),
    ],
    ids=["unknown", "without a value that does nothing", "none at all"],
)
def test_a_state_of_another_version_is_refused_where_its_meaning_is_unclear(
    make_tracker: MakeTracker, scene: Any, tmp_path: Path, change: Any, named: str
) -> None:
    save_state(tmp_path / "state", started(make_tracker, scene).state_dict(), {})
    with_options(tmp_path / "state", change)
    told = rf"another version of hodor \(its options differ in {named}\).*start anew"
    with pytest.raises(WeightsError, match=told):
        load_state(tmp_path / "state")


def test_a_state_without_an_option_that_came_later_has_its_default(
    make_tracker: MakeTracker, scene: Any, tmp_path: Path
) -> None:
    tracker = started(make_tracker, scene)
    save_state(tmp_path / "state", tracker.state_dict(), {})
    with_options(tmp_path / "state", lambda options: options.pop("min_matched"))
    state, _ = load_state(tmp_path / "state")
    assert state["options"] == tracker.options
    (told,) = told_of_assumed(state)
    assert told.endswith("which are at their defaults: min_matched 0.0")
    assert told_of_assumed(tracker.state_dict()) == []
    other = make_tracker()
    other.load_state_dict(state)
    for frame in scene.frames[tracker.next_index :]:
        ours, theirs = tracker.step(frame), other.step(frame)
        np.testing.assert_array_equal(ours.label_map, theirs.label_map)


def test_references_and_states_are_not_taken_for_one_another(
    make_tracker: MakeTracker, scene: Any, tmp_path: Path
) -> None:
    tracker = started(make_tracker, scene)
    tracker.references().save(tmp_path / "references")
    save_state(tmp_path / "state", tracker.state_dict(), {})
    with pytest.raises(WeightsError, match="expected a tracker's state"):
        load_state(tmp_path / "references")
    with pytest.raises(WeightsError, match="expected references"):
        References.load(tmp_path / "state")


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(
    make_tracker: MakeTracker, scene: Any, tmp_path: Path
) -> None:
    tracker = started(make_tracker, scene)
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "taken", tmp_path / "file" / "references"):
        with pytest.raises(WeightsError, match="could not be written"):
            tracker.references().save(path)
        with pytest.raises(WeightsError, match="could not be written"):
            save_state(path, tracker.state_dict(), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]


@pytest.mark.parametrize("changes", [{}, {"joint_objects": False}], ids=["joint", "alone"])
def test_references_follow_objects_in_another_video_without_a_mask(
    make_tracker: MakeTracker,
    make_network: Callable[..., Hodor],
    make_scene: Any,
    scene: Any,
    tmp_path: Path,
    changes: Any,
) -> None:
    network = make_network(**changes)
    path = tmp_path / "objects.safetensors"
    started(make_tracker, scene, network=network).references().save(path)
    assert path.stat().st_size < 100_000
    loaded = References.load(path)
    assert loaded.ids == (3, 7, 300)
    tracker = make_tracker(network, window=2)
    tracker.add_references(loaded)
    assert tracker.ids == (3, 7, 300)
    assert tracker.next_index == 0
    for t, frame in enumerate(make_scene(5, (75, 80)).frames):
        result = tracker.step(frame)
        assert result.index == t
        assert result.ids == (3, 7, 300)
        assert result.label_map.shape == (75, 80)
        assert result.soft_masks().shape == (4, 75, 80)
    assert result.label_map.any()


def test_references_matter_to_what_is_found(make_tracker: MakeTracker, scene: Any) -> None:
    """The ids of two objects exchanged: what is found is exchanged too."""
    found = []
    for ids in ((3, 7), (7, 3)):
        teacher, tracker = make_tracker(), make_tracker()
        masks = {ids[0]: scene.labels[0] == 3, ids[1]: scene.labels[0] == 7}
        teacher.step(scene.frames[0], masks)
        tracker.add_references(teacher.references())
        result = tracker.step(scene.frames[5])
        found.append([result.confidence[i] for i in ids])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)
    assert abs(found[0][0] - found[0][1]) > 1e-3


def test_chosen_objects_only(make_tracker: MakeTracker, scene: Any, tmp_path: Path) -> None:
    tracker = started(make_tracker, scene)
    chosen = tracker.references([300])
    assert chosen.ids == (300,)
    assert len(chosen.frames) == 1, "frames without the object are not carried along"
    assert tracker.references([7, 3]).ids == (3, 7)
    chosen.save(tmp_path / "one")
    assert References.load(tmp_path / "one").ids == (300,)
    with pytest.raises(HodorError, match=r"object 4 is not followed; followed are \[3, 7, 300\]"):
        tracker.references([3, 4])


def test_references_hold_given_masks_only(make_tracker: MakeTracker, scene: Any) -> None:
    early = started(make_tracker, scene, until=3).references()
    late = started(make_tracker, scene, until=9, window=2).references()
    assert [frame.index for frame in early.frames] == [frame.index for frame in late.frames]
    for a, b in zip(early.frames, late.frames, strict=True):
        for number, descriptor in a.objects.items():
            np.testing.assert_array_equal(descriptor, b.objects[number])


def test_references_of_another_network_are_refused(
    make_tracker: MakeTracker, make_network: Callable[..., Hodor], scene: Any
) -> None:
    references = started(make_tracker, scene).references()
    other = make_tracker(make_network(seed=1))
    with pytest.raises(HodorError, match="made with another model"):
        other.add_references(references)
    assert other.ids == ()


def test_the_same_weights_from_a_file_are_the_same_network(
    make_tracker: MakeTracker, tiny_model: Path, scene: Any
) -> None:
    references = started(make_tracker, scene).references()
    other = Tracker.from_pretrained(str(tiny_model), device="cpu", precision="fp32")
    other.add_references(references)
    assert other.ids == (3, 7, 300)


def test_references_of_a_followed_object_are_refused(make_tracker: MakeTracker, scene: Any) -> None:
    references = started(make_tracker, scene).references()
    tracker = make_tracker()
    tracker.step(scene.frames[0], {7: scene.labels[0] == 7})
    with pytest.raises(HodorError, match="object 7 is followed already; remove it first"):
        tracker.add_references(references)
    assert tracker.ids == (7,)
    tracker.remove(7)
    tracker.add_references(references)
    assert tracker.ids == (3, 7, 300)


def test_a_mask_given_later_joins_the_references(make_tracker: MakeTracker, scene: Any) -> None:
    tracker = make_tracker()
    tracker.add_references(started(make_tracker, scene).references())
    tracker.step(scene.frames[0])
    result = tracker.step(scene.frames[1], {3: scene.labels[1] == 3, 8: scene.labels[1] == 7})
    assert result.ids == (3, 7, 8, 300)
    np.testing.assert_array_equal(result.mask(8), scene.labels[1] == 7)
    assert tracker.step(scene.frames[2]).ids == (3, 7, 8, 300)


def test_a_model_tells_the_tracker_its_own_options(
    tiny_model: Path, tiny_network: Hodor, tmp_path: Path
) -> None:
    own = Tracker.from_pretrained(str(tiny_model), device="cpu")
    assert own.options == TrackerOptions(size=64, window=3)
    changed = Tracker.from_pretrained(str(tiny_model), size=96, keep_reference=True, device="cpu")
    assert changed.options == TrackerOptions(size=96, window=3, keep_reference=True)
    plain = tmp_path / "plain.safetensors"
    save_model(plain, tiny_network.config, tiny_network.state_dict(), {})
    assert Tracker.from_pretrained(str(plain), device="cpu").options == TrackerOptions()


def damaged(path: Path, to: Path, without: str = "", **about: str) -> Path:
    """The same file without an array, or with other words in its head."""
    with safe_open(path, "np") as file:
        head = dict(file.metadata())
    arrays = {name: value for name, value in load_file(path).items() if name != without}
    save_file(arrays, to, head | about)
    return to


@pytest.mark.parametrize("without", ["last_boxes", "running_confidence", "recent.000.ids"])
def test_a_state_that_lacks_something_is_told_when_it_is_read(
    make_tracker: MakeTracker, scene: Any, tmp_path: Path, without: str
) -> None:
    save_state(tmp_path / "state", started(make_tracker, scene).state_dict(), {})
    path = damaged(tmp_path / "state", tmp_path / "less", without)
    with pytest.raises(WeightsError, match=f"less: is damaged .*{without}"):
        load_state(path)


@pytest.mark.parametrize("plain", ["[" * 100_000, "3", '{"next": 1e999}', "{}"])
def test_a_state_of_other_words_is_told_when_it_is_read(
    make_tracker: MakeTracker, tmp_path: Path, plain: str
) -> None:
    save_state(tmp_path / "state", make_tracker().state_dict(), {})
    with pytest.raises(WeightsError, match="less: is damaged") as caught:
        load_state(damaged(tmp_path / "state", tmp_path / "less", plain=plain))
    assert "\n" not in str(caught.value)


def test_references_that_lack_something_are_told_when_they_are_read(
    make_tracker: MakeTracker, scene: Any, tmp_path: Path
) -> None:
    started(make_tracker, scene).references().save(tmp_path / "cat")
    path = damaged(tmp_path / "cat", tmp_path / "less", "references.000.ids")
    with pytest.raises(WeightsError, match="less: is damaged"):
        References.load(path)


def test_a_path_may_be_text_and_what_is_not_plain_is_told(
    make_tracker: MakeTracker, tmp_path: Path
) -> None:
    state = make_tracker().state_dict()
    path = f"{tmp_path}/mine.safetensors"
    save_state(path, state, {"video": "my.mp4"})
    assert load_state(path)[1] == {"video": "my.mp4"}
    with pytest.raises(WeightsError, match=r"mine.*: values beside a state are plain.*ndarray"):
        save_state(path, state, {"mask": np.ones(3)})
    assert load_state(path)[1] == {"video": "my.mp4"}


@pytest.mark.parametrize("found", [{}, {"network": "a"}, ("state", {}), None])
def test_what_is_no_state_is_refused_and_the_tracker_stays_as_it_was(
    make_tracker: MakeTracker, scene: Any, found: Any
) -> None:
    tracker = started(make_tracker, scene, until=2)
    with pytest.raises(HodorError, match="mapping with memory, network, next, options, found"):
        tracker.load_state_dict(found)
    assert tracker.ids
    assert tracker.next_index == 2


def test_a_deep_copy_goes_on_by_itself(make_tracker: MakeTracker, scene: Any) -> None:
    tracker = started(make_tracker, scene)
    other = copy.deepcopy(tracker)
    tracker.remove(tracker.ids[0])
    again = started(make_tracker, scene)
    assert other.ids == again.ids != tracker.ids
    for frame in scene.frames[6:8]:
        expected, found = again.step(frame), other.step(frame)
        assert np.array_equal(found.label_map, expected.label_map)
        assert found.confidence == expected.confidence


def test_a_tracker_that_is_pickled_says_what_travels_in_its_place(
    make_tracker: MakeTracker,
) -> None:
    with pytest.raises(HodorError, match="send state_dict"):
        pickle.dumps(make_tracker())
