"""``hodor evaluate``: a folder of results, or a model, to scores on paper and in files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hodor.cli import evaluate as command
from hodor.evaluation import read_settings, write_davis

pytestmark = pytest.mark.usefixtures("one_thread")

Hodor = Callable[..., Any]


@pytest.fixture
def davis(tmp_path: Path, scene: Any) -> Path:
    """One sequence of six frames in DAVIS layout."""
    root = tmp_path / "davis"
    labels = np.stack(scene.labels[:6])
    labels = np.where(labels == 3, 1, labels // 7 * 2).astype(np.uint8)
    write_davis([("moving", np.stack(scene.frames[:6]), labels)], root)
    return root


def test_results_that_are_the_truth_score_one(hodor: Hodor, davis: Path, tmp_path: Path) -> None:
    truth = davis / "Annotations/480p"
    scores, tables = tmp_path / "scores.json", tmp_path / "tables"
    ran = hodor("evaluate", truth, "--davis", davis, "--json", scores, "--csv", tables)
    assert ran.code == 0, ran.err
    assert "moving" in ran.out
    assert json.loads(scores.read_text())["mean"]["J&F"] == 1
    assert len(list(tables.glob("*.csv"))) == 2


def test_some_sequences_of_a_list_in_another_resolution_are_scored(
    hodor: Hodor, davis: Path
) -> None:
    for kind in ("Annotations", "JPEGImages"):
        (davis / kind / "480p").rename(davis / kind / "256p")
    (davis / "ImageSets/2017/val.txt").write_text("absent\nmoving\n")
    words = ("evaluate", davis / "Annotations/256p", "--davis", davis, "--resolution", "256p")
    ran = hodor(*words, "--sequences", "moving")
    assert ran.code == 0, ran.err
    assert "moving" in ran.out
    wrong = hodor(*words, "--sequences", "moving,mowing")
    assert wrong.code == 1
    assert "mowing is not in the list val of 2017, which has absent, moving" in wrong.err


def test_a_log_says_which_sequence_is_tracked_and_what_is_left(
    hodor: Hodor, davis: Path, tiny_model: Path
) -> None:
    ran = hodor("evaluate", "--model", tiny_model, "--davis", davis, "--device", "cpu")
    assert ran.code == 0, ran.err
    assert "tiny: moving tracked (frames: 6 of " in ran.err


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (["--out", "out"], "stopped; the same command with --resume goes on from here"),
        ([], "stopped; nothing is kept without --out FOLDER, by which --resume could go on"),
    ],
)
def test_an_evaluation_that_is_stopped_says_how_to_go_on(
    hodor: Hodor,
    davis: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kept: list[str],
    said: str,
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "run_method", stopped)
    ran = hodor("evaluate", "--model", "small", "--davis", davis, *kept)
    assert (ran.code, ran.err.strip()) == (130, said)


def test_a_models_tracks_are_scored_and_kept_if_asked(
    hodor: Hodor, davis: Path, tiny_model: Path, tmp_path: Path
) -> None:
    scores, out = tmp_path / "scores.json", tmp_path / "out"
    words = ("--davis", davis, "--json", scores, "--out", out, "--device", "cpu")
    ran = hodor("evaluate", "--model", tiny_model, *words)
    assert ran.code == 0, ran.err
    assert "6 frames tracked at" in ran.out
    values = json.loads(scores.read_text())
    assert 0 < values["mean"]["J&F"] < 1
    trust = values.pop("confidence")
    assert trust["absent_frames"] == 0
    assert sum(one["count"] for one in trust["bins"]) <= 10  # two objects, five frames
    assert "calibration error" in ran.out
    kept = sorted(path.name for path in (out / "tiny/moving").iterdir())
    assert kept == [f"{t:05d}.png" for t in range(6)]
    again = hodor("evaluate", out / "tiny", "--davis", davis, "--json", tmp_path / "again.json")
    assert again.code == 0, again.err
    assert json.loads((tmp_path / "again.json").read_text()) == values


def test_each_option_of_the_tracker_arrives(
    hodor: Hodor, davis: Path, tiny_model: Path, tmp_path: Path
) -> None:
    chosen = {
        "size": 96,
        "window": 2,
        "search_radius": 0.25,
        "crop_margin": 0.3,
        "min_confidence_ratio": 0.1,
    }
    chosen |= {"min_similarity": 0.05, "keep_reference": False, "keep_every": 3}
    words = """--size 96 --window 2 --search-radius 0.25 --crop-margin 0.3
    --min-confidence-ratio 0.1
        --min-similarity 0.05 --no-keep-reference --keep-every 3 --precision fp32 --device cpu"""
    out = tmp_path / "out"
    ran = hodor("evaluate", "--model", tiny_model, "--davis", davis, "--out", out, *words.split())
    assert ran.code == 0, ran.err
    settings = read_settings(out / "tiny")
    assert settings is not None
    assert {name: settings["options"][name] for name in chosen} == chosen
    assert (settings["device"], settings["precision"]) == ("cpu", "float32")


def test_results_that_are_not_there_are_told_in_one_line(
    hodor: Hodor, davis: Path, tmp_path: Path
) -> None:
    ran = hodor("evaluate", tmp_path / "none", "--davis", davis)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert ran.err.startswith("hodor: ")


def test_a_bundled_model_wins_over_a_folder_of_its_name(
    hodor: Hodor, davis: Path, bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").mkdir()
    ran = hodor("evaluate", "--model", "small", "--davis", davis, "--device", "cpu")
    assert ran.code == 0, ran.err
    assert "small: 6 frames tracked at" in ran.out


@pytest.mark.parametrize("word", ["folder", "mine=folder"])
def test_a_folder_is_no_model(
    hodor: Hodor, davis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    ran = hodor("evaluate", "--model", word, "--davis", davis, "--device", "cpu")
    assert ran.code == 1
    assert "hodor: model folder: holds no model; give a .safetensors file" in ran.err


def test_a_zip_is_written_of_what_a_server_takes_alone(
    hodor: Hodor, davis: Path, tmp_path: Path
) -> None:
    truth, file = davis / "Annotations/480p", tmp_path / "mine.zip"
    part = hodor("evaluate", truth, "--davis", davis, "--sequences", "moving", "--zip", file)
    assert (part.code, part.err.count("\n")) == (1, 1)
    assert "--zip is for a server, which wants every sequence: no --sequences" in part.err
    (davis / "ImageSets/2017").rename(davis / "ImageSets/2016")
    words = ("--davis", davis, "--year", "2016")
    for asked in (
        ("evaluate", truth, *words, "--zip", file),
        ("evaluate", "check-zip", file, *words),
    ):
        ran = hodor(*asked)
        assert (ran.code, ran.err.count("\n")) == (1, 1)
        assert "there is no server for DAVIS 2016" in ran.err
    assert not file.exists()


def test_tables_of_confidence_and_files_say_whose_they_are(
    hodor: Hodor, davis: Path, tiny_model: Path, tmp_path: Path
) -> None:
    models = ("--model", f"one={tiny_model}", "--model", f"other={tiny_model}")
    outs = [tmp_path / name for name in ("tables", "scores.json")]
    ran = hodor(
        "evaluate",
        *models,
        "--davis",
        davis,
        "--device",
        "cpu",
        "--csv",
        outs[0],
        "--json",
        outs[1],
    )
    assert ran.code == 0, ran.err
    for name in ("one", "other"):
        assert f"{name}: confidence against J, x 100; calibration error" in ran.out
    assert f"scores in {outs[0]}, {outs[1]}\n" in ran.out
    # Of one sequence no other can be drawn.
    assert "one sequence" in ran.out
