"""Folders of results: scores, reports, and what is said of results that cannot be scored."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from hodor.errors import DataError
from hodor.evaluation import (
    DavisDataset,
    check_folders,
    score_folder,
    score_folders,
    score_table,
    write_csv,
)
from hodor.video import write_label_map

pytestmark = pytest.mark.slow

LabelMaps = NDArray[np.uint8]
Benchmark = Callable[..., Path]

EXCERPT = Path(__file__).resolve().parents[1] / "data" / "metrics"
SHARED = Path(__file__).resolve().parents[3] / "shared"
NUMBERS = {"J&F", "J", "F", "J-Recall", "J-Decay", "F-Recall", "F-Decay"}


def write_results(folder: Path, **sequences: LabelMaps) -> Path:
    for name, maps in sequences.items():
        (folder / name).mkdir(parents=True)
        for index, label_map in enumerate(maps):
            write_label_map(folder / name / f"{index:05d}.png", label_map)
    return folder


def excerpt() -> DavisDataset:
    return DavisDataset(EXCERPT / "reference", with_frames=False)


def test_a_perfect_result_scores_1_in_all_but_decay(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    dataset = DavisDataset(benchmark(a=squares, b=squares[:3]))
    scores = score_folder(write_results(tmp_path / "r", a=squares, b=squares[:3]), dataset)
    mean = scores.to_json()["mean"]
    assert mean == {name: 0.0 if "Decay" in name else 1.0 for name in NUMBERS}


def test_the_json_has_exactly_the_agreed_shape(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    dataset = DavisDataset(benchmark(a=squares))
    scores = score_folder(write_results(tmp_path / "r", a=squares), dataset)
    found: Any = json.loads(json.dumps(scores.to_json()))
    assert set(found) == {"mean", "sequences"}
    assert set(found["mean"]) == NUMBERS
    assert set(found["sequences"]["a"]) == {"J&F", "J", "F", "objects"}
    assert set(found["sequences"]["a"]["objects"]) == {"1", "2"}
    assert set(found["sequences"]["a"]["objects"]["2"]) == NUMBERS


def test_the_mean_is_over_objects_not_over_sequences(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    one = np.where(squares == 2, np.uint8(0), squares)
    dataset = DavisDataset(benchmark(two=squares, one=one))
    results = write_results(tmp_path / "r", two=np.zeros_like(squares), one=one)
    scores: Any = score_folder(results, dataset).to_json()
    assert scores["mean"]["J"] == pytest.approx(1 / 3)
    assert scores["sequences"]["two"]["J"] == 0
    assert scores["sequences"]["one"]["J&F"] == 1


def test_in_2016_a_result_is_one_object_whatever_its_value(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    root = benchmark(a=squares)
    (root / "ImageSets/2017").rename(root / "ImageSets/2016")
    results = write_results(tmp_path / "r", a=np.minimum(squares, 1) * np.uint8(255))
    assert score_folder(results, DavisDataset(root, 2016)).mean.j_and_f == 1


def test_the_first_and_the_last_label_map_need_not_be_there(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    dataset = DavisDataset(benchmark(a=squares))
    results = write_results(tmp_path / "r", a=squares)
    for name in ("00000.png", "00004.png"):
        (results / "a" / name).unlink()
    assert score_folder(results, dataset).mean.j_and_f == 1


def test_all_problems_of_all_sequences_are_told_at_once(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    names = ("gone", "gap", "cut", "small", "more", "fine")
    dataset = DavisDataset(benchmark(**dict.fromkeys(names, squares)))
    results = write_results(tmp_path / "r", **dict.fromkeys(names[1:], squares))
    (results / "gap/00002.png").unlink()
    (results / "cut/00001.png").write_bytes((results / "cut/00001.png").read_bytes()[:60])
    write_label_map(results / "small/00003.png", squares[3][:, :20])
    write_label_map(results / "more/00002.png", squares[2] * np.uint8(2))
    with pytest.raises(DataError) as caught:
        score_folder(results, dataset)
    head, *lines = str(caught.value).splitlines()
    assert "5 problems" in head
    expected = [
        ("gone: ", "is missing"),
        ("gap: missing 00002.png",),
        ("cut: ", "00001.png cannot be read"),
        ("small: the reference is 32 x 24", "00003.png (20 x 24)"),
        ("more: ", "only ids 1, 2", "4 (in 00002.png)"),
    ]
    assert len(lines) == len(expected)
    for line, parts in zip(lines, expected, strict=True):
        assert all(part in line for part in parts), line


def test_a_result_in_colours_is_an_error(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    dataset = DavisDataset(benchmark(a=squares))
    results = write_results(tmp_path / "r", a=squares)
    Image.new("RGB", (32, 24)).save(results / "a/00001.png")
    with pytest.raises(DataError, match="mode RGB"):
        score_folder(results, dataset)


def test_ids_that_the_reference_skips_are_extra_too(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    apart = np.where(squares == 2, np.uint8(5), squares)
    dataset = DavisDataset(benchmark(a=apart))
    assert score_folder(write_results(tmp_path / "r", a=apart), dataset).mean.j_and_f == 1
    with pytest.raises(DataError, match=r"only ids 1, 5, the result also 2"):
        score_folder(write_results(tmp_path / "s", a=squares), dataset)


def test_a_sequence_of_two_frames_is_an_error(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    dataset = DavisDataset(benchmark(a=squares[:2], b=squares))
    with pytest.raises(DataError, match="a: 2 frames leave none"):
        score_folder(write_results(tmp_path / "r", a=squares[:2], b=squares), dataset)


def test_problems_of_several_folders_are_told_together(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    dataset = DavisDataset(benchmark(a=squares))
    folders = [write_results(tmp_path / "r", a=squares), tmp_path / "none", tmp_path / "s"]
    write_results(folders[2], a=squares * np.uint8(2))
    for look in (score_folders, check_folders):
        with pytest.raises(DataError) as caught:
            look(folders, dataset)
        first, second = str(caught.value).splitlines()
        assert "none is not a folder" in first
        assert "the result also 4 (in 00001.png)" in second


def test_several_folders_are_scored_as_each_alone(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    dataset = DavisDataset(benchmark(a=squares))
    folders = [
        write_results(tmp_path / "r", a=squares),
        write_results(tmp_path / "s", a=np.roll(squares, 1, axis=2)),
    ]
    assert score_folders(folders, dataset) == [score_folder(one, dataset) for one in folders]


def test_scoring_does_not_wait_for_pytorch(run_python: Callable[..., Any]) -> None:
    ran = run_python(
        "import sys, hodor.evaluation as e; e.score_folder; print('torch' in sys.modules)"
    )
    assert ran.stdout == "False\n", ran.stderr


def test_a_results_folder_that_is_not_there_is_one_error(
    benchmark: Benchmark, squares: LabelMaps, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        score_folder(tmp_path / "nowhere", DavisDataset(benchmark(a=squares)))


def test_two_workers_give_the_numbers_of_one() -> None:
    results = EXCERPT / "results"
    assert score_folder(results, excerpt(), workers=2) == score_folder(results, excerpt())


def test_scores_of_the_excerpt_are_the_recorded_ones() -> None:
    recorded = json.loads((EXCERPT / "expected.json").read_text())
    scores = score_folder(EXCERPT / "results", excerpt())
    for name, objects in scores.sequences.items():
        for object_id, found in objects.items():
            expected = recorded.pop(f"{name}_{object_id}")
            assert found.j.mean == pytest.approx(expected["J"]["M"], abs=1e-6)
            assert found.f.decay == pytest.approx(expected["F"]["D"], abs=1e-6)
    assert not recorded


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the folder 'shared' beside the checkout")
@pytest.mark.parametrize(
    ("name", "root", "year"),
    [("single", "data/davis2016", 2016), ("multi", "metrics/multi/reference", 2017)],
)
def test_the_means_are_the_official_toolkits(name: str, root: str, year: int) -> None:
    dataset = DavisDataset(SHARED / root, year, with_frames=False)
    found: Any = score_folder(SHARED / "metrics" / name / "results", dataset).to_json()["mean"]
    expected = json.loads((SHARED / "metrics/expected.json").read_text())[name]["mean"]
    assert len(expected) == len(found)
    for column, value in expected.items():
        ours = column.replace("_mean", "").replace("_r", "-R").replace("_d", "-D")
        assert found[ours] == pytest.approx(value, abs=1e-6)


def test_csv_files_hold_the_same_numbers(tmp_path: Path) -> None:
    scores = score_folder(EXCERPT / "results", excerpt())
    overall, per_object = write_csv(scores, tmp_path / "new" / "folder")
    (row,) = csv.DictReader(overall.open())
    assert {name: float(value) for name, value in row.items()} == scores.to_json()["mean"]
    rows = list(csv.DictReader(per_object.open()))
    assert [(r["Sequence"], r["Object"]) for r in rows] == [
        ("judo", "1"), ("judo", "2"), ("pigs", "1"), ("pigs", "2"), ("pigs", "3")
    ]  # fmt: skip
    assert float(rows[3]["F-Recall"]) == scores.sequences["pigs"][2].f.recall


def test_the_table_fits_80_columns_and_shows_hundredths() -> None:
    scores = score_folder(EXCERPT / "results", excerpt())
    screen = io.StringIO()
    Console(file=screen, width=80).print(score_table(scores, objects=True))
    lines = screen.getvalue().splitlines()
    assert "…" not in screen.getvalue()
    (judo,) = (line for line in lines if "judo" in line)
    average = 100 * (scores.sequences["judo"][1].j.mean + scores.sequences["judo"][2].j.mean) / 2
    assert f" {average:.1f} " in judo
    assert sum("object " in line for line in lines) == 5
