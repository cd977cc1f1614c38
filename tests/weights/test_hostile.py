"""Models from elsewhere: nothing in them opens a connection, fills the memory or goes unsaid."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hodor.errors import WeightsError
from hodor.weights import read_info, read_model


def changed(model: Path, target: Path, **config: Any) -> Path:
    """A copy of a model whose config says something else."""
    with safe_open(model, "pt") as file:
        metadata = dict(file.metadata())
    metadata["config"] = json.dumps(json.loads(metadata["config"]) | config)
    save_file(load_file(model), target, metadata)
    return target


@pytest.mark.parametrize(
    "config",
    [
        {"backbone": "hf-hub:someone/x"},
        {"backbone": "hf_hub:someone/x"},
        {"backbone": "local-dir:/etc"},
        {"backbone": "../x"},
        {"backbone": 3},
        {"channels": 2**30},
        {"channels": "many"},
        {"heads": 0},
        {"decoder_layers": 10**9},
        {"background_grid": [10**6, 10**6]},
        {"background_grid": 4},
        {"dropout": [0, 0.1]},
        {"dropout": 5},
        {"drop_path": "some"},
        {"encoder_layers": 1.5},
    ],
    ids=str,
)
def test_a_config_from_elsewhere_is_held_to_its_limits(
    tiny_model: Path, tmp_path: Path, config: dict[str, Any]
) -> None:
    with pytest.raises(WeightsError, match="config: "):
        read_info(changed(tiny_model, tmp_path / "m.safetensors", **config))


@pytest.mark.parametrize(
    "metadata", [{}, {"config": "[", "metadata": "{}"}, {"config": "3"}], ids=str
)
def test_damaged_words_of_a_model_are_told_in_one_line(
    tmp_path: Path, tiny_model: Path, metadata: dict[str, str]
) -> None:
    path = tmp_path / "m.safetensors"
    save_file(load_file(tiny_model), path, {"format": "hodor-2", **metadata})
    with pytest.raises(WeightsError, match="is damaged"):
        read_info(path)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_model_whose_numbers_are_none_is_refused(
    tmp_path: Path, tiny_model: Path, number: float
) -> None:
    with safe_open(tiny_model, "pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(tiny_model)
    name = next(name for name, value in tensors.items() if value.is_floating_point())
    tensors[name].view(-1)[0] = number
    save_file(tensors, tmp_path / "m.safetensors", metadata)
    with pytest.raises(WeightsError, match=f"hold numbers that are none .* the first {name}"):
        read_model(tmp_path / "m.safetensors")
