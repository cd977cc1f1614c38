"""What a run does when it is killed, the disk is full, losses break, or the recipe has changed."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import training_data
from holding import Held
from PIL import Image
from training_data import losses, recipe_file, recipe_values

from hodor.errors import HodorError, RecipeError, WeightsError
from hodor.locks import FolderLock
from hodor.model import Hodor
from hodor.training import Listener, Progress, load_recipe, train
from hodor.training.log import TrainingLog
from hodor.training.state import start
from hodor.weights import save_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return training_data.two_images(tmp_path / "stills")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_run_killed_again_and_again_gives_the_same_losses(root: Path, tmp_path: Path) -> None:
    values = recipe_values(root, iterations=14, average=0.9) | {"checkpoint_every": 1}
    values["model"]["dropout"] = 0.1  # randomness of the network is repeated too
    path = recipe_file(tmp_path, values)
    train(load_recipe(path), tmp_path / "whole")
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "hodor.training", str(path), "--out", str(killed)]
    for wanted, more in ((2, []), (5, ["--resume"])):  # lines of its log after which it is killed
        held = Held(tmp_path / f"held-{wanted}", "hodor.training.log:TrainingLog.write", wanted)
        process = subprocess.Popen(
            [*command, "--device", "cpu", *more],
            stderr=subprocess.DEVNULL, text=True, env=held.environment,
        )  # fmt: skip
        held.wait(process)
        process.kill()
        process.wait()
    train(load_recipe(path), killed, resume=True)
    np.testing.assert_allclose(losses(killed), losses(tmp_path / "whole"), rtol=1e-4)


def test_a_changed_recipe_is_refused_by_name_and_more_steps_are_not(
    root: Path, tmp_path: Path
) -> None:
    values = recipe_values(root, iterations=2)
    train(load_recipe(recipe_file(tmp_path, values)), tmp_path / "run")
    changed = ["optimisation.batch=3", "clips.motion.rotate=7", "seed=1"]
    with pytest.raises(RecipeError) as told:
        train(load_recipe(recipe_file(tmp_path, values), changed), tmp_path / "run", resume=True)
    for name in (
        "optimisation.batch was 2 and is 3",
        "clips.motion.rotate",
        "seed was 42 and is 1",
    ):
        assert name in str(told.value)
    more = ["optimisation.iterations=3", "running.at_once=1", f"root={root}/../stills"]
    train(load_recipe(recipe_file(tmp_path, values), more), tmp_path / "run", resume=True)
    assert len(losses(tmp_path / "run")) == 3


@pytest.fixture
def small_files() -> Iterator[None]:
    """Afterwards files may grow again."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_last_checkpoint(
    root: Path, tmp_path: Path, small_files: None
) -> None:
    values = recipe_values(root, iterations=6) | {"pictures_every": 100}
    path, run = recipe_file(tmp_path, values), tmp_path / "run"
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def fill(at: Progress) -> None:
        if at.step == 3:  # a checkpoint was written after step 2; the next one does not fit
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))

    with pytest.raises(WeightsError, match=r"could not be written .*intact.*--resume"):
        train(load_recipe(path), run, listener=Listener(report=fill))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert torch.load(run / "checkpoint.pt")["step"] == 2
    assert not list(run.glob(".checkpoint*"))
    train(load_recipe(path), run, resume=True)
    train(load_recipe(path), tmp_path / "whole")
    np.testing.assert_allclose(losses(run), losses(tmp_path / "whole"), rtol=1e-4)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_that_cannot_be_written_ends_the_run_in_one_line(root: Path, tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file(tmp_path, recipe_values(root)))
    (tmp_path / "run").mkdir()
    (tmp_path / "run/log.jsonl").symlink_to("/dev/full")
    with pytest.raises(HodorError, match=r"the log could not be written .*--resume"):
        train(recipe, tmp_path / "run")


def test_losses_that_are_not_finite_teach_nothing_and_end_the_run(
    root: Path, tmp_path: Path
) -> None:
    values = recipe_values(root, iterations=30)
    recipe = load_recipe(recipe_file(tmp_path, values))
    network = Hodor(recipe.model)
    with torch.no_grad():
        network.encoder.layers[0].ffn.layers[0].bias.fill_(3e38)
    save_model(tmp_path / "huge.safetensors", recipe.model, network.state_dict(), {})
    values["initial"] = {"weights": str(tmp_path / "huge.safetensors")}
    recipe = load_recipe(recipe_file(tmp_path, values))
    with pytest.raises(HodorError, match=r"not been finite for 20 steps.*learning_rate"):
        train(recipe, tmp_path / "run")
    saved = torch.load(tmp_path / "run/checkpoint.pt")["network"]
    for name, value in network.state_dict().items():
        assert torch.equal(value.nan_to_num(), saved[name].nan_to_num()), name
    notes = [json.loads(line).get("note", "") for line in _lines(tmp_path / "run")]
    assert sum("not finite" in note for note in notes) >= 19


def test_a_corrupt_image_is_skipped_and_counted(root: Path, tmp_path: Path) -> None:
    for name in ("images", "masks"):
        Image.open(root / name / "0.png").save(root / name / "2.png")
    picture = root / "images/2.png"
    picture.write_bytes(picture.read_bytes()[:200])
    train(load_recipe(recipe_file(tmp_path, recipe_values(root))), tmp_path / "run")
    left = [json.loads(line) for line in _lines(tmp_path / "run") if "left out" in line]
    assert left
    assert all("2.png cannot be read as an image" in entry["left out"] for entry in left)
    assert len(losses(tmp_path / "run")) == 6


def test_initial_weights_that_do_not_fit_name_what_differs(root: Path, tmp_path: Path) -> None:
    values = recipe_values(root)
    recipe = load_recipe(recipe_file(tmp_path, values))
    save_model(tmp_path / "m.safetensors", recipe.model, Hodor(recipe.model).state_dict(), {})
    values["initial"] = {"weights": str(tmp_path / "m.safetensors")}
    values["model"]["channels"] = 48
    with pytest.raises(WeightsError, match=r"channels is 32 \(the recipe says 48\)"):
        train(load_recipe(recipe_file(tmp_path, values)), tmp_path / "run")


def test_a_smaller_network_starts_from_what_it_has_in_common_with_another(
    root: Path, tmp_path: Path
) -> None:
    values = recipe_values(root)
    values["model"]["decoder_layers"] = 2
    recipe = load_recipe(recipe_file(tmp_path, values))
    large = Hodor(recipe.model).state_dict()
    save_model(tmp_path / "m.safetensors", recipe.model, large, {})
    values["model"] |= {"decoder_layers": 1, "coarsest": 16}
    values["initial"] = {"weights": str(tmp_path / "m.safetensors"), "partial": True}
    recipe = load_recipe(recipe_file(tmp_path, values))
    network = start(recipe, torch.device("cpu")).network.state_dict()
    assert len(network) < len(large)
    assert all(torch.equal(value, large[name]) for name, value in network.items())
    values["model"] |= {"channels": 48, "backbone": "resnet10t"}
    with pytest.raises(WeightsError, match="nothing in it has the recipe's shapes"):
        start(load_recipe(recipe_file(tmp_path, values)), torch.device("cpu"))


def test_backbones_of_timm_are_asked_for_by_name(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    values = recipe_values(root) | {"initial": {"backbone": "timm"}}
    with pytest.raises(WeightsError, match="weights of mobilenetv2_035 could not be fetched"):
        train(load_recipe(recipe_file(tmp_path, values)), tmp_path / "run")


def _lines(folder: Path) -> list[str]:
    return (folder / "log.jsonl").read_text().splitlines()


def test_a_damaged_log_costs_its_damaged_lines_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    whole = [json.dumps({"step": step, "loss": 1.0}) for step in range(4)]
    lines = [whole[0], "{", "null", '{"step": "x"}', "\x00\x00", whole[1], whole[2], whole[3][:5]]
    path.write_text("\n".join(lines))
    with TrainingLog(tmp_path, first=2) as log:
        log.write(2, {"loss": 2.0})
    left = [json.loads(line) for line in _lines(tmp_path)]
    assert [line.get("step") for line in left] == [0, 1, None, 2]
    assert left[2] == {"note": "5 lines of this log were damaged and are left out"}


def test_the_log_is_replaced_whole_so_that_a_kill_meanwhile_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    before = "".join(json.dumps({"step": step}) + "\n" for step in range(5))
    path.write_text(before)

    def kill(*_: object) -> None:
        assert path.read_text() == before
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", kill)
    with pytest.raises(KeyboardInterrupt):
        TrainingLog(tmp_path, first=3)
    assert path.read_text() == before


def test_two_runs_do_not_train_into_one_folder(root: Path, tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file(tmp_path, recipe_values(root)))
    with FolderLock(tmp_path / "run"), pytest.raises(HodorError, match="another run is writing"):
        train(recipe, tmp_path / "run")
