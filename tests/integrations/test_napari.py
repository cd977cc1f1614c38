"""napari's plug, through npe2 as napari loads it."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.tracks import COUNT, NAMES, SIZE, hard_track, label_map_at
from npe2 import PluginManager, PluginManifest
from npe2.io_utils import read

from hodor.errors import HodorError
from hodor.formats import write_track
from hodor.integrations.napari import get_reader, propagate
from hodor.tracking import Tracker

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> PluginManager:
    """npe2 with this plugin and no other."""
    manager = PluginManager()
    with resources.as_file(resources.files("hodor.integrations") / "napari.yaml") as file:
        manager.register(PluginManifest.from_file(file))
    monkeypatch.setattr(PluginManager, "instance", classmethod(lambda _: manager))
    return manager


def test_the_manifest_is_valid_and_names_what_is_there(manager: PluginManager) -> None:
    manifest = manager.get_manifest("hodor-vos")
    manifest.validate_imports()
    assert [widget.display_name for widget in manager.iter_widgets()] == ["Propagate labels"]


def test_napari_finds_the_manifest() -> None:
    """By the entry point that installing makes of it."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["napari.manifest"] == {
        project["name"]: "hodor.integrations:napari.yaml"
    }
    assert (resources.files("hodor.integrations") / "napari.yaml").is_file()


@pytest.mark.parametrize(
    ("name", "file"), [("cvat", "a.xml"), ("npz", "a.npz"), ("png", "folder"), ("coco", "a.json")]
)
def test_npe2_reads_masks_as_a_layer(
    manager: PluginManager, name: str, file: str, tmp_path: Path
) -> None:
    write_track(hard_track(), tmp_path / file, name)
    ((labels, about, kind),) = read([str(tmp_path / file)], stack=False)
    assert kind == "labels"
    assert labels.shape == (COUNT, *SIZE)
    for index, label_map in enumerate(labels):
        np.testing.assert_array_equal(label_map, label_map_at(index))
    if name == "cvat":
        assert about["metadata"]["objects"] == NAMES


def test_what_holds_no_masks_is_left_to_other_readers(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"words": 1}')
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "folder").mkdir()
    for name in ("a.json", "b.json", "folder", "none.xml"):
        assert get_reader(str(tmp_path / name)) is None


@pytest.mark.parametrize("backward", [False, True])
def test_labels_are_propagated_from_a_frame_to_one_side(
    backward: bool, scene: Any, tiny_model: Path
) -> None:
    labels = np.zeros((12, *scene.labels[0].shape), np.int32)
    labels[4] = scene.labels[4]
    labels[2], labels[6] = 9, 9  # Somebody's scribbles, before and after.
    found = propagate(np.stack(scene.frames), labels, 4, backward, model=str(tiny_model))
    tracker = Tracker.from_pretrained(str(tiny_model))
    wanted = labels.copy()
    tracker.step(scene.frames[4], scene.labels[4])
    for index in range(3, -1, -1) if backward else range(5, 12):
        wanted[index] = tracker.step(scene.frames[index]).label_map
    np.testing.assert_array_equal(found, wanted)
    assert found is not labels
    assert labels[2].min() == 9, "the layer that was given is not changed"


@pytest.mark.parametrize(
    ("labels", "start", "message"),
    [
        (np.zeros((3, 4, 5), int), 1, "nothing is painted in frame 1"),
        (np.ones((3, 5, 4), int), 0, "the video is .* and the labels are"),
        (np.ones((3, 4, 5), int), 3, "there is no frame 3; frames are 0 to 2"),
    ],
)
def test_layers_that_do_not_fit_are_told(labels: Any, start: int, message: str) -> None:
    with pytest.raises(HodorError, match=message):
        propagate(np.zeros((3, 4, 5, 3), np.uint8), labels, start)


def test_a_video_of_other_numbers_is_told(tiny_model: Path) -> None:
    video, labels = np.zeros((3, 40, 50)), np.ones((3, 40, 50), int)
    with pytest.raises(HodorError, match="the video is float64; convert it to uint8"):
        propagate(video, labels, model=str(tiny_model))
