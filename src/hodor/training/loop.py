"""The training loop: recipe in, model out; killed at any time, it goes on where it was."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from hodor.data import ClipBatches, PreparedBatch, Shard, Steps, in_processes, in_threads
from hodor.errors import RecipeError
from hodor.locks import FolderLock
from hodor.training.checkpoints import load_checkpoint, save_checkpoint
from hodor.training.datasets import counts, make_batches
from hodor.training.log import TrainingLog
from hodor.training.processes import Launch, Processes
from hodor.training.propagation import Prediction
from hodor.training.record import memory_gb, write_record
from hodor.training.settings import Recipe
from hodor.training.state import Run, restore, start, state_of, write_model
from hodor.training.step import update

MODEL = "model.safetensors"
MAX_WORKERS = 8
ALONE = Launch()

Validate = Callable[[Path], Mapping[str, float]]
"""Scores of a model's file, by name."""


@dataclass(frozen=True)
class Progress:
    """One step, for whoever shows it."""

    step: int
    of: int
    loss: float
    iou: float
    rate: float
    seconds: float
    """Of this step, waiting for clips included"""


@dataclass(frozen=True)
class Listener:
    """What the first process calls while it trains."""

    report: Callable[[Progress], None] = lambda _: None
    """After every step"""
    tell: Callable[[str], None] = lambda _: None
    """With a line for people"""
    validate: Validate | None = None
    """To score the model's file every ``recipe.validation.every`` steps"""


SILENT = Listener()


def train(
    recipe: Recipe,
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    resume: bool = False,
    launch: Launch = ALONE,
    listener: Listener = SILENT,
) -> Path:
    """Train a model. With several processes, each calls this function.

    Args:
        recipe: the run.
        folder: where checkpoints, log, pictures and the model go.
        device: CPU or GPU; with several processes the kind of it.
        resume: go on from the folder's checkpoint; without it, a folder that holds one is refused.
        launch: how many processes there are.
        listener: what to call meanwhile.

    Returns:
        The trained model's file.

    Raises:
        HodorError: data, recipe or folder need mending, or another run is writing to the folder;
            what was saved is intact.
    """
    with FolderLock(folder) if launch.first else nullcontext():
        return _train(recipe, folder, device, resume, launch, listener)


def _train(
    recipe: Recipe,
    folder: Path,
    device: torch.device | str,
    resume: bool,
    launch: Launch,
    listener: Listener,
) -> Path:
    if recipe.optimisation.batch % launch.processes:
        raise RecipeError(
            f"optimisation.batch {recipe.optimisation.batch} cannot be split over "
            f"{launch.processes} processes; choose a multiple"
        )
    saved = load_checkpoint(folder)
    if saved is not None and not resume:
        raise RecipeError(
            f"{folder}: holds a run at step {saved['step']}; go on with --resume or choose another "
            "folder"
        )
    processes = Processes(device, launch)
    workers = _workers(recipe, processes.device, launch)
    batches = make_batches(recipe, sharing=max(1, workers))
    run = start(recipe, processes.device, resumed=saved is not None)
    if saved is not None:
        restore(run, saved)
    if processes.first:
        write_record(
            folder,
            recipe,
            counts(batches),
            device=processes.device,
            processes=processes.count,
            step=run.step,
        )
    _loop(run, processes, batches, workers, folder, listener)
    return folder / MODEL


def _workers(recipe: Recipe, device: torch.device, launch: Launch) -> int:
    if recipe.running.workers is not None:
        return recipe.running.workers
    if device.type == "cpu":
        return 0
    return max(1, min(MAX_WORKERS, ((os.cpu_count() or 2) - 1) // launch.each))


def _loop(
    run: Run,
    processes: Processes,
    batches: ClipBatches,
    workers: int,
    folder: Path,
    listener: Listener,
) -> None:
    """Every step that is left. The first process writes; the others only compute."""
    recipe, last = run.recipe, run.recipe.optimisation.iterations
    module = processes.share(run.model, run.optimiser)
    steps = Steps(batches, Shard(processes.rank, processes.count, recipe.running.at_once))
    first = processes.first
    with TrainingLog(folder, first=run.step) if first else nullcontext() as log:
        tell = _teller(log, listener)
        began = time.perf_counter()
        for made in _made(steps, run.step, last, workers, tell):
            if made.error is not None:
                raise made.error
            waited = time.perf_counter() - began
            values, predictions = update(run, module, processes, made.parts)
            seconds = time.perf_counter() - began
            began = time.perf_counter()
            if log is not None:
                values |= {
                    "seconds": seconds,
                    "waiting": waited,
                    "clips_per_second": recipe.optimisation.batch / seconds,
                    "memory_gb": memory_gb(processes.device),
                }
                _note(log, run, values, made, predictions)
            run.step += 1
            if log is not None:
                listener.report(
                    Progress(run.step, last, values["loss"], values["iou"], values["rate"], seconds)
                )
                _keep(run, folder, log, listener)


def _made(
    steps: Steps, first: int, last: int, workers: int, tell: Callable[[str], None]
) -> Iterator[PreparedBatch]:
    if workers:
        return in_processes(steps, first, last, workers, tell)
    return in_threads(steps, first, last)


def _teller(log: TrainingLog | None, listener: Listener) -> Callable[[str], None]:
    def tell(line: str) -> None:
        if log is not None:
            log.say(line)
            listener.tell(line)

    return tell


def _note(
    log: TrainingLog,
    run: Run,
    values: dict[str, float],
    made: PreparedBatch,
    shown: list[Prediction],
) -> None:
    log.write(run.step, values)
    log.unreadable(made.unreadable)
    if run.broken:
        log.say(f"step {run.step}: loss or gradient is not finite; nothing was learned from it")
    if run.step % run.recipe.pictures_every == 0:
        log.pictures(run.step, made.parts[0], shown)


def _keep(run: Run, folder: Path, log: TrainingLog, listener: Listener) -> None:
    """Checkpoint, model and scores, where they are due."""
    recipe = run.recipe
    ended = run.step == recipe.optimisation.iterations
    if ended or run.step % recipe.checkpoint_every == 0:
        save_checkpoint(folder, state_of(run))
        write_model(run, folder / MODEL)
    if recipe.validation is None or listener.validate is None:
        return
    if ended or run.step % recipe.validation.every == 0:
        write_model(run, folder / MODEL)
        log.scores(run.step, listener.validate(folder / MODEL))
