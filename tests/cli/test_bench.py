"""``hodor bench``: what it prints and writes; how fast anything is, is not tested."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hodor.profiling import STAGES

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

Hodor = Callable[..., Any]
SMALL = ("--height", 64, "--width", 96, "--repeats", 1, "--device", "cpu")


def test_the_papers_network_with_random_weights(hodor: Hodor, tmp_path: Path) -> None:
    path = tmp_path / "new" / "bench.json"
    words = ("--model", "swin_tiny", "--size", 64, "--window", 1, "--precision", "fp32")
    ran = hodor("bench", *words, *SMALL, "--objects", 2, "--json", path)
    assert ran.code == 0, ran.err
    for word in ("backbone", "whole step", "peak memory", "2 objects", "window 1", "64 x 96"):
        assert word in ran.out

    found = json.loads(path.read_text())
    assert list(found["stages"]) == ["decode", *STAGES, "rest"]
    assert all(seconds > 0 for seconds in found["stages"].values())
    assert found["gflop_per_frame"] == pytest.approx(sum(found["stage_gflop"].values()))
    speed = found["gflop_per_frame"] / found["seconds_per_frame"]
    assert found["share_of_peak"] == pytest.approx(speed / found["peak_gflops"])
    assert found["peak_memory_bytes"] > 1e7
    assert found["settings"]["tracker"]["window"] == found["settings"]["window"] == 1
    assert found["settings"]["precision"] == "fp32"
    assert found["machine"]["threads"] == 1
    assert set(found["versions"]) == {"hodor", "torch", "python"}


def test_a_models_own_options_are_used(hodor: Hodor, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    ran = hodor("bench", "--model", tiny_model, *SMALL, "--json", path)
    assert ran.code == 0, ran.err
    settings = json.loads(path.read_text())["settings"]
    assert (settings["size"], settings["window"]) == (64, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "medium"), "model 'medium': no bundled model of that name"),
        (("--precision", "fp8"), "precision 'fp8': it must be auto, fp32 or bf16"),
        (("--device", "abacus"), "device abacus: not available here"),
        ((*SMALL, "--objects", 900), "900 objects: more than fit into a frame of 64 x 96 pixels"),
    ],
)
def test_wrong_input_ends_in_one_line(
    hodor: Hodor, bundled: Path, words: tuple[object, ...], message: str
) -> None:
    ran = hodor("bench", *words)
    assert ran.code == 1
    assert ran.err.startswith(f"hodor: {message}")
    assert ran.err.count("\n") == 1


def test_a_file_that_cannot_be_written_is_told_after_the_table(
    hodor: Hodor, tiny_model: Path, tmp_path: Path
) -> None:
    ran = hodor("bench", "--model", tiny_model, *SMALL, "--json", tmp_path)
    assert ran.code == 1
    assert "could not be written" in ran.err
    assert "whole step" in ran.out
