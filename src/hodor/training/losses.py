"""Cross-entropy plus Dice (S4 of the paper), in the forms that paper and released code take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args, get_origin, get_type_hints

import torch
from torch import Tensor
from torch.nn import functional as F

from hodor.errors import RecipeError
from hodor.training.propagation import Prediction

EPSILON = 1e-6  # published_behaviour 6.2
BORDER = 2  # pixels at the loss's resolution; of a 480-line frame, about what F forgives


@dataclass(frozen=True)
class LossSettings:
    """The training objective."""

    stride: Literal[1, 2, 4] = 1
    """Resolution at which masks are compared, as a stride of the image (released: 1)."""
    merge: Literal["max", "logsumexp"] = "max"
    """How background logits become one channel before upsampling: the greatest of them (released),
    or their logsumexp, which keeps the softmax of Eq. 4 as it is."""
    dice: Literal["clip", "object"] = "clip"
    """Dice over all objects and predictions of a clip at once (released), or for each object in
    each prediction, then averaged."""
    object_weight: float = 1.0
    """Weight of object pixels in the cross-entropy; over 1, a missed object costs more than a
    false one."""
    border_weight: float = 0.0
    """Added to the weight of pixels within two of another label, at the resolution of the loss: a
    border is a small part of a picture, and all that is seen of a mask's quality."""
    frames: Literal["all", "first"] = "all"
    """Supervise every prediction, or those of frame 0 only (sparse video)."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            value = getattr(self, name)
            if get_origin(hint) is Literal and value not in get_args(hint):
                allowed = ", ".join(map(repr, get_args(hint)))
                raise RecipeError(f"loss.{name} is {value!r}; it must be one of {allowed}")
        if not isinstance(self.object_weight, (int, float)) or self.object_weight <= 0:
            raise RecipeError(f"loss.object_weight is {self.object_weight!r}; a number over 0")
        if not isinstance(self.border_weight, (int, float)) or self.border_weight < 0:
            raise RecipeError(f"loss.border_weight is {self.border_weight!r}; a number, 0 or more")


class Amounts(NamedTuple):
    """What sums over a whole step are divided by, so that parts of it add up to its mean."""

    pixels: Tensor
    """Scalar: pixels compared, each by its weight"""
    dice: Tensor
    """Scalar: terms of the Dice loss"""


class Loss(NamedTuple):
    """The two parts; their sum is minimised."""

    dice: Tensor
    cross_entropy: Tensor

    @property
    def total(self) -> Tensor:
        """Scalar: Dice plus cross-entropy, both weighted by one (S4)."""
        return self.dice + self.cross_entropy


def amounts(
    targets: Sequence[int], present: Sequence[Tensor], labels: Tensor, settings: LossSettings
) -> Amounts:
    """What ``clip_loss`` divides by; it depends on the truth alone.

    Args:
        targets: frame of each prediction that is compared.
        present: (B, O) bool of each.
        labels, settings: as for ``clip_loss``.
    """
    truth = [
        _target(frame, shown, labels, settings.stride)
        for frame, shown in zip(targets, present, strict=True)
    ]
    pixels = torch.stack([_weights(one, settings).sum() for one in truth]).sum()
    if settings.dice == "clip":
        return Amounts(pixels, labels.new_tensor(len(labels)))
    count = present[0].shape[1]
    shown = torch.stack([F.one_hot(one, count + 1)[..., 1:].amax((1, 2)).sum() for one in truth])
    return Amounts(pixels, shown.sum())


def clip_loss(
    predictions: Sequence[Prediction],
    labels: Tensor,
    background: int,
    settings: LossSettings,
    over: Amounts | None = None,
) -> Loss:
    """Compare predictions with the truth.

    Args:
        predictions: of one batch of clips.
        labels: (B, T, h, w) integer; objects 1..O.
        background: K, the number of background channels.
        settings: form of the loss.
        over: what to divide by, where the batch is a part of a step; None: it is the whole.

    Returns:
        Scalars, means over the step: parts of a step add up.
    """
    chosen = [p for p in predictions if settings.frames == "all" or p.target == 0]
    if over is None:
        over = amounts([p.target for p in chosen], [p.present for p in chosen], labels, settings)
    full = [_upsampled(p.logits, background, settings) for p in chosen]
    logits = torch.stack(full, 2)  # (B, 1 + O, N, y, x)
    targets = torch.stack(
        [_target(p.target, p.present, labels, settings.stride) for p in chosen], 1
    )
    entropy = _entropy(logits, targets, settings) / over.pixels
    truth = F.one_hot(targets, logits.shape[1]).movedim(-1, 1)[:, 1:].to(logits.dtype)
    guess = logits.softmax(1)[:, 1:]
    dims = (1, 2, 3, 4) if settings.dice == "clip" else (3, 4)
    return Loss(_dice(guess, truth, dims, settings.dice) / over.dice.clamp(min=1), entropy)


def _entropy(logits: Tensor, targets: Tensor, settings: LossSettings) -> Tensor:
    """Weighted sum of the cross-entropies of logits (B, 1 + O, N, y, x)."""
    if settings.border_weight:
        each = F.cross_entropy(logits, targets, reduction="none")  # (B, N, y, x)
        weights = [_weights(one, settings) for one in targets.unbind(1)]
        return (each * torch.stack(weights, 1)).sum()
    weight = None
    if settings.object_weight != 1:
        weight = logits.new_full((logits.shape[1],), settings.object_weight)
        weight[0] = 1.0
    return F.cross_entropy(logits, targets, weight=weight, reduction="sum")


def _weights(target: Tensor, settings: LossSettings) -> Tensor:
    """Weight of each pixel (B, y, x) in the cross-entropy."""
    weights = torch.ones(target.shape, device=target.device)
    weights = weights.masked_fill(target > 0, settings.object_weight)
    if settings.border_weight:
        weights = weights + settings.border_weight * near_border(target)
    return weights


def near_border(labels: Tensor) -> Tensor:
    """Where another label is within ``BORDER`` pixels: (B, y, x) float of 0 and 1, of labels."""
    values = labels[:, None].float()
    side = 2 * BORDER + 1
    most = F.max_pool2d(values, side, 1, BORDER)
    least = -F.max_pool2d(-values, side, 1, BORDER)
    return (most != least)[:, 0].float()


def _upsampled(logits: Tensor, background: int, settings: LossSettings) -> Tensor:
    """Logits (B, K + O, h/4, w/4) at the loss's resolution, background merged: (B, 1 + O, y, x).

    They are upsampled to the image as a tracker does, and taken at the pixels of ``_target``: what
    lies between pixels, such as the middle of a block of two, would teach masks to be half a pixel
    away from where they are.
    """
    behind = logits[:, :background]
    one = behind.amax(1, True) if settings.merge == "max" else behind.logsumexp(1, True)
    merged = torch.cat([one, logits[:, background:]], 1)
    return at_pixels(merged, settings.stride)


def _target(frame: int, present: Tensor, labels: Tensor, stride: int) -> Tensor:
    """Labels (B, y, x) of a frame, without objects that cannot be asked for."""
    target = at_stride(labels[:, frame], stride).long()
    asked = F.pad(present, (1, 0), value=True)  # background is always present
    return target * asked.gather(1, target.flatten(1)).view_as(target)


def at_pixels(logits: Tensor, stride: int) -> Tensor:
    """Logits (B, K, h/4, w/4) upsampled to the image, at the pixels of ``at_stride``."""
    full = F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False)
    return at_stride(full, stride)


def at_stride(pixels: Tensor, stride: int) -> Tensor:
    """One pixel of each stride x stride block of (..., h, w), the one nearest to its middle."""
    return pixels[..., stride // 2 :: stride, stride // 2 :: stride]


def _dice(guess: Tensor, truth: Tensor, dims: tuple[int, ...], kind: str) -> Tensor:
    """Sum of the Dice terms: of clips, or of objects in sight in each prediction."""
    overlap = 2 * (guess * truth).mean(dims)
    both = guess.mean(dims) + truth.mean(dims)
    dice = 1 - (overlap + EPSILON) / (both + EPSILON)
    if kind == "clip":
        # As released: a clip without any overlap adds nothing.
        return torch.where(overlap > EPSILON, dice, torch.zeros_like(dice)).sum()
    shown = truth.amax(dims) > 0
    # Absent objects are left to the cross-entropy: Dice of an empty mask jumps between 0 and 1.
    return (dice * shown).sum()
