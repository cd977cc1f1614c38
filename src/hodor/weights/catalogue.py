"""Models by name: bundled with the package, on disk, or on the Hugging Face hub."""

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from hodor.errors import MissingModelError, WeightsError
from hodor.weights.files import read_model, sha256

if TYPE_CHECKING:  # models are found without PyTorch
    import torch

    from hodor.model import Hodor

DEFAULT = "small"
HUB = "hub:"
"""Begins the name of a model that is fetched from the Hugging Face hub"""

EXPORTED = ".onnx"
"""Ends the names of exported files, which another runtime opens"""

_HUB_FILE = "model.safetensors"


def _folder() -> Path:
    return Path(str(resources.files("hodor.weights"))) / "bundled"


def bundled_models() -> dict[str, str]:
    """Names of the bundled models and the sha256 of their files."""
    listing = _folder() / "sha256.json"
    return dict(json.loads(listing.read_text())) if listing.is_file() else {}


def bundled_scores(name: str) -> dict[str, float]:
    """J&F, J and F in points, up to 100, of a bundled model on ten sequences of DAVIS 2016 val.

    They are measured after a file is made, and again when tracking changes, so they lie beside it.

    Args:
        name: of the model; one without scores has none.
    """
    listing = _folder() / "scores.json"
    every = json.loads(listing.read_text()) if listing.is_file() else {}
    return dict(every.get(name, {}))


def model_path(which: str) -> Path:
    """The file that a model's name, path or ``hub:ORG/REPO[@REVISION]`` stands for.

    Raises:
        WeightsError: there is none, or a bundled file is damaged.
    """
    bundled = bundled_models()
    if which in bundled:
        path = _folder() / f"{which}.safetensors"
        verify(path, bundled[which])
        return path
    if which.startswith(HUB):
        return _download(which.removeprefix(HUB))
    path = Path(which)
    if path.is_dir() or path.suffix.lower() == EXPORTED:
        raise MissingModelError(_not_one_file(path))
    if not path.is_file():
        raise MissingModelError(
            f"model {which!r}: no bundled model of that name ({', '.join(bundled) or 'none'}) and "
            "no such file; a model on the hub is written hub:ORG/REPO"
        )
    return path


def _not_one_file(path: Path) -> str:
    """What is wrong with a folder, or an exported file, in place of a model's file."""
    folder = path if path.is_dir() else path.parent
    if any(folder.glob(f"*{EXPORTED}")):
        return (
            f"model {path}: exported by hodor export onnx; run it by --runtime onnx "
            f'--model {folder}, in Python Tracker.from_pretrained("{folder}", runtime="onnx")'
        )
    inside = [str(file) for file in sorted(folder.glob("*.safetensors"))]
    if not path.is_dir() or not inside:
        return f"model {path}: holds no model; give a .safetensors file, or a bundled model's name"
    return f"model {path}: a folder; give the file of a model in it: {', '.join(inside)}"


def verify(path: Path, expected: str) -> None:
    """Check a file against its sha256.

    Raises:
        WeightsError: the file is missing or differs.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: the bundled model is missing; install the package again")
    found = sha256(path)
    if found != expected:
        raise WeightsError(
            f"{path}: damaged: sha256 is {found[:12]}..., expected {expected[:12]}...; install the "
            "package again"
        )


def _download(repository: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    name, _, revision = repository.partition("@")
    try:
        return Path(hf_hub_download(name, _HUB_FILE, revision=revision or None))
    except (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        OSError,
        ValueError,
    ) as e:
        raise WeightsError(
            f"hub:{repository}: {_HUB_FILE} could not be fetched ({type(e).__name__}: {e}); "
            "check the name and the network, or give a local file"
        ) from e


def load_model(which: str | Path = DEFAULT, device: "torch.device | str" = "cpu") -> "Hodor":
    """A trained network, in evaluation mode.

    Args:
        which: a bundled name, a ``.safetensors`` file, or ``hub:ORG/REPO[@REVISION]``.
        device: where it goes.

    Raises:
        WeightsError: there is no such model, or the file is damaged or not ours.
    """
    return read_model(model_path(str(which)), device)
