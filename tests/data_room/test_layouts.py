"""Videos in the folders of their benchmarks, and what a check of data says."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hodor.data import (
    MaskFolder,
    VideoRules,
    Videos,
    VideoStills,
    davis,
    examine,
    youtube_vos,
)
from hodor.errors import DataError

ONE, ALL = VideoRules(), VideoRules(annotated="all", order="after", span=2)


def video(images: Path, masks: Path, frames: int, every: int = 1, value: int = 3) -> None:
    """Frames whose brightness is their number, with a square in every ``every``-th label map."""
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    for t in range(frames):
        picture = np.full((64, 96, 3), 20 * t, np.uint8)
        Image.fromarray(picture).save(images / f"{t:05d}.png")
        if t % every == 0:
            labels = np.zeros((64, 96), np.uint8)
            labels[20:50, 20:60] = value
            saved = Image.fromarray(labels)
            if value not in (0, 255):
                saved = saved.convert("P")
            saved.save(masks / f"{t:05d}.png")


def davis_root(root: Path, year: int, value: int, resolution: str = "480p") -> Path:
    for name in ("bear", "camel"):
        video(
            root / "JPEGImages" / resolution / name,
            root / "Annotations" / resolution / name,
            5,
            value=value,
        )
    (root / "ImageSets" / str(year)).mkdir(parents=True)
    (root / "ImageSets" / str(year) / "train.txt").write_text("bear\n")
    return root


@pytest.mark.parametrize(("year", "value"), [(2016, 255), (2017, 3)])
@pytest.mark.parametrize("resolution", ["480p", "Full-Resolution"])
def test_davis_takes_the_sequences_of_a_split(
    tmp_path: Path, year: int, value: int, resolution: str
) -> None:
    found = davis(davis_root(tmp_path, year, value, resolution), year, "train", ONE)
    assert [v.name for v in found.videos] == ["bear"]
    clip = found.read(0, 2, torch.Generator())
    assert clip.labels[0].max() == (1 if year == 2016 else 3)


def test_a_wrong_davis_says_what_is_there(tmp_path: Path) -> None:
    root = davis_root(tmp_path, 2017, 3)
    with pytest.raises(DataError, match=r"2016/train\.txt.*found ImageSets/2017/train\.txt"):
        davis(root, 2016, "train", ONE)
    (root / "ImageSets/2017/train.txt").write_text("dog\n")
    with pytest.raises(DataError, match=r"dog is in none of its folders \(480p\)"):
        davis(root, 2017, "train", ONE)


def test_youtube_vos_and_mose_share_a_layout(tmp_path: Path) -> None:
    for name in ("0a1b", "0c2d"):
        video(tmp_path / "train/JPEGImages" / name, tmp_path / "train/Annotations" / name, 11, 5)
    (tmp_path / "train/meta.json").write_text(json.dumps({"videos": {"0a1b": {}, "0c2d": {}}}))
    for root in (tmp_path, tmp_path / "train"):
        assert len(youtube_vos(root, "train", ONE)) == 2
    (tmp_path / "train/meta.json").write_text(json.dumps({"videos": {"0a1b": {}, "ffff": {}}}))
    with pytest.raises(DataError, match=r"1 of 2 videos of meta\.json are missing: ffff"):
        youtube_vos(tmp_path, "train", ONE)


def test_dense_clips_take_only_frames_that_are_annotated(tmp_path: Path) -> None:
    video(tmp_path / "train/JPEGImages/a", tmp_path / "train/Annotations/a", 11, 5)
    found = youtube_vos(tmp_path, "train", ALL)
    for seed in range(5):
        clip = found.read(0, 3, torch.Generator().manual_seed(seed))
        assert all(labels.any() for labels in clip.labels)
        assert {int(image.max()) // 20 for image in clip.images} <= {0, 5, 10}


def test_the_reference_is_the_middle_or_the_released_last(tmp_path: Path) -> None:
    video(tmp_path / "i/a", tmp_path / "m/a", 12, 2)
    numbers = {
        rule: int(
            Videos(tmp_path / "i", tmp_path / "m", VideoRules(reference=rule))
            .read(0, 1, torch.Generator())
            .images[0]
            .max()
        )
        // 20
        for rule in ("middle", "last")
    }
    assert numbers == {"middle": 6, "last": 10}


def test_the_released_order_is_shuffled(tmp_path: Path) -> None:
    video(tmp_path / "i/a", tmp_path / "m/a", 12)
    videos = Videos(tmp_path / "i", tmp_path / "m", VideoRules(order="shuffled", span=5))
    orders = []
    for seed in range(12):
        clip = videos.read(0, 3, torch.Generator().manual_seed(seed))
        first, a, b = (int(image.max()) // 20 for image in clip.images)
        assert (a > first) == (b > first)
        orders.append(abs(b - first) > abs(a - first))
    assert set(orders) == {True, False}


def test_annotated_frames_serve_as_stills(tmp_path: Path) -> None:
    video(tmp_path / "i/a", tmp_path / "m/a", 5)
    stills = VideoStills(Videos(tmp_path / "i", tmp_path / "m"))
    assert stills.read(0).labels.max() == 1
    assert stills.read(0).image.max() == 40
    assert stills.index().objects.tolist() == [1]


def test_void_pixels_are_background(tmp_path: Path) -> None:
    video(tmp_path / "i/a", tmp_path / "m/a", 1)
    labels = np.zeros((64, 96), np.uint8)
    labels[20:50, 20:60], labels[:4] = 2, 255
    Image.fromarray(labels).convert("P").save(tmp_path / "m/a/00000.png")
    clip = Videos(tmp_path / "i", tmp_path / "m").read(0, 1, torch.Generator())
    assert set(np.unique(clip.labels[0])) == {0, 2}


def test_a_check_reads_files_and_counts_what_is_broken(tmp_path: Path) -> None:
    for t in range(4):
        video(tmp_path / f"v{t}" / "i", tmp_path / f"v{t}" / "m", 1)
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    for t in range(4):
        (tmp_path / f"v{t}/i/00000.png").rename(images / f"{t}.png")
        (tmp_path / f"v{t}/m/00000.png").rename(masks / f"{t}.png")
    (images / "1.png").write_bytes((images / "1.png").read_bytes()[:60])  # cut short
    Image.fromarray(np.zeros((64, 96), np.uint8)).save(masks / "2.png")  # nothing in it
    found = examine(MaskFolder(images, masks), every=True)
    assert (found.items, found.read, found.objects) == (4, 4, 2)
    assert len(found.broken) == 2
    assert "1.png cannot be read" in found.broken[0]
    assert "2.png: no object" in found.broken[1]


def test_a_check_of_every_file_finds_a_broken_frame_in_the_middle_of_a_video(
    tmp_path: Path,
) -> None:
    video(tmp_path / "i/a", tmp_path / "m/a", 5)
    (tmp_path / "i/a/00004.png").write_bytes(b"not a picture")
    videos = Videos(tmp_path / "i", tmp_path / "m")
    assert examine(videos, every=False).broken == ()
    assert "00004.png" in examine(videos, every=True).broken[0]
    assert examine(videos, every=False).notes == ("5 frames, 5 annotated, 1 of these used",)
