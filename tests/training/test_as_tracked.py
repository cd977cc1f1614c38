"""Training and tracking: the same network sees and gives the same for the same clip.

What a network is told in training and what a tracker tells it are written twice: with gradients and
for many clips at once, and for one frame after another. Where the two differ, a network is used for
something else than it has learned, and nothing but the score says so.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import av
import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hodor.assets import sample_clip, sample_truth
from hodor.data.motion import clip_motion
from hodor.model import Descriptors, Hodor, Prior, Remembered, normalise
from hodor.model.refiner import Refined
from hodor.tracking import Result, Tracker, TrackerOptions
from hodor.training import ClipModel, LossSettings, schedule
from hodor.training.losses import _target, _upsampled
from hodor.training.propagation import hard_masks
from hodor.weights import load_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

SIZE = (256, 448)  # multiples of 32, as training has them: nothing is padded
EVERY = 5  # of the sample's frames
FRAMES = 4
OPTIONS = TrackerOptions(size=min(SIZE), keep_reference=True, merge="logsumexp")  # no doubts

# Mean differences that are allowed.
EQUAL = 1e-5  # what another order of sums makes of descriptors and keys
# A tracker keeps label maps at the frame's size and looks for motion at 240 lines, training keeps
# masks at half the size and looks at the frame's own lines: outlines are a part of a cell apart.
NEAR = 0.01  # of masks that are told
CHANGE = 0.1  # of pixels that were made small in two ways
SAME = 1e-3  # of probabilities


class Calls(NamedTuple):
    """What a network was asked, in order."""

    segment: list[tuple[Any, torch.Tensor]]
    describe: list[tuple[Any, Descriptors]]
    refine: list[tuple[Any, Refined]]


def recorded(network: Hodor, monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls([], [], [])
    for name in Calls._fields:
        monkeypatch.setattr(network, name, noted(getattr(network, name), getattr(calls, name)))
    return calls


def noted(part: Callable[..., Any], calls: list[tuple[Any, Any]]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        found = part(*values)
        calls.append((values, found))
        return found

    return call


def clip() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Frames (T, h, w, 3) and label maps (T, h, w) of the sample."""
    h, w = SIZE
    with av.open(str(sample_clip())) as video:
        all_frames = [f.to_ndarray(format="rgb24", threads=1) for f in video.decode(video=0)]
    chosen = slice(0, FRAMES * EVERY, EVERY)
    frames = [cv2.resize(f, (w, h), interpolation=cv2.INTER_AREA) for f in all_frames[chosen]]
    nearest = cv2.INTER_NEAREST_EXACT
    labels = [cv2.resize(one, (w, h), interpolation=nearest) for one in sample_truth()[chosen]]
    return np.stack(frames), np.stack(labels)


class Both(NamedTuple):
    learned: Calls
    """What the bundled model is asked of a clip in training"""
    used: Calls
    """What a tracker asks it of the same clip"""
    results: list[Result]
    """The tracker's, from frame 1 on"""


@pytest.fixture(scope="module")
def both() -> Both:
    network = load_model("small")
    # A tracker tells the refiner the J to expect, where a file holds a curve; training knows none.
    network.metadata.pop("calibration", None)
    tracker = Tracker(network, OPTIONS, device="cpu", precision="fp32")
    frames, labels = clip()
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        used = recorded(tracker.runtime._ready, patch)  # type: ignore[attr-defined]
        results = [tracker.step(frame, None if n else labels[0]) for n, frame in enumerate(frames)]
        learned = recorded(network, patch)
        batch = torch.from_numpy(frames).permute(0, 3, 1, 2)[None]
        ids = torch.arange(1, int(labels.max()) + 1)
        where = torch.from_numpy(labels)[None, None] == ids[:, None, None, None]  # (1, O, T, h, w)
        ClipModel(network).eval()(
            normalise(network.config, batch.float()),
            where[:, :, 0].float(),
            where.flatten(3).any(-1),
            schedule("window", FRAMES, 0),
            motion=clip_motion(batch, torch.Generator().manual_seed(0)),
        )
    return Both(learned, used, results[1:])


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other).abs().mean())


def test_a_frame_with_given_masks_is_described_alike(both: Both) -> None:
    (asked, found), (ours, same) = (calls.describe[0] for calls in both[:2])
    assert torch.equal(asked[1], ours[1])
    assert apart(found.objects, same.objects) < EQUAL
    assert apart(found.background, same.background) < EQUAL


def test_the_decoder_listens_to_the_same_frames(both: Both) -> None:
    learned, used, _ = both
    assert len(learned.segment) == len(used.segment) == FRAMES - 1
    for number, ((asked, found), (ours, same)) in enumerate(
        zip(learned.segment, used.segment, strict=True)
    ):
        history, remembered = asked[1], ours[1]
        assert history.objects.shape[1] == number + 1  # those before, in their order
        assert remembered.object_valid is remembered.background_valid is None
        assert apart(history.objects, remembered.objects) < NEAR
        assert apart(history.background, remembered.background) < NEAR
        assert apart(found.softmax(1), same.softmax(1)) < SAME
    assert apart(learned.segment[0][1], used.segment[0][1]) < EQUAL


def test_the_refiner_is_told_the_same(both: Both) -> None:
    for (asked, _), (ours, _) in zip(*(calls.refine for calls in both[:2]), strict=True):
        images, _, _, prior, keys, places, remembered = asked
        images_2, _, _, prior_2, keys_2, places_2, remembered_2 = ours
        assert torch.equal(images, images_2)
        assert apart(keys, keys_2) < EQUAL
        assert apart(places, places_2) < EQUAL
        assert_same_prior(prior, prior_2)
        for one, other in zip(remembered, remembered_2, strict=True):
            assert_same_places(one, other)


def assert_same_prior(prior: Prior, ours: Prior) -> None:
    assert torch.equal(prior.known, ours.known)
    assert apart(prior.masks, ours.masks) < NEAR
    assert apart(prior.confidence, ours.confidence) < NEAR
    assert apart(prior.change, ours.change) < CHANGE


def assert_same_places(remembered: Remembered, ours: Remembered) -> None:
    assert torch.equal(remembered.valid, ours.valid)
    assert apart(remembered.keys, ours.keys) < EQUAL
    assert apart(remembered.masks, ours.masks) < NEAR
    assert (remembered.places is None) == (ours.places is None)
    if remembered.places is not None and ours.places is not None:
        assert apart(remembered.places, ours.places) < EQUAL


def test_masks_come_out_alike(both: Both) -> None:
    for (_, found), (_, same) in zip(*(calls.refine for calls in both[:2]), strict=True):
        one, other = found.logits.softmax(1), same.logits.softmax(1)
        assert apart(one, other) < SAME
        assert float((one.argmax(1) != other.argmax(1)).float().mean()) < NEAR


def test_the_next_frame_looks_back_at_the_same_masks(both: Both) -> None:
    for (_, found), result in zip(both.used.refine, both.results, strict=True):
        background = found.logits.shape[1] - len(result.ids)
        masks = hard_masks(found.logits, background)[0]  # (O, h/2, w/2)
        ids = torch.tensor(result.ids)[:, None, None]
        ours = (torch.from_numpy(result.carried)[::2, ::2] == ids).to(masks.dtype)
        assert apart(masks, ours) < NEAR


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_loss_sees_the_label_map_that_is_shown(both: Both, stride: Literal[1, 2, 4]) -> None:
    settings = LossSettings(stride=stride, merge="logsumexp")
    for (_, found), result in zip(both.used.refine, both.results, strict=True):
        background = found.logits.shape[1] - len(result.ids)
        present = torch.ones(1, len(result.ids), dtype=torch.bool)
        shown = torch.from_numpy(result.label_map)[None, None]
        seen = _upsampled(found.logits, background, settings).argmax(1)
        # Not one pixel: half a pixel, or another way to merge the background, moves outlines.
        assert torch.equal(seen, _target(0, present, shown, stride))
