"""Methods on benchmarks: resumed after a kill, in parts, on several workers, side by side."""

import copy
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation import layouts
from holding import Held
from torch import nn

from hodor.errors import HodorError
from hodor.evaluation import (
    Benchmark,
    DavisDataset,
    Execution,
    Method,
    YouTubeVosDataset,
    compare,
    read_label_map,
    read_notes,
    run_method,
    score_folders,
    undone,
    write_davis,
)
from hodor.evaluation.comparison import sign_test
from hodor.evaluation.nearest_features import NearestFeatures
from hodor.evaluation.scores import Scores
from hodor.tracking import TrackerOptions

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
NAMES = ("a", "b", "c", "d")


@pytest.fixture
def dataset(tmp_path: Path) -> DavisDataset:
    """Four sequences of five frames."""
    frames = np.stack([layouts.frame(t, (60, 90)) for t in range(5)])
    maps = np.stack([layouts.labels(t, (1, 2), (60, 90)) for t in range(5)])
    write_davis(((name, frames, maps) for name in NAMES), tmp_path / "davis")
    return DavisDataset(tmp_path / "davis")


def method(tiny_model: Path, **changes: Any) -> Method:
    return replace(Method("tiny", str(tiny_model), device="cpu", precision="fp32"), **changes)


def finished(folder: Path) -> set[str]:
    return {path.stem for path in (folder / ".hodor").glob("*.json")} - {"run"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_killed_run_goes_on_by_sequence(
    dataset: DavisDataset, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["evaluate", "--model", f"tiny={tiny_model}", "--davis", dataset.root, "--out", out]
    words += ["--device", "cpu", "--precision", "fp32", "--json", tmp_path / "s.json"]
    command = [sys.executable, "-c", "from hodor.cli import main; main()", *map(str, words)]
    held = Held(tmp_path / "held", "hodor.evaluation.runs:run_sequence", 2)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=held.environment)
    held.wait(process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = finished(out / "tiny")
    assert len(done) == 2
    before = {name: (out / "tiny" / name / "00004.png").stat().st_mtime_ns for name in done}
    refused = subprocess.run(command, capture_output=True, text=True)
    assert "holds results already" in refused.stderr
    again = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    for name, when in before.items():
        assert (out / "tiny" / name / "00004.png").stat().st_mtime_ns == when
    whole = json.loads((tmp_path / "s.json").read_text())
    run_method(method(tiny_model), dataset, tmp_path / "other", Execution())
    (scores,) = score_folders([tmp_path / "other"], dataset)
    assert whole["mean"] == scores.to_json()["mean"]


def test_other_settings_cannot_be_resumed(
    dataset: DavisDataset, tiny_model: Path, tmp_path: Path
) -> None:
    run_method(Method("copy", baseline="copy"), dataset, tmp_path / "o", Execution())
    with pytest.raises(HodorError, match=r"other settings \(not the same: baseline\)"):
        run_method(
            Method("copy", baseline="flow"), dataset, tmp_path / "o", Execution(), resume=True
        )
    run_method(method(tiny_model), dataset, tmp_path / "t", Execution())
    with pytest.raises(HodorError, match=r"other settings \(not the same: options\)"):
        run_method(method(tiny_model, window=1), dataset, tmp_path / "t", Execution(), resume=True)


def test_shards_do_each_their_part_and_together_all(dataset: DavisDataset, tmp_path: Path) -> None:
    copying, out = Method("copy", baseline="copy"), tmp_path / "out"
    run_method(copying, dataset, out, Execution.of(1, None, "1/3"))
    assert finished(out) == {"a", "d"}
    assert undone(dataset, out) == ["b", "c"]
    run_method(copying, dataset, out, Execution.of(1, None, "2/3"))
    run_method(copying, dataset, out, Execution.of(1, None, "3/3"))
    assert undone(dataset, out) == []


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b"])
def test_a_shard_that_is_none_is_an_error(shard: str) -> None:
    with pytest.raises(HodorError, match="write I/N"):
        Execution.of(1, None, shard)


def test_workers_give_what_one_process_gives(
    dataset: DavisDataset, tiny_model: Path, tmp_path: Path
) -> None:
    for workers in (1, 2):
        run_method(method(tiny_model), dataset, tmp_path / str(workers), Execution(workers))
    for path in sorted((tmp_path / "1").glob("*/*.png")):
        other = tmp_path / "2" / path.relative_to(tmp_path / "1")
        np.testing.assert_array_equal(read_label_map(path), read_label_map(other))


def test_a_sequence_that_fails_leaves_the_others_whole(
    dataset: DavisDataset, tmp_path: Path
) -> None:
    broken = dataset.root / "JPEGImages/480p/b/00003.jpg"
    broken.write_bytes(b"gone since it was looked at")
    with pytest.raises(HodorError, match=r"1 of 4 sequences failed.*b: .*00003\.jpg"):
        run_method(Method("copy", baseline="copy"), dataset, tmp_path / "o", Execution())
    assert finished(tmp_path / "o") == {"a", "c", "d"}


def youtube_vos(root: Path) -> Benchmark:
    return YouTubeVosDataset(layouts.youtube_vos(root))


def test_a_model_takes_late_objects_and_keeps_only_wanted_frames(
    tiny_model: Path, tmp_path: Path
) -> None:
    dataset = youtube_vos(tmp_path / "ytvos")
    run_method(method(tiny_model), dataset, tmp_path / "o", Execution())
    kept = sorted(path.stem for path in (tmp_path / "o/00f88c4f0a").iterdir())
    assert kept == ["00000", "00005", "00010", "00015"]
    given = read_label_map(tmp_path / "o/0062f687f1/00010.png")
    np.testing.assert_array_equal(given == 2, layouts.labels(2, (2,)) == 2)
    assert not (read_label_map(tmp_path / "o/0062f687f1/00005.png") == 2).any()
    note = read_notes(dataset, tmp_path / "o")["0062f687f1"]
    assert [math.isnan(v) for v in note.confidence[2]] == [True, True, False, False, False]
    assert note.confidence[2][2] == 1  # given


@pytest.mark.parametrize("baseline", ["copy", "flow", "features"])
def test_baselines_take_late_objects_too(tiny_model: Path, tmp_path: Path, baseline: str) -> None:
    dataset = youtube_vos(tmp_path / "ytvos")
    run = method(tiny_model, name=baseline, baseline=baseline)
    run_method(run, dataset, tmp_path / "o", Execution())
    later = read_label_map(tmp_path / "o/0062f687f1/00020.png")
    assert set(np.unique(later)) == {0, 1, 2}
    assert not (read_label_map(tmp_path / "o/0062f687f1/00005.png") == 2).any()
    assert read_notes(dataset, tmp_path / "o")["0062f687f1"].confidence == {}


class Colours(nn.Module):
    """A backbone whose features at stride 8 are the mean colours of its cells."""

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [images, nn.functional.avg_pool2d(images, 8)]


def test_features_take_masks_along_with_what_looks_alike_nearby(tiny_network: Any) -> None:
    network = copy.deepcopy(tiny_network)
    network.backbone = Colours()
    size = (96, 160)
    frames, given = [], []
    for t in range(6):
        picture = np.full((*size, 3), 60, np.uint8)
        picture[40:64, 8 + 16 * t : 32 + 16 * t] = (220, 60, 40)
        picture[40:64, 136:160] = (220, 60, 40)  # looks the same, but is never in reach
        frames.append(picture)
        given.append(None)
    first = np.zeros(size, np.uint8)
    first[40:64, 8:32] = 7
    follow = NearestFeatures(network, TrackerOptions(size=96), radius=4, context=1)
    maps = list(follow(frames[:5], [first, *given[1:5]]))
    np.testing.assert_array_equal(maps[0], first)
    truth = np.roll(first, 64, axis=1)
    assert ((maps[4] == 7) & (truth == 7)).sum() / ((maps[4] == 7) | (truth == 7)).sum() > 0.6
    assert not (maps[4][:, 136:] == 7).any()


def test_a_baseline_that_there_is_not_is_an_error() -> None:
    with pytest.raises(HodorError, match=r"choose among copy, flow, features"):
        Method("x", baseline="x")


def scored(dataset: DavisDataset, tmp_path: Path, name: str, shifts: list[int]) -> Scores:
    for sequence, shift in zip(dataset.sequences, shifts, strict=True):
        folder = tmp_path / name / sequence.name
        folder.mkdir(parents=True)
        for frame in sequence.names:
            moved = np.roll(sequence.label_map(frame), shift, axis=1)
            layouts.write_labels(folder / f"{frame}.png", moved)
    return score_folders([tmp_path / name], dataset)[0]


def test_differences_are_taken_sequence_by_sequence(dataset: DavisDataset, tmp_path: Path) -> None:
    ours = scored(dataset, tmp_path, "ours", [0, 1, 2, 0])
    theirs = scored(dataset, tmp_path, "theirs", [1, 2, 1, 0])
    paired = compare(ours, theirs)
    assert paired.differences["a"] > 0 > paired.differences["c"]
    assert paired.differences["a"] == pytest.approx(-compare(theirs, ours).differences["a"])
    assert paired.mean == pytest.approx(ours.mean.j_and_f - theirs.mean.j_and_f)
    assert (paired.better, paired.worse) == (2, 1)
    low, high = paired.interval
    assert min(paired.differences.values()) <= low < paired.mean < high
    assert high <= max(paired.differences.values())


@pytest.mark.parametrize(
    ("better", "worse", "expected"),
    [(10, 0, 2 / 1024), (5, 5, 1), (0, 0, 1), (2, 1, 1), (4, 1, 0.375)],
)
def test_the_sign_test_is_that_of_a_fair_coin(better: int, worse: int, expected: float) -> None:
    assert sign_test(better, worse) == pytest.approx(expected)


def test_methods_stand_side_by_side_on_the_command_line(
    hodor: Callable[..., Any], dataset: DavisDataset, tmp_path: Path
) -> None:
    truth = dataset.root / "Annotations/480p"
    words = ["--davis", dataset.root, "--baseline", "copy", "--baseline", "flow"]
    ran = hodor("evaluate", f"truth={truth}", *words, "--json", tmp_path / "s.json",
                "--csv", tmp_path / "csv", "--table2", tmp_path / "t.md")  # fmt: skip
    assert ran.code == 0, ran.err
    assert "side by side" in ran.out
    found = json.loads((tmp_path / "s.json").read_text())
    assert list(found["methods"]) == ["truth", "copy", "flow"]
    assert found["paired"]["copy"]["better"] == 4
    assert (tmp_path / "csv/flow/per_object_results.csv").is_file()
    rows = (tmp_path / "t.md").read_text().splitlines()
    assert rows[0].startswith("DAVIS 2017 val (4 sequences)")
    assert "| truth | 100.0 | 100.0 | 100.0 |" in rows


def test_problems_of_results_are_told_before_a_model_runs(
    hodor: Callable[..., Any], dataset: DavisDataset, tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    words = ["--davis", dataset.root, "--baseline", "copy", "--out", tmp_path / "out"]
    ran = hodor("evaluate", tmp_path / "theirs", *words)
    assert ran.code == 1
    assert "has 4 problems" in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x=a", "x=b"], "two methods are called x"),
        (["--baseline", "copy", "--resume"], "--resume and --shard need --out"),
        (["r", "--baseline", "copy", "--zip", "z.zip"], "--zip holds one method's results"),
    ],
)
def test_words_that_do_not_fit_are_told(
    hodor: Callable[..., Any], words: list[str], message: str
) -> None:
    ran = hodor("evaluate", *words, "--davis", "d")
    assert (ran.code, message in ran.err) == (1, True), ran.err


def test_a_submission_is_written_and_checked_on_the_command_line(
    hodor: Callable[..., Any], tmp_path: Path
) -> None:
    root = layouts.youtube_vos(tmp_path / "ytvos")
    zipped = tmp_path / "mine.zip"
    ran = hodor("evaluate", "--baseline", "copy", "--youtube-vos", root, "--zip", zipped)
    assert ran.code == 0, ran.err
    assert "9 frames in" in ran.out
    ran = hodor("evaluate", "check-zip", zipped, "--youtube-vos", root)
    assert (ran.code, "as the server takes them" in ran.out.replace("\n", " ")) == (0, True)
    other = layouts.davis_test_dev(tmp_path / "davis")
    ran = hodor("evaluate", "check-zip", zipped, "--davis", other, "--split", "test-dev")
    assert ran.code == 1
    assert "no file is where the server looks" in ran.err
