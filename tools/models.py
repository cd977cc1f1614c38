"""What the tools that make models of models have in common: a wider tensor, a written network."""

from pathlib import Path

from torch import Tensor

from hodor.model import Hodor
from hodor.weights import save_model


def in_corner(weights: Tensor, wide: Tensor) -> Tensor:
    """A copy of ``wide`` that begins along each side with ``weights``, which may be smaller."""
    filled = wide.clone()
    filled[tuple(slice(side) for side in weights.shape)] = weights
    return filled


def write_network(network: Hodor, folder: Path) -> None:
    """Write ``model.safetensors`` into a folder, which is made, and print its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.safetensors"
    save_model(path, network.config, network.state_dict(), network.metadata)
    print(path)
