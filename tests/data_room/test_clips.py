"""Stills become clips: the same ones every time, with labels that fit the pictures."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from hodor.data import (
    Cached,
    ClipBatches,
    ClipSettings,
    CocoInstances,
    Colour,
    MaskFolder,
    Shard,
    Steps,
    Still,
    in_processes,
    in_threads,
    make_clip,
)
from hodor.data.objects import Index
from hodor.errors import DataError, RecipeError

NO_COLOUR = Colour(clip=0.0, frame=0.0, blur=0.0)
SETTINGS = ClipSettings(size=(64, 96), extra=0.0, colour=NO_COLOUR)
PAINT = {1: (250, 0, 0), 2: (0, 250, 0)}


def still(objects: int = 1) -> Still:
    """Grey ground; object n is painted PAINT[n]."""
    image = np.full((96, 128, 3), 100, np.uint8)
    labels = np.zeros((96, 128), np.uint8)
    for number in range(1, objects + 1):
        region = (slice(20, 60), slice(10 + 50 * (number - 1), 45 + 50 * (number - 1)))
        image[region], labels[region] = PAINT[number], number
    return Still(image, labels)


def shape(one: Still) -> tuple[int, ...]:
    return one.labels.shape


class Fixed:
    """A dataset of given stills."""

    def __init__(self, *stills: Still) -> None:
        self.stills = stills

    def __len__(self) -> int:
        return len(self.stills)

    def read(self, index: int) -> Still:
        return self.stills[index]

    def index(self) -> Index:
        counts = [int(one.labels.max()) for one in self.stills]
        return Index(np.array(counts), np.array([h / w for h, w in map(shape, self.stills)]))

    def notes(self) -> list[str]:
        return []

    def stems(self) -> list[str]:
        return [str(i) for i in range(len(self))]

    def shape(self) -> tuple[int, int]:
        return 96, 128


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_labels_move_with_the_pixels() -> None:
    settings = replace(SETTINGS, pasted_only=0.0, frames=4)
    for seed in range(6):
        clip = make_clip(still(2), [still()] * 3, 2, settings, generator(seed))
        frames = clip.frames.permute(0, 2, 3, 1).numpy().astype(int)
        for number in (1, 2):
            inside = np.zeros(clip.labels.shape, bool)
            for t, labels in enumerate(clip.labels.numpy()):
                # away from edges, where colours mix
                inside[t] = cv2.erode((labels == number).astype(np.uint8), np.ones((5, 5))) > 0
            if inside.any():
                colours = frames[inside]
                painted = [np.abs(colours - c).max(1) < 30 for c in PAINT.values()]
                assert (painted[0] | painted[1]).mean() > 0.98


def test_what_is_pasted_in_front_hides_what_is_behind() -> None:
    settings = replace(SETTINGS, pasted_only=0.0, same_source=0.0)
    front = Still(np.full((96, 128, 3), 30, np.uint8), still().labels)
    hidden = 0
    for seed in range(12):
        clip = make_clip(still(), [front] * 3, 2, settings, generator(seed))
        dark = (clip.frames.float().mean(1) < 35).numpy()
        edges = clip.labels.numpy() == 2
        assert dark[edges].mean() > 0.9
        hidden += int((clip.labels == 2).sum() > 0)
    assert hidden > 6


def test_followed_objects_are_in_sight_in_frame_0() -> None:
    settings = replace(SETTINGS, extra=1.0)
    for seed in range(8):
        clip = make_clip(still(2), [still()] * 4, 3, settings, generator(seed))
        assert set(clip.labels[0].unique().tolist()) >= {1, 2, 3}


def test_a_still_without_an_object_is_told() -> None:
    others = [still(), still(), still()]
    with pytest.raises(DataError, match="the main still of a clip has no object"):
        make_clip(still(0), others, 1, SETTINGS, generator())
    with pytest.raises(DataError, match="other still 2 of a clip has no object"):
        make_clip(still(), [still(), still(0), still()], 1, SETTINGS, generator())


def test_too_few_stills_to_paste_from_are_told() -> None:
    with pytest.raises(DataError, match=r"2 objects needs 3 other stills .*, found 1"):
        make_clip(still(), [still()], 2, SETTINGS, generator())


def test_copies_of_a_still_are_equal_when_nothing_moves() -> None:
    settings = replace(SETTINGS, still=1.0, pasted_only=0.0)
    clip = make_clip(still(), [still()] * 3, 1, settings, generator())
    assert (clip.frames == clip.frames[:1]).all()
    assert (clip.labels == clip.labels[:1]).all()


def test_the_same_seed_gives_the_same_clips_in_any_order_and_any_number_of_workers() -> None:
    batches = ClipBatches([Fixed(still(), still(2))], [1.0], ClipSettings(size=(64, 96)), 3, seed=7)
    backwards = {step: batches.make(step) for step in (4, 3, 2)}
    steps = Steps(batches, Shard())
    for ahead in (in_threads(steps, 2, 5), in_processes(steps, 2, 5, 2, print)):
        for step, made in zip((2, 3, 4), ahead, strict=True):
            (batch,) = made.parts
            assert torch.equal(batch.frames, backwards[step].frames)
            assert torch.equal(batch.labels, backwards[step].labels)
    assert not torch.equal(backwards[2].frames, backwards[3].frames)


def test_steps_take_sizes_in_turn() -> None:
    sizes = ((64, 96), (64, 96), (96, 128))
    settings = ClipSettings(size=(64, 96), sizes=sizes)
    batches = ClipBatches([Fixed(still(), still(2))], [1.0], settings, 2, seed=7)
    usual = ClipBatches([Fixed(still(), still(2))], [1.0], ClipSettings(size=(64, 96)), 2, seed=7)
    for step in range(5):
        batch = batches.make(step)
        assert batch.frames.shape[-2:] == batch.labels.shape[-2:] == sizes[step % 3]
    assert torch.equal(batches.make(1).frames, usual.make(1).frames)
    with pytest.raises(RecipeError, match=r"\[64, 90\] must be multiples of 32"):
        ClipSettings(sizes=((64, 96), (64, 90)))


def test_a_broken_file_is_counted_and_left_out() -> None:
    class Half(Fixed):
        def read(self, index: int) -> Still:
            if index == 1:
                raise DataError("b.jpg: cannot be read")
            return super().read(index)

    batches = ClipBatches([Half(still(), still())], [1.0], SETTINGS, 2, seed=0)
    for step in range(4):
        batches.make(step)
    assert list(batches.unreadable) == ["b.jpg: cannot be read"]
    nothing = ClipBatches([Half(still(), still())], [1.0], SETTINGS, 1, seed=0)
    nothing.sets[0].read = lambda index: Half.read(Half(still()), 1)  # type: ignore[method-assign]
    with pytest.raises(DataError, match="in a row"):
        nothing.make(0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    one = still(2)
    Image.fromarray(one.image).save(tmp_path / "images" / "a.jpg")
    mask = Image.fromarray(one.labels).convert("P")
    mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    mask.save(tmp_path / "masks" / "a.png")
    return tmp_path


def test_a_folder_of_palette_masks_gives_indices_not_colours(folder: Path) -> None:
    read = MaskFolder(folder / "images", folder / "masks").read(0)
    assert read.labels.max() == 2
    assert read.image.shape == (96, 128, 3)


def test_large_images_are_shrunk_and_specks_are_dropped(folder: Path) -> None:
    labels = still(2).labels.copy()
    labels[labels == 2] = 0
    labels[90, 120] = 2
    Image.fromarray(labels).save(folder / "masks" / "a.png")
    read = MaskFolder(folder / "images", folder / "masks", short_side=64).read(0)
    assert read.labels.shape == (64, 85)
    assert read.labels.max() == 1


def test_images_without_masks_are_named(folder: Path) -> None:
    Image.fromarray(still().image).save(folder / "images" / "b.jpg")
    with pytest.raises(DataError, match=r"1 of 2 images have no mask.*b\.jpg"):
        MaskFolder(folder / "images", folder / "masks")


def coco(folder: Path, file_name: str = "a.jpg") -> Path:
    square = [[10, 20, 45, 20, 45, 60, 10, 60]]
    box = {"bbox": [10, 20, 35, 40], "category_id": 1, "image_id": 1}
    content = {
        "images": [{"id": 1, "file_name": file_name, "width": 128, "height": 96}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [
            {"id": 1, "segmentation": square, "area": 1400, "iscrowd": 0, **box},
            {
                "id": 2,
                "segmentation": {"counts": [0, 12288], "size": [96, 128]},
                "area": 12288,
                "iscrowd": 1,
                **box,
            },
        ],
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return path


def test_coco_polygons_become_labels_and_crowds_are_left_out(folder: Path) -> None:
    read = CocoInstances(folder / "images", coco(folder)).read(0)
    assert read.labels.max() == 1
    assert read.labels[40, 30] == 1
    assert 1200 < (read.labels == 1).sum() < 1600


def test_coco_images_that_are_missing_are_named(folder: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg"):
        CocoInstances(folder / "images", coco(folder, "gone.jpg"))


def test_the_cache_keeps_what_fits_and_reads_the_rest_again() -> None:
    one = still()
    cached = Cached(Fixed(one, one, one), limit=one.image.nbytes + one.labels.nbytes)
    for index in (0, 1, 2, 0):
        assert cached.read(index) is one
    assert list(cached.kept) == [0]


def test_an_object_that_vanishes_is_missing_from_one_later_frame_only() -> None:
    settings = replace(SETTINGS, pasted_only=1.0, vanish=1.0, same_source=0.0, frames=4)
    plain = replace(settings, vanish=0.0)
    for seed in range(8):
        clip = make_clip(still(), [still(), still()], 1, settings, generator(seed))
        shown = (clip.labels == 1).flatten(1).any(1)
        assert shown[0]
        assert int(shown.sum()) == 3
        away = int((~shown).nonzero())
        # Nothing is left of it in the picture: it is the grey ground with the still's own object.
        assert (clip.labels[away] == 0).all()
        other = make_clip(still(), [still(), still()], 1, plain, generator(seed))
        assert (other.labels == 1).flatten(1).any(1).all()


def test_compression_changes_colours_a_little_and_labels_not_at_all() -> None:
    settings = replace(SETTINGS, colour=replace(NO_COLOUR, jpeg=1.0))
    plain = make_clip(still(), [still(), still()], 1, SETTINGS, generator(3))
    compressed = make_clip(still(), [still(), still()], 1, settings, generator(3))
    assert torch.equal(plain.labels, compressed.labels)
    apart = (plain.frames.float() - compressed.frames.float()).abs()
    assert 0 < apart.mean() < 12
