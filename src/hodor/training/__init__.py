"""Training: losses, propagation over clips, the loop, checkpoints."""

from hodor.training.loop import Progress, make_batches, train
from hodor.training.losses import Loss, LossSettings, clip_loss
from hodor.training.propagation import ClipModel, Prediction, Step, schedule
from hodor.training.recipe import Recipe, bundled_recipes, load_recipe

__all__ = [
    "ClipModel",
    "Loss",
    "LossSettings",
    "Prediction",
    "Progress",
    "Recipe",
    "Step",
    "bundled_recipes",
    "clip_loss",
    "load_recipe",
    "make_batches",
    "schedule",
    "train",
]
