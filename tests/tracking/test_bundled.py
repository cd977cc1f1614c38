"""The bundled model does its work: on the sample clip, and on an object that leaves and returns."""

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from recordings import SHARED, needs_shared

from hodor import Tracker
from hodor.assets import sample_clip, sample_masks, sample_truth
from hodor.video import read_label_map

pytestmark = pytest.mark.slow

EVERY = 4  # of the sample's frames: larger steps are harder, and the test is quicker
SIZE = 256


def frames() -> list[NDArray[np.uint8]]:
    with av.open(str(sample_clip())) as video:
        return [frame.to_ndarray(format="rgb24", threads=1) for frame in video.decode(video=0)]


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    return Tracker.from_pretrained(size=SIZE, device="cpu")


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def test_it_follows_the_three_objects_of_the_sample_clip(tracker: Tracker) -> None:
    tracker.reset()
    truth = sample_truth()[::EVERY]
    first = read_label_map(sample_masks())
    scores = []
    for t, frame in enumerate(frames()[::EVERY]):
        result = tracker.step(frame, first if t == 0 else None)
        scores.append([iou(result.mask(i), truth[t] == i) for i in (1, 2, 3)])
    mean = np.mean(scores[1:], 0)
    copied = np.mean([[iou(truth[0] == i, t == i) for i in (1, 2, 3)] for t in truth[1:]], 0)
    assert (mean > copied).all()  # better than standing still, for each object
    assert mean.mean() > 0.6


def test_tiny_follows_them_too() -> None:
    follow = Tracker.from_pretrained("tiny", device="cpu")
    assert sum(p.numel() for p in follow.runtime.network.parameters()) < 3e6  # type: ignore[attr-defined]
    truth, last = sample_truth()[::EVERY], None
    for t, frame in enumerate(frames()[::EVERY]):
        last = follow.step(frame, read_label_map(sample_masks()) if t == 0 else None)
    assert last is not None
    assert np.mean([iou(last.mask(i), truth[-1] == i) for i in (1, 2, 3)]) > 0.5


def test_an_object_that_leaves_is_not_visible_and_is_found_when_it_comes_back(
    tracker: Tracker,
) -> None:
    tracker.reset()
    clip, truth = frames(), sample_truth()
    region = truth[0] == 3  # the shuttle
    stars = cv2.resize(clip[0][:140, :150], (512, 288))

    def scene(shift: int | None) -> NDArray[np.uint8]:
        """The shuttle among stars, moved sideways by some pixels, or gone."""
        picture = stars.copy()
        if shift is not None:
            moved = np.roll(region, shift, axis=1)
            picture[moved] = np.roll(clip[0], shift, axis=1)[moved]
        return picture

    masks = region.astype(np.uint8)
    shifts = [0, 8, 16, 24, None, None, None, None, 24, 16]
    results = [tracker.step(scene(s), masks if t == 0 else None) for t, s in enumerate(shifts)]
    assert [r.visible[1] for r in results[:4]] == [True] * 4
    assert not results[6].visible[1]
    assert not results[7].visible[1]
    assert results[7].confidence[1] == 0
    back = results[9]
    assert back.visible[1]
    assert iou(back.mask(1), np.roll(region, 16, axis=1)) > 0.5
    assert results[1].confidence[1] > 0.5


def test_objects_are_followed_in_another_clip_from_references_alone(
    tracker: Tracker,
) -> None:
    tracker.reset()
    clip, truth = frames(), sample_truth()
    tracker.step(clip[0], read_label_map(sample_masks()))
    references = tracker.references([1])
    other = Tracker(tracker.network, tracker.options, device="cpu")
    other.add_references(references)
    mirrored = np.ascontiguousarray(clip[60][:, ::-1])
    result = other.step(mirrored)
    assert result.ids == (1,)
    assert iou(result.mask(1), truth[60][:, ::-1] == 1) > 0.4


@needs_shared
def test_of_three_that_look_alike_one_is_taken_away_and_put_back_and_all_are_themselves() -> None:
    look = SHARED / "data/look"
    first = read_label_map(look / "bottles-00000.png")
    gone = read_label_map(look / "bottles-00225-to-00320.png")
    back = read_label_map(look / "bottles-00430.png")
    follow = Tracker.from_pretrained(device="cpu")
    found = {}
    with av.open(str(look / "bottles.mp4")) as video:
        for n, frame in enumerate(video.decode(video=0)):
            if n % 5 == 0:
                pixels = frame.to_ndarray(format="rgb24", threads=1)
                found[n] = follow.step(pixels, None if n else first).label_map
            if n == 430:
                break
    for n in (225, 250, 275, 300, 320):
        assert not (found[n] == 1).any()
        assert min(iou(found[n] == i, gone == i) for i in (2, 3)) > 0.85
    assert min(iou(found[430] == i, back == i) for i in (1, 2, 3)) > 0.85


@needs_shared
def test_two_dogs_that_meet_and_part_are_themselves_afterwards() -> None:
    folder = SHARED / "data/multi"
    follow = Tracker.from_pretrained(device="cpu")
    scores = []
    for picture in sorted((folder / "JPEGImages/480p/dogs-jump").glob("*.jpg")):
        truth = read_label_map(
            folder / "Annotations/480p/dogs-jump" / picture.with_suffix(".png").name
        )
        frame = np.asarray(Image.open(picture).convert("RGB"))
        found = follow.step(frame, None if scores else truth).label_map
        scores.append([iou(found == i, truth == i) for i in (1, 2, 3)])
    # Without keep_apart the first has 0.3, and in the last half nothing at all.
    assert (np.mean(scores, 0) > 0.75).all()
    assert (np.mean(scores[len(scores) // 2 :], 0) > 0.75).all()
