"""Training: recipes, losses, propagation over clips, the loop, checkpoints."""

from hodor.training.adapting import Adapted, adapt
from hodor.training.datasets import check_data, make_batches, open_dataset, open_datasets
from hodor.training.finetune import finetune_recipe, kept_for_measuring, one_dataset
from hodor.training.lines import ProgressLines
from hodor.training.loop import MODEL, Listener, Progress, Validate, train
from hodor.training.losses import Loss, LossSettings, clip_loss
from hodor.training.plain import to_plain
from hodor.training.processes import Launch, launched
from hodor.training.propagation import ClipModel, Prediction, Step, schedule
from hodor.training.recipe import bundled_recipes, changed, load_recipe, read_plain
from hodor.training.settings import (
    DataSet,
    Initial,
    Optimisation,
    Recipe,
    Running,
    Validation,
)

__all__ = [
    "MODEL",
    "Adapted",
    "ClipModel",
    "DataSet",
    "Initial",
    "Launch",
    "Listener",
    "Loss",
    "LossSettings",
    "Optimisation",
    "Prediction",
    "Progress",
    "ProgressLines",
    "Recipe",
    "Running",
    "Step",
    "Validate",
    "Validation",
    "adapt",
    "bundled_recipes",
    "changed",
    "check_data",
    "clip_loss",
    "finetune_recipe",
    "kept_for_measuring",
    "launched",
    "load_recipe",
    "make_batches",
    "one_dataset",
    "open_dataset",
    "open_datasets",
    "read_plain",
    "schedule",
    "to_plain",
    "train",
]
