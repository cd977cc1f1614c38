"""Settings for going on from a trained model with a few images of one's own."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hodor.data import ClipSettings, Colour, Motion
from hodor.model import HodorConfig
from hodor.training.losses import LossSettings
from hodor.training.settings import DataSet, Initial, Optimisation, Recipe, Running
from hodor.types import JsonObject

STEPS = 300
BATCH = 4
AREA = 192 * 320  # of training frames: what the bundled model learned from, and fits a laptop
LARGE = 20_000_000  # parameters; networks over it go through clips one at a time
HELD_OUT = 5  # one annotation in so many is kept for measuring
MOST_HELD_OUT = 20

CLIPS = ClipSettings(
    objects=(0.5, 0.3, 0.2),
    pasted_only=0.2,
    motion=Motion(translate=0.18, scale=1.4),
    colour=Colour(jpeg=0.2),
)
SLOW = Optimisation(
    iterations=STEPS,
    batch=BATCH,
    backbone_rate=0.1,
    decay="cosine",
    weight_decay=0.02,
    clip_gradients=1.0,
    average=0.98,
    frozen=("tokens.",),
)


def kept_for_measuring(stems: Sequence[str]) -> list[str]:
    """One in five, chosen by the hash of the names: at least one, at most twenty."""
    count = min(MOST_HELD_OUT, max(1, len(stems) // HELD_OUT))
    by_hash = sorted(stems, key=lambda stem: hashlib.sha256(stem.encode()).digest())
    return sorted(by_hash[:count])


def finetune_recipe(
    data: DataSet,
    shape: tuple[int, int],
    model: str,
    config: HodorConfig,
    tracking: JsonObject,
    *,
    parameters: int,
    steps: int = STEPS,
) -> Recipe:
    """A run of a few minutes that adapts a model to few annotations.

    Low rates, a backbone that hardly moves, frames that differ strongly, and an average of the
    weights: of 20 to 200 images a network would otherwise learn the images themselves.

    Args:
        data: images, or one video with some annotated frames.
        shape: height and width of one of the images, for the frames' proportion.
        model: name or path of the trained model.
        config: its network.
        tracking: its defaults for tracking.
        parameters: of the network.
        steps: of the run.
    """
    sets = [data]
    if data.kind == "videos":
        # Real movement through frames that nobody annotated, and the annotated ones as stills.
        sets = [replace(data, annotated="any"), replace(data, annotated="any", as_stills=True)]
    large = parameters > LARGE
    return Recipe(
        name="finetune",
        about=f"{model}, fine-tuned",
        model=config,
        initial=Initial(weights=model),
        data=tuple(sets),
        clips=replace(CLIPS, size=frame_size(shape)),
        schedule="loop",
        mask_gradients=True,
        loss=LossSettings(stride=2, merge="logsumexp", dice="object", object_weight=1.5),
        optimisation=replace(
            SLOW,
            iterations=steps,
            learning_rate=2e-5 if large else 1e-4,
            warmup=min(20, steps // 10),
        ),
        tracking=tracking,
        running=Running(at_once=1 if large else None, save_memory=large),
        checkpoint_every=50,
        pictures_every=50,
    )


def frame_size(shape: tuple[int, int]) -> tuple[int, int]:
    """Multiples of 32 of about ``AREA`` pixels in an image's proportion, at most 1 to 2."""
    ratio = min(2.0, max(0.5, shape[0] / shape[1]))
    h = max(96, round(math.sqrt(AREA * ratio) / 32) * 32)
    return h, max(96, round(AREA / h / 32) * 32)


def one_dataset(
    *, images: Path | None, annotations: Path | None, masks: Path | None, frames: Path | None
) -> DataSet:
    """The dataset that these paths are; see ``hodor train finetune``."""
    if frames is not None:
        return DataSet("videos", frames.absolute(), masks=(masks or Path()).absolute())
    pictures = (images or Path()).absolute()
    if annotations is not None:
        return DataSet("coco", pictures, annotations=annotations.absolute())
    return DataSet("masks", pictures, masks=(masks or Path()).absolute())
