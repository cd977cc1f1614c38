"""Several processes compute what one does, and their checkpoints are everyone's."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import training_data
from training_data import losses, recipe_file, recipe_values

from hodor.training import Launch, launched, load_recipe, to_plain

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

GRADIENTS = """
import sys
from pathlib import Path
import torch
from hodor.data import Shard, Steps
from hodor.training import launched, make_batches, read_plain
from hodor.training.processes import Processes
from hodor.training.state import start
from hodor.training.step import update

processes = Processes("cpu", launched())
for name in sys.argv[1:]:
    recipe = read_plain(Path(name))
    run = start(recipe, processes.device)
    run.network.double()  # in float32, rounding moves values over the kinks of ReLUs
    module = processes.share(run.model, run.optimiser)
    share = Shard(processes.rank, processes.count, recipe.running.at_once)
    steps = Steps(make_batches(recipe), share)
    values, _ = update(run, module, processes, steps[0].parts)
    if processes.first:
        found = {n: p.grad for n, p in run.network.named_parameters() if p.grad is not None}
        torch.save({"gradients": found, "values": values}, f"{name}-{processes.count}.pt")
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_data.two_images(tmp_path_factory.mktemp("stills"))


def torchrun(processes: int, *words: object) -> None:
    """Run Python with ``words`` in this many processes, or in one without torchrun."""
    many = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(many if processes > 1 else []), *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]


def as_json(folder: Path, values: dict[str, Any], name: str) -> Path:
    recipe = load_recipe(recipe_file(folder, values))
    path = folder / f"{name}.json"
    path.write_text(json.dumps(to_plain(recipe)))
    return path


def forms(root: Path) -> dict[str, dict[str, Any]]:
    """Two objectives: ours, and the released one in groups of four clips."""
    ours, released = recipe_values(root, batch=8), recipe_values(root, batch=8, group=4)
    ours["clips"] |= {"objects": [0.0, 1.0], "pasted_only": 1.0}  # each object counts in the loss
    ours["loss"]["object_weight"] = 1.5
    released["clips"] = {"making": "released", "area": 6144, "min_area": 100, "frames": 3}
    released |= {"schedule": "released", "loss": {"merge": "max", "dice": "clip"}}
    return {"ours": ours, "released": released}


def test_a_batch_of_eight_gives_the_same_gradients_however_it_is_split(
    root: Path, tmp_path: Path
) -> None:
    script = tmp_path / "gradients.py"
    script.write_text(GRADIENTS)
    recipes = {
        (form, at_once): as_json(
            tmp_path, values | {"running": {"at_once": at_once}}, f"{form}-{at_once}"
        )
        for form, values in forms(root).items()
        for at_once in (None, 3, 1)
    }
    splits = {1: (None, 3), 2: (None,), 4: (1,)}
    for processes, at_once in splits.items():
        torchrun(processes, script, *(recipes[form, n] for form in forms(root) for n in at_once))
    for form in forms(root):
        whole = torch.load(f"{recipes[form, None]}-1.pt")
        for how in ((1, 3), (2, None), (4, 1)):
            other = torch.load(f"{recipes[form, how[1]]}-{how[0]}.pt")
            assert other["gradients"].keys() == whole["gradients"].keys()
            for name, gradient in whole["gradients"].items():
                apart = (other["gradients"][name] - gradient).norm()
                assert apart <= 1e-5 * float(gradient.norm()) + 1e-12, (form, how, name)
            for name in ("loss", "iou", "gradient"):
                assert other["values"][name] == pytest.approx(whole["values"][name], rel=1e-4)


def test_a_run_of_two_processes_goes_on_in_one(root: Path, tmp_path: Path) -> None:
    values = recipe_values(root, iterations=4, batch=2)
    train = ("-m", "hodor.training")
    torchrun(1, *train, as_json(tmp_path, values, "four"), "--out", tmp_path / "one")
    values["optimisation"]["iterations"] = 2
    torchrun(2, *train, as_json(tmp_path, values, "two"), "--out", tmp_path / "both")
    torchrun(1, *train, tmp_path / "four.json", "--out", tmp_path / "both", "--resume")
    np.testing.assert_allclose(losses(tmp_path / "both"), losses(tmp_path / "one"), rtol=1e-4)
    lines = (tmp_path / "both/runs.jsonl").read_text().splitlines()
    assert [json.loads(line)["processes"] for line in lines] == [2, 1]


def test_only_torchrun_makes_several_processes_of_one() -> None:
    assert launched({"WORLD_SIZE": "8", "SLURM_NTASKS": "8"}) == Launch()
    found = launched(
        {
            "TORCHELASTIC_RUN_ID": "none",
            "WORLD_SIZE": "8",
            "LOCAL_WORLD_SIZE": "4",
            "RANK": "5",
        }
    )
    assert (found.processes, found.machines, found.each, found.first) == (8, 2, 4, False)


def test_training_needs_neither_pydantic_nor_what_decodes_video(root: Path, tmp_path: Path) -> None:
    recipe = as_json(tmp_path, recipe_values(root, iterations=1), "recipe")
    blocked = ("pydantic", "av", "pycocotools", "rich", "typer", "tensorboard", "skimage")
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r}))\n"
        f"sys.argv = ['x', {str(recipe)!r}, '--out', {str(tmp_path / 'run')!r}]\n"
        "import runpy; runpy.run_module('hodor.training', run_name='__main__')"
    )
    torchrun(1, "-c", program)
    assert (tmp_path / "run/model.safetensors").is_file()
    assert len(losses(tmp_path / "run")) == 1


def test_a_batch_that_cannot_be_split_is_refused(root: Path, tmp_path: Path) -> None:
    from hodor.errors import RecipeError
    from hodor.training import train

    recipe = load_recipe(recipe_file(tmp_path, recipe_values(root, batch=3)))
    with pytest.raises(RecipeError, match="batch 3 cannot be split over 2 processes"):
        train(recipe, tmp_path / "run", launch=Launch(each=2))
    assert torch.get_num_threads() == 1
