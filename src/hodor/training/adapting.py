"""Adapting a network to the masks that a user gave: half a minute of training before tracking.

What a video shows is unlike any still that a network learned from, and the given masks are the only
truth about it. So clips are made of their frames, as of stills in training, and a copy of the
network learns them for a few steps at a low rate. Clips that it does not learn from tell whether it
has become better; if not, the network as it was is taken.
"""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hodor.data import Batch, ClipBatches, Still
from hodor.data.objects import Index
from hodor.errors import HodorError
from hodor.model import Hodor
from hodor.training.finetune import CLIPS, SLOW, frame_size
from hodor.training.losses import LossSettings
from hodor.training.optimiser import Average, learning_rate, make_optimiser, set_rate
from hodor.training.propagation import ClipModel
from hodor.training.settings import Optimisation, Recipe
from hodor.training.state import Run
from hodor.training.step import forward, truth_of

SECONDS = 30.0
TIMED = 3  # steps, after which it is known how many fit
FEWEST, MOST = 10, 120  # steps: fewer change nothing, of more it learns one frame by heart
CHECKED = 3  # batches of clips that it does not learn from
LONGEST = 512  # pixels: a given frame is shrunk so far, for clips are smaller still
MOST_OBJECTS = 254


@dataclass(frozen=True)
class Adapted:
    """What adapting came to."""

    network: Hodor
    """The tuned copy, or the network as it was where that is better"""
    steps: int
    before: float
    """Loss on clips that were not learned from, with the network as it was"""
    after: float
    """The same with the tuned copy"""

    @property
    def better(self) -> bool:
        """Whether the tuned copy is the one that is taken."""
        return self.after < self.before


class _GivenFrames:
    """Frames with given masks, as a set of stills."""

    def __init__(self, stills: Sequence[Still]) -> None:
        self.stills = stills

    def __len__(self) -> int:
        return len(self.stills)

    def read(self, index: int) -> Still:
        return self.stills[index]

    def index(self) -> Index:
        counts = [int(still.labels.max()) for still in self.stills]
        ratios = [still.labels.shape[0] / still.labels.shape[1] for still in self.stills]
        return Index(np.array(counts), np.array(ratios))

    def notes(self) -> list[str]:
        return []

    def stems(self) -> list[str]:
        return [str(number) for number in range(len(self.stills))]

    def shape(self) -> tuple[int, int]:
        h, w = self.stills[0].labels.shape
        return h, w


def adapt(
    network: Hodor,
    given: Sequence[tuple[NDArray[np.uint8], NDArray[np.integer]]],
    *,
    seconds: float = SECONDS,
    steps: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Adapted:
    """Tune a copy of a network to given masks.

    The same steps from the same seed give the same network on the same machine; how many steps fit
    into a time depends on the machine.

    Args:
        network: a trained network; it is not changed.
        given: frames (H, W, 3) uint8 RGB and their label maps (H, W), 0 is background.
        seconds: about how long to take, on what PyTorch computes with.
        steps: a number of them, in place of ``seconds``.
        seed: of the clips.
        progress: called with the steps done and their number, once that is known.

    Raises:
        HodorError: no mask has a pixel, or the time or number of steps is none.
    """
    if seconds <= 0 or (steps is not None and steps < 1):
        raise HodorError("adapt: give more than 0 seconds, or at least one step")
    stills = [_still(frame, labels) for frame, labels in given if np.any(labels)]
    if not stills:
        raise HodorError("adapt: none of the given masks has a pixel; there is nothing to learn")
    recipe = _recipe(network, stills, seed)
    run = _run(network, recipe)
    batches = _batches(recipe, stills, seed)
    checks = [_batches(recipe, stills, seed + 1).make(number) for number in range(CHECKED)]
    before = _loss(run, checks)
    total = steps or FEWEST
    started = time.perf_counter()
    while run.step < total:
        _update(run, batches.make(run.step), _planned(recipe.optimisation, total))
        if steps is None and run.step == TIMED:
            each = (time.perf_counter() - started) / TIMED
            total = max(FEWEST, min(MOST, int(seconds / each)))
        if steps is not None or run.step >= TIMED:
            progress(run.step, total)
    average = run.average
    if average is not None:
        run.network.load_state_dict(average.values, strict=False)
    after = _loss(run, checks)
    tuned = run.network.requires_grad_(False).eval()
    return Adapted(tuned if after < before else network, run.step, before, after)


def _still(frame: NDArray[np.uint8], labels: NDArray[np.integer]) -> Still:
    """A given frame as a still: not too large, its objects numbered from 1."""
    ids = [i for i in np.unique(labels) if i][:MOST_OBJECTS]
    numbered = np.zeros(labels.shape, np.uint8)
    for number, i in enumerate(ids, 1):
        numbered[labels == i] = number
    scale = LONGEST / max(labels.shape)
    if scale >= 1:
        return Still(frame, numbered)
    h, w = (round(side * scale) for side in labels.shape)
    small = cv2.resize(frame, (w, h), interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(numbered, (w, h), interpolation=cv2.INTER_NEAREST_EXACT)
    # An object that is smaller than a pixel now would leave a gap in the numbers.
    left = [i for i in range(1, len(ids) + 1) if (coarse == i).any()]
    packed = np.zeros_like(coarse)
    for number, i in enumerate(left, 1):
        packed[coarse == i] = number
    if not left:
        return Still(frame, numbered)
    return Still(np.asarray(small, np.uint8), np.asarray(packed, np.uint8))


def _recipe(network: Hodor, stills: Sequence[Still], seed: int) -> Recipe:
    """Fine-tuning's settings, which were measured (docs, Weights), for these frames alone."""
    h, w = stills[0].labels.shape
    learning = replace(
        SLOW,
        learning_rate=1e-4,
        warmup=5,
        iterations=MOST,
        # What corrects masks has learned all there is to know of motion and of likeness.
        frozen=("refiner.", "matcher.", "tokens."),
    )
    return Recipe(
        name="adapt",
        data=(),
        model=replace(network.config, refiner_channels=0, match_channels=0, tokens="none"),
        clips=replace(CLIPS, size=frame_size((h, w))),
        schedule="loop",
        mask_gradients=True,
        loss=LossSettings(stride=2, merge="logsumexp", dice="object", object_weight=1.5),
        optimisation=learning,
        seed=seed,
    )


def _run(network: Hodor, recipe: Recipe) -> Run:
    # A network in use holds tensors that were made without gradients.
    with torch.inference_mode(False):
        ours = copy.deepcopy(network).requires_grad_(True)
        ours.load_state_dict({k: v.clone() for k, v in network.state_dict().items()})
    ours = ours.to(memory_format=torch.channels_last)
    model = ClipModel(ours, mask_gradients=True)
    optimiser = make_optimiser(ours, recipe.optimisation)
    decay = recipe.optimisation.average
    return Run(recipe, ours, model, optimiser, None if decay is None else Average(ours, decay))


def _batches(recipe: Recipe, stills: Sequence[Still], seed: int) -> ClipBatches:
    return ClipBatches([_GivenFrames(stills)], [1.0], recipe.clips, recipe.optimisation.batch, seed)


def _planned(optimisation: Optimisation, total: int) -> Optimisation:
    """The same with a rate that falls to its end after ``total`` steps."""
    return replace(optimisation, iterations=total)


def _update(run: Run, batch: Batch, optimisation: Optimisation) -> None:
    device = next(run.network.parameters()).device
    set_rate(run.optimiser, learning_rate(optimisation, run.step))
    run.model.train()
    truth = truth_of(run.recipe, batch, run.step, device)
    _, loss = forward(run, batch, truth)
    run.optimiser.zero_grad(set_to_none=True)
    loss.total.backward()  # type: ignore[no-untyped-call]
    learning = [p for p in run.network.parameters() if p.requires_grad]
    torch.nn.utils.clip_grad_norm_(learning, optimisation.clip_gradients or float("inf"))
    run.optimiser.step()
    if run.average is not None:
        run.average.update(run.network)
    run.step += 1


@torch.no_grad()
def _loss(run: Run, checks: Sequence[Batch]) -> float:
    """Mean loss on clips, in the form of the network that tracks."""
    device = next(run.network.parameters()).device
    run.model.eval()
    found = []
    for number, batch in enumerate(checks):
        truth = truth_of(run.recipe, batch, number, device)
        found.append(float(forward(run, batch, truth)[1].total))
    return float(np.mean(found))
