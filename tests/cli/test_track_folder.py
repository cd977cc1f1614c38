"""``hodor track FOLDER --masks FOLDER``: pairs by name, a report, one line at Ctrl-C."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tifffile import imwrite
from video.tiny_videos import write_video

from hodor.cli import track as command
from hodor.jobs import Outcome
from hodor.runs import find_videos
from hodor.video import write_label_map

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
Hodor = Callable[..., Any]


@pytest.fixture
def words(
    tmp_path: Path, scene: Any, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[object]]:
    """Three videos in clips/, their masks in masks/: a file, a file, a folder."""
    monkeypatch.chdir(tmp_path)
    for folder in ("clips", "masks/c"):
        Path(folder).mkdir(parents=True)
    for name in ("a", "b", "c"):
        write_video(Path(f"clips/{name}.mp4"), scene.frames[:3])
    Path("clips/notes.txt").touch()
    for mask in ("a.png", "b.png", "c/00000.png"):
        write_label_map(Path("masks") / mask, scene.labels[0])

    def run(source: str = "clips", *more: object) -> list[object]:
        given = ["--masks", "masks"] if "--references" not in more else []
        rest = ["--out", "out", "--model", tiny_model, "--device", "cpu"]
        return ["track", source, *given, *rest, *more]

    return run


def report() -> list[dict[str, str]]:
    with Path("out/report.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("given", [["clips"], ["clips/*.mp4"], ["clips", "--batch", "2"]])
def test_every_video_is_tracked_with_the_masks_of_its_name(
    hodor: Hodor, words: Callable[..., list[object]], given: list[str]
) -> None:
    ran = hodor(*words(*given))
    assert ran.code == 0, ran.err
    assert "report in out/report.csv and out/report.html" in " ".join(ran.err.split())
    for name in ("a", "b", "c"):
        assert len(list(Path(f"out/{name}/labels").glob("*.png"))) == 3
    rows = report()
    assert {row["video"] for row in rows} == {"a", "b", "c"}
    assert all(row["status"] == "finished" and row["frames"] == "3" for row in rows)
    assert all(0 < float(row["worst_confidence"]) <= 1 for row in rows)
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 3
    assert "3 finished" in page
    assert all(f"hodor studio {Path('out', name).absolute()} --frame" in page for name in "abc")


@pytest.mark.parametrize("how", [[], ["--batch", "3"]], ids=["one by one", "batch"])
def test_a_video_that_fails_comes_first_and_its_reason_is_told(
    hodor: Hodor, words: Callable[..., list[object]], how: list[str]
) -> None:
    Path("clips/b.mp4").write_text("no video, and nothing like one")
    ran = hodor(*words("clips", *how))
    assert ran.code == 1
    said = " ".join(ran.err.split())
    assert "1 of 3 videos failed (b), the others are finished; the same command" in said
    assert said.endswith("What went wrong is above and in out/report.csv")
    assert said.count("is no video that can be read") == 1, "what went wrong is told once"
    first, *others = report()
    assert (first["video"], first["status"]) == ("b", "failed")
    assert "b.mp4" in first["said"]
    assert [row["status"] for row in others] == ["finished"] * 2


def test_videos_without_masks_are_all_listed_and_nothing_is_tracked(
    hodor: Hodor, words: Callable[..., list[object]]
) -> None:
    Path("masks/a.png").rename(Path("masks/other.png"))
    Path("masks/b.png").rename(Path("masks/b.bmp"))
    write_label_map(Path("masks/b.png"), np.ones((4, 4), np.uint8))
    ran = hodor(*words())
    assert ran.code == 1
    assert "masks: 2 problems with the masks; nothing was tracked" in ran.err
    assert "  - a: no masks; give masks/a.png or a folder masks/a" in ran.err
    assert "  - b: b.bmp and b.png; keep one" in ran.err
    assert "  - masks also holds other.png, called as no video is: rename them" in ran.err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--masks", "masks/a.png"], "masks/a.png is no folder; for 3 videos give a folder"),
        (["--save-references", "x.safetensors"], "--save-references is of one video; here are 3"),
        (["--batch", "2", "--workers", "2"], "batch: one process computes all of it; leave out"),
        (["--batch", "2", "--adapt", "5"], "batch: adapt makes a model for each video"),
        (["--batch", "2", "--step", "fixed"], "batch: the step fixed takes one frame at a time"),
    ],
)
def test_what_does_not_go_with_several_videos_is_refused(
    hodor: Hodor, words: Callable[..., list[object]], more: list[str], message: str
) -> None:
    ran = hodor(*words("clips", *more))
    assert (ran.code, message in ran.err) == (1, True), ran.err


def test_what_fails_again_is_counted_among_all_videos(
    hodor: Hodor, words: Callable[..., list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "unfinished", lambda videos, *_, **__: videos[1:])
    monkeypatch.setattr(
        command, "track_many", lambda *_, **__: iter([Outcome("b", error="broken")])
    )
    ran = hodor(*words("clips", "--resume"))
    said = " ".join(ran.err.split())
    assert "1 of 3 videos is finished already" in said
    assert "1 of 3 videos failed" in said
    assert "the same command with --resume tries again" in said


def test_a_folder_of_videos_without_masks_is_told_of_a_folder_of_masks(
    hodor: Hodor, words: Callable[..., list[object]]
) -> None:
    ran = hodor("track", "clips", "--out", "out")
    assert "clips holds 3 videos: give --masks FOLDER with a mask for each" in ran.err
    assert "hodor studio clips/a.mp4, or hodor mask clips/a.mp4 --box" in ran.err
    assert "--out masks/a.png" in ran.err


def test_a_stopped_batch_says_in_one_line_how_to_go_on_and_reports(
    hodor: Hodor, words: Callable[..., list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> Iterator[Outcome]:
        yield Outcome("a", error="broken")
        raise KeyboardInterrupt

    tracked = command.track_many
    monkeypatch.setattr(command, "track_many", stopped)
    ran = hodor(*words())
    assert ran.code == 130
    assert "0 of 3 videos are finished" in ran.err
    assert ran.err.splitlines()[-1] == "stopped; the same command with --resume goes on from here"
    assert [row["status"] for row in report()] == ["failed", "not finished", "not finished"]
    monkeypatch.setattr(command, "track_many", tracked)
    assert hodor(*words("clips", "--resume")).code == 0
    assert {row["status"] for row in report()} == {"finished"}


def test_a_log_counts_the_videos_and_its_end_names_the_one_to_look_at(
    hodor: Hodor, words: Callable[..., list[object]]
) -> None:
    ran = hodor(*words())
    lines = ran.err.splitlines()
    assert [line.partition(",")[0] for line in lines[:3]] == [f"{n}: 3 frames" for n in "abc"]
    ends = [line.partition("frames/s ")[2].partition(",")[0] for line in lines[:3]]
    assert ends == ["(1 of 3", "(2 of 3", "(3 of 3)"], ran.err
    assert lines[0].endswith(" left)")
    assert "3 of 3 videos are finished" in lines
    first = report()[0]
    worst = f"confidence {float(first['worst_confidence']):.2f}"
    (look,) = [line for line in lines if line.startswith("look first at")]
    assert look.startswith(f"look first at {first['video']} (object {first['worst_object']} in ")
    assert look.endswith(f"{worst}): {first['studio']}")


def test_stacks_are_shown_in_the_report_by_the_channel_that_was_followed(
    hodor: Hodor, words: Callable[..., list[object]], scene: Any
) -> None:
    for file in Path("clips").iterdir():
        file.unlink()
    for name in ("a", "b", "c"):
        grey = np.stack(scene.frames[:3]).max(axis=3)
        pages = np.stack([grey, grey], axis=1)
        Path("clips", name).mkdir()
        imwrite(f"clips/{name}/stack.tif", pages, imagej=True, metadata={"axes": "TCYX"})
    ran = hodor(*words("clips", "--channel", "2"))
    assert ran.code == 0, ran.err
    assert Path("out/report.html").read_text(encoding="utf-8").count("data:image/jpeg") == 3


def test_a_mask_that_is_not_there_yet_is_told_how_to_be_made(
    hodor: Hodor, words: Callable[..., list[object]]
) -> None:
    ran = hodor("track", "clips/a.mp4", "--masks", "my masks/1.png", "--out", "out")
    assert ran.err.startswith(
        "hodor: my masks/1.png does not exist: --masks FILE shows the objects"
    )
    assert "hodor mask clips/a.mp4 --box LEFT,TOP,RIGHT,BOTTOM --out 'my masks/1.png'" in ran.err
    assert not Path("out").exists()


def test_stacks_that_have_frames_are_videos_and_other_tiffs_are_frames(tmp_path: Path) -> None:
    pages = np.zeros((3, 8, 8), np.uint8)
    for name in ("b10", "b9"):
        imwrite(tmp_path / f"{name}.tif", pages, imagej=True, metadata={"axes": "TYX"})
    both = [tmp_path / "b9.tif", tmp_path / "b10.tif"]
    assert find_videos(str(tmp_path)) == both
    assert find_videos(str(tmp_path / "*.tif")) == both
    imwrite(tmp_path / "c.tif", pages, imagej=True, metadata={"axes": "ZYX"})
    assert find_videos(str(tmp_path)) == [], "slices may be those of one frame"
