"""``hodor mask``: first masks from boxes and points, and what it says next."""

import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hodor.assets import sample_clip, sample_masks
from hodor.errors import MaskError
from hodor.segmenter import FirstMasks, prompts_of_words
from hodor.video import Frame, open_source, read_label_map

pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
pytestmark = pytest.mark.usefixtures("one_thread")

Hodor = Callable[..., Any]


def _iou(a: Any, b: Any) -> float:
    return float((a & b).sum() / (a | b).sum())


def _box(mask: Any) -> str:
    rows, columns = np.nonzero(mask)
    return f"{columns.min()},{rows.min()},{columns.max() + 1},{rows.max() + 1}"


@pytest.mark.slow
def test_boxes_become_a_label_map_that_track_takes(
    hodor: Hodor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    truth = read_label_map(sample_masks())
    one, three = truth == 1, truth == 3
    ran = hodor(
        "mask", sample_clip(), "--box", _box(one), "--box", f"3={_box(three)}", "--out", "first.png"
    )
    assert ran.code == 0, ran.err
    found = read_label_map("first.png")
    assert _iou(found == 1, one) > 0.8
    assert _iou(found == 3, three) > 0.7
    assert set(np.unique(found)) == {0, 1, 3}
    assert "object 3: " in ran.err
    assert f"hodor track {sample_clip()} --masks first.png --out out" in ran.err


@pytest.mark.slow
def test_a_mask_of_a_later_frame_says_where_track_would_find_it(
    hodor: Hodor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("mask", sample_clip(), "--point", "260,120", "--frame", "5")
    ran = hodor(*words, "--out", "late.png")
    assert ran.code == 0, ran.err
    assert "--out masks/00005.png" in ran.err
    ran = hodor(*words, "--out", "my masks/5.png")
    assert "--masks 'my masks' --out out" in ran.err


@pytest.mark.slow
@pytest.mark.parametrize("command", ["mask", "track"])
def test_a_box_beyond_the_frame_is_cut_and_that_is_said(
    hodor: Hodor, tmp_path: Path, command: str
) -> None:
    words = [sample_clip(), "--box", "150,-20,400,600"]
    if command == "mask":
        ran = hodor("mask", *words, "--out", tmp_path / "first.png")
    else:
        ran = hodor("track", *words, "--model", "tiny", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    said = "note: the box of object 1 goes beyond the frame of 512 x 288 pixels; it was taken as "
    assert f"{said}150,0,400,288" in ran.err
    ran = hodor("mask", sample_clip(), "--box", "150,0,400,288", "--out", tmp_path / "second.png")
    assert (ran.code, "note:" in ran.err) == (0, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--box", "10,20,300"], "--box 10,20,300: give 4 numbers x0,y0,x1,y1"),
        (["--box", "0.1,0.1,0.5,0.5"], "looks like shares of the frame"),
        (["--point", "600,10"], "point 600,10 is outside of the frame of 512 x 288"),
        (["--not", "20,20"], "object 1: nothing shows the object"),
        ([], "give --box x0,y0,x1,y1 or --point x,y"),
        (["--box", "1=1,1,50,50", "--box", "1=2,2,9,9"], "object 1 has a box already"),
        (["--point", "20,20", "--frame", "72"], "has no frame 72; they are 0 to 71"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_line_and_nothing_is_written(
    hodor: Hodor, tmp_path: Path, words: list[str], said: str
) -> None:
    ran = hodor("mask", sample_clip(), *words, "--out", tmp_path / "first.png")
    assert ran.code == 1
    assert said in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not (tmp_path / "first.png").exists()


def test_without_a_box_the_size_of_the_frame_and_the_way_to_coordinates_are_told(
    hodor: Hodor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["mask"], ["track", "--out", "out"]):
        ran = hodor(*words, sample_clip())
        assert ran.code == 1
        assert "512 x 288" in ran.err
        assert f"hodor mask {sample_clip()} --show grid.png" in ran.err
        assert len(ran.err.strip().splitlines()) == 1
        assert list(tmp_path.iterdir()) == []


def test_a_frame_is_shown_with_numbered_lines_where_its_pixels_are(
    hodor: Hodor, tmp_path: Path
) -> None:
    folder, picture = tmp_path / "clip", tmp_path / "grid.png"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (700, 500), (40 * number,) * 3).save(folder / f"{number}.png")
    ran = hodor("mask", folder, "--frame", "2", "--show", picture)
    assert ran.code == 0, ran.err
    assert "frame 2, 700 x 500 pixels" in ran.err
    assert "--frame 2 --out masks/2.png" in ran.err
    drawn = np.array(Image.open(picture))
    assert drawn.shape == (500, 700, 3)
    lines = np.flatnonzero((drawn[450] != 80).any(axis=1))
    assert {100, 200, 300, 400, 500, 600} <= set(lines), "a line at each hundredth column"
    strong = {int(column) for column in lines if drawn[450, column, 0] > 150}
    assert strong <= {*range(100, 700, 100), *range(0, 60), *range(640, 700)}


def test_small_frames_are_shown_larger_and_that_is_said(hodor: Hodor, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "cell.png")
    ran = hodor("mask", tmp_path / "cell.png", "--show", tmp_path / "grid.png")
    assert ran.code == 0, ran.err
    assert "10 times as large; numbers are the frame's pixels" in ran.err
    assert Image.open(tmp_path / "grid.png").size == (640, 480)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--show", "grid.gif"], "give a name that ends in .png"),
        (["--point", "20,20"], "--out is missing: masks are written as PNG"),
        (["--show", "grid.png", "--frame", "72"], "has no frame 72; they are 0 to 71"),
    ],
)
def test_a_picture_that_cannot_be_made_is_told(
    hodor: Hodor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = hodor("mask", sample_clip(), *words)
    assert ran.code == 1
    assert said in ran.err
    assert list(tmp_path.iterdir()) == []


def test_what_was_found_is_drawn_over_the_frame(
    hodor: Hodor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*_: Any, **__: Any) -> tuple[Frame, FirstMasks]:
        label_map = np.zeros((480, 640), np.uint8)
        label_map[40:440, 330:600] = 1
        return Frame(0, "00000", np.zeros((480, 640, 3), np.uint8), 0.0), FirstMasks(
            label_map, {1: 0.9}
        )

    monkeypatch.setattr("hodor.cli.mask.write_first_masks", found)
    words = ("--box", "1,1,7,7", "--out", tmp_path / "first.png", "--show", tmp_path / "look.png")
    ran = hodor("mask", sample_clip(), *words)
    assert ran.code == 0, ran.err
    drawn = np.array(Image.open(tmp_path / "look.png"))
    assert drawn[250, 350].any(), "the object's colour"
    assert not drawn[250, 250].any()


def test_points_of_several_objects_say_whose_they_are() -> None:
    prompts = prompts_of_words(["1,2,30,40", "50,2,80,40"], ["2=60,20"], ["2=55,5"])
    assert prompts[1].points == ()
    assert prompts[2].points == ((60, 20), (55, 5))
    assert prompts[2].labels == (True, False)
    with pytest.raises(MaskError, match=r"of which of the 2 objects\? Write it 1=60,20"):
        prompts_of_words(["1,2,30,40", "50,2,80,40"], ["60,20"])


def test_without_onnxruntime_the_extra_is_named_before_the_video_is_read(
    hodor: Hodor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    ran = hodor("mask", "no.mp4", "--point", "1,1", "--out", tmp_path / "first.png")
    assert ran.code == 1
    assert "hodor-vos[onnx]" in ran.err


@pytest.mark.slow
def test_track_begins_with_boxes_and_keeps_what_they_made(
    hodor: Hodor, tmp_path: Path, tiny_model: Path
) -> None:
    folder = tmp_path / "clip"
    folder.mkdir()
    with open_source(str(sample_clip())) as source:
        for frame in islice(source.frames(), 3):
            Image.fromarray(frame.pixels).save(folder / f"{frame.name}.png")
    truth = read_label_map(sample_masks()) == 1
    out = tmp_path / "out"
    words = ("track", folder, "--model", tiny_model, "--device", "cpu", "--out", out)
    ran = hodor(*words, "--box", _box(truth))
    assert ran.code == 0, ran.err
    first = read_label_map(out / "first.png")
    assert _iou(first == 1, truth) > 0.8
    assert np.array_equal(read_label_map(out / "labels" / "00000.png"), first)
    assert len(list((out / "labels").iterdir())) == 3
    before = (out / "first.png").read_bytes()
    ran = hodor(*words, "--point", "5,5")
    assert "holds results already" in ran.err
    assert (out / "first.png").read_bytes() == before, "a refused run changes nothing"
    ran = hodor(*words, "--box", _box(truth), "--masks", out / "first.png")
    assert "boxes and points stand for --masks" in ran.err


@pytest.mark.parametrize(("score", "doubted"), [(0.62, True), (0.93, False)])
def test_a_doubtful_outline_is_told_with_what_mends_it(
    hodor: Hodor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    score: float,
    doubted: bool,
) -> None:
    def found(*_: Any, **__: Any) -> tuple[Frame, FirstMasks]:
        pixels = np.zeros((8, 8, 3), np.uint8)
        return Frame(0, "00000", pixels, 0.0), FirstMasks(np.ones((8, 8), np.uint8), {1: score})

    monkeypatch.setattr("hodor.cli.mask.write_first_masks", found)
    ran = hodor("mask", sample_clip(), "--box", "1,1,7,7", "--out", tmp_path / "first.png")
    assert ran.code == 0, ran.err
    told = "\nwarning: the outline of object 1 is doubtful" in ran.err
    assert told == doubted
