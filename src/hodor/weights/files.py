"""Models as files: safetensors with the config inside, so that one file is a whole model."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors

from hodor.errors import MALFORMED, MissingModelError, WeightsError, one_line
from hodor.files import whole_file
from hodor.model import HodorConfig
from hodor.types import Json, JsonObject

if TYPE_CHECKING:  # what is known of models is read without PyTorch
    import torch
    from torch import Tensor

    from hodor.model import Hodor

FORMAT = "hodor-2"
SCALE = ".scale"
"""Ends the name of what a matrix that is stored in 8 bits is multiplied by, row by row"""
LARGE = 4096  # numbers: smaller matrices are not worth it
TOKENS = "tokens."
"""Begins the names of DINOv2's tensors, which are the same in all models that have them"""


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says of itself."""

    config: HodorConfig
    metadata: JsonObject = field(default_factory=dict)
    """Name, recipe, defaults for tracking, data and licences: plain values."""
    beside: str | None = None
    """The bundled model whose DINOv2 it takes, as it holds none of its own"""


def save_model(
    path: Path,
    config: HodorConfig,
    state: "Mapping[str, Tensor]",
    metadata: Mapping[str, Json],
    *,
    dtype: "torch.dtype | None" = None,
    eight_bit: Sequence[str] = (),
    tokens: bool = True,
) -> None:
    """Write a model whole or not at all.

    Args:
        path: a ``.safetensors`` file.
        config: of the network.
        state: its state dict.
        metadata: plain values for ``ModelInfo.metadata``.
        dtype: in which floating-point tensors are stored; default: float32.
        eight_bit: what the names of large matrices begin with that are stored in 8 bits, a row's
            greatest number as 127.
        tokens: whether DINOv2's tensors are part of the file; without them ``read_model`` takes
            those of the bundled model ``base``.

    Raises:
        WeightsError: the file cannot be written.
    """
    import torch
    from safetensors.torch import save

    dtype = dtype or torch.float32
    tensors = {
        name: value.detach().cpu().to(dtype if value.is_floating_point() else None).contiguous()
        for name, value in state.items()
        if tokens or not name.startswith(TOKENS)
    }
    for name in [n for n, value in state.items() if n in tensors and _shrinks(n, value, eight_bit)]:
        tensors |= _in_8_bits(name, state[name].detach().cpu().float())
    header = {
        "format": FORMAT,
        "config": json.dumps(config.to_dict()),
        "metadata": json.dumps(dict(metadata)),
    }
    with whole_file(path, WeightsError, "the model could not be written") as fresh:
        fresh.write_bytes(save(tensors, header))


def _shrinks(name: str, value: "Tensor", eight_bit: Sequence[str]) -> bool:
    large = value.is_floating_point() and value.ndim > 1 and value.numel() >= LARGE
    return large and name.startswith(tuple(eight_bit))


def _in_8_bits(name: str, value: "Tensor") -> dict[str, "Tensor"]:
    """A matrix (rows, ...) as integers and a factor (rows,) for each row."""
    import torch

    scale = value.flatten(1).abs().amax(1).clamp(min=1e-12) / 127
    whole = (value / _each_row(scale, value)).round().to(torch.int8)
    return {name: whole.contiguous(), name + SCALE: scale}


def _each_row(scale: "Tensor", value: "Tensor") -> "Tensor":
    return scale.view(-1, *[1] * (value.ndim - 1))


def _unpacked(tensors: "Mapping[str, Tensor]") -> dict[str, "Tensor"]:
    """Tensors of a file in float32, with matrices of 8 bits multiplied out."""
    import torch

    state = {}
    for name, value in tensors.items():
        whole = tensors.get(name.removesuffix(SCALE))
        if name.endswith(SCALE) and whole is not None and whole.dtype == torch.int8:
            continue
        scale = tensors.get(name + SCALE)
        if value.dtype == torch.int8 and scale is not None and scale.shape == value.shape[:1]:
            state[name] = value.float() * _each_row(scale.float(), value)
        else:
            state[name] = value.float()
    return state


def read_info(path: Path) -> ModelInfo:
    """Config and description of a model file, without its tensors.

    Raises:
        WeightsError: no such file, or not a model of ours.
    """
    if not path.is_file():
        raise MissingModelError(f"{path}: no such file; give a model's name, path or hub:ORG/REPO")
    try:
        with safetensors.safe_open(path, "np") as file:
            header = file.metadata() or {}
            tokens = any(name.startswith(TOKENS) for name in file.keys())  # noqa: SIM118, no dict
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(
            f"{path}: not a safetensors file ({one_line(error)}); a checkpoint of the authors' "
            "code is turned into one by: hodor weights convert OFFICIAL.pth OUT.safetensors"
        ) from error
    if header.get("format") != FORMAT:
        raise WeightsError(
            f"{path}: safetensors without a hodor config (format {header.get('format')!r}, "
            f"expected {FORMAT!r}); this hodor did not write it"
        )
    try:
        config, metadata = json.loads(header["config"]), json.loads(header["metadata"])
        read = HodorConfig.from_dict(dict(config))
        beside = "base" if read.tokens != "none" and not tokens else None
        return ModelInfo(read, dict(metadata), beside)
    except MALFORMED as error:
        raise WeightsError(
            f"{path}: what it says of itself is damaged ({one_line(error)}); get the file again"
        ) from error


def read_model(path: Path, device: "torch.device | str" = "cpu") -> "Hodor":
    """A network from a model file, in evaluation mode, with its description in ``metadata``.

    Nothing in the file is run. One without DINOv2's tensors has those of the bundled ``base``.

    Raises:
        WeightsError: not a model of ours, or its tensors do not fit its config (they are named).
    """
    from safetensors.torch import load_file

    from hodor.model import Hodor

    info = read_info(path)
    network = Hodor(info.config)
    state = _unpacked(load_file(path))
    expected = network.state_dict()
    wanted = {name for name in expected if name.startswith(TOKENS)}
    if wanted and wanted.isdisjoint(state):
        state |= _bundled_tokens()
    problems = [f"{name} is missing" for name in expected if name not in state]
    problems += [f"{name} does not belong" for name in state if name not in expected]
    problems += [
        f"{name} is {tuple(value.shape)}, expected {tuple(expected[name].shape)}"
        for name, value in state.items()
        if name in expected and value.shape != expected[name].shape
    ]
    if problems:
        more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise WeightsError(f"{path}: " + "; ".join(problems[:10]) + more)
    broken = [name for name, value in state.items() if not value.isfinite().all()]
    if broken:
        raise WeightsError(
            f"{path}: {len(broken)} of {len(state)} tensors hold numbers that are none (nan or "
            f"infinite), the first {broken[0]}: training went wrong, or the file is damaged"
        )
    network.load_state_dict(state)
    network.metadata = info.metadata
    return network.to(device).eval()


def _bundled_tokens() -> "dict[str, Tensor]":
    """DINOv2's tensors, of the one bundled model that holds them.

    Raises:
        WeightsError: that file is missing or damaged.
    """
    from hodor.weights.catalogue import model_path

    with safetensors.safe_open(model_path("base"), "pt") as file:
        names = [name for name in file.keys() if name.startswith(TOKENS)]  # noqa: SIM118, no dict
        return _unpacked({name: file.get_tensor(name) for name in names})


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
