"""Training state on disk, written whole or not at all."""

from pathlib import Path
from typing import TypedDict, cast

import torch
from torch import Tensor

from hodor.errors import WeightsError, reason
from hodor.files import replacing
from hodor.types import JsonObject

LATEST = "checkpoint.pt"


class AverageState(TypedDict):
    """A moving average of the weights."""

    steps: int
    values: dict[str, Tensor]


class Checkpoint(TypedDict):
    """Everything that a run needs to go on."""

    step: int
    recipe: str
    """As JSON"""
    network: dict[str, Tensor]
    optimiser: JsonObject
    """What PyTorch's optimiser says of itself"""
    average: AverageState | None


def save_checkpoint(folder: Path, state: Checkpoint) -> Path:
    """Write ``state`` as the folder's latest checkpoint; a kill leaves the one before it.

    Raises:
        WeightsError: the disk is full or the folder cannot be written.
    """
    path = folder / LATEST
    try:
        with replacing(path, flush=True) as fresh, fresh.open("wb") as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"{path}: the checkpoint could not be written ({reason(error)}); the one before it is "
            "intact. Make room and go on with --resume"
        ) from error
    return path


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The folder's latest checkpoint, or None. Nothing in the file is run.

    Raises:
        WeightsError: the file is damaged.
    """
    path = folder / LATEST
    if not path.is_file():
        return None
    try:
        return cast(Checkpoint, dict(torch.load(path, map_location="cpu", weights_only=True)))
    except Exception as error:
        raise WeightsError(f"{path}: not a checkpoint of a training run ({error})") from error
