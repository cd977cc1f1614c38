"""Training and evaluation read images, masks and lists as tracking does."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hodor.data import MaskFolder, VideoRules, davis
from hodor.data.stills import read_ids, read_rgb
from hodor.errors import DataError, HodorError, MaskError
from hodor.evaluation import DavisDataset
from hodor.evaluation import read_label_map as read_scored
from hodor.video import read_label_map

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n"


def test_a_mask_that_tracking_refuses_is_refused_in_training_and_scoring(tmp_path: Path) -> None:
    path = tmp_path / "soft.png"
    ramp = np.zeros((20, 40), np.uint8)
    ramp[:, 10:30] = 200
    ramp[:, 9] = ramp[:, 30] = 90
    Image.fromarray(ramp).save(path)
    with pytest.raises(MaskError, match="smoothed edges"):
        read_label_map(path)
    for read in (read_ids, read_scored):
        with pytest.raises(DataError, match="smoothed edges"):
            read(path)


def test_masks_of_sixteen_bits_are_read_in_training_too(tmp_path: Path) -> None:
    labels = np.zeros((20, 40), np.uint16)
    labels[:, 20:] = 700
    Image.fromarray(labels).save(tmp_path / "wide.png")
    assert np.array_equal(read_ids(tmp_path / "wide.png"), labels // 700)


def test_regions_that_mots_ignores_are_no_objects_to_train_on(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    for stem in "abcd":
        Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(images / f"{stem}.png")
    labels = np.zeros((40, 40), np.uint16)
    labels[:20, :20], labels[20:, 20:] = 1001, 10_000
    for stem, shown in {"a": labels, "b": labels, "c": np.minimum(labels, 2005)}.items():
        Image.fromarray(shown).save(masks / f"{stem}.png")
    (masks / "d.png").write_bytes(b"no picture")
    stills = MaskFolder(images, masks)
    assert np.array_equal(stills.read(0).labels, labels == 1001)
    assert stills.read(2).labels.max() == 2, "where there is no 10000, all are objects"
    assert stills.index().objects.tolist() == [1, 1, 2, 0]
    assert stills.notes() == ["regions to be ignored (10000, in MOTS) were left out (2)"]
    # Where other ids are none of MOTS, it is one like any other.
    Image.fromarray(np.minimum(labels, 300)).save(masks / "d.png")
    assert MaskFolder(images, masks).read(0).labels.max() == 2
    assert MaskFolder(images, masks).notes() == []


def test_images_of_twelve_bits_are_not_black_in_training(tmp_path: Path) -> None:
    values = np.linspace(100, 4000, 32).round().astype(np.uint16).reshape(4, 8)
    Image.fromarray(values).save(tmp_path / "deep.png")
    grey = read_rgb(tmp_path / "deep.png")[..., 0]
    assert (grey.min(), grey.max()) == (0, 255)


def test_no_reader_starts_a_program_for_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(EPS)
    for read in (read_rgb, read_ids, read_label_map, read_scored):
        with pytest.raises(HodorError, match="cannot be read"):
            read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"caf\xe9\n", "is not text in UTF-8"), (b"..\n", "it cannot become the name of a file")],
)
def test_a_list_of_sequences_is_text_whose_names_stay_in_their_folder(
    tmp_path: Path, content: bytes, message: str
) -> None:
    lists = tmp_path / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_bytes(content)
    (tmp_path / "JPEGImages" / "480p").mkdir(parents=True)
    with pytest.raises(HodorError, match=message):
        davis(tmp_path, 2017, "val", VideoRules())
    with pytest.raises(HodorError, match=message):
        DavisDataset(tmp_path, 2017, "val")


def test_a_list_of_pairs_as_davis_first_had_it_serves_training_and_scoring(tmp_path: Path) -> None:
    label_map = np.zeros((48, 64), np.uint8)
    label_map[10:40, 20:50] = 255
    for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
        (tmp_path / folder / "480p" / "bear").mkdir(parents=True)
        for name in ("00000", "00001", "00002"):
            Image.fromarray(label_map).save(tmp_path / folder / f"480p/bear/{name}.{suffix}")
    (tmp_path / "ImageSets" / "480p").mkdir(parents=True)
    pairs = "/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png\n"
    (tmp_path / "ImageSets" / "480p" / "val.txt").write_text(pairs)
    (video,) = davis(tmp_path, 2016, "val", VideoRules()).videos
    (sequence,) = DavisDataset(tmp_path, 2016).sequences
    assert (video.name, len(video.frames)) == (sequence.name, len(sequence.names)) == ("bear", 3)
    assert np.array_equal(sequence.label_map("00000"), label_map > 0)
