"""With a margin, the network sees the part of a frame where the objects are expected."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hodor.errors import HodorError
from hodor.model import Hodor
from hodor.tracking import Geometry, Tracker, TrackerOptions
from hodor.tracking.boxes import AROUND, LENGTHS, Crop, LastBox, crop_around

pytestmark = pytest.mark.usefixtures("one_thread")

MakeTracker = Callable[..., Tracker]

FRAME = (480, 640)
BOX = LastBox(0.5, 0.5, 0.75, 0.75)  # 160 x 120 pixels


def test_a_view_holds_the_box_and_its_margin_in_the_frames_aspect() -> None:
    crop = crop_around([BOX], FRAME, crop_margin=0.1, size=64)
    # a tenth of the shorter side (48) and of the box (16 across, 12 down) on each side
    assert crop.left <= 320 - 64
    assert crop.left + crop.width >= 480 + 64
    assert crop.top <= 240 - 60
    assert crop.top + crop.height >= 360 + 60
    assert (crop.height, crop.width) == (270, 360)  # 9 sixteenths
    assert crop.left + crop.width / 2 == pytest.approx(400, abs=1)
    assert crop.top + crop.height / 2 == pytest.approx(300, abs=1)


def test_a_view_at_the_border_stays_inside_the_frame() -> None:
    crop = crop_around([LastBox(0.9, 0.0, 1.0, 0.1)], FRAME, crop_margin=0.1, size=64)
    assert (crop.top, crop.left + crop.width) == (0, 640)


def test_one_view_for_all_objects() -> None:
    crop = crop_around([LastBox(0.0, 0.0, 0.1, 0.1), LastBox(0.9, 0.9, 1.0, 1.0)], FRAME, 0.1, 64)
    assert crop == Crop.whole(FRAME)


def test_a_crop_widens_while_an_object_is_out_of_sight() -> None:
    widths = [
        crop_around([BOX._replace(frames_ago=ago)], FRAME, 0.1, 64).width for ago in range(0, 8)
    ]
    assert widths == sorted(widths)
    assert len(set(widths)) > 3
    assert widths[-1] == 640


def test_a_view_is_not_enlarged_to_more_than_twice_its_size() -> None:
    speck = LastBox(0.5, 0.5, 0.51, 0.51)
    assert crop_around([speck], FRAME, 0.01, size=128).height == 90  # of 64 to 128, in sixteenths
    assert crop_around([speck], FRAME, 0.01, size=512).height == 270
    assert crop_around([speck], (60, 80), 0.01, size=512) == Crop.whole((60, 80))


def test_the_networks_size_is_the_same_for_every_view() -> None:
    options = TrackerOptions(size=97)
    whole = Geometry.of((481, 853), options)
    sizes = set()
    for right in np.linspace(0.2, 1.0, 30):
        crop = crop_around([LastBox(0.1, 0.1, right, 0.2)], (481, 853), 0.1, 97)
        geometry = Geometry.of((481, 853), options, crop)
        assert (geometry.inner, geometry.padded) == (whole.inner, whole.padded)
        sizes.add(geometry.crop_size)
    assert 3 < len(sizes) <= 16


WIDE = Geometry((480, 960), Crop(120, 100, 240, 480), (320, 640), (320, 640))


NEAR = TrackerOptions(crop_margin=0.05)


def test_a_view_is_narrowed_to_what_lies_around_its_boxes() -> None:
    box = LastBox(0.3, 0.4, 0.4, 0.6)  # 96 pixels wide and high
    narrow = WIDE.narrowed([box], NEAR)
    assert narrow.inner == narrow.padded == (320, 384)
    assert (narrow.crop.top, narrow.crop.height, narrow.crop.width) == (120, 240, 288)
    # As large as before, and around the box as far as it is asked.
    assert narrow.inner[1] / narrow.crop.width == WIDE.inner[1] / WIDE.crop.width
    around = AROUND * (240 + 96)
    assert narrow.crop.left <= 288 - around
    assert narrow.crop.left + narrow.crop.width >= 384 + around
    assert narrow.inner[1] % LENGTHS == 0


def test_a_narrowed_view_is_at_least_square_and_within_the_one_before() -> None:
    far_left = WIDE.narrowed([LastBox(-0.3, 0.4, -0.2, 0.6)], NEAR)
    assert (far_left.inner, far_left.crop) == ((320, 320), Crop(120, 100, 240, 240))
    far_right = WIDE.narrowed([LastBox(0.9, 0.4, 0.95, 0.6)], NEAR)
    assert far_right.crop == Crop(120, 340, 240, 240)
    assert WIDE.narrowed([LastBox(0.15, 0.4, 0.5, 0.6)], NEAR) == WIDE


def test_a_high_view_is_narrowed_in_its_height() -> None:
    high = Geometry((960, 480), Crop(0, 0, 960, 480), (640, 320), (640, 320))
    narrow = high.narrowed([LastBox(0.4, 0.1, 0.6, 0.15)], NEAR)
    assert narrow.crop == Crop(0, 0, 480, 480)
    assert narrow.inner == (320, 320)


def test_what_a_wide_margin_or_search_radius_asks_for_stays_in_a_narrowed_view() -> None:
    box = LastBox(0.3, 0.4, 0.4, 0.6)  # 96 pixels wide and high
    wide = WIDE.narrowed([box], TrackerOptions(crop_margin=0.25)).crop
    assert wide.left <= max(100, 288 - 0.25 * (480 + 96))
    assert wide.left + wide.width >= 384 + 0.25 * (480 + 96)
    far = WIDE.narrowed([box], TrackerOptions(crop_margin=0.05, search_radius=0.4)).crop
    assert far.left <= 288 - 0.4 * (240 + 96)
    assert far.left + far.width >= 384 + 0.4 * (240 + 96)


def test_what_moves_fast_has_a_wider_view_where_it_goes() -> None:
    before, now = LastBox(0.2, 0.4, 0.25, 0.6), LastBox(0.28, 0.4, 0.34, 0.6)
    ahead = now.moving_on(before)
    np.testing.assert_allclose(ahead, (0.28, 0.4, 0.43, 0.6, 0))
    again = now.moving_on(before._replace(frames_ago=1))
    np.testing.assert_allclose(again, (0.28, 0.4, 0.385, 0.6, 0))
    assert WIDE.narrowed([now, ahead], NEAR).crop.width > WIDE.narrowed([now], NEAR).crop.width


def test_frames_with_given_masks_and_those_on_gpus_are_seen_as_before(
    make_tracker: MakeTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = make_tracker(crop_margin=0.05, size=64)
    frame = np.random.default_rng(0).integers(0, 255, (120, 200, 3), np.uint8)
    mask = np.zeros((120, 200), np.uint8)
    mask[40:90, 100:106] = 1
    assert tracker.stages.geometry((120, 200), mask).inner == (64, 107)
    tracker.step(frame, mask)
    assert tracker.stages.geometry((120, 200), None).inner == (64, 64)
    assert tracker.stages.geometry((120, 200), mask).inner == (64, 107)
    monkeypatch.setattr(type(tracker.runtime), "time_grows_with_size", False)
    assert tracker.stages.geometry((120, 200), None).inner == (64, 107)


def test_a_box_goes_from_frame_to_view_and_back() -> None:
    crop = Crop(100, 50, 240, 320)
    seen = BOX.in_crop(crop, FRAME)
    np.testing.assert_allclose(
        seen, [(320 - 50) / 320, (240 - 100) / 240, (480 - 50) / 320, (360 - 100) / 240, 0]
    )
    np.testing.assert_allclose(seen.in_frame(crop, FRAME), BOX)


def test_a_box_outside_of_a_map_is_near_nothing_of_it() -> None:
    for outside in (LastBox(-0.9, 0.4, -0.5, 0.6), LastBox(1.5, 0.4, 1.9, 0.6)):
        near = np.zeros((48, 64), bool)
        near[outside.near((48, 64), 0.05)] = True
        assert not near.any()
    near[LastBox(-0.1, 0.4, 0.1, 0.6).near((48, 64), 0.05)] = True
    assert near[24, 0]
    assert not near[24, 32]


def test_long_frames_are_enlarged_to_no_more_than_twice_their_size_either(
    make_tracker: MakeTracker,
) -> None:
    """Their shorter side is seen at less than ``size``, as their longer one is limited."""
    tracker = make_tracker(crop_margin=0.01, size=128)
    labels = np.zeros((100, 800), np.uint16)
    labels[50:52, 400:404] = 1
    crop = tracker.stages.crop((100, 800), labels)
    assert crop is not None
    inner = Geometry.of((100, 800), tracker.options, crop).inner
    assert 1.5 < inner[0] / crop.height <= 2


def test_a_single_pixel_has_a_last_box(make_tracker: MakeTracker) -> None:
    for place in (50, 51):
        tracker = make_tracker(crop_margin=0.05)
        mask = np.zeros((120, 180), np.uint8)
        mask[place, place] = 1
        tracker.step(np.zeros((120, 180, 3), np.uint8), mask)
        crop = tracker.stages.crop((120, 180), None)
        assert crop is not None
        assert crop.height < 60


@pytest.mark.parametrize("crop_margin", [0, -0.1, 1e9, float("nan"), float("inf")])
def test_a_margin_that_is_none_is_refused(crop_margin: float) -> None:
    with pytest.raises(HodorError, match=f"crop_margin {crop_margin} must be"):
        TrackerOptions(crop_margin=crop_margin)


def test_a_frame_whose_surroundings_change_is_followed_the_same(
    make_tracker: MakeTracker, make_scene: Any
) -> None:
    """What lies outside of the crop is not seen: noise there changes nothing."""
    found = []
    for noise in (False, True):
        scene = make_scene(3, (120, 180))
        tracker = make_tracker(crop_margin=0.05)
        for t in range(3):
            crop = crop_around([LastBox.of(_given()[3])], (120, 180), 0.05, 64) if t == 0 else None
            crop = crop or tracker.stages.crop((120, 180), None)
            assert crop is not None
            assert crop.height < 120
            frame = scene.frames[t].copy()
            if noise:
                outside = np.ones((120, 180), bool)
                outside[crop.area] = False
                frame[outside] = np.random.default_rng(t).integers(0, 255, (outside.sum(), 3))
            found.append(tracker.step(frame, _given() if t == 0 else None))
    for plain, noisy in zip(found[:3], found[3:], strict=True):
        np.testing.assert_array_equal(plain.label_map, noisy.label_map)
        assert plain.confidence == noisy.confidence
    assert all(r.label_map.shape == (120, 180) for r in found)


def test_a_large_margin_is_the_whole_frame(make_tracker: MakeTracker, scene: Any) -> None:
    for frame, (plain, wide) in zip(
        scene.frames,
        zip(
            *(_run(make_tracker(crop_margin=crop_margin), scene) for crop_margin in (None, 100)),
            strict=True,
        ),
        strict=True,
    ):
        assert frame.shape[:2] == plain.label_map.shape
        np.testing.assert_array_equal(plain.label_map, wide.label_map)
        assert plain.confidence == wide.confidence


def test_soft_masks_and_channels_lie_where_the_view_is(
    make_tracker: MakeTracker, make_scene: Any
) -> None:
    scene = make_scene(2, (120, 180))
    tracker = make_tracker(crop_margin=0.05)
    tracker.step(scene.frames[0], _given())
    crop = tracker.stages.crop((120, 180), None)
    result = tracker.step(scene.frames[1])
    outside = np.ones((120, 180), bool)
    outside[crop.area] = False
    for maps in (result.soft_masks(), result.channel_probabilities()):
        assert maps.shape[1:] == (120, 180)
        np.testing.assert_allclose(maps.sum(0), 1, atol=1e-5)
        assert (maps[0][outside] == 1).all()
        assert (maps[0][crop.area] < 1).any()
    hard = result.soft_masks()[1] > result.channel_probabilities()[:-1].max(0)
    assert (hard == (result.label_map > 0)).mean() > 0.99


def test_without_a_catch_all_no_channel_claims_what_is_not_seen(
    make_tracker: MakeTracker, make_scene: Any
) -> None:
    config = replace(make_tracker().network.config, catch_all=False)
    scene, tracker = make_scene(2, (120, 180)), make_tracker(Hodor(config), crop_margin=0.05)
    tracker.step(scene.frames[0], _given())
    crop = tracker.stages.crop((120, 180), None)
    channels = tracker.step(scene.frames[1]).channel_probabilities().sum(0)
    np.testing.assert_allclose(channels[crop.area], 1, atol=1e-5)
    assert channels.sum() == pytest.approx(crop.height * crop.width, rel=1e-4)


def test_given_masks_come_back_unchanged_wherever_they_are(
    make_tracker: MakeTracker, make_scene: Any
) -> None:
    scene = make_scene(3, (120, 180))
    tracker = make_tracker(crop_margin=0.05)
    first = tracker.step(scene.frames[0], _given()).label_map
    assert np.array_equal(first == 3, _given()[3])
    tracker.step(scene.frames[1])
    late = np.zeros((120, 180), np.uint16)
    late[100:118, 3:20] = 300
    labels = tracker.step(scene.frames[2], late).label_map
    assert np.array_equal(labels == 300, late == 300)


def test_without_a_last_box_of_every_object_the_whole_frame_is_seen(
    make_tracker: MakeTracker, scene: Any
) -> None:
    known = make_tracker(crop_margin=0.05)
    known.step(scene.frames[0], {3: scene.labels[0] == 3})
    elsewhere = make_tracker(crop_margin=0.05)
    elsewhere.add_references(known.references())
    assert elsewhere.stages.crop((60, 90), None) is None
    assert elsewhere.step(scene.frames[0]).label_map.shape == (60, 90)


def test_a_view_follows_what_it_loses_and_finds(
    scripted: Callable[..., Hodor], make_tracker: MakeTracker
) -> None:
    """Objects vanish: the crop widens to the whole frame. They are found: it closes in again."""
    here = (slice(8, 12), slice(8, 12))
    tracker = make_tracker(scripted([here], *[[None]] * 8, [here], [here]), crop_margin=0.1)
    frames = np.random.default_rng(0).integers(0, 255, (12, 240, 320, 3), np.uint8)
    mask = np.zeros((240, 320), np.uint8)
    mask[100:120, 100:130] = 1
    tracker.step(frames[0], mask)
    heights = []
    for frame in frames[1:]:
        crop = tracker.stages.crop((240, 320), None) or Crop.whole((240, 320))
        heights.append(crop.height)
        tracker.step(frame)
    assert heights[0] < 150
    assert max(heights) == 240
    assert heights[-1] < 240


def _run(tracker: Tracker, scene: Any) -> list[Any]:
    return [
        tracker.step(frame, scene.labels[0] if t == 0 else None)
        for t, frame in enumerate(scene.frames)
    ]


def _given() -> dict[int, np.ndarray]:
    mask = np.zeros((120, 180), bool)
    mask[40:70, 60:90] = True
    return {3: mask}
