"""``hodor convert``, and other formats in and out of ``hodor track``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.tracks import COUNT, hard_track, label_map_at, track_of
from PIL import Image
from video.tiny_videos import write_video

from hodor.formats import FORMATS, read_track, write_track
from hodor.video import read_label_map, write_label_map

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

Hodor = Callable[..., Any]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the hard track as palette PNG files."""
    monkeypatch.chdir(tmp_path)
    write_track(hard_track(), "masks", "png")
    return tmp_path


def test_a_folder_of_masks_becomes_cvat_and_comes_back(hodor: Hodor, here: Path) -> None:
    words = ["--name", "1=Füchs", "--name", "300=猫"]
    ran = hodor("convert", "masks", "cvat.xml", "--to", "cvat", *words)
    assert ran.code == 0, ran.err
    assert "6 frames, objects 1, 7, 300: cvat.xml (cvat)" in ran.err
    assert read_track("cvat.xml").names == {1: "Füchs", 7: "object", 300: "猫"}
    ran = hodor("convert", "cvat.xml", "again", "--to", "png")
    assert ran.code == 0, ran.err
    for index in range(COUNT):
        label_map = read_label_map(f"again/{index:05d}.png")
        np.testing.assert_array_equal(label_map, label_map_at(index))


def test_names_with_brackets_are_told_as_they_are(hodor: Hodor, here: Path) -> None:
    ran = hodor("convert", "masks", "cuts [final].xml", "--to", "cvat")
    assert ran.code == 0, ran.err
    assert "cuts [final].xml (cvat)" in ran.err


def test_the_video_gives_picture_names_and_times(hodor: Hodor, here: Path, scene: Any) -> None:
    write_video(here / "video.mp4", scene.frames[:3])
    (here / "few").mkdir()
    for index in range(3):
        write_label_map(here / f"few/{index}.png", scene.labels[index])
    ran = hodor("convert", "few", "mattes", "--to", "rgba", "--source", "video.mp4")
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in (here / "mattes/3").iterdir()) == [
        f"{index:05d}.png" for index in range(3)
    ]
    with Image.open("mattes/7/00002.png") as image:
        rgba = np.asarray(image)
    np.testing.assert_array_equal(rgba[..., 3] == 255, scene.labels[2] == 7)
    inside = rgba[scene.labels[2] == 7][:, :3].astype(int)
    assert np.abs(inside - (40, 200, 220)).mean() < 15, "the object's colour, but for the codec"


def test_results_of_a_run_know_their_video_for_mattes(hodor: Hodor, here: Path, scene: Any) -> None:
    write_video(here / "video.mp4", scene.frames[:3])
    (here / "out/labels").mkdir(parents=True)
    for index in range(3):
        write_label_map(here / f"out/labels/{index:05d}.png", scene.labels[index])
    about = {"source": "video", "frames": 3, "confidence": {}, "names": {"7": "sea"}}
    about["inputs"] = {"source": str(here / "video.mp4")}
    (here / "out/summary.json").write_text(json.dumps(about))
    ran = hodor("convert", "out", "mattes", "--to", "rgba")
    assert ran.code == 0, ran.err
    assert "the picture is that of" in ran.err
    with Image.open("mattes/sea/00002.png") as image:
        rgba = np.asarray(image)
    inside = rgba[scene.labels[2] == 7][:, :3].astype(int)
    assert np.abs(inside - (40, 200, 220)).mean() < 15, "the object's colour, but for the codec"
    (here / "video.mp4").unlink()
    ran = hodor("convert", "out", "white", "--to", "rgba")
    assert ran.code == 0, ran.err
    assert "the picture is that of" not in ran.err


def test_masks_of_another_size_than_the_video_are_told(
    hodor: Hodor, here: Path, scene: Any
) -> None:
    write_video(here / "video.mp4", scene.frames[:3])
    (here / "few").mkdir()
    write_label_map(here / "few/00000.png", np.ones((6, 9), np.uint8))
    ran = hodor("convert", "few", "out", "--to", "ffv1", "--source", "video.mp4")
    assert ran.code == 1
    assert "frame 00000 is 9 x 6 pixels, but 90 x 60 in video" in ran.err
    (here / "few/00000.png").rename(here / "few/00009.png")
    ran = hodor("convert", "few", "out", "--to", "ffv1", "--source", "video.mp4")
    assert "frame 00009 is not in video" in ran.err
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["masks", "out", "--to", "cvta"], "'cvta' is no format; choose one of png,"),
        (["nothing", "out", "--to", "cvat"], "nothing does not exist"),
        (["masks", "masks", "--to", "rgba"], "masks is there already"),
        (["masks", "out", "--to", "cvat", "--name", "cat"], "--name cat: give an object's id"),
        (["masks", "a.json", "--to", "coco", "--files", "{nom}.png"], "{name} or {index}"),
        (["masks", "a.txt", "--to", "mots", "--from", "npz"], "masks is a folder, but npz is"),
        (["masks", "out", "--to", "prores", "--fps", "-3"], "--fps -3: give frames per second"),
        (["masks", "out", "--to", "prores", "--fps", "nan"], "--fps nan: give frames per second"),
        (["masks", "out", "--to", "prores", "--fps", "inf"], "--fps inf: give frames per second"),
        (["masks", "out", "--to", "prores", "--fps", "0"], "--fps 0: give frames per second"),
        (["masks", "a.json", "--to", "coco", "--files", "abc"], "all frames get one name"),
        (["masks", "a.json", "--to", "coco", "--files", "{name.x}"], "{name} or {index}"),
        (
            ["masks", "a.json", "--to", "rle", "--name", "9=dog"],
            "--name 9=dog: there is no object 9; objects are 1, 7, 300",
        ),
        (
            ["masks", "a.json", "--to", "rle", "--video", "zzz"],
            "masks holds one video, masks, and none called zzz",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_user_can_mend_is_one_line(
    hodor: Hodor, here: Path, words: list[str], message: str
) -> None:
    ran = hodor("convert", *words)
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert message in ran.err
    assert [path.name for path in here.iterdir()] == ["masks"], "nothing is left of what began"


@pytest.mark.parametrize(
    ("given", "content", "way", "message"),
    [
        ("rand.json", b"\xff\x00\xd8", None, "rand.json cannot be read as JSON"),
        ("list.json", b"[]", None, "list.json is of no known format (a list of 0 items)"),
        ("a.json", b'{"me": 1}', None, "a.json is of no known format (an object with the keys me)"),
        ("empty.npz", b"", None, "empty.npz is no NPZ file"),
        ("a.json", b"{}", "npz", "File is not a zip file"),
        ("page.xml", b"<html/>", None, "its root is <html>, not <annotations>"),
        ("first.png", b"", None, "first.png is of no known format by itself"),
        ("1.mov", b"", None, "1.mov is of no known format by itself"),
        ("first.png", b"", "yolo", "give the folder"),
        *(
            ("a.json", b"{}", way, f"a.json is a file, but {way} is read from a folder; give the")
            for way in ("png", "png-per-object", "prores", "ffv1", "rgba")
        ),
        ("folder", None, "cvat", "folder is a folder, but cvat is read from a file; give the file"),
        ("folder", None, "coco", "folder is a folder, but coco is read from a file; give the file"),
    ],
)
def test_an_input_of_another_kind_is_told_by_what_it_is(
    hodor: Hodor, here: Path, given: str, content: bytes | None, way: str | None, message: str
) -> None:
    Path(given).mkdir() if content is None else Path(given).write_bytes(content)
    ran = hodor("convert", given, "out", "--to", "png", *(["--from", way] if way else []))
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert message in ran.err
    assert "allow_pickle" not in ran.err
    assert "Errno" not in ran.err


def test_masks_to_follow_that_are_no_text_are_told(hodor: Hodor, here: Path, words: Any) -> None:
    Path("rand.json").write_bytes(b"\xff\x00\xd8")
    ran = hodor(*words("rand.json", "out"))
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "rand.json cannot be read as JSON" in ran.err


def test_one_frame_is_not_told_as_many(hodor: Hodor, here: Path) -> None:
    write_track(track_of([label_map_at(0)]), "one", "png")
    assert (
        "1 frame, objects 1, 7: one.json" in hodor("convert", "one", "one.json", "--to", "rle").err
    )


def test_a_video_in_label_studio_may_have_a_fixed_name(hodor: Hodor, here: Path) -> None:
    words = ["--to", "label-studio-video", "--files", "/data/clip.mp4"]
    ran = hodor("convert", "masks", "tasks.json", *words)
    assert ran.code == 0, ran.err
    assert json.loads(Path("tasks.json").read_text())[0]["data"]["video"] == "/data/clip.mp4"


def test_a_file_is_replaced_only_by_word(hodor: Hodor, here: Path) -> None:
    Path("a.json").write_text("the work of a week")
    ran = hodor("convert", "masks", "a.json", "--to", "rle")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "a.json is there already; choose another name, or give --overwrite" in ran.err
    assert Path("a.json").read_text() == "the work of a week"
    ran = hodor("convert", "masks", "a.json", "--to", "rle", "--overwrite")
    assert ran.code == 0, ran.err
    assert len(list(read_track("a.json").frames())) == COUNT


def test_warnings_say_what_was_lost(hodor: Hodor, here: Path) -> None:
    write_track(hard_track(), "boxes.json", "label-studio-video")
    ran = hodor("convert", "boxes.json", "out", "--to", "png")
    assert ran.code == 0, ran.err
    assert "holds boxes: every object is the whole of its box" in " ".join(ran.err.split())
    assert "objects overlap in" in ran.err


def test_the_help_lists_every_format(hodor: Hodor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    said = "".join(hodor("convert", "--help").out.split())  # Lines may end at a hyphen.
    assert all(f"{name}," in said or f"{name}." in said for name in FORMATS)


@pytest.fixture
def words(here: Path, scene: Any, tiny_model: Path) -> Callable[..., list[object]]:
    """The words of a run on a video of ten frames."""
    write_video(here / "video.mp4", scene.frames[:10])
    write_label_map(here / "first.png", scene.labels[0])

    def give(masks: str, out: str, *more: object) -> list[object]:
        run = ["track", "video.mp4", "--masks", masks, "--out", out, "--model", tiny_model]
        return [*run, "--device", "cpu", *more]

    return give


def test_a_run_writes_other_formats_too(hodor: Hodor, here: Path, words: Any, scene: Any) -> None:
    formats = ("cvat", "youtube-vis", "ffv1")
    more = [word for name in formats for word in ("--format", name)]
    ran = hodor(*words("first.png", "out", *more, "--name", "7=cat"))
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in (here / "out").iterdir()) == [
        "cvat.xml", "ffv1", "labels", "summary.json", "youtube-vis.json",
    ]  # fmt: skip
    confidence = json.loads((here / "out/summary.json").read_text())["confidence"]
    for name in formats:
        track = read_track(here / "out" / FORMATS[name].file)
        frames = list(track.frames())
        assert len(frames) == 10
        for frame in frames:
            labels = read_label_map(here / f"out/labels/{frame.name}.png")
            np.testing.assert_array_equal(frame.label_map, labels)
            assert frame.time == pytest.approx(frame.index / 25, abs=6e-4)
        if name == "youtube-vis":
            assert track.names == {3: "object", 7: "cat"}
            assert [f.confidence[7] for f in frames] == pytest.approx(confidence["7"], abs=2e-4)
    # What came out goes in again: the first frame's masks, and what objects are called.
    ran = hodor("convert", "out", "coco.json", "--to", "coco")
    assert ran.code == 0, ran.err
    first = next(read_track("coco.json").frames())
    assert first.confidence == {3: 1.0, 7: 1.0}


@pytest.mark.parametrize("name", ["cvat", "coco", "rle", "npz", "labelme", "png-per-object"])
def test_masks_may_come_in_another_format(
    name: str, hodor: Hodor, here: Path, words: Any, scene: Any
) -> None:
    maps = [scene.labels[0], *[np.zeros_like(scene.labels[0])] * 9]
    given = FORMATS[name].file
    write_track(track_of(maps, {3: "ball", 7: "cat"}), given, name)
    for masks, out in (("first.png", "one"), (given, "other")):
        ran = hodor(*words(masks, out, "--format", "coco"))
        assert ran.code == 0, ran.err
    for index in range(10):
        one, other = (here / f"{out}/labels/{index:05d}.png" for out in ("one", "other"))
        assert one.read_bytes() == other.read_bytes()
    assert [path.name for path in (here / "other/given").iterdir()] == ["00000.png"]
    if name not in ("png-per-object",):
        assert read_track("other/coco.json").names == {3: "ball", 7: "cat"}


def test_an_unknown_format_is_told_before_anything_is_tracked(
    hodor: Hodor, here: Path, words: Any
) -> None:
    ran = hodor(*words("first.png", "out", "--format", "cvta"))
    assert ran.code == 1
    assert "'cvta' is no format" in ran.err
    assert not (here / "out").exists()


def test_listed_videos_get_their_formats(hodor: Hodor, here: Path, words: Any) -> None:
    (here / "list.csv").write_text("source,masks,name\nvideo.mp4,first.png,a\n")
    run = [word for word in words("first.png", "all", "--format", "mots") if word != "video.mp4"]
    at = run.index("--masks")
    ran = hodor(*run[:at], *run[at + 2 :], "--list", "list.csv")
    assert ran.code == 0, ran.err
    assert (here / "all/a/mots.txt").is_file()
