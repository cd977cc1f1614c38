"""``hodor measure``: from a run, or from masks of other tools, to a table and a picture."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.tracks import track_of
from PIL import Image
from tifffile import imwrite

from hodor.formats import write_track
from hodor.profiling.scenes import write_video

pytestmark = pytest.mark.slow

Hodor = Callable[..., Any]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with masks/: a square that moves by 5 pixels a frame."""
    monkeypatch.chdir(tmp_path)
    maps = [np.zeros((40, 60), np.uint8) for _ in range(3)]
    for t, label_map in enumerate(maps):
        label_map[5 + 3 * t : 15 + 3 * t, 5 + 4 * t : 15 + 4 * t] = 1
    write_track(track_of(maps), "masks", "png")
    write_track(track_of(maps), "masks.json", "rle")
    return tmp_path


def rows(file: str) -> list[dict[str, str]]:
    with Path(file).open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_masks_become_a_table_and_a_picture_beside_them(hodor: Hodor, here: Path) -> None:
    ran = hodor("measure", "masks", "--name", "1=cell")
    assert ran.code == 0, ran.err
    assert "object 1 (cell): visible in 3 of 3 frames, area 100 to 100 px²" in ran.err
    line = next(one for one in ran.err.splitlines() if "object 1" in one)
    assert line.endswith("mean speed 5 px/frame"), "no line is broken in a log"
    assert "--fps RATE or --source VIDEO makes them per second" in ran.err
    table = rows("masks-measurements.csv")
    assert [row["speed_px_per_frame"] for row in table] == ["", "5.0", "5.0"]
    assert Path("masks-measurements.png").stat().st_size > 5000


def test_a_name_for_an_object_that_is_nowhere_is_refused(hodor: Hodor, here: Path) -> None:
    ran = hodor("measure", "masks", "--name", "9=cell")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "--name 9=cell: there is no object 9; objects are" in ran.err
    assert not Path("masks-measurements.csv").exists()


def test_an_object_that_nobody_named_is_called_by_its_number_alone(
    hodor: Hodor, here: Path
) -> None:
    assert "  object 1: visible in 3 of 3 frames" in hodor("measure", "masks").err


def test_large_numbers_are_said_without_an_exponent(hodor: Hodor, here: Path) -> None:
    said = hodor("measure", "masks", "--um-per-pixel", "12.3").err
    assert "area 15,130 to 15,130 µm²" in " ".join(said.split())


def test_scale_and_rate_give_micrometres_a_second(hodor: Hodor, here: Path) -> None:
    ran = hodor("measure", "masks", "--um-per-pixel", 0.65, "--fps", 4, "--out", "cells.csv")
    assert ran.code == 0, ran.err
    assert "per second" not in ran.err
    assert rows("cells.csv")[1]["speed_um_per_s"] == "13.0"  # 5 px x 0.65 um x 4 a second
    assert rows("cells.csv")[1]["time_s"] == "0.25"


def test_a_format_that_states_the_rate_needs_none(hodor: Hodor, here: Path) -> None:
    assert hodor("measure", "masks.json").code == 0
    assert rows("masks-measurements.csv")[1]["speed_px_per_s"] == "125.0"


def test_a_runs_folder_takes_the_table_with_confidence_and_rate(hodor: Hodor, here: Path) -> None:
    Path("out").mkdir()
    Path("masks").rename("out/labels")
    summary = {"source": "clip", "source_fps": 50, "confidence": {"1": [1.0, 0.5, 0.25]}}
    Path("out/summary.json").write_text(json.dumps(summary))
    assert hodor("measure", "out").code == 0
    table = rows("out/measurements.csv")
    assert [row["confidence"] for row in table] == ["1.0", "0.5", "0.25"]
    assert table[1]["speed_px_per_s"] == "250.0"


def test_a_stack_for_which_nobody_stated_a_rate_has_speeds_per_frame(
    hodor: Hodor, here: Path
) -> None:
    stack = [Image.fromarray(np.full((40, 60), t, np.uint8)) for t in range(3)]
    stack[0].save("cells.tif", save_all=True, append_images=stack[1:])
    assert hodor("measure", "masks", "--source", "cells.tif").code == 0
    assert rows("masks-measurements.csv")[1]["speed_px_per_frame"] == "5.0"
    assert hodor("measure", "masks", "--source", "cells.tif", "--fps", 0.1).code == 0
    assert rows("masks-measurements.csv")[1]["speed_px_per_s"] == "0.5"


def test_a_run_on_images_has_speeds_per_frame_until_a_rate_is_given(
    hodor: Hodor, here: Path
) -> None:
    Path("out").mkdir()
    Path("masks").rename("out/labels")
    summary = {"source": "cells", "source_fps": None, "confidence": {"1": [1.0, 0.5, 0.25]}}
    Path("out/summary.json").write_text(json.dumps(summary))
    assert hodor("measure", "out").code == 0
    assert rows("out/measurements.csv")[1]["speed_px_per_frame"] == "5.0"
    assert hodor("measure", "out", "--fps", 2).code == 0
    assert rows("out/measurements.csv")[1]["speed_px_per_s"] == "10.0"


def test_a_run_of_before_on_images_has_no_rate_that_nobody_stated(hodor: Hodor, here: Path) -> None:
    Path("out").mkdir()
    Path("masks").rename("out/labels")
    for source, speed in (("/gone/cells", "per_frame"), ("/gone/cells.mp4", "per_s")):
        summary = {
            "source": "cells",
            "inputs": {"source": source},
            "source_fps": 25.0,
            "confidence": {"1": [1.0, 0.5, 0.25]},
        }
        Path("out/summary.json").write_text(json.dumps(summary))
        assert hodor("measure", "out").code == 0
        assert f"speed_px_{speed}" in rows("out/measurements.csv")[1]


def test_slow_recordings_are_stated_and_told_in_seconds(hodor: Hodor, here: Path) -> None:
    assert hodor("measure", "masks", "--fps", "1/15", "--out", "a.csv").code == 0
    assert rows("a.csv")[1]["time_s"] == "15.0"
    stack = np.stack([np.array(Image.open(file)) for file in sorted(Path("masks").iterdir())])
    imwrite("cells.tif", stack, imagej=True, metadata={"axes": "TYX", "finterval": 15.0})
    assert "as the file says: a frame every 15 s; --fps" in hodor("measure", "cells.tif").err


def test_scale_and_rate_that_imagej_noted_are_taken_unless_others_are_given(
    hodor: Hodor, here: Path
) -> None:
    stack = np.stack([np.array(Image.open(file)) for file in sorted(Path("masks").iterdir())])
    about = {"axes": "TYX", "unit": "um", "finterval": 0.5}
    imwrite("cells.tif", stack, imagej=True, resolution=(2, 2), metadata=about)
    ran = hodor("measure", "cells.tif")
    assert ran.code == 0, ran.err
    said = "as the file says: 0.5 µm per pixel, 2 frames per second; --um-per-pixel and --fps"
    assert said in " ".join(ran.err.split())
    row = rows("cells-measurements.csv")[1]
    assert (row["area_um2"], row["speed_um_per_s"], row["time_s"]) == ("25.0", "5.0", "0.5")
    assert hodor("measure", "masks", "--source", "cells.tif").code == 0
    assert rows("masks-measurements.csv")[1] == row | {"name": "object"}
    ran = hodor("measure", "cells.tif", "--um-per-pixel", 1, "--fps", 1)
    assert "as the file says" not in ran.err
    assert rows("cells-measurements.csv")[1]["speed_um_per_s"] == "5.0"


def test_a_run_notes_the_scale_for_measuring(hodor: Hodor, here: Path) -> None:
    Path("out").mkdir()
    Path("masks").rename("out/labels")
    summary = {
        "source": "cells",
        "source_fps": 25.0,
        "um_per_pixel": 0.5,
        "inputs": {"source": "/gone/cells.tif"},
        "confidence": {"1": [1.0, 0.5, 0.25]},
    }
    Path("out/summary.json").write_text(json.dumps(summary))
    assert hodor("measure", "out").code == 0
    assert rows("out/measurements.csv")[1]["speed_um_per_s"] == "62.5"
    summary["um_per_pixel"] = -1
    Path("out/summary.json").write_text(json.dumps(summary))
    ran = hodor("measure", "out")
    assert ran.code == 1
    assert "micrometres per pixel" in ran.err


def test_a_video_of_several_channels_gives_its_times_without_choosing_one(
    hodor: Hodor, here: Path
) -> None:
    pages = np.zeros((3, 2, 2, 40, 60), np.uint8)
    about = {"axes": "TZCYX", "finterval": 0.5}
    imwrite("cells.tif", pages, imagej=True, metadata=about)
    ran = hodor("measure", "masks", "--source", "cells.tif")
    assert ran.code == 0, ran.err
    assert [row["speed_px_per_s"] for row in rows("masks-measurements.csv")] == ["", "10.0", "10.0"]


def test_what_a_run_saw_of_a_stack_is_seen_by_what_comes_after(hodor: Hodor, here: Path) -> None:
    imwrite("cells.tif", np.zeros((3, 2, 40, 60), np.uint8), imagej=True, metadata={"axes": "TCYX"})
    write_track(track_of([np.ones((40, 60), np.uint8)] * 3), "out/labels", "png")
    inputs = {"source": str(here / "cells.tif"), "intensity": "auto of channel 2"}
    summary = {"source": "cells", "frames": 3, "confidence": {}, "inputs": inputs}
    Path("out/summary.json").write_text(json.dumps(summary))
    ran = hodor("convert", "out", "mattes", "--to", "rgba")
    assert ran.code == 0, ran.err
    again = hodor("convert", "out", "again", "--to", "rgba", "--source", "cells.tif")
    assert again.code == 0, again.err


def test_what_a_run_saw_of_its_stack_is_not_asked_of_another_video(
    hodor: Hodor, here: Path
) -> None:
    imwrite("cells.tif", np.zeros((3, 2, 40, 60), np.uint8), imagej=True, metadata={"axes": "TCYX"})
    write_video(here / "shown.mp4", [np.zeros((40, 60, 3), np.uint8)] * 3)
    write_track(track_of([np.ones((40, 60), np.uint8)] * 3), "out/labels", "png")
    inputs = {"source": str(here / "cells.tif"), "intensity": "auto of channel 2"}
    summary = {"source": "cells", "frames": 3, "confidence": {}, "inputs": inputs}
    Path("out/summary.json").write_text(json.dumps(summary))
    for words in (["convert", "out", "mattes", "--to", "rgba"], ["measure", "out"]):
        ran = hodor(*words, "--source", "shown.mp4")
        assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "nothing does not exist"),
        (["masks", "--out", "cells.xlsx"], "a table is written as .csv or .parquet"),
        (["masks", "--um-per-pixel", "0"], "give a number over 0, such as 0.65"),
        (["masks", "--fps", "-1"], "give frames per second over 0"),
        (["masks", "--fps", "1/0"], "--fps 1/0: give frames per second over 0"),
    ],
)
def test_what_cannot_be_is_one_line(
    hodor: Hodor, here: Path, words: list[str], message: str
) -> None:
    ran = hodor("measure", *words)
    assert ran.code == 1
    assert message in " ".join(ran.err.split())
    assert len(ran.err.splitlines()) == 1
    assert not list(here.glob("*.csv"))
