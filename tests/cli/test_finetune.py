"""``hodor train finetune``: annotations become a model, with scores on some kept aside."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hodor.tracking import Tracker
from hodor.training import kept_for_measuring
from hodor.weights import read_info

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

SMALL = (
    *("--set", "clips.size=[64,96]", "--set", "optimisation.batch=1", "--set", "clips.frames=2"),
    *("--device", "cpu", "--steps", "10"),
)
Hodor = Callable[..., Any]


def picture(number: int) -> tuple[np.ndarray, np.ndarray]:
    image = np.random.default_rng(number).integers(60, 120, (64, 96, 3), np.uint8)
    labels = np.zeros((64, 96), np.uint8)
    place = np.s_[16:48, 10 + 4 * number : 50 + 4 * number]
    image[place], labels[place] = (220, 60, 40), 1
    return image, labels


def pictures(root: Path, count: int, masks: int) -> Path:
    for name in ("images", "masks"):
        (root / name).mkdir()
    for number in range(count):
        image, labels = picture(number)
        Image.fromarray(image).save(root / "images" / f"{number:02d}.png")
        if number < masks:
            Image.fromarray(labels).save(root / "masks" / f"{number:02d}.png")
    return root


def coco(root: Path, count: int) -> Path:
    images = [
        {"id": n, "file_name": f"{n:02d}.png", "height": 64, "width": 96} for n in range(count)
    ]
    annotations = []
    for n in range(count):
        left, right = 10 + 4 * n, 50 + 4 * n
        polygon = [left, 16, right, 16, right, 48, left, 48]
        annotations.append({"id": n, "image_id": n, "segmentation": [polygon], "area": 1280})
    path = root / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


@pytest.mark.parametrize("kind", ["masks", "annotations"])
def test_images_become_a_model_that_tracks_and_scores_before_and_after(
    hodor: Hodor, tmp_path: Path, tiny_model: Path, kind: str
) -> None:
    root, out = pictures(tmp_path, 6, 6), tmp_path / "mine"
    beside = root / "masks" if kind == "masks" else coco(root, 6)
    options = ("--images", root / "images", f"--{kind}", beside, "--out", out)
    ran = hodor("train", "finetune", *options, "--model", tiny_model, *SMALL)
    assert ran.code == 0, ran.err
    scores = json.loads((out / "scores.json").read_text())
    assert len(scores["held out"]) == 1
    assert scores["objects in frames"] == 5
    assert all(0 <= scores[when]["J&F"] <= 1 for when in ("before", "after"))
    assert "J&F" in ran.err
    assert f"on the 1 annotation kept aside ({scores['held out'][0]}), then 10 steps" in ran.err
    recipe = read_info(out / "model.safetensors").metadata["recipe"]
    assert recipe["data"][0]["without"] == scores["held out"]
    for when in ("before", "after"):
        assert (out / when / f"{scores['held out'][0]}.png").is_file()
    tracker = Tracker.from_pretrained(str(out / "model.safetensors"), device="cpu")
    image, labels = picture(0)
    assert tracker.step(image, labels).label_map.shape == labels.shape
    assert tracker.options.window == 3  # the model's own default stays


def test_a_video_with_a_few_annotated_frames_is_enough(
    hodor: Hodor, tmp_path: Path, tiny_model: Path
) -> None:
    root, out = pictures(tmp_path, 8, 5), tmp_path / "mine"
    options = ("--frames", root / "images", "--masks", root / "masks", "--out", out)
    ran = hodor("train", "finetune", *options, "--model", tiny_model, *SMALL)
    assert ran.code == 0, ran.err
    scores = json.loads((out / "scores.json").read_text())
    assert scores["held out"] != ["00"]  # tracking starts there
    assert scores["objects in frames"] == 1
    kinds = [
        (one["kind"], one["annotated"], one["as_stills"])
        for one in read_info(out / "model.safetensors").metadata["recipe"]["data"]
    ]
    assert kinds == [("videos", "any", False), ("videos", "any", True)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--images", "images"), "give --images with --annotations or --masks"),
        (("--masks", "masks"), "give --images with"),
        (("--images", "images", "--masks", "masks", "--frames", "images"), "give --images with"),
        (("--frames", "images", "--annotations", "x.json"), "--frames goes with --masks"),
        (("--images", "images", "--masks", "masks"), "4 annotated images"),
    ],
)
def test_what_is_missing_is_told_in_one_line(
    hodor: Hodor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    said: str,
) -> None:
    pictures(tmp_path, 4, 4)
    monkeypatch.chdir(tmp_path)
    ran = hodor("train", "finetune", *words, "--out", "out")
    assert ran.code == 1
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_a_run_is_refused_before_anything_is_scored(
    hodor: Hodor, tmp_path: Path
) -> None:
    pictures(tmp_path, 6, 6)
    out = tmp_path / "mine"
    out.mkdir()
    (out / "checkpoint.pt").touch()
    words = ("--images", tmp_path / "images", "--masks", tmp_path / "masks", "--out", out)
    ran = hodor("train", "finetune", *words)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "mine: holds a run already; go on with --resume or choose another folder" in ran.err
    assert not (out / "before").exists()


def test_one_annotation_in_five_is_kept_always_the_same_ones() -> None:
    stems = [f"{n:03d}" for n in range(200)]
    assert kept_for_measuring(stems) == kept_for_measuring(stems[::-1])
    assert len(kept_for_measuring(stems)) == 20
    assert len(kept_for_measuring(stems[:30])) == 6
    assert len(kept_for_measuring(stems[:3])) == 1
