"""``hodor track --list``: many videos, several workers, one of them killed."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from holding import Held
from PIL import Image

from hodor.errors import HodorError
from hodor.evaluation import read_label_map
from hodor.runs import read_list

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
LONG = 110  # frames; a run commits after 100
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs the extra [ray]"
)


@pytest.fixture
def videos(tmp_path: Path, make_scene: Callable[..., Any]) -> Path:
    """A list of three folders of frames with their masks, many frames in the last."""
    rows = ["source,masks,name"]
    for name, count in (("a", 3), ("b", 3), ("long", LONG)):
        scene = make_scene(count)
        for index, frame in enumerate(scene.frames):
            path = tmp_path / "in" / name / f"{index:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(frame).save(path)
        Image.fromarray(scene.labels[0]).save(tmp_path / f"in/{name}.png")
        rows.append(f"{name},{name}.png,{name}")
    (tmp_path / "in/videos.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "in/videos.csv"


def words(videos: Path, model: Path, out: Path) -> list[object]:
    return ["track", "--list", videos, "--out", out, "--model", model, "--device", "cpu"]


def test_all_videos_of_a_list_are_tracked_and_none_twice(
    hodor: Callable[..., Any], videos: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = hodor(*words(videos, tiny_model, out))
    assert ran.code == 0, ran.err
    assert f"long: {LONG} frames" in ran.err
    assert len(list((out / "long/labels").glob("*.png"))) == LONG
    assert json.loads((out / "a/summary.json").read_text())["frames"] == 3
    refused = hodor(*words(videos, tiny_model, out))
    assert (refused.code, "holds results of a already" in refused.err) == (1, True)
    shutil.rmtree(out / "b")
    before = (out / "a/labels/00002.png").stat().st_mtime_ns
    again = hodor(*words(videos, tiny_model, out), "--resume")
    assert again.code == 0, again.err
    assert "2 of 3 videos are finished already" in again.err
    assert (out / "a/labels/00002.png").stat().st_mtime_ns == before
    assert (out / "b/summary.json").is_file()
    alone = hodor("track", videos.parent / "b", "--masks", videos.parent / "b.png", "--out",
                  tmp_path / "alone", "--model", tiny_model, "--device", "cpu")  # fmt: skip
    assert alone.code == 0, alone.err
    for path in (tmp_path / "alone/labels").iterdir():
        other = read_label_map(out / "b/labels" / path.name)
        np.testing.assert_array_equal(read_label_map(path), other)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    "place",
    [
        pytest.param(["--workers", "2"], id="processes"),
        pytest.param(["--workers", "2", "--ray", "local"], id="ray", marks=needs_ray),
    ],
)
def test_a_worker_killed_in_the_middle_costs_nothing(
    videos: Path, tiny_model: Path, tmp_path: Path, place: list[str]
) -> None:
    out = tmp_path / "out"
    # Only the long video and another, so that the killed worker can be told.
    lines = videos.read_text().splitlines()
    videos.write_text(
        "\n".join([lines[0], lines[3]])
        + "\n"
        + lines[3].replace("long,long.png,long", "long,long.png,twin")
        + "\n"
    )
    command = [sys.executable, "-c", "from hodor.cli import main; main()"]
    command += [*map(str, words(videos, tiny_model, out)), *place]
    # After a commit (100 frames) there is something to go on from.
    held = Held(tmp_path / "held", "hodor.runs.pipeline:save_state")
    environment = held.environment | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    os.kill(held.wait(process), signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 0, said
    for name in ("long", "twin"):
        assert json.loads((out / name / "summary.json").read_text())["frames"] == LONG
        assert len(list((out / name / "labels").glob("*.png"))) == LONG
    for path in (out / "long/labels").iterdir():
        other = read_label_map(out / "twin/labels" / path.name)
        np.testing.assert_array_equal(read_label_map(path), other)


def test_what_is_wrong_with_a_list_is_told_at_once(
    hodor: Callable[..., Any], tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "l.csv").write_text("source,masks\nnone.mp4,none.png\nl.csv,\nx/l.csv,l.csv\n")
    ran = hodor(*words(tmp_path / "l.csv", tiny_model, tmp_path / "o"))
    assert ran.code == 1
    assert "has 5 problems" in ran.err
    for part in ("line 2: ", "none.mp4 does not exist", "line 3: neither masks", "are called l"):
        assert part in ran.err
    (tmp_path / "l.csv").write_text("video,masks\na,b\n")
    ran = hodor(*words(tmp_path / "l.csv", tiny_model, tmp_path / "o"))
    assert "must name columns among source, masks, references, name" in ran.err


@pytest.mark.parametrize(
    "head", ["source ,masks", '"source", "masks"', "source;masks", "\ufeff source; masks "]
)
def test_lists_of_spreadsheets_are_read(tmp_path: Path, head: str) -> None:
    for name in ("a.mp4", "a.png"):
        (tmp_path / name).touch()
    (tmp_path / "l.csv").write_text(f"{head}\na.mp4{';' if ';' in head else ','} a.png\n")
    (video,) = read_list(tmp_path / "l.csv")
    assert (video.name, video.source) == ("a", str(tmp_path / "a.mp4"))
    assert video.masks == tmp_path / "a.png"


def test_a_name_with_a_comma_is_not_cut_in_silence(tmp_path: Path) -> None:
    for name in ("a", "b.mp4", "m.png"):
        (tmp_path / name).touch()
    (tmp_path / "l.csv").write_text("masks,source\nm.png,a, b.mp4\n")
    with pytest.raises(HodorError, match=r"has 1 problem; .*\n.*line 2: more cells than columns"):
        read_list(tmp_path / "l.csv")


def test_a_source_or_a_list_not_both(hodor: Callable[..., Any], tmp_path: Path) -> None:
    ran = hodor("track", "--out", tmp_path / "o")
    assert (ran.code, "give either SOURCE or --list" in ran.err) == (2, True)
