"""The last masks, carried along: where they land, and what is kept for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hodor.model import Hodor
from hodor.tracking import Tracker, TrackerOptions, load_state, save_state
from hodor.tracking.boxes import Crop
from hodor.tracking.geometry import Geometry
from hodor.tracking.prior import LABELS, LastFrame, _middles, carried_masks, looked_back
from hodor.video import look_back, small_grey
from hodor.video.motion import SIDE

pytestmark = pytest.mark.usefixtures("one_thread")

FRAME = (480, 640)
OPENCV = int(cv2.__version__.split(".")[0])


def ground() -> NDArray[np.uint8]:
    rough = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    return np.kron(rough, np.ones((8, 8, 1), np.uint8))


def cells_of(mask: NDArray[np.bool_], crop: Crop, geometry: Geometry) -> NDArray[np.bool_]:
    """A mask of the frame at the middles of the network's cells."""
    h, w = geometry.inner[0] // 4, geometry.inner[1] // 4
    rows = (crop.top + (np.arange(h) + 0.5) / h * crop.height).astype(int)
    columns = (crop.left + (np.arange(w) + 0.5) / w * crop.width).astype(int)
    return mask[np.ix_(rows, columns)]


@pytest.mark.parametrize("crop", [Crop.whole(FRAME), Crop(120, 160, 240, 320)])
def test_a_mask_is_carried_into_the_part_of_the_frame_that_is_looked_at(crop: Crop) -> None:
    before = ground()
    now = np.roll(before, (6, 10), (0, 1))
    labels = np.zeros(FRAME, np.uint8)
    labels[200:300, 250:400] = 5
    geometry = Geometry.of(FRAME, TrackerOptions(size=192), crop)
    last = LastFrame.of(small_grey(before), labels, {5: 0.75})
    found = carried_masks(last, looked_back(last, small_grey(now), geometry), (5, 9), geometry)
    truth = cells_of(np.roll(labels, (6, 10), (0, 1)) == 5, crop, geometry)
    ours = found.masks[0, : truth.shape[0], : truth.shape[1]] > 0.5
    assert (ours & truth).sum() / (ours | truth).sum() > 0.93
    assert found.known.tolist() == [1.0, 0.0]
    assert found.confidence.tolist() == [0.75, 0.0]
    assert found.masks.shape[1:] == found.change.shape == tuple(s // 4 for s in geometry.padded)


@pytest.mark.parametrize("size", [(480, 640), (483, 640), (250, 333), (60, 90), (800, 450)])
def test_many_masks_are_carried_in_one_go_as_each_is_alone(size: tuple[int, int]) -> None:
    height, width = size
    before = ground()[:height, :width]
    before = np.pad(before, ((0, height - len(before)), (0, 0), (0, 0)), "wrap")
    now = np.roll(before, (6, 10), (0, 1))
    blocks = np.random.default_rng(1).integers(0, 40, (height // 24 + 1, width // 24 + 1))
    labels = np.kron(blocks, np.ones((24, 24), int))[:height, :width].astype(np.uint16)
    ids = (*range(1, 40), 300)
    last = LastFrame.of(small_grey(before), labels, {})
    for crop in (None, Crop(height // 5, width // 4, height // 2, width // 2)):
        geometry = Geometry.of(size, TrackerOptions(size=192), crop)
        cells = (geometry.padded[0] // 4, geometry.padded[1] // 4)
        grey = small_grey(now)
        at = look_back(grey, last.grey, *_middles(cells, grey.shape, geometry))
        found = carried_masks(last, looked_back(last, grey, geometry), ids, geometry)
        alone = [last.mask(i) for i in ids]
        truth = np.stack([at.take(mask) for mask in alone])
        # Before 5.0 OpenCV's own places are of a 32nd of a pixel.
        np.testing.assert_allclose(found.masks, truth, atol=1e-5 if OPENCV >= 5 else 0.04)
        assert found.known.tolist() == [float(mask.any()) for mask in alone]


def test_objects_outside_of_what_is_looked_at_are_known_and_carried_nowhere() -> None:
    labels = np.zeros(FRAME, np.uint8)
    labels[:40, :40] = 5
    geometry = Geometry.of(FRAME, TrackerOptions(size=192), Crop(240, 320, 240, 320))
    grey = small_grey(ground())
    last = LastFrame.of(grey, labels, {5: 0.5})
    found = carried_masks(last, looked_back(last, grey, geometry), (5, 9), geometry)
    assert not found.masks.any()
    assert found.masks.shape[0] == 2
    assert found.known.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("size", [None, (640, 480)])
def test_without_a_frame_before_of_the_same_size_nothing_is_known(size: Any) -> None:
    last = None
    if size:
        last = LastFrame.of(
            small_grey(ground().transpose(1, 0, 2)), np.ones(size, np.uint8), {1: 1}
        )
    geometry = Geometry.of(FRAME, TrackerOptions(size=192))
    at = looked_back(last, small_grey(ground()), geometry)
    assert at is None
    found = carried_masks(last, at, (1,), geometry)
    assert not found.known.any()
    assert not found.masks.any()


def test_what_is_kept_is_small_whatever_the_size_of_the_video() -> None:
    frame = np.zeros((2160, 3840, 3), np.uint8)
    labels = np.full((2160, 3840), 300, np.uint16)
    last = LastFrame.of(small_grey(frame), labels, {300: 1.0})
    assert last.labels.shape == (LABELS * SIDE, LABELS * last.grey.shape[1])
    assert last.labels.dtype == np.uint16
    assert last.mask(300).min() == 1


def test_an_object_that_is_removed_is_carried_no_more() -> None:
    labels = np.zeros((240, 320), np.uint8)
    labels[:50] = 1
    labels[100:] = 2
    last = LastFrame.of(np.zeros((240, 320), np.uint8), labels, {1: 0.9, 2: 0.8}).without([2])
    assert not last.mask(2).any()
    assert last.mask(1).any()
    assert last.confidence == {1: 0.9}


def test_a_saved_state_goes_on_with_the_last_masks(
    make_network: Callable[..., Hodor],
    make_tracker: Callable[..., Tracker],
    scene: Any,
    tmp_path: Path,
) -> None:
    network = make_network(refiner_channels=8)
    straight, first, second = (make_tracker(network) for _ in range(3))
    masks = {0: scene.labels[0]}
    results = [straight.step(frame, masks.get(n)) for n, frame in enumerate(scene.frames)]
    for n, frame in enumerate(scene.frames[:5]):
        first.step(frame, masks.get(n))
    save_state(tmp_path / "state", first.state_dict(), {})
    second.load_state_dict(load_state(tmp_path / "state")[0])
    for frame, result in zip(scene.frames[5:], results[5:], strict=True):
        ours = second.step(frame)
        np.testing.assert_array_equal(ours.label_map, result.label_map)
        assert ours.confidence == result.confidence


def test_the_refiner_has_a_say_in_what_is_tracked(
    make_network: Callable[..., Hodor], make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    plain, refined = make_tracker(make_network()), make_tracker(make_network(refiner_channels=8))
    for tracker in (plain, refined):
        tracker.step(scene.frames[0], scene.labels[0])
    different = plain.step(scene.frames[1]).label_map != refined.step(scene.frames[1]).label_map
    assert different.any()
