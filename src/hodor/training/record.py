"""What a run notes of itself beside its checkpoints: recipe, versions, data, machine."""

import json
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import torch

from hodor.errors import HodorError, counted
from hodor.files import open_to_append, write_text
from hodor.training.settings import Recipe

NOTED = ("hodor-vos", "torch", "torchvision", "timm", "numpy", "opencv-python-headless")


def write_record(
    folder: Path,
    recipe: Recipe,
    data: Sequence[object],
    *,
    device: torch.device,
    processes: int,
    step: int,
) -> None:
    """Write ``recipe.yaml`` with every default, and add a line to ``runs.jsonl``.

    Args:
        folder: of the run.
        recipe: as it is in effect.
        data: what was found in each dataset.
        device, processes: what trains.
        step: at which the run starts or goes on.

    Raises:
        HodorError: the folder cannot be written.
    """
    entry = {
        "from_step": step,
        "device": _name(device),
        "processes": processes,
        "data": list(data),
        "versions": {"python": platform.python_version()} | versions(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "recipe.yaml", recipe.to_yaml())
        with open_to_append(folder / "runs.jsonl") as file:
            file.write(json.dumps(entry).encode() + b"\n")
    except OSError as error:
        raise HodorError(
            f"{folder}: cannot be written ({error.strerror}); free some space or choose another "
            "folder, then go on with --resume"
        ) from error


def versions() -> dict[str, str]:
    """Installed versions of what decides numbers."""
    found = {}
    for name in NOTED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # a checkout on the path has no metadata
    return found


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {counted(torch.get_num_threads(), 'thread')})"


def memory_gb(device: torch.device) -> float:
    """Most memory so far: of tensors on a GPU, of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    try:
        import resource
    except ImportError:
        return 0.0  # Windows
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) / 1e9
