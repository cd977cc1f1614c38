"""The training loop: recipe in, model out; killed at any time, it goes on where it was."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from hodor.data import (
    Batch,
    Cached,
    ClipBatches,
    CocoInstances,
    MaskFolder,
    Prefetched,
    Stills,
    Videos,
)
from hodor.errors import DataError, HodorError, RecipeError, WeightsError
from hodor.model import Hodor, load_backbone_weights, normalise
from hodor.training.checkpoints import load_checkpoint, save_checkpoint
from hodor.training.log import TrainingLog
from hodor.training.losses import Loss, clip_loss
from hodor.training.optimiser import Average, learning_rate, make_optimiser, set_rate
from hodor.training.propagation import ClipModel, Prediction, schedule
from hodor.training.recipe import DataSet, Recipe
from hodor.weights import load_model, save_model

MODEL = "model.safetensors"
MAX_BROKEN_STEPS = 20  # losses that are not finite, in a row, before a run gives up


@dataclass
class Run:
    """What a run owns while it lasts."""

    recipe: Recipe
    model: ClipModel
    optimiser: torch.optim.AdamW
    average: Average | None
    device: torch.device
    step: int = 0
    broken: int = 0
    """Steps in a row whose loss was not finite."""


@dataclass(frozen=True)
class Progress:
    """One step, for whoever shows it."""

    step: int
    of: int
    loss: float
    iou: float
    rate: float
    seconds: float
    """Of this step"""


def train(
    recipe: Recipe,
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    resume: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
) -> Path:
    """Train a model from still images.

    Args:
        recipe: the run.
        folder: where checkpoints, log, pictures and the model go.
        device: CPU or one GPU.
        resume: go on from the folder's checkpoint; without it, a folder that holds one is refused.
        report: called after every step.

    Returns:
        The trained model's file.

    Raises:
        HodorError: data, recipe or folder need mending; what was saved is intact.
    """
    saved = load_checkpoint(folder)
    if saved is not None and not resume:
        raise RecipeError(
            f"{folder}: holds a run at step {saved['step']}; go on with --resume or choose another "
            "folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    batches = make_batches(recipe)
    run = start(recipe, torch.device(device))
    if saved is not None:
        restore(run, saved)
    (folder / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    last = recipe.optimisation.iterations
    with (
        TrainingLog(folder, first=run.step) as log,
        Prefetched(batches, run.step, last) as ahead,
    ):
        for batch in ahead:
            began = time.perf_counter()
            values = step(run, batch, log)
            values["seconds"] = time.perf_counter() - began
            log.write(run.step, values)
            run.step += 1
            report(
                Progress(
                    run.step, last, values["loss"], values["iou"], values["rate"], values["seconds"]
                )
            )
            if run.step % recipe.checkpoint_every == 0 or run.step == last:
                save_checkpoint(folder, state_of(run))
                write_model(run, folder / MODEL)
        log.unreadable(batches.unreadable)
    return folder / MODEL


def step(run: Run, batch: Batch, log: TrainingLog) -> dict[str, float]:
    """One update of the weights; what came of it.

    Raises:
        HodorError: the loss has not been finite for many steps.
    """
    recipe, optimisation = run.recipe, run.recipe.optimisation
    run.model.train()
    rate = learning_rate(optimisation, run.step)
    set_rate(run.optimiser, rate)
    predictions, labels, loss = forward(run, batch)
    run.optimiser.zero_grad(set_to_none=True)
    loss.total.backward()  # type: ignore[no-untyped-call]
    learning = [p for p in run.model.parameters() if p.requires_grad]
    limit = optimisation.clip_gradients or math.inf
    norm = torch.nn.utils.clip_grad_norm_(learning, limit)
    if bool(torch.isfinite(loss.total)) and bool(torch.isfinite(norm)):
        run.broken = 0
        run.optimiser.step()
        if run.average is not None:
            run.average.update(run.model.network)
    else:
        run.broken += 1
        if run.broken >= MAX_BROKEN_STEPS:
            raise HodorError(
                f"step {run.step}: the loss has not been finite for {run.broken} steps; the last "
                "checkpoint is intact. Lower optimisation.learning_rate or set precision: fp32"
            )
    if run.step % recipe.pictures_every == 0:
        log.pictures(run.step, batch, predictions)
    return {
        "loss": loss.total.item(),
        "dice": loss.dice.item(),
        "cross_entropy": loss.cross_entropy.item(),
        "iou": iou(predictions, labels, batch.objects),
        "gradient": float(norm),
        "rate": rate,
        "objects": batch.objects,
    }


def forward(run: Run, batch: Batch) -> tuple[list[Prediction], Tensor, Loss]:
    """Predictions, labels on the device, and the loss of a batch."""
    recipe = run.recipe
    frames = batch.frames.to(run.device, torch.float32)
    labels = batch.labels.to(run.device)
    b, t = frames.shape[:2]
    images = normalise(recipe.config(), frames.flatten(0, 1))
    images = images.contiguous(memory_format=torch.channels_last).view(b, t, *frames.shape[2:])
    ids = torch.arange(1, batch.objects + 1, device=run.device)
    masks = (labels[:, 0, None] == ids[:, None, None]).float()
    presence = (labels[:, None] == ids[:, None, None, None]).flatten(3).any(-1)
    if batch.sparse:
        # Nobody knows where objects leave: those of frame 0 are asked for throughout.
        presence = presence[..., :1].expand(-1, -1, t)
    steps = schedule(recipe.schedule, t, run.step)
    half = recipe.precision == "bf16"
    with torch.autocast(run.device.type, torch.bfloat16, enabled=half):
        predictions = run.model(images, masks, presence, steps)
    background = run.model.network.config.background_channels
    settings = recipe.loss_settings()
    if batch.sparse:
        settings = replace(settings, frames="first")
        predictions = [p for p in predictions if p.target == 0]
    return predictions, labels, clip_loss(predictions, labels, background, settings)


@torch.no_grad()
def iou(predictions: Sequence[Prediction], labels: Tensor, objects: int) -> float:
    """Mean IoU of objects in sight, over all predictions, at stride 4."""
    values = []
    for prediction in predictions:
        truth = labels[:, prediction.target, 2::4, 2::4]
        guess = labels_of(prediction.logits, objects)
        for number in range(1, objects + 1):
            g, t = guess == number, truth == number
            shown = t.flatten(1).any(1) & prediction.present[:, number - 1]
            overlap = (g & t).flatten(1).sum(1) / (g | t).flatten(1).sum(1).clamp(min=1)
            values.append(overlap[shown])
    every = torch.cat(values)
    return every.mean().item() if len(every) else math.nan


def labels_of(logits: Tensor, objects: int) -> Tensor:
    """The best channel of (B, K + O, y, x) as a label (B, y, x): 0 for every background."""
    return (logits.argmax(1) - (logits.shape[1] - objects) + 1).clamp(min=0)


def start(recipe: Recipe, device: torch.device) -> Run:
    """Network, optimiser and average at step 0."""
    torch.manual_seed(recipe.seed)
    network = Hodor(recipe.config())
    if recipe.initial.weights is not None:
        _fill(network, recipe.initial.weights)
    elif recipe.initial.backbone is not None:
        path = recipe.root / recipe.initial.backbone
        if not path.is_file():
            raise WeightsError(f"{path}: no such file; initial.backbone names pretrained weights")
        load_backbone_weights(network.backbone, network.config, load_file(path))
    network = network.to(device).to(memory_format=torch.channels_last)
    optimiser = make_optimiser(network, recipe.optimisation)
    decay = recipe.optimisation.average
    average = None if decay is None else Average(network, decay)
    model = ClipModel(network, mask_gradients=recipe.mask_gradients)
    return Run(recipe, model, optimiser, average, device)


def _fill(network: Hodor, which: str) -> None:
    found = load_model(which)
    if found.config.backbone != network.config.backbone or {
        k: v.shape for k, v in found.state_dict().items()
    } != {k: v.shape for k, v in network.state_dict().items()}:
        raise WeightsError(
            f"initial.weights {which}: its network differs from the recipe's; leave out the fields "
            f"under 'model' that differ from {found.config.to_dict()}"
        )
    network.load_state_dict(found.state_dict())


def make_batches(recipe: Recipe) -> ClipBatches:
    """The recipe's data.

    Raises:
        DataError: data is missing or broken; all datasets' problems are listed.
    """
    sets: list[Stills | Videos] = []
    problems = []
    share = int(recipe.cache_gb * 2**30 / len(recipe.data))
    for dataset in recipe.data:
        try:
            opened = _open(recipe.root, dataset)
            sets.append(opened if isinstance(opened, Videos) else Cached(opened, share))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("; ".join(problems))
    weights = [dataset.weight for dataset in recipe.data]
    optimisation = recipe.optimisation
    return ClipBatches(sets, weights, recipe.clip_settings(), optimisation.batch, recipe.seed)


def _open(root: Path, dataset: DataSet) -> Stills | Videos:
    options: dict[str, Any] = {
        "held_out": dataset.held_out,
        "short_side": dataset.short_side,
    }
    if dataset.kind == "masks":
        if dataset.masks is None:
            raise DataError(f"data {dataset.images}: kind masks needs the folder 'masks'")
        return MaskFolder(root / dataset.images, root / dataset.masks, **options)
    if dataset.kind == "videos":
        return _open_videos(root, dataset)
    if dataset.annotations is None:
        raise DataError(f"data {dataset.images}: kind coco needs the file 'annotations'")
    return CocoInstances(root / dataset.images, root / dataset.annotations, **options)


def _open_videos(root: Path, dataset: DataSet) -> Videos:
    if dataset.masks is None:
        raise DataError(f"data {dataset.images}: kind videos needs the folder 'masks'")
    return Videos(
        root / dataset.images,
        root / dataset.masks,
        annotated=dataset.annotated,
        listed=None if dataset.listed is None else root / dataset.listed,
        span=dataset.span,
        short_side=dataset.short_side,
    )


def state_of(run: Run) -> dict[str, Any]:
    """Everything that ``restore`` needs."""
    return {
        "step": run.step,
        "recipe": run.recipe.to_yaml(),
        "network": run.model.network.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "average": None
        if run.average is None
        else {"steps": run.average.steps, "values": run.average.values},
        "random": torch.get_rng_state(),
    }


def restore(run: Run, saved: dict[str, Any]) -> None:
    """Bring a started run to where a checkpoint was."""
    try:
        run.model.network.load_state_dict(saved["network"])
        run.optimiser.load_state_dict(saved["optimiser"])
    except (RuntimeError, ValueError) as error:
        raise RecipeError(
            f"the checkpoint is of another network than the recipe's: {error}".replace("\n", " ")
        ) from error
    if run.average is not None and saved["average"] is not None:
        run.average.steps = saved["average"]["steps"]
        for name, value in saved["average"]["values"].items():
            run.average.values[name].copy_(value)
    torch.set_rng_state(saved["random"])
    run.step = saved["step"]


def write_model(run: Run, path: Path) -> None:
    """Save the (averaged) network as a model that ``hodor track --model`` takes."""
    network = run.model.network
    state = network.state_dict() | (run.average.values if run.average else {})
    recipe = json.loads(run.recipe.model_dump_json())
    about = {"name": run.recipe.name, "steps": run.step, "recipe": recipe}
    if run.recipe.tracking:
        about["tracking"] = run.recipe.tracking
    save_model(path, network.config, dict(state), about)
