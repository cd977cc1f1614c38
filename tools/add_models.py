"""What one model learned and what another learned since they parted, in one model: A + (B - C).

    python tools/add_models.py runs/small-13/model.safetensors runs/base-2/model.safetensors \
        runs/small-12/model.safetensors runs/base-sum

Args: models A and B, which both began from C, and a folder for ``model.safetensors``. What only B
has (tokens) is taken from it; where A's refiner has more channels than B's, those stay as they are.
Ilharco et al., Editing Models with Task Arithmetic, 2023.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from models import in_corner, write_network
from torch import Tensor

from hodor.model import Hodor
from hodor.weights import load_model


def added(ours: Hodor, theirs: Hodor, before: Hodor) -> Hodor:
    """The network of ``theirs``, as wide as ``ours``, with both's weights."""
    config = replace(theirs.config, refiner_channels=ours.config.refiner_channels)
    a, b, c = (network.state_dict() for network in (ours, theirs, before))
    network = Hodor(config)
    network.load_state_dict({k: _sum(a.get(k), v, c.get(k)) for k, v in b.items()})
    network.metadata = theirs.metadata
    return network.eval()


def _sum(a: Tensor | None, b: Tensor, c: Tensor | None) -> Tensor:
    """a + (b - c), where a may be larger; b if the others lack it."""
    if a is None or c is None:
        return b
    return a + in_corner(b - c, torch.zeros_like(a))


def main() -> None:
    """Parse and add."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("ours", "theirs", "before"):
        parser.add_argument(name)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    network = added(*(load_model(one) for one in (given.ours, given.theirs, given.before)))
    write_network(network, given.out)


if __name__ == "__main__":
    main()
