"""``hodor train``: what a check says, recipes written whole, scores on validation videos."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import training_data
import yaml
from PIL import Image
from training_data import recipe_file, recipe_values

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
Hodor = Callable[..., Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return training_data.two_images(tmp_path / "stills")


def test_a_check_shows_the_recipe_whole_and_counts_the_data(
    hodor: Hodor, root: Path, tmp_path: Path
) -> None:
    ran = hodor("train", recipe_file(tmp_path, recipe_values(root)), "--check")
    assert ran.code == 0, ran.err
    whole = yaml.safe_load(ran.out)
    assert whole["optimisation"]["weight_decay"] == 0.01
    assert whole["clips"]["motion"]["shear"] == 10.0
    said = " ".join(ran.err.split())
    assert "2 images, all read, 2 usable with 2 objects" in said
    assert "recipe and data are in order" in said


def test_a_check_lists_what_is_broken_with_counts(hodor: Hodor, root: Path, tmp_path: Path) -> None:
    (root / "images/1.png").write_bytes(b"no picture")
    ran = hodor("train", recipe_file(tmp_path, recipe_values(root)), "--check-every-file")
    assert ran.code == 1
    said = " ".join(ran.err.split())
    assert "1 of 2 images that were read cannot be used" in said
    assert "1.png cannot be read as an image" in said


def test_all_missing_datasets_are_named_at_once(hodor: Hodor, root: Path, tmp_path: Path) -> None:
    values = recipe_values(root)
    values["data"] = [
        {"kind": "masks", "images": "here", "masks": "masks"},
        {"kind": "coco", "images": "images", "annotations": "there.json"},
        {"kind": "davis", "images": "davis"},
    ]
    ran = hodor("train", recipe_file(tmp_path, values), "--check")
    assert ran.code == 1
    assert all(name in ran.err for name in ("here", "there.json", "davis"))


def test_a_recipe_is_written_whole_for_machines_with_less(
    hodor: Hodor, root: Path, tmp_path: Path
) -> None:
    path = recipe_file(tmp_path, recipe_values(root))
    ran = hodor("train", path, "--scale", "0.5", "--resolve", tmp_path / "r.json")
    assert ran.code == 0, ran.err
    assert json.loads((tmp_path / "r.json").read_text())["optimisation"]["iterations"] == 3


def test_a_run_without_a_folder_is_told(hodor: Hodor, root: Path, tmp_path: Path) -> None:
    ran = hodor("train", recipe_file(tmp_path, recipe_values(root)))
    assert ran.code == 1
    assert "--out FOLDER is missing" in ran.err


def test_a_run_without_a_terminal_says_how_far_it_is(
    hodor: Hodor, root: Path, tmp_path: Path
) -> None:
    recipe = recipe_file(tmp_path, recipe_values(root, iterations=2))
    ran = hodor("train", recipe, "--out", tmp_path / "run", "--device", "cpu")
    assert ran.code == 0, ran.err
    assert [line for line in ran.err.splitlines() if line.startswith(("1/2, loss", "2/2, loss"))]
    assert "━" not in ran.err, "no bar in a log"


def test_validation_videos_are_scored_now_and_then(
    hodor: Hodor, root: Path, tmp_path: Path
) -> None:
    davis = tmp_path / "davis"
    for kind in ("JPEGImages", "Annotations"):
        (davis / kind / "480p/box").mkdir(parents=True)
    (davis / "ImageSets/2017").mkdir(parents=True)
    (davis / "ImageSets/2017/val.txt").write_text("box\n")
    for t in range(4):
        image, labels = np.full((64, 96, 3), 90, np.uint8), np.zeros((64, 96), np.uint8)
        image[20:44, 20 + t : 60 + t], labels[20:44, 20 + t : 60 + t] = 200, 1
        Image.fromarray(image).save(davis / f"JPEGImages/480p/box/{t:05d}.jpg")
        Image.fromarray(labels).save(davis / f"Annotations/480p/box/{t:05d}.png")
    values = recipe_values(root, iterations=3)
    values |= {"validation": {"davis": str(davis), "every": 2}, "tracking": {"size": 64}}
    ran = hodor(
        *("train", recipe_file(tmp_path, values), "--out", tmp_path / "run", "--device", "cpu")
    )
    assert ran.code == 0, ran.err
    lines = map(json.loads, (tmp_path / "run/log.jsonl").read_text().splitlines())
    scores = [line for line in lines if "validation" in line]
    assert [line["after"] for line in scores] == [2, 3]
    assert all(0 <= line["validation"]["J&F"] <= 1 for line in scores)
