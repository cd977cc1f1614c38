"""Masks propagated over a clip, with gradients: what training supervises."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from hodor.errors import RecipeError
from hodor.model import Descriptors, History, Hodor, Pyramid

Schedule = Literal["released", "there_and_back", "loop", "single"]


class Step(NamedTuple):
    """Propagation from source frames to a target frame.

    ``sources`` hold positions in the list of steps whose predictions describe the frames, or -1
    for the given masks of frame 0.
    """

    sources: tuple[int, ...]
    target: int
    parent: int | None
    """The step before this one in its cycle; None at a cycle's start."""


GIVEN = -1


def schedule(kind: Schedule, frames: int, iteration: int) -> list[Step]:
    """The steps of one clip.

    Args:
        kind: ``released``: the cycles of the released code for two or three frames;
            ``there_and_back``: 0, 1, ..., T-1, then back to 0 (section 3.4), any T; ``loop``:
            forward, each frame from the one before it or, in odd iterations, from it and frame 0,
            then the last to frame 0; ``single``: frame 0 from itself (Table 1, row 1).
        frames: T.
        iteration: its parity chooses the third cycle of ``released``.
    """
    odd = iteration % 2 == 1
    if kind == "single" or frames == 1:
        return [Step((GIVEN,), 0, None)]
    if kind == "released":
        return _released(frames, odd)
    if kind == "there_and_back":
        order = [*range(1, frames), *range(frames - 2, -1, -1)]
        return [
            Step((i - 1 if i else GIVEN,), target, i - 1 if i else None)
            for i, target in enumerate(order)
        ]
    steps = []
    for i, target in enumerate([*range(1, frames), 0]):
        before = i - 1 if i else GIVEN
        also = (GIVEN,) if odd and i and target else ()
        steps.append(Step((*also, before), target, i - 1 if i else None))
    return steps


def _released(frames: int, odd: bool) -> list[Step]:
    """Cycles {0}-0; {0}-1-0; {0}-1-2-1-0; a step that two cycles share is done once."""
    itself, out = Step((GIVEN,), 0, None), Step((GIVEN,), 1, None)
    if frames == 2:
        return [itself, out, Step((1,), 0, 1), Step((GIVEN, 1), 0, 1)]
    if frames != 3:
        raise RecipeError(
            f"schedule released knows clips of 2 or 3 frames, not {frames}; take there_and_back"
        )
    return [
        itself,
        out,
        Step((1,), 0, 1),
        Step((GIVEN, 1) if odd else (1,), 2, 1),
        Step((3,), 1, 3),
        Step((4, 3) if odd else (4,), 0, 4),
    ]


class Prediction(NamedTuple):
    """What one step predicted."""

    target: int
    """Frame index"""
    logits: Tensor
    """(B, K + O, h/4, w/4), background first"""
    present: Tensor
    """(B, O) bool: whether a source frame showed the object, so that it can be asked for"""


class ClipModel(nn.Module):
    """A network made to propagate masks over clips: one module whose forward is one clip.

    Args:
        network: the network that is trained.
        mask_gradients: whether gradients flow through predicted masks (paper, section 3.4) or
            stop there (released).
    """

    def __init__(self, network: Hodor, *, mask_gradients: bool = False) -> None:
        super().__init__()
        self.network = network
        self.mask_gradients = mask_gradients

    def forward(
        self, images: Tensor, masks: Tensor, presence: Tensor, steps: Sequence[Step]
    ) -> list[Prediction]:
        """Propagate.

        Args:
            images: (B, T, 3, h, w), normalised.
            masks: (B, O, h, w) of frame 0, 0 or 1.
            presence: (B, O, T) bool, whether an object is in sight in a frame.
            steps: see ``schedule``.

        Returns:
            One prediction for each step, in order.
        """
        b, _t = images.shape[:2]
        used = sorted({0, *(step.target for step in steps)})
        whole = self.network.extract(images[:, used].flatten(0, 1))
        levels = [f.view(b, len(used), *f.shape[1:]) for f in whole]
        pyramid = {f: Pyramid(*(level[:, i] for level in levels)) for i, f in enumerate(used)}
        described = {GIVEN: self.network.describe(pyramid[0], masks)}
        needed = {source for step in steps for source in step.sources}
        predictions: list[Prediction] = []
        for number, step in enumerate(steps):
            history = History.of(*(described[source] for source in step.sources))
            logits = self.network.segment(pyramid[step.target], history)
            present = self._present(step, steps, predictions, presence)
            predictions.append(Prediction(step.target, logits, present))
            if number in needed:
                described[number] = self._describe(pyramid[step.target], logits)
        return predictions

    def _describe(self, pyramid: Pyramid, logits: Tensor) -> Descriptors:
        """Descriptors of a frame from its own soft prediction."""
        probabilities = logits.softmax(1)[:, self.network.config.background_channels :]
        if not self.mask_gradients:
            probabilities = probabilities.detach()
        small = F.avg_pool2d(probabilities, 2)  # what bilinear to a half is
        return self.network.describe(pyramid, small)

    @staticmethod
    def _present(
        step: Step, steps: Sequence[Step], done: Sequence[Prediction], presence: Tensor
    ) -> Tensor:
        """An object that no source frame shows is not asked for in the rest of its cycle."""
        frames = [0 if source == GIVEN else steps[source].target for source in step.sources]
        seen = presence[..., frames].any(-1)
        if GIVEN in step.sources or step.parent is None:
            return seen
        return seen & done[step.parent].present
