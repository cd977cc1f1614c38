"""A run that is killed without warning goes on to the same files."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from holding import Held
from video.tiny_videos import write_video

from hodor.runs.pipeline import COMMIT_EVERY
from hodor.video import write_label_map

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

FRAMES = 120
KILLED_AT = 108  # a commit was made at 100
COMMAND = [sys.executable, "-c", "from hodor.cli import main; main()"]


def decoded(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        # In YUV, as decoded.
        return [(frame.pts, frame.to_ndarray()) for frame in container.decode()]


def kill_after(words: list[str], labels: int, folder: Path) -> None:
    """Begin a run and kill it when so many label maps are written."""
    held = Held(folder, "hodor.video.sinks:write_label_map", labels)
    command = [*COMMAND, *words]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=held.environment)
    held.wait(run)
    run.kill()
    _, told = run.communicate()
    assert run.returncode == -signal.SIGKILL, told


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_killed_and_resumed_run_gives_the_files_of_one_that_was_not_killed(
    tmp_path: Path, make_scene: Any, tiny_model: Path, hodor: Callable[..., Any]
) -> None:
    scene = make_scene(FRAMES, (48, 64))
    video = write_video(tmp_path / "video.mp4", scene.frames)
    write_label_map(tmp_path / "first.png", scene.labels[0])

    def words(out: Path, *more: str) -> list[str]:
        masks = str(tmp_path / "first.png")
        named = ["--masks", masks, "--out", str(out), "--model", str(tiny_model)]
        return ["track", str(video), *named, "--device", "cpu", "--overlay", "--rle", *more]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    kill_after(words(killed), KILLED_AT + 1, tmp_path / "held")
    done = len(list((killed / "labels").glob("*.png")))
    assert done == KILLED_AT + 1, "the run should have been killed in its middle"
    assert (killed / ".state.safetensors").is_file()
    # A new run is refused, and so is one that would mix two kinds of results.
    assert "go on with a stopped run by --resume" in hodor(*words(killed)).err
    assert "was begun with other settings" in hodor(*words(killed, "--resume", "--size", "96")).err

    for out, more in ((whole, []), (killed, ["--resume"])):
        ran = hodor(*words(out, *more))
        assert ran.code == 0, ran.err
    names = sorted(path.name for path in whole.iterdir())
    assert names == ["labels", "masks.json", "overlay.mp4", "summary.json"]
    assert sorted(path.name for path in killed.iterdir()) == names
    for t in range(FRAMES):
        name = f"labels/{t:05d}.png"
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    assert (killed / "masks.json").read_bytes() == (whole / "masks.json").read_bytes()
    for a, b in zip(decoded(whole / "overlay.mp4"), decoded(killed / "overlay.mp4"), strict=True):
        assert a[0] == b[0]
        np.testing.assert_array_equal(a[1], b[1])
    summaries = [json.loads((out / "summary.json").read_text()) for out in (whole, killed)]
    for name in ("frames", "objects", "confidence", "options", "model", "warnings"):
        assert summaries[0][name] == summaries[1][name]
    assert summaries[0]["frames"] == FRAMES
    assert COMMIT_EVERY == 100
