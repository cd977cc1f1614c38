"""Tokens between frames: when they are worked out, when carried along, and to which places."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hodor.model import Hodor
from hodor.tracking import Together, Tracker, TrackerOptions
from hodor.tracking.boxes import Crop
from hodor.tracking.geometry import Geometry
from hodor.tracking.key_frames import EarlierKeys, KeyFrame
from hodor.tracking.prior import LastFrame, looked_back
from hodor.tracking.torch.runtime import TOKENS_EVERY, meanings
from hodor.video import small_grey

pytestmark = pytest.mark.usefixtures("one_thread")

FRAME = (240, 320)
SQUARE = (slice(80, 160), slice(120, 200))

Picture = NDArray[np.uint8]


def picture(seed: int = 0) -> Picture:
    """(H, W, 3), smooth enough for optical flow, and unlike itself anywhere else."""
    rough = np.random.default_rng(seed).integers(0, 255, (30, 40, 3), np.uint8)
    return np.asarray(cv2.resize(rough, FRAME[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def pan(count: int) -> Iterator[Picture]:
    """The picture moves on by three pixels a frame, which changes none of it but its place."""
    return (np.roll(picture(), 3 * n, 1) for n in range(count))


@pytest.fixture(scope="module")
def network(make_network: Callable[..., Hodor]) -> Hodor:
    return make_network(refiner_channels=8, match_channels=16, tokens="dinov2_small")


@pytest.fixture
def tracker(network: Hodor) -> Tracker:
    options = TrackerOptions(size=96, window=2, crop_margin=0.3)
    return Tracker(network, options, device="cpu", precision="fp32")


@pytest.fixture
def worked_out(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the frames of which tokens were worked out."""
    frames: list[int] = []
    tokens = type(tracker.network.tokens)
    plain = tokens.forward

    def noted(self: object, images: torch.Tensor) -> torch.Tensor:
        frames.append(tracker.next_index)
        return plain(self, images)

    monkeypatch.setattr(tokens, "forward", noted)
    return frames


def mask() -> NDArray[np.uint8]:
    labels = np.zeros(FRAME, np.uint8)
    labels[SQUARE] = 1
    return labels


def keep_in_sight(tracker: Tracker) -> None:
    """What untrained weights find is anything; here the square is found in each frame."""
    last = tracker.stages.memory.last
    assert last is not None
    tracker.stages.memory.last = LastFrame.of(last.grey, mask(), {1: 0.9})


def follow(tracker: Tracker, frames: Iterator[Picture], given: tuple[int, ...] = (0,)) -> None:
    for n, frame in enumerate(frames):
        tracker.step(frame, mask() if n in given else None)
        keep_in_sight(tracker)


def test_tokens_of_what_looks_as_it_did_are_worked_out_in_every_second_frame(
    tracker: Tracker, worked_out: list[int]
) -> None:
    follow(tracker, pan(7))
    assert TOKENS_EVERY == 2
    assert worked_out == [0, 2, 4, 6]


def test_tokens_are_worked_out_where_a_mask_is_given(
    tracker: Tracker, worked_out: list[int]
) -> None:
    follow(tracker, pan(6), given=(0, 3))
    assert worked_out == [0, 2, 3, 4]


def test_tokens_of_what_looks_otherwise_are_worked_out_in_each_frame(
    tracker: Tracker, worked_out: list[int]
) -> None:
    follow(tracker, (picture(seed) for seed in range(5)))
    assert worked_out == [0, 1, 2, 3, 4]


def test_tokens_are_worked_out_in_each_frame_while_nothing_is_in_sight(
    tracker: Tracker, worked_out: list[int]
) -> None:
    for n, frame in enumerate(pan(4)):
        tracker.step(frame, mask() if n == 0 else None)
        memory = tracker.stages.memory
        assert memory.last is not None
        memory.last = memory.last.without([1])
    assert worked_out == [0, 1, 2, 3]


def test_nothing_is_carried_over_frames_in_which_nothing_was_followed(
    tracker: Tracker, worked_out: list[int]
) -> None:
    frames = list(pan(6))
    follow(tracker, iter(frames[:2]))
    references = tracker.references()
    tracker.remove(1)
    for frame in frames[2:5]:
        tracker.step(frame)
    tracker.add_references(references)
    keep_in_sight(tracker)
    tracker.step(frames[5])
    assert worked_out == [0, 5]


@pytest.mark.parametrize("moment", [3, 4])
def test_a_saved_state_goes_on_with_the_same_tokens(
    tracker: Tracker, worked_out: list[int], moment: int
) -> None:
    frames = list(pan(7))
    follow(tracker, iter(frames[:moment]))
    other = Tracker(tracker.runtime, tracker.options)
    other.load_state_dict(tracker.state_dict())
    for frame in frames[moment:]:
        ours, theirs = tracker.step(frame), other.step(frame)
        np.testing.assert_array_equal(ours.label_map, theirs.label_map)
        assert ours.confidence == theirs.confidence


def test_steps_at_fixed_shapes_work_tokens_out_in_each_frame(network: Hodor) -> None:
    tracker = Tracker(network, device="cpu", precision="fp32", step="fixed")
    assert tracker.runtime.tokens_every == 1


def test_a_network_without_tokens_has_none_to_carry(make_network: Callable[..., Hodor]) -> None:
    plain = make_network(refiner_channels=8, match_channels=16)
    assert Tracker(plain, device="cpu").runtime.tokens_every == 1


def test_videos_in_common_carry_tokens_as_each_does_alone(network: Hodor) -> None:
    options = TrackerOptions(size=96, window=2)
    together = Together(Tracker(network, options, device="cpu", precision="fp32"))
    alone = Tracker(network, options, device="cpu", precision="fp32")
    shared = together.tracker()
    for n, frame in enumerate(pan(5)):
        with shared.runtime.following():
            ours = shared.step(frame, mask() if n == 0 else None)
        theirs = alone.step(frame, mask() if n == 0 else None)
        keep_in_sight(shared)
        keep_in_sight(alone)
        np.testing.assert_array_equal(ours.label_map, theirs.label_map)


WHOLE, NEARER, NARROW = Crop.whole(FRAME), Crop(60, 80, 120, 160), Crop(0, 60, 240, 200)


@pytest.mark.parametrize(("before", "now"), [*pairwise((WHOLE, NEARER, NARROW, WHOLE))])
def test_each_place_takes_what_was_where_it_comes_from(before: Crop, now: Crop) -> None:
    """Meanings that say where in the frame they are tell where a place takes its own from."""
    moved = (5, 8)  # pixels down and to the right
    options = TrackerOptions(size=192)
    then, here = (Geometry.of(FRAME, options, crop) for crop in (before, now))
    first, second = picture(), np.roll(picture(), moved, (0, 1))
    last = LastFrame.of(small_grey(first), mask(), {1: 1.0})
    at = looked_back(last, small_grey(second), here)
    assert at is not None
    places = torch.from_numpy(then.places.reshape(2, -1))
    keys = torch.cat([torch.zeros(2, places.shape[1]), places])
    seen = KeyFrame.of(keys, mask(), [1], then)
    found = meanings(EarlierKeys.of(seen, at, here))[0].numpy()
    truth = here.places - np.array(moved, np.float32)[:, None, None] / min(FRAME)
    lowest, highest = then.places.min((1, 2)), then.places.max((1, 2))
    # What lies outside of the earlier view takes what is at its border; a margin for the roll.
    inside = ((truth > 0.15) & (truth < np.array([0.85, 1.18])[:, None, None])).all(0)
    inside &= (truth > lowest[:, None, None]).all(0) & (truth < highest[:, None, None]).all(0)
    assert inside.sum() > 40
    apart = np.abs(found - truth).max(0)
    assert np.median(apart[inside]) < 0.004
    assert np.quantile(apart[inside], 0.9) < 0.02


def test_keys_with_carried_meanings_are_those_with_the_same_tokens(network: Hodor) -> None:
    images = torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        pyramid = network.extract(images)
        keys = network.keys(images, pyramid)
        assert keys is not None
        carried = network.keys(images, pyramid, 3 * keys.chunk(2, 1)[1])
    torch.testing.assert_close(carried, keys)
