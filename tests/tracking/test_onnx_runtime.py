"""Trackers on onnxruntime and on PyTorch, side by side, frame by frame."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hodor.errors import HodorError
from hodor.model import Hodor, objects_to_stride_8, patch_masks, to_stride_8
from hodor.onnx import OnnxNetwork, export
from hodor.tracking import (
    Geometry,
    Logits,
    References,
    Result,
    Tracker,
    TrackerOptions,
    image_of,
    load_state,
    mask_of,
    network_fingerprint,
    save_state,
)
from hodor.tracking.onnx import images as onnx_images
from hodor.tracking.onnx import label_map as onnx_label_map
from hodor.tracking.onnx import patches as onnx_patches
from hodor.tracking.onnx.runtime import OnnxRuntime
from hodor.tracking.torch import label_map as torch_label_map

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

Both = tuple[Tracker, Tracker]
MakeBoth = Callable[..., Both]

CPU = torch.device("cpu")
SOME = {"keep_reference": True, "skip_lost": True, "search_radius": 0.1, "object_bias": -0.7}


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Hodor], Path]:
    """Gives the export of a network; each is made once."""
    made: dict[int, Path] = {}

    def folder(network: Hodor) -> Path:
        if id(network) not in made:
            made[id(network)] = tmp_path_factory.mktemp("onnx")
            export(network, made[id(network)], network_fingerprint(network))
        return made[id(network)]

    return folder


@pytest.fixture(scope="module")
def both(
    make_tracker: Callable[..., Tracker],
    make_network: Callable[..., Hodor],
    folder_of: Callable[[Hodor], Path],
) -> MakeBoth:
    """Makes a tracker on PyTorch and one on onnxruntime, with the same options."""

    def make(network: Hodor | None = None, **options: Any) -> Both:
        network = network or make_network()
        plain = make_tracker(network, **options)
        opened = OnnxNetwork.open(folder_of(network), threads=1)
        return plain, Tracker(OnnxRuntime(opened), plain.options)

    return make


def assert_alike(ours: Result, theirs: Result) -> None:
    assert (ours.index, ours.ids, ours.visible) == (theirs.index, theirs.ids, theirs.visible)
    assert ours.warnings == theirs.warnings
    assert ours.label_map.dtype == theirs.label_map.dtype
    assert (ours.label_map != theirs.label_map).mean() <= 1e-3
    np.testing.assert_allclose(
        list(ours.confidence.values()), list(theirs.confidence.values()), atol=1e-4
    )
    np.testing.assert_allclose(ours.soft_masks(), theirs.soft_masks(), atol=1e-3)
    np.testing.assert_allclose(
        ours.channel_probabilities(), theirs.channel_probabilities(), atol=1e-3
    )


def folder_files(tracker: Tracker) -> list[str]:
    """The parts of the export that a tracker runs on."""
    assert isinstance(tracker.runtime, OnnxRuntime)
    return list(tracker.runtime.network.sessions)


def follow(both: Both, scene: Any, masks: dict[int, Any]) -> list[Result]:
    found = []
    for t, frame in enumerate(scene.frames):
        theirs, ours = (tracker.step(frame, masks.get(t)) for tracker in both)
        assert_alike(ours, theirs)
        found.append(ours)
    return found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"window": 1},
        {"window": 2, "keep_reference": True},
        {"window": 2, "skip_lost": True},
        {"search_radius": 0.05},
        {"crop_margin": 0.05},
        {"min_similarity": 0.5},
        {"object_bias": -1.5},
        {"merge": "logsumexp"},
        {"fit": "stretch"},
        {"decode_new": True},
        {"window": 3, "decode_new": True, "crop_margin": 0.1, **SOME},
    ],
    ids=lambda options: ", ".join(options) or "defaults",
)
def test_objects_that_come_late_and_corrections_are_followed_alike(
    both: MakeBoth, scene: Any, options: Any
) -> None:
    new = np.zeros((60, 90), np.uint16)
    new[40:55, 5:25] = 300
    masks = {0: {3: scene.labels[0] == 3}, 2: new, 4: {3: scene.labels[4] == 3}, 5: scene.labels[5]}
    results = follow(both(**options), scene, masks)
    assert results[-1].ids == (3, 7, 300)
    assert set(np.unique(results[1].label_map)) == {0, 3}


def test_a_refiner_carries_masks_along_alike(
    both: MakeBoth, make_network: Callable[..., Hodor], scene: Any
) -> None:
    trackers = both(make_network(refiner_channels=8), window=3, crop_margin=0.1)
    masks = {0: {3: scene.labels[0] == 3}, 3: {7: scene.labels[3] == 7}, 6: scene.labels[6]}
    results = follow(trackers, scene, masks)
    assert results[-1].ids == (3, 7)
    assert "refine" in folder_files(trackers[1])


@pytest.mark.parametrize(("least", "apart"), [(0.0, False), (0.4, False), (0.4, True)])
def test_remembered_frames_are_matched_alike(
    both: MakeBoth, make_network: Callable[..., Hodor], scene: Any, least: float, apart: bool
) -> None:
    network = make_network(refiner_channels=8, match_channels=16)
    options = {"keep_reference": True, "keep_every": 2, "min_matched": least, "keep_apart": apart}
    trackers = both(network, window=3, crop_margin=0.1, **options)
    masks = {0: {3: scene.labels[0] == 3}, 3: {7: scene.labels[3] == 7}, 6: scene.labels[6]}
    results = follow(trackers, scene, masks)
    assert results[-1].ids == (3, 7)


def test_likeness_is_that_to_the_nearest_given_mask(both: MakeBoth) -> None:
    torchs, onnxs = both()
    found = np.array([[3, 4], [2, 2], [-1, -1]], np.float32)
    given = [np.array(one, np.float32) for one in ([[1, 0], [0, 7]], [[1, 1]], [[1, 0], [0, 7]])]
    expected = pytest.approx([0.8, 1, -(0.5**0.5)])
    assert onnxs.runtime.similarity(list(found), [list(those) for those in given]) == expected
    as_tensors = [list(torch.from_numpy(those)) for those in given]
    assert torchs.runtime.similarity(list(torch.from_numpy(found)), as_tensors) == expected


def test_lost_objects_are_lost_and_found_alike(both: MakeBoth, scene: Any) -> None:
    # With this bias one object is not visible in plain grey.
    trackers = both(window=2, skip_lost=True, search_radius=0.2, object_bias=-3.0)
    grey = np.full((60, 90, 3), 99, np.uint8)
    seen = []
    for t, frame in enumerate([scene.frames[0], *[grey] * 4, *scene.frames[5:8]]):
        masks = scene.labels[0] if t == 0 else None
        theirs, ours = (tracker.step(frame, masks) for tracker in trackers)
        assert_alike(ours, theirs)
        seen.append(ours.visible[3])
    assert seen == [True, *[False] * 4, *[True] * 3]


@pytest.mark.parametrize("size", [(61, 91), (97, 53), (240, 320), (33, 200), (64, 96)])
def test_frames_of_any_size_are_followed_alike(both: MakeBoth, make_scene: Any, size: Any) -> None:
    scene = make_scene(4, size)
    follow(both(size=64), scene, {0: scene.labels[0], 2: {3: scene.labels[2] == 3}})


def test_a_closer_view_is_taken_alike(both: MakeBoth, make_scene: Any) -> None:
    scene = make_scene(4, (120, 180))
    trackers = both(crop_margin=0.05, search_radius=0.1)
    one = {3: scene.labels[0] == 3}
    results = follow(trackers, scene, {0: one, 2: {3: scene.labels[2] == 3}})
    for result in results:
        assert result.label_map.shape == (120, 180)
        assert result._geometry is not None
        assert result._geometry.crop_size != (120, 180)


@pytest.mark.parametrize(
    "changes", [{"joint_objects": False}, {"barebones": True, "embeddings": False}], ids=str
)
@pytest.mark.slow
def test_networks_of_other_forms_are_followed_alike(
    both: MakeBoth, make_network: Callable[..., Hodor], scene: Any, changes: Any
) -> None:
    masks = {0: {3: scene.labels[0] == 3}, 2: {7: scene.labels[2] == 7}}
    follow(both(make_network(**changes), keep_reference=True, window=2), scene, masks)


def test_tiny_masks_are_kept_alike_with_the_same_warning(both: MakeBoth) -> None:
    trackers = both()
    large = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    labels = np.zeros((360, 640), np.uint8)
    labels[181:183, 136:138], labels[200:203, 300:304], labels[50:200, 400:600] = 1, 2, 3
    for t in range(3):
        theirs, ours = (tracker.step(large, labels if t == 0 else None) for tracker in trackers)
        assert_alike(ours, theirs)
        assert len(ours.warnings) == (2 if t == 0 else 0)


def test_removing_and_starting_again_is_done_alike(both: MakeBoth, scene: Any) -> None:
    trackers = both(keep_reference=True)
    follow(trackers, scene, {0: scene.labels[0]})
    for tracker in trackers:
        tracker.remove(3)
    assert all(result.ids == (7,) for result in follow(trackers, scene, {}))
    for tracker in trackers:
        tracker.reset()
    results = follow(trackers, scene, {1: scene.labels[1]})
    assert results[0].ids == ()
    assert results[1].ids == (3, 7)


def test_a_state_of_one_runtime_is_gone_on_with_in_the_other(
    both: MakeBoth, scene: Any, tmp_path: Path
) -> None:
    theirs, ours = both(window=3, **SOME)
    for t in range(5):
        theirs.step(scene.frames[t], scene.labels[0] if t == 0 else None)
    save_state(tmp_path / "state", theirs.state_dict(), {})
    ours.load_state_dict(load_state(tmp_path / "state")[0])
    for frame in scene.frames[5:8]:
        assert_alike(ours.step(frame), theirs.step(frame))
    save_state(tmp_path / "back", ours.state_dict(), {})
    theirs.reset()
    theirs.load_state_dict(load_state(tmp_path / "back")[0])
    for frame in scene.frames[8:]:
        assert_alike(ours.step(frame), theirs.step(frame))


def test_objects_of_one_runtime_are_found_by_the_other(
    both: MakeBoth, scene: Any, make_scene: Any, tmp_path: Path
) -> None:
    theirs, ours = both()
    ours.step(scene.frames[0], scene.labels[0])
    ours.references().save(tmp_path / "objects")
    ours.reset()
    for tracker in (ours, theirs):
        tracker.add_references(References.load(tmp_path / "objects"))
    other = make_scene(3, (70, 80))
    results = follow((theirs, ours), other, {})
    assert results[0].ids == (3, 7)


def test_what_only_pytorch_has_is_refused(both: MakeBoth) -> None:
    _, ours = both()
    with pytest.raises(HodorError, match="needs PyTorch's network, and the tracker runs on onnx"):
        _ = ours.network


@pytest.mark.parametrize("runtime", ["tensorrt", ""])
def test_an_unknown_runtime_is_told(runtime: str) -> None:
    with pytest.raises(HodorError, match="it must be one of torch, onnx"):
        Tracker.from_pretrained(runtime=runtime)


# NumPy's arithmetic against PyTorch's, where a tracker would hide a difference.


@pytest.mark.parametrize("fit", ["pad", "stretch"])
@pytest.mark.parametrize("source", [(40, 70), (128, 214), (500, 300), (97, 400), (64, 96)])
def test_images_are_those_that_pytorch_makes(source: Any, fit: Any, make_network: Any) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (*source, 3), np.uint8)
    geometry = Geometry.of(source, TrackerOptions(size=64, fit=fit))
    config = make_network().config
    ours = onnx_images.image_of(frame, geometry, config)
    assert ours.shape == (1, 3, *geometry.padded)
    np.testing.assert_allclose(ours, image_of(frame, geometry, config, CPU), atol=2e-5)


@pytest.mark.parametrize("place", [(0, 0), (211, 333), (357, 637)])
@pytest.mark.parametrize("side", [1, 3, 200])
def test_masks_are_those_that_pytorch_makes(place: Any, side: int) -> None:
    mask = np.zeros((360, 640), bool)
    mask[place[0] : place[0] + side, place[1] : place[1] + side] = True
    geometry = Geometry.of(mask.shape, TrackerOptions(size=64))
    ours, vanished = onnx_images.mask_of(mask, geometry)
    theirs, theirs_vanished = mask_of(mask, geometry, CPU)
    np.testing.assert_array_equal(ours, theirs)
    assert vanished == theirs_vanished


def test_patches_are_those_that_pytorch_makes() -> None:
    masks = torch.rand(3, 72, 104, generator=torch.Generator().manual_seed(0)) ** 4
    masks[1] = 0
    masks[1, 8, 16] = 1  # misses all central pixels
    for grid in ((1, 1), (3, 3), (2, 5)):
        cells = onnx_patches.background_cells(masks.numpy(), grid)
        theirs = patch_masks(masks[None], grid)[1][0]
        np.testing.assert_allclose(cells, theirs, atol=1e-6)
        small = onnx_patches.to_stride_8(cells)
        np.testing.assert_allclose(small, to_stride_8(theirs[None])[0], atol=1e-6)
    objects = onnx_patches.objects_to_stride_8(masks.numpy())
    np.testing.assert_allclose(objects, objects_to_stride_8(masks[None])[0], atol=1e-6)
    assert objects[1].max() == 1


@pytest.mark.parametrize("source", [(120, 214), (97, 151), (64, 96)])
@pytest.mark.parametrize("objects", [1, 4, 30])
def test_label_maps_are_those_that_pytorch_makes(
    source: Any, objects: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    geometry = Geometry.of(source, TrackerOptions(size=64))
    g = torch.Generator().manual_seed(objects)
    coarse = torch.randn(10 + objects, 5, 7, generator=g) * 5
    size = (geometry.padded[0] // 4, geometry.padded[1] // 4)
    logits = torch.nn.functional.interpolate(coarse[None], size, mode="bicubic")[0]
    channels = tuple(range(250, 250 + objects))
    theirs = torch_label_map.fast_label_map(Logits(logits, channels, 10), geometry)
    ours = onnx_label_map.fast_label_map(Logits(logits.numpy(), channels, 10), geometry)
    assert ours.dtype == theirs.dtype
    assert (ours != theirs).mean() < 2e-4
    assert len(np.unique(ours)) > min(objects, 5) // 2
    sure = onnx_label_map.sure_winner(logits.numpy(), 10)
    np.testing.assert_array_equal(sure, torch_label_map.sure_winner(logits, 10))
    monkeypatch.setattr(onnx_label_map, "VALUES", 36 * 13 * 20)  # in many parts
    again = onnx_label_map.fast_label_map(Logits(logits.numpy(), channels, 10), geometry)
    np.testing.assert_array_equal(again, ours)
