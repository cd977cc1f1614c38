"""Masks propagated over a clip, with gradients: what training supervises."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, ParamSpec, TypeVar, TypeVarTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hodor.data import ClipMotion
from hodor.errors import HodorError, RecipeError
from hodor.model import Descriptors, History, Hodor, Prior, Pyramid, Remembered
from hodor.training.mistakes import with_mistakes
from hodor.training.remembered import clip_places, remembered

PRIOR_DROPPED = 0.15  # of clips and steps
GIVEN_DROPPED = 0.1  # the same, of what the frame with given masks says in matching

Schedule = Literal["released", "forward", "window", "there_and_back", "loop", "single"]
P = ParamSpec("P")
R = TypeVar("R")
Ts = TypeVarTuple("Ts")


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
            ``forward``: 0, 1, ..., T-1 (section 3.4, annotated sequences), any T; ``window``: the
            same, each frame from all before it, as a tracker does;
            ``there_and_back``: the same, then back to 0 (section 3.4, cycles), any T; ``loop``:
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
    if kind == "window":
        return [
            Step((GIVEN, *range(target - 1)), target, target - 2 if target > 1 else None)
            for target in range(1, frames)
        ]
    if kind in ("forward", "there_and_back"):
        back = range(frames - 2, -1, -1) if kind == "there_and_back" else ()
        order = [*range(1, frames), *back]
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


def asked_for(steps: Sequence[Step], presence: Tensor) -> list[Tensor]:
    """Which objects each step can be asked for: (B, O) bool for each.

    An object that no source frame shows is not asked for in the rest of its cycle
    (published_behaviour 6.2).

    Args:
        steps: of the clip.
        presence: (B, O, T) bool, whether an object is in sight in a frame.
    """
    asked: list[Tensor] = []
    for step in steps:
        frames = [0 if source == GIVEN else steps[source].target for source in step.sources]
        seen = presence[..., frames].any(-1)
        if GIVEN not in step.sources and step.parent is not None:
            seen = seen & asked[step.parent]
        asked.append(seen)
    return asked


class NegativeObject(NamedTuple):
    """For each clip an object of another picture, which is not in it."""

    images: Tensor
    """(B, 3, h, w), normalised"""
    masks: Tensor
    """(B, 1, h, w), 0 or 1"""


class ClipModel(nn.Module):
    """A network made to propagate masks over clips: one module whose forward is one clip.

    Args:
        network: the network that is trained.
        mask_gradients: whether gradients flow through predicted masks (paper, section 3.4) or
            stop there (released).
        mistaken: share of clips and steps in which the last masks have a mistake, in training.
        save_memory: compute activations inside the network's parts a second time for the
            gradients, instead of keeping them.
        compiled: compile the network's parts when they are first called.
    """

    def __init__(
        self,
        network: Hodor,
        *,
        mask_gradients: bool = False,
        mistaken: float = 0.0,
        save_memory: bool = False,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.mask_gradients = mask_gradients
        self.mistaken = mistaken
        self.save_memory = save_memory
        self._extract = _compiled(network.extract) if compiled else network.extract
        self._describe = _compiled(network.describe) if compiled else network.describe
        self._segment = _compiled(network.segment) if compiled else network.segment

    def forward(
        self,
        images: Tensor,
        masks: Tensor,
        presence: Tensor,
        steps: Sequence[Step],
        negative: NegativeObject | None = None,
        motion: ClipMotion | None = None,
    ) -> list[Prediction]:
        """Propagate.

        Args:
            images: (B, T, 3, h, w), normalised.
            masks: (B, O, h, w) of frame 0, 0 or 1.
            presence: (B, O, T) bool, whether an object is in sight in a frame.
            steps: see ``schedule``.
            negative: one more object to ask for, in all frames.
            motion: between neighbouring frames, for a network with a refiner.

        Returns:
            One prediction for each step, in order; with a negative object of O + 1, it last.
        """
        extract, describe, segment = self._extract, self._describe, self._segment
        b, _t = images.shape[:2]
        used = sorted({0, *(step.target for step in steps)})
        whole = self._run(extract, images[:, used].flatten(0, 1))
        levels = [f.view(b, len(used), *f.shape[1:]) for f in whole]
        pyramid = {f: Pyramid(*(level[:, i] for level in levels)) for i, f in enumerate(used)}
        keys = {} if motion is None else self._keys(images[:, used], whole, used)
        described = {GIVEN: self._run(describe, pyramid[0], masks)}
        if negative is not None:
            presence = F.pad(presence, (0, 0, 0, 1), value=False)
            described[GIVEN] = self._joined(described[GIVEN], negative)
        needed = {source for step in steps for source in step.sources}
        predictions: list[Prediction] = []
        for number, (step, present) in enumerate(
            zip(steps, asked_for(steps, presence), strict=True)
        ):
            history = History.of(*(described[source] for source in step.sources))
            logits = self._run(segment, pyramid[step.target], history)
            if motion is not None:
                before = None if step.parent is None else predictions[step.parent]
                last = self._last(before, masks, step.target, logits)
                logits = self.network.refine(
                    images[:, step.target],
                    pyramid[step.target],
                    logits,
                    _carried(last, step.target, motion),
                    keys.get(step.target),
                    clip_places(keys),
                    self._remembered(keys, masks, last),
                ).logits
            predictions.append(Prediction(step.target, logits, present))
            if number in needed:
                small = self._masks(logits)
                described[number] = self._run(describe, pyramid[step.target], small)
        return predictions

    def _keys(self, images: Tensor, pyramid: Pyramid, frames: Sequence[int]) -> dict[int, Tensor]:
        """Keys (B, C, h/8, w/8) by frame, of images (B, T, 3, h, w) and all their features."""
        b, t = images.shape[:2]
        keys = self.network.keys(images.flatten(0, 1), pyramid)
        if keys is None:
            return {}
        return dict(zip(frames, keys.view(b, t, *keys.shape[1:]).unbind(1), strict=True))

    @property
    def _only_refines(self) -> bool:
        """Whether nothing learns but what corrects logits: the rest then needs no gradients."""
        learned = {
            n.partition(".")[0] for n, p in self.network.named_parameters() if p.requires_grad
        }
        return learned <= {"refiner", "matcher"} and not self.mask_gradients

    def _run(self, part: Callable[[*Ts], R], *values: *Ts) -> R:
        """Run a part of the network, keeping its activations or not."""
        if self._only_refines:
            with torch.no_grad():
                return part(*values)
        if not (self.save_memory and torch.is_grad_enabled()):
            return part(*values)
        result: R = checkpoint(part, *values, use_reentrant=False)
        return result

    def _joined(self, described: Descriptors, negative: NegativeObject) -> Descriptors:
        """Descriptors with one more object, which was described in its own picture."""
        extract, describe = self._extract, self._describe
        found = self._run(describe, self._run(extract, negative.images), negative.masks)
        return described._replace(objects=torch.cat([described.objects, found.objects], 1))

    def _last(
        self, before: Prediction | None, given: Tensor, target: int, logits: Tensor
    ) -> "LastMasks":
        """The masks of the step before, without gradients.

        In a share of clips nothing is known of them: the refiner has to do without where an object
        comes back.

        Args:
            before: what that step predicted; None: it is frame 0, with its given masks.
            given: (B, O, h, w).
            target: the frame that is predicted now.
            logits: (B, K + O, h/4, w/4) of it, with a negative object's last.
        """
        k = self.network.config.background_channels
        b, o = len(logits), logits.shape[1] - k
        with torch.no_grad():
            if before is not None:
                frame, masks = before.target, hard_masks(before.logits, k)
                confidence = mean_won(before.logits.float().softmax(1), k)
            else:
                frame, masks = 0, _with_negative(given, o)
                confidence = masks.new_ones(b, o)
            # No randomness is used without mistakes, so that older recipes repeat.
            if self.training and self.mistaken:
                masks = with_mistakes(masks, self.mistaken)
            known = masks.flatten(2).any(2).to(masks.dtype)
            if self.training:
                known = known * (torch.rand(b, 1, device=known.device) >= PRIOR_DROPPED)
        return LastMasks(frame, masks, known, confidence)

    def _remembered(
        self, keys: Mapping[int, Tensor], given: Tensor, last: "LastMasks"
    ) -> list[Remembered]:
        """Frame 0 with its given masks (B, O, h, w), and the frame before, for matching.

        keys: by frame; none, if the network does not match.
        """
        if not keys:
            return []
        first = _with_negative(given, last.masks.shape[1])
        seen = first.flatten(2).any(2).to(first.dtype)
        if self.training:
            drawn = torch.rand(len(seen), 1, device=seen.device)
            seen = seen * (drawn >= GIVEN_DROPPED)
        pairs = ((0, first, seen), (last.frame, last.masks, last.known))
        given_map, last_map = (
            remembered(keys[n], m, known, near=self.training) for n, m, known in pairs
        )
        where = clip_places(keys)
        return [given_map, last_map._replace(places=None if where is None else where.flatten(2))]

    def _masks(self, logits: Tensor) -> Tensor:
        """Objects' masks at stride 8 from a frame's own soft prediction."""
        probabilities = logits.softmax(1)[:, self.network.config.background_channels :]
        if not self.mask_gradients:
            probabilities = probabilities.detach()
        return F.avg_pool2d(probabilities, 2)  # what bilinear to a half is


class LastMasks(NamedTuple):
    """What the step before found, or was given."""

    frame: int
    """Its number"""
    masks: Tensor
    """(B, O, y, x) of 0 and 1, at the image's size or at half of it"""
    known: Tensor
    """(B, O) of 0 and 1"""
    confidence: Tensor
    """(B, O)"""


def _with_negative(given: Tensor, objects: int) -> Tensor:
    """Given masks (B, O, h, w) with an empty one for a negative object."""
    return F.pad(given, (0, 0, 0, 0, 0, objects - given.shape[1]))


def _carried(last: LastMasks, target: int, motion: ClipMotion) -> Prior:
    """The last masks, carried along to the frame ``target`` where that is the next one."""
    known = last.known if last.frame == target - 1 else torch.zeros_like(last.known)
    place = max(target - 1, 0)
    with torch.no_grad():
        carried = F.grid_sample(last.masks, motion.at[:, place], align_corners=False)
    return Prior(carried, known, last.confidence, motion.change[:, place, None])


def hard_masks(logits: Tensor, background: int) -> Tensor:
    """Masks (B, O, 2 y, 2 x) of 0 and 1 as a label map has them, from logits (B, K + O, y, x)."""
    merged = torch.cat([logits[:, :background].amax(1, True), logits[:, background:]], 1)
    fine = F.interpolate(merged, scale_factor=2, mode="bilinear", align_corners=False)
    return F.one_hot(fine.argmax(1), merged.shape[1]).movedim(-1, 1)[:, 1:].to(logits.dtype)


def mean_won(probabilities: Tensor, background: int) -> Tensor:
    """Mean probability of each object over the cells that it wins, 0 if none: (B, O)."""
    best = probabilities.argmax(1, keepdim=True)
    numbers = torch.arange(probabilities.shape[1], device=best.device)[background:, None, None]
    wins = (best == numbers).to(probabilities.dtype)
    total = (probabilities[:, background:] * wins).flatten(2).sum(2)
    return total / wins.flatten(2).sum(2).clamp(min=1)


def _compiled(part: Callable[P, R]) -> Callable[P, R]:
    """A part of a network that is compiled when it is called, anew for each form of its inputs."""
    # Sizes that stand for any number make the compiler fail on how memory is laid out.
    ready = torch.compile(part, dynamic=False)

    def run(*values: P.args, **named: P.kwargs) -> R:
        try:
            return ready(*values, **named)
        except torch._dynamo.exc.BackendCompilerFailed as error:
            # Advice on debugging PyTorch follows after an empty line.
            reason = " ".join(str(error).partition("\n\n")[0].split())
            raise HodorError(
                f"running.compile: torch.compile failed ({reason}); install what it asks for, or "
                "leave running.compile out"
            ) from error

    return run
