"""Shrinking a recipe for small budgets: schedule, resolution and model together.

At scale S the number of steps and everything counted in steps is multiplied by S, the area of
frames by S^(1/3), and the channels of encoder and decoder by S^(1/4). So the work of a run falls
with about S^1.7, and at S = 0.004 the paper's 250,000 steps of 300,000 pixels with 256 channels
become 1,000 steps of 47,600 pixels (about 192 x 256) with 64 channels: a network that small can
still be compared with another one that differs in one choice. Layers, heads, cells, batch, number
of frames and objects, learning rates, backbone and data stay as they are, since the rows of the
paper's tables differ in them. Checkpoints and pictures are at least 50 steps apart.
"""

import math
from dataclasses import replace

from hodor.data import ClipSettings, WholeClips
from hodor.errors import RecipeError
from hodor.training.settings import Optimisation, Recipe

AREA_POWER, CHANNELS_POWER = 1 / 3, 1 / 4
LEAST_AREA = 96 * 96
LEAST_CHANNELS = 32
LEAST_BETWEEN = 50


def scaled(recipe: Recipe, scale: float) -> Recipe:
    """The recipe at scale S.

    Raises:
        RecipeError: S is not in (0, 1].
    """
    if not 0 < scale <= 1:
        raise RecipeError(f"scale is {scale}; it must be over 0 and at most 1")
    if scale == 1:
        return recipe
    steps = scaled_steps(recipe.optimisation, scale)
    validation = recipe.validation
    if validation is not None:
        validation = replace(validation, every=_steps(validation.every, scale))
    model = recipe.model
    multiple = math.lcm(16, 2 * model.heads)  # what the network can divide
    channels = _near(model.channels * scale**CHANNELS_POWER, multiple, LEAST_CHANNELS)
    fine = model.fine_channels
    if fine is not None:
        fine = _near(fine * scale**CHANNELS_POWER, 16, 16)
    return replace(
        recipe,
        name=f"{recipe.name} at scale {scale:g}",
        about=f"{recipe.about} (at scale {scale:g})".strip(),
        optimisation=steps,
        model=replace(model, channels=channels, fine_channels=fine),
        clips=scaled_clips(recipe.clips, scale),
        validation=validation,
        checkpoint_every=_seldom(recipe.checkpoint_every, scale),
        pictures_every=_seldom(recipe.pictures_every, scale),
    )


def scaled_steps(optimisation: Optimisation, scale: float) -> Optimisation:
    """Everything that is counted in steps, times S."""
    return replace(
        optimisation,
        iterations=_steps(optimisation.iterations, scale),
        warmup=round(optimisation.warmup * scale),
        decay_at=tuple(_steps(at, scale) for at in optimisation.decay_at),
    )


def scaled_clips(clips: ClipSettings | WholeClips, scale: float) -> ClipSettings | WholeClips:
    """Frames of less area; sides keep their proportion."""
    factor = scale**AREA_POWER
    if isinstance(clips, WholeClips):
        sides = clips.sides
        if sides is not None:
            sides = (_near(sides[0] * factor**0.5, 32, 96), round(sides[1] * factor**0.5))
        return replace(clips, area=max(LEAST_AREA, round(clips.area * factor)), sides=sides)

    def smaller(size: tuple[int, int]) -> tuple[int, int]:
        h, w = (_near(side * factor**0.5, 32, 96) for side in size)
        return h, w

    sizes = tuple(map(smaller, clips.sizes))
    return replace(clips, size=smaller(clips.size), sizes=sizes)


def _steps(count: int, scale: float) -> int:
    return max(1, round(count * scale))


def _seldom(every: int, scale: float) -> int:
    """Steps between two writings, which must not take longer than what they lie between."""
    return max(_steps(every, scale), min(every, LEAST_BETWEEN))


def _near(value: float, multiple: int, least: int) -> int:
    return max(least, round(value / multiple) * multiple)
