"""Clips of whole images: the published forms, what goes beyond them, and how groups are made."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from hodor.data import (
    NOWHERE,
    ClipBatches,
    ExtraAugmentation,
    Shard,
    Still,
    WholeClips,
    make_whole_clip,
    parts_of,
)
from hodor.data.objects import Index
from hodor.data.views import CROPS, keeps, paper_views, random_window, released_views
from hodor.errors import DataError, RecipeError

SMALL: dict[str, Any] = {"area": 64 * 96, "min_area": 50, "min_side": 5}
PLAIN = WholeClips("plain", **SMALL)
RELEASED = WholeClips("released", **SMALL)
PAPER = WholeClips("paper", **SMALL)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def still(objects: int = 2, size: tuple[int, int] = (96, 128)) -> Still:
    """Noise about 90, in which object n is a square of brightness 90 + 50 * n."""
    image = np.random.default_rng(0).integers(70, 110, (*size, 3), np.uint8)
    labels = np.zeros(size, np.uint8)
    for number in range(1, objects + 1):
        square = np.s_[30:55, 5 + 30 * (number - 1) : 30 + 30 * (number - 1)]
        image[square], labels[square] = 90 + 50 * number, number
    return Still(image, labels)


class Fixed:
    """A dataset of given stills; those that are None cannot be read."""

    def __init__(self, *stills: Still | None) -> None:
        self.stills = stills

    def __len__(self) -> int:
        return len(self.stills)

    def read(self, index: int) -> Still:
        found = self.stills[index]
        if found is None:
            raise DataError(f"{index}.jpg: cannot be read")
        return found

    def index(self) -> Index:
        known = [still(2) if s is None else s for s in self.stills]
        shapes = [s.labels.shape for s in known]
        counts = [int(s.labels.max()) for s in known]
        return Index(np.array(counts), np.array([h / w for h, w in shapes]))

    def notes(self) -> list[str]:
        return []

    def stems(self) -> list[str]:
        return [str(i) for i in range(len(self))]

    def shape(self) -> tuple[int, int]:
        return 96, 128


def batches(*stills: Still | None, settings: WholeClips = RELEASED, **other: Any) -> ClipBatches:
    options = {"batch": 4, "seed": 3, "group": 2} | other
    return ClipBatches([Fixed(*stills)], [1.0], settings, **options)


def test_plain_clips_are_copies_of_the_image() -> None:
    clip = make_whole_clip(still(), None, 2, (96, 128), PLAIN, generator())
    assert (clip.images == still().image).all()
    assert (clip.labels[0] > 0).sum() == (still().labels > 0).sum()


def test_frame_0_of_a_released_clip_is_the_image_or_a_crop_and_the_others_move() -> None:
    labels = still().labels
    kinds = set()
    for seed in range(20):
        first, *others = released_views(labels, 3, generator(seed))
        crop = not np.array_equal(first, np.eye(3))
        kinds.add(crop)
        assert keeps(first, labels)
        if crop:
            assert first[0, 0] in (*CROPS, 0.9)
            assert first[0, 1] == first[1, 0] == 0
        assert not any(np.array_equal(view, np.eye(3)) for view in others)
    assert kinds == {True, False}


def test_every_frame_of_a_paper_clip_is_moved_and_frame_0_keeps_its_objects() -> None:
    labels = still().labels
    for seed in range(10):
        views = paper_views(labels, 3, generator(seed))
        assert keeps(views[0], labels)
        # S4: 60 to 90 % of the image are retained, as area.
        for view in views[1:]:
            assert 0.55 < abs(np.linalg.det(view[:2, :2])) < 0.95


def test_a_crop_without_an_object_is_noticed() -> None:
    labels = np.zeros((100, 100), np.uint8)
    labels[:20, :20] = 1
    lower_right = random_window((100, 100), 0.5, generator())
    lower_right[:2, 2] = 50
    assert not keeps(lower_right, labels)
    assert keeps(np.eye(3), labels)


@pytest.mark.parametrize("settings", [RELEASED, PAPER], ids=["released", "paper"])
def test_labels_move_with_the_pixels(settings: WholeClips) -> None:
    for seed in range(6):
        clip = make_whole_clip(still(1), None, 1, (64, 96), settings, generator(seed))
        inside = clip.images[clip.labels == 1].mean()
        outside = clip.images[clip.labels == 0].mean()
        assert inside > outside + 15


def test_pixels_that_no_picture_covers_are_marked() -> None:
    marked = [
        (make_whole_clip(still(), None, 1, (64, 96), PAPER, generator(s)).labels == NOWHERE).mean()
        for s in range(8)
    ]
    assert 0 < np.mean(marked) < 0.6


def test_sizes_follow_the_published_rules() -> None:
    # published_behaviour 6.5: 480 x 640 becomes 474 x 632; 6.6: 480 x 854 becomes 576 x 1025.
    assert WholeClips("released").size(480 / 640) == (474, 632)
    assert WholeClips("released", sides=(576, 1200)).size(480 / 854) == (576, 1025)
    # S4: the shorter side is a multiple of 32, the area about 300,000.
    for ratio in (0.5, 0.75, 1.0, 1.5):
        h, w = WholeClips("paper").size(ratio)
        assert min(h, w) % 32 == 0
        assert abs(h * w / 300_000 - 1) < 0.1
        assert abs(h / w - ratio) < 0.01


def test_a_group_has_one_number_of_objects_and_shapes_alike() -> None:
    shapes = [still(2), still(2, (96, 124)), still(2, (128, 96)), still(1), still(3)]
    made = batches(*shapes)
    seen = set()
    for step in range(10):
        for first in (0, 2):
            batch = made.make(step, first, 2)
            seen.add(batch.objects)
            for labels in batch.labels[:, 0]:
                assert set(labels.unique().tolist()) - {0, NOWHERE} == set(
                    range(1, batch.objects + 1)
                )
            h, w = batch.labels.shape[2:]
            assert h % 32 == w % 32 == 0
    assert seen == {1, 2, 3}  # four are never there, and so never asked for


def test_images_with_more_objects_serve_fewer_of_them() -> None:
    made = batches(still(3), settings=replace(PLAIN, objects=(1.0,)))
    brightness: set[int] = set()
    for step in range(12):
        batch = made.make(step, 0, 2)
        for frame, labels in zip(batch.frames[:, 0], batch.labels[:, 0], strict=True):
            brightness.add(round((float(frame[0][labels == 1].median()) - 90) / 50))
    assert brightness == {1, 2, 3}


def test_clips_do_not_depend_on_how_a_step_is_split() -> None:
    made = batches(still(2), still(2, (96, 120)), still(1))
    for step in range(3):
        whole = made.make(step, 2, 2)
        second = made.make(step, 3, 1)
        assert torch.equal(whole.frames[1:], second.frames)
        assert torch.equal(whole.labels[1:], second.labels)


def test_parts_cover_a_step_within_groups_whatever_the_number_of_processes() -> None:
    for of in (1, 2, 4, 8):
        for group in (2, 8):
            for at_once in (None, 1, 3):
                parts = [
                    part
                    for rank in range(of)
                    for part in parts_of(8, group, Shard(rank, of, at_once))
                ]
                clips = [clip for first, count in parts for clip in range(first, first + count)]
                assert clips == list(range(8))
                assert all(f // group == (f + n - 1) // group for f, n in parts)
                assert all(n <= (at_once or 8) for _, n in parts)


def test_a_broken_image_is_counted_and_another_of_its_kind_taken() -> None:
    made = batches(still(2), None)
    for step in range(8):
        assert made.make(step, 0, 2).labels.shape[0] == 2
    assert list(made.unreadable) == ["1.jpg: cannot be read"]


def test_objects_that_are_too_small_everywhere_are_told() -> None:
    nothing = batches(still(0))
    with pytest.raises(DataError, match=r"lower clips\.min_area"):
        nothing.make(0)


def test_a_pasted_object_hides_what_is_behind_it() -> None:
    settings = replace(PLAIN, beyond=ExtraAugmentation(pasted=1.0))
    bright = Still(np.full((96, 128, 3), 250, np.uint8), still(1).labels)
    followed = hidden = 0
    for seed in range(12):
        clip = make_whole_clip(still(2), bright, 2, (96, 128), settings, generator(seed))
        shines = clip.images.min(-1) > 240
        followed += int((clip.labels[shines] == 2).mean() > 0.9)
        hidden += int((clip.labels[shines] == 0).mean() > 0.9)
    assert followed >= 2
    assert hidden >= 2


@pytest.mark.parametrize("what", ["perspective", "thin_plate", "elastic"])
def test_bends_move_pixels_and_labels_alike(what: str) -> None:
    settings = replace(PLAIN, beyond=ExtraAugmentation(**{what: 0.08}))
    bent = make_whole_clip(still(1), None, 1, (96, 128), settings, generator(1))
    straight = make_whole_clip(still(1), None, 1, (96, 128), PLAIN, generator(1))
    assert (bent.labels != straight.labels).mean() > 0.01
    assert not (bent.labels[0] == bent.labels[1]).all()
    assert bent.images[bent.labels == 1].mean() > 45


def test_motion_blur_smooths_some_frames() -> None:
    settings = replace(PLAIN, beyond=ExtraAugmentation(motion_blur=1.0))
    sharp = make_whole_clip(still(1), None, 1, (96, 128), PLAIN, generator(1))
    blurred = make_whole_clip(still(1), None, 1, (96, 128), settings, generator(1))
    noise = sharp.labels == 0
    assert blurred.images[noise].std() < 0.8 * sharp.images[noise].std()


def test_an_absent_object_comes_with_a_picture_of_its_own() -> None:
    settings = replace(RELEASED, beyond=ExtraAugmentation(absent=0.5))
    made = batches(still(2), still(1), settings=settings)
    found = [made.make(step, 0, 2) for step in range(12)]
    with_absent = [batch for batch in found if batch.absent is not None]
    assert 0 < len(with_absent) < 12
    for batch in with_absent:
        assert batch.absent is not None
        assert batch.absent.frames.shape == (2, 3, *batch.labels.shape[2:])
        assert batch.absent.masks.flatten(1).any(1).all()
    # Asking changes no clip.
    without = batches(still(2), still(1)).make(3, 0, 2)
    assert torch.equal(without.frames, found[3].frames)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(RecipeError, match="area"):
        WholeClips("paper", area=10)
    with pytest.raises(RecipeError, match="objects"):
        WholeClips("paper", objects=())
