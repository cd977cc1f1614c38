"""One update of the weights, from the parts of a step that one process computes."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hodor.data import NOWHERE, Batch, ClipMotion
from hodor.errors import HodorError
from hodor.model import normalise
from hodor.training.losses import (
    Amounts,
    Loss,
    LossSettings,
    amounts,
    at_pixels,
    at_stride,
    clip_loss,
)
from hodor.training.optimiser import learning_rate, set_rate
from hodor.training.processes import Processes
from hodor.training.propagation import NegativeObject, Prediction, Step, asked_for, schedule
from hodor.training.settings import Recipe
from hodor.training.state import Run

MAX_BROKEN_STEPS = 20  # losses that are not finite, in a row, before a run gives up


class Truth(NamedTuple):
    """What a batch is compared with, on the device."""

    labels: Tensor
    """(B, T, h, w), 0 where there is no picture"""
    nowhere: Tensor
    """(B, T, h, w) bool: no picture"""
    presence: Tensor
    """(B, O, T) bool"""
    steps: list[Step]
    settings: LossSettings
    compared: list[int]
    """Which of the steps are compared"""

    def amounts(self) -> Amounts:
        """What the loss of the whole step is divided by, as far as this batch goes."""
        asked = asked_for(self.steps, self.presence)
        return amounts(
            [self.steps[i].target for i in self.compared],
            [asked[i] for i in self.compared],
            self.labels,
            self.settings,
        )


def truth_of(recipe: Recipe, batch: Batch, step: int, device: torch.device) -> Truth:
    """A batch's labels, and what is made of them.

    Args:
        recipe: the run.
        batch: clips.
        step: number of the step; schedules may alternate.
        device: where the network is.
    """
    labels = batch.labels.to(device)
    nowhere = labels == NOWHERE
    labels = labels.masked_fill(nowhere, 0)
    ids = torch.arange(1, batch.objects + 1, device=device)
    presence = (labels[:, None] == ids[:, None, None, None]).flatten(3).any(-1)
    t = labels.shape[1]
    if batch.sparse:
        # Nobody knows where objects leave: those of frame 0 are asked for throughout.
        presence = presence[..., :1].expand(-1, -1, t)
    settings = recipe.loss
    if batch.sparse:
        settings = replace(settings, frames="first")
    steps = schedule(recipe.schedule, t, step)
    compared = [i for i, s in enumerate(steps) if settings.frames == "all" or s.target == 0]
    return Truth(labels, nowhere, presence, steps, settings, compared)


def forward(
    run: Run,
    batch: Batch,
    truth: Truth,
    module: nn.Module | None = None,
    over: Amounts | None = None,
) -> tuple[list[Prediction], Loss]:
    """Predictions that are compared, and the loss of a batch.

    Args:
        run: network and recipe.
        batch, truth: what to predict.
        module: ``run.model``, or that as several processes share it.
        over: see ``clip_loss``.
    """
    network, device = run.network, truth.labels.device
    kind = next(network.parameters()).dtype
    frames = batch.frames.to(device, kind)
    b, t = frames.shape[:2]
    images = normalise(network.config, frames.flatten(0, 1))
    images = images.masked_fill(truth.nowhere.flatten(0, 1)[:, None], 0)
    images = images.contiguous(memory_format=torch.channels_last).view(b, t, *frames.shape[2:])
    ids = torch.arange(1, batch.objects + 1, device=device)
    masks = (truth.labels[:, 0, None] == ids[:, None, None]).to(kind)
    negative = None
    if batch.absent is not None:
        theirs = normalise(network.config, batch.absent.frames.to(device, kind))
        negative = NegativeObject(theirs, batch.absent.masks.to(device, kind)[:, None])
    motion = None
    if batch.motion is not None:
        motion = ClipMotion(*(values.to(device, kind) for values in batch.motion))
    half = run.recipe.precision == "bf16"
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        predictions = (module or run.model)(
            images, masks, truth.presence, truth.steps, negative, motion
        )
    compared = [predictions[i] for i in truth.compared]
    background = network.config.background_channels
    return compared, clip_loss(compared, truth.labels, background, truth.settings, over)


def update(
    run: Run, module: nn.Module, processes: Processes, parts: Sequence[Batch]
) -> tuple[dict[str, float], list[Prediction]]:
    """Change the weights by one step.

    Args:
        run: what is trained.
        module: ``run.model`` as the processes share it.
        processes: all of which call this.
        parts: the clips of this step that this process computes, one after another.

    Returns:
        Numbers of the whole step, and predictions for the first part.

    Raises:
        HodorError: the loss has not been finite for many steps.
    """
    recipe, device = run.recipe, processes.device
    run.model.train()
    rate = learning_rate(recipe.optimisation, run.step)
    set_rate(run.optimiser, rate)
    # Dropout depends on the step, not on what ran before it: a run that goes on repeats it.
    torch.manual_seed(_seed(recipe.seed, run.step, processes.rank))
    truths = [truth_of(recipe, batch, run.step, device) for batch in parts]
    own = torch.stack([torch.stack(list(truth.amounts())) for truth in truths]).sum(0)
    over = Amounts(*processes.sum(own.double()).float())
    run.optimiser.zero_grad(set_to_none=True)
    sums = torch.zeros(4, dtype=torch.float64, device=device)
    shown: list[Prediction] = []
    for number, (batch, truth) in enumerate(zip(parts, truths, strict=True)):
        with processes.apart(module, last=number == len(parts) - 1):
            predictions, loss = forward(run, batch, truth, module, over)
            # Gradients are averaged over processes; what is wanted is their sum.
            processes.backward(loss.total * processes.count)
        found = iou(predictions, truth.labels, batch.objects)
        sums += torch.stack([loss.dice, loss.cross_entropy, *found]).detach().double()
        shown = shown or [p._replace(logits=p.logits.detach()) for p in predictions]
    dice, entropy, overlap, count = processes.sum(sums).tolist()
    norm = _apply(run, math.isfinite(dice + entropy))
    values = {
        "loss": dice + entropy,
        "dice": dice,
        "cross_entropy": entropy,
        "iou": overlap / count if count else math.nan,
        "gradient": norm,
        "rate": rate,
        "objects": sum(batch.objects for batch in parts) / len(parts),
    }
    return values, shown


def _apply(run: Run, finite: bool) -> float:
    """Let the optimiser use the gradients, unless they are not finite; their norm."""
    learning = [p for p in run.network.parameters() if p.requires_grad]
    limit = run.recipe.optimisation.clip_gradients or math.inf
    norm = float(torch.nn.utils.clip_grad_norm_(learning, limit))
    if finite and math.isfinite(norm):
        run.broken = 0
        run.optimiser.step()
        if run.average is not None:
            run.average.update(run.network)
        return norm
    run.broken += 1
    if run.broken >= MAX_BROKEN_STEPS:
        raise HodorError(
            f"step {run.step}: the loss has not been finite for {run.broken} steps; the last "
            "checkpoint is intact. Lower optimisation.learning_rate or set precision: fp32"
        )
    return norm


@torch.no_grad()
def iou(predictions: Sequence[Prediction], labels: Tensor, objects: int) -> tuple[Tensor, Tensor]:
    """Sum and number of the IoUs of objects in sight, over all predictions, at stride 4.

    Args:
        predictions: of one batch of clips.
        labels: (B, T, h, w) integer; objects 1..O.
        objects: O.

    Returns:
        Two scalars, float32.
    """
    overlaps = labels.new_zeros((), dtype=torch.float32)
    count = overlaps.clone()
    for prediction in predictions:
        truth = at_stride(labels[:, prediction.target], 4)
        # A negative object comes after the objects, and is background in the truth.
        background = prediction.logits.shape[1] - prediction.present.shape[1]
        guess = (at_pixels(prediction.logits, 4).argmax(1) - background + 1).clamp(min=0)
        for number in range(1, objects + 1):
            g, t = guess == number, truth == number
            shown = t.flatten(1).any(1) & prediction.present[:, number - 1]
            overlap = (g & t).flatten(1).sum(1) / (g | t).flatten(1).sum(1).clamp(min=1)
            overlaps = overlaps + (overlap * shown).sum()
            count = count + shown.sum()
    return overlaps, count


def _seed(seed: int, step: int, rank: int) -> int:
    digest = hashlib.sha256(f"{seed}/{step}/dropout/{rank}".encode()).digest()
    return int.from_bytes(digest[:7], "big")
