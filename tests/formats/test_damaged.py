"""Damaged, unreadable and half-made files end in one line that names them; so do odd folders."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from formats.inputs import (
    SIZE,
    areas,
    coco,
    cvat,
    cvat_task,
    grey,
    indices,
    labelme,
    outlined,
    read,
    shape,
    square,
    white,
    write_json,
)
from formats.tracks import COUNT, hard_track, track_of

from hodor.errors import HodorError, MaskError
from hodor.formats import FORMATS, ReadOptions, read_track, write_track

OPTIONS = ReadOptions(size=SIZE)


def ends_well(path: Path, name: str) -> str:
    """The message of an error, "" for none; any other error than ours fails the test."""
    try:
        areas(read_track(path, name, OPTIONS))
    except HodorError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said
    return said


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hard track in every format."""
    folder = tmp_path_factory.mktemp("written")
    for name, one in FORMATS.items():
        write_track(hard_track(pixels=True), folder / one.file, name)
    return folder


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.97])
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_file_that_is_cut_off_is_told_or_read_as_far_as_it_goes(
    name: str, share: float, written: Path, tmp_path: Path
) -> None:
    whole, cut = written / FORMATS[name].file, tmp_path / FORMATS[name].file
    shutil.copytree(whole, cut) if whole.is_dir() else shutil.copy(whole, cut)
    files = [cut] if cut.is_file() else sorted(file for file in cut.rglob("*") if file.is_file())
    victim = files[len(files) // 2]
    data = victim.read_bytes()
    victim.write_bytes(data[: int(len(data) * share)])
    said = ends_well(cut, name)
    assert not said or str(tmp_path) in said
    # Lines of text that end between two of them are whole as far as anyone can tell, as is a
    # picture that lacks no more than the mark of its end.
    quiet = {".txt", ".yaml", ".mkv", ".mov", ".jpg"} | ({".png"} if share > 0.9 else set())
    assert said or victim.suffix in quiet


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_bytes_that_mean_nothing_are_told(name: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(7).bytes(3000)
    one = FORMATS[name]
    if one.folder:
        for file in ("0.png", "1/0.png", "0.json", "data.yaml", "labels/0.txt", "1.mov", "1.mkv"):
            (tmp_path / "in" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / file).write_bytes(noise)
        path = tmp_path / "in"
    else:
        path = tmp_path / one.file
        path.write_bytes(noise)
    assert str(path) in ends_well(path, name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a pipe")
def test_what_is_neither_a_file_nor_a_folder_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(MaskError, match="neither a file nor a folder"):
        read_track(tmp_path / "a.json")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_without_rights_is_told(tmp_path: Path) -> None:
    path = coco(tmp_path / "a.json", [outlined((5, 5))])
    path.chmod(0)
    with pytest.raises(MaskError, match="Permission denied"):
        read_track(path)


def test_two_images_of_one_id_are_told(tmp_path: Path) -> None:
    image = '<image id="0" name="{}" width="64" height="48"></image>'
    path = cvat(tmp_path / "a.xml", cvat_task("t"), image.format("a"), image.format("b"))
    with pytest.raises(MaskError, match="two images have one id"):
        read_track(path)


def test_a_category_that_is_not_listed_is_called_by_its_number(tmp_path: Path) -> None:
    path = coco(tmp_path / "a.json", [outlined((5, 5), category_id=9, track_id=4)])
    assert read(path)[0].names == {4: "category 9"}


def test_one_broken_file_of_a_folder_is_named(tmp_path: Path) -> None:
    frames = {f"{i:05d}": [shape("dog", (5, 5), 1)] for i in range(3)}
    path = labelme(tmp_path / "L", frames)
    write_json(path / "00001.json", {"shapes": [{"label": "dog"}], "imagePath": "x"})
    with pytest.raises(MaskError, match=r"00001\.json is no labelme's JSON .*'points' is missing"):
        read_track(path)


# The folder of a run


def run_folder(folder: Path, names: list[str], **summary: object) -> Path:
    for name in names:
        grey(folder / f"labels/{name}.png", square((5, 5)).astype(np.uint8))
    about = {"source": "clip", "frames": len(names), "confidence": {"1": [0.5] * len(names)}}
    write_json(folder / "summary.json", about | summary)
    return folder


def test_frames_of_a_whole_run_are_all_of_its_video_whatever_their_names(tmp_path: Path) -> None:
    path = run_folder(tmp_path / "out", ["IMG_0007", "IMG_0008"], source_fps=12.5)
    track, found = read(path)
    assert (track.video, track.fps, track.timed) == ("clip", 12.5, True)
    assert indices(track) == [0, 1]
    assert found == {"IMG_0007": {1: 100}, "IMG_0008": {1: 100}}
    assert [frame.confidence for frame in track.frames()] == [{1: 0.5}] * 2
    assert track.warnings == []


def test_frames_that_were_taken_out_of_a_run_keep_their_numbers(tmp_path: Path) -> None:
    path = run_folder(tmp_path / "out", [f"{i:05d}" for i in range(COUNT)])
    (path / "labels/00000.png").unlink()
    track, _ = read(path)
    assert indices(track) == list(range(1, COUNT))
    assert all(not frame.confidence for frame in track.frames()), "it is of other frames"


@pytest.mark.parametrize("confidence", [3, {"x": [1]}, {"1": 7}, {"1": ["high"]}])
def test_a_summary_that_is_none_is_told(confidence: object, tmp_path: Path) -> None:
    path = run_folder(tmp_path / "out", ["00000"], confidence=confidence)
    with pytest.raises(MaskError, match=r"summary\.json is no summary of hodor track"):
        read_track(path)


def test_shades_that_were_split_are_told(tmp_path: Path) -> None:
    soft = cv2.GaussianBlur(square((20, 20), 20).astype(np.float32) * 255, (0, 0), 1.5)
    (tmp_path / "m").mkdir()
    cv2.imwrite(str(tmp_path / "m/00000.jpg"), soft)
    cv2.imwrite(str(tmp_path / "m/00001.jpg"), soft)
    track, found = read(tmp_path / "m")
    assert all(pixels.keys() == {1} for pixels in found.values())
    assert "2 files black and white with shades" in track.warnings[-1]


def test_a_mask_beside_folders_of_objects_does_not_hide_them(tmp_path: Path) -> None:
    white(tmp_path / "P/1/00000.png", (5, 5))
    (tmp_path / "P/notes.txt").write_text("by hand")
    assert read(tmp_path / "P")[1] == {"00000": {1: 100}}


def test_a_confidence_that_is_no_number_is_not_known(tmp_path: Path) -> None:
    write_track(track_of([np.ones((4, 5), np.uint8)]), tmp_path / "a.json", "rle")
    text = (tmp_path / "a.json").read_text()
    (tmp_path / "a.json").write_text(text.replace('"id":1', '"id":1,"confidence":NaN'))
    assert next(read_track(tmp_path / "a.json").frames()).confidence == {}
