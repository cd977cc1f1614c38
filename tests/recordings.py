"""Numerical recordings of the released network, and weights made from their recipe.

A part of the recordings is in ``tests/data/parity``; the whole is in ``shared/parity`` beside the
checkout, which users do not have.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hodor.model import Hodor, HodorConfig, convert_released

SHARED = Path(__file__).resolve().parents[2] / "shared"
BUNDLED = Path(__file__).parent / "data" / "parity"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="needs the folder 'shared' beside the checkout"
)

# Fields of the config that the tensors of a case do not tell.
CHOICES: dict[str, dict[str, Any]] = {
    "c4a": {"encoder_positions": True, "decoder_positions": False},
    "c4b": {"encoder_positions": True},
}
ALPHA = np.array([32, 32, 16, 16, 8, 8, 4, 4])


def recording(prefix: str) -> dict[str, Any]:
    """The arrays of one recorded case, such as ``c1``."""
    for folder in (BUNDLED, SHARED / "parity"):
        for path in folder.glob(f"{prefix}_*.npz"):
            return dict(np.load(path))
    pytest.skip(f"the recording {prefix} is in the folder 'shared' beside the checkout")


@cache
def specification() -> dict[str, Any]:
    return dict(json.loads((BUNDLED / "state_dict_spec.json").read_text()))


def recipe_value(name: str, shape: list[int], kind: str) -> Tensor:
    """One tensor of the weight recipe (README of the recordings, section 1)."""
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:16], 16)
    n = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
    fan_in = float(np.prod(shape[1:])) if len(shape) > 1 else 1.0
    scaled = {
        "weight": lambda: n / np.sqrt(fan_in),
        "bias": lambda: 0.1 * n,
        "norm_weight": lambda: 1 + 0.1 * n,
        "norm_bias": lambda: 0.1 * n,
        "relpos": lambda: 0.5 * n,
        "alpha": lambda: ALPHA * (1 + 0.1 * n),
        "embed": lambda: n,
        "offset_weight": lambda: 1.5 * n / np.sqrt(fan_in),
        "offset_bias": lambda: 0.5 * n,
        "query_proj_weight": lambda: 5 * n / np.sqrt(fan_in),
        "catchall_weight": lambda: 3 * n / np.sqrt(fan_in),
    }[kind]()
    return torch.from_numpy(scaled.astype(np.float32))


def released_state(case: str = "release") -> dict[str, Tensor]:
    """The state dict of a released-form checkpoint, with the recipe's values."""
    spec = specification()
    entries = {entry["name"]: entry for entry in spec["release"]}
    if case in spec["other_cases"]:
        for name in spec["other_cases"][case]["absent"]:
            del entries[name]
        entries |= {e["name"]: e for e in spec["other_cases"][case]["different_or_new"]}
    return {
        name: torch.zeros(entry["shape"], dtype=torch.int64)
        if entry["kind"] == "index"
        else recipe_value(name, entry["shape"], entry["kind"])
        for name, entry in entries.items()
    }


@cache
def recorded_network(case: str = "release", **changes: Any) -> Hodor:
    """Our network with the recipe's weights, converted as a user would convert a checkpoint."""
    config, state = convert_released({"model": released_state(case)}, **CHOICES.get(case, {}))
    network = Hodor(HodorConfig(**(config.to_dict() | changes)))
    network.load_state_dict(state)
    return network.eval()
