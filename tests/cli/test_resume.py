"""A run that is killed without warning goes on to the same files."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video.tiny_videos import write_video

from hodor.runs.pipeline import COMMIT_EVERY
from hodor.video import write_label_map

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

FRAMES = 250
KILLED_AT = 130  # a commit was made at 100
COMMAND = [sys.executable, "-c", "from hodor.cli import main; main()"]


def decoded(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        # In YUV, as decoded.
        return [(frame.pts, frame.to_ndarray()) for frame in container.decode()]


def kill_at(words: list[str], file: Path) -> None:
    """Begin a run and kill it as soon as a file is there."""
    # Nice, so that on a busy machine it is not done before we look.
    command = ["nice", "-n", "19", *COMMAND, *words]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    patience = time.monotonic() + 300
    while not file.exists() and run.poll() is None and time.monotonic() < patience:
        time.sleep(0.002)
    run.kill()
    _, told = run.communicate()
    if sys.platform != "win32":
        assert run.returncode == -signal.SIGKILL, told


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
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
    kill_at(words(killed), killed / f"labels/{KILLED_AT:05d}.png")
    done = len(list((killed / "labels").glob("*.png")))
    assert KILLED_AT < done < FRAMES, "the run should have been killed in its middle"
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
