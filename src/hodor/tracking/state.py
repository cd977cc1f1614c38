"""A tracker's memory as files: to go on elsewhere, or to start from on another video."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import safetensors
import torch
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from hodor.errors import HodorError, WeightsError
from hodor.model import Hodor
from hodor.tracking.history import Described, Memory, Sight
from hodor.tracking.options import TrackerOptions

STATE_FORMAT = "hodor-state-1"
REFERENCES_FORMAT = "hodor-references-1"


def network_print(network: Hodor) -> str:
    """What tells one network's descriptors from another's: sha256 of config and weights."""
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    digest = hashlib.sha256(json.dumps(network.config.to_dict(), sort_keys=True).encode())
    digest.update(save(state))
    return digest.hexdigest()


def memory_tensors(memory: Memory) -> dict[str, Tensor]:
    """A memory as named tensors on the CPU."""
    named: dict[str, Tensor] = {}
    for kind, frames in (
        ("recent", memory.recent),
        ("references", memory.references),
        ("last_seen", list(memory.last_seen.values())),
    ):
        named |= _pack(kind, frames)
    sights = [[float(i), *sight] for i, sight in memory.sights.items()]
    named["sights"] = torch.tensor(sights, dtype=torch.float64).view(-1, 6)
    return named


def memory_from(tensors: Mapping[str, Tensor], empty: Memory, device: torch.device) -> Memory:
    """Fill an empty memory from ``memory_tensors``."""
    empty.recent = _unpack("recent", tensors, device)
    empty.references = _unpack("references", tensors, device)
    last = _unpack("last_seen", tensors, device)
    empty.last_seen = {next(iter(frame.objects)): frame for frame in last}
    for i, left, top, right, bottom, ago in tensors["sights"].tolist():
        empty.sights[int(i)] = Sight(left, top, right, bottom, int(ago))
    return empty


def _pack(kind: str, frames: Iterable[Described]) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {}
    for number, frame in enumerate(frames):
        start = f"{kind}.{number:03d}"
        named[f"{start}.index"] = torch.tensor(frame.index)
        named[f"{start}.ids"] = torch.tensor(list(frame.objects), dtype=torch.int64)
        if frame.objects:
            named[f"{start}.objects"] = torch.stack(list(frame.objects.values())).cpu().clone()
        if frame.background is not None:
            named[f"{start}.background"] = frame.background.cpu().clone()
        if frame.alone:
            named[f"{start}.alone"] = torch.stack(list(frame.alone.values())).cpu().clone()
    return named


def _unpack(kind: str, tensors: Mapping[str, Tensor], device: torch.device) -> list[Described]:
    frames = []
    starts = sorted({".".join(n.split(".")[:2]) for n in tensors if n.startswith(f"{kind}.")})
    for start in starts:
        ids = tensors[f"{start}.ids"].tolist()
        objects = tensors.get(f"{start}.objects", torch.empty(0)).to(device)
        background = tensors.get(f"{start}.background")
        alone = tensors.get(f"{start}.alone", torch.empty(0)).to(device)
        frames.append(
            Described(
                int(tensors[f"{start}.index"]),
                dict(zip(ids, objects, strict=True)),
                None if background is None else background.to(device),
                dict(zip(ids, alone, strict=True)) if len(alone) else {},
            )
        )
    return frames


@dataclass(frozen=True)
class References:
    """Objects as descriptors, without any picture: a few kB that start a tracker elsewhere."""

    frames: tuple[Described, ...]
    network: str
    """Print of the network that made them"""

    @property
    def ids(self) -> tuple[int, ...]:
        """The objects described, sorted."""
        return tuple(sorted({i for frame in self.frames for i in frame.objects}))

    def check(self, network: str) -> None:
        """Whether a network can use them.

        Raises:
            HodorError: another network made them.
        """
        if self.network != network:
            raise HodorError(
                "these references were made with another model (print "
                f"{self.network[:12]}, here {network[:12]}); use that model, or make them again"
            )

    def save(self, path: str | Path) -> None:
        """Write a safetensors file, whole or not at all.

        Raises:
            WeightsError: it cannot be written.
        """
        _save(Path(path), _pack("references", self.frames), REFERENCES_FORMAT, {}, self.network)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what ``save`` wrote.

        Raises:
            WeightsError: no such file, or another kind of file.
        """
        tensors, metadata = _load(Path(path), REFERENCES_FORMAT, "references")
        frames = _unpack("references", tensors, torch.device("cpu"))
        return cls(tuple(frames), metadata["network"])


def save_state(path: Path, state: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Write a tracker's ``state_dict`` and plain values beside it, whole or not at all.

    Raises:
        WeightsError: it cannot be written.
    """
    plain = {"next": state["next"], "options": asdict(state["options"]), "extra": dict(extra)}
    _save(path, dict(state["memory"]), STATE_FORMAT, plain, state["network"])


def load_state(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A tracker's state and the plain values beside it.

    Raises:
        WeightsError: no such file, or another kind of file.
    """
    tensors, metadata = _load(path, STATE_FORMAT, "a tracker's state")
    plain = json.loads(metadata["plain"])
    state = {
        "next": plain["next"],
        "options": TrackerOptions(**plain["options"]),
        "network": metadata["network"],
        "memory": tensors,
    }
    return state, plain["extra"]


def _save(
    path: Path, tensors: dict[str, Tensor], kind: str, plain: dict[str, Any], network: str
) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    metadata = {"format": kind, "plain": json.dumps(plain), "network": network}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, fresh, metadata)
        fresh.replace(path)
    except (OSError, safetensors.SafetensorError) as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise WeightsError(f"{path}: could not be written ({error})") from error


def _load(path: Path, kind: str, what: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; expected {what} saved by hodor")
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        tensors = load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(f"{path}: not a safetensors file ({error}); expected {what}") from error
    if metadata.get("format") != kind:
        raise WeightsError(f"{path}: holds {metadata.get('format')!r}, expected {what} ({kind!r})")
    return tensors, metadata
