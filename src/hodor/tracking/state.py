"""A tracker's memory as files: to go on elsewhere, or to start from on another video."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NotRequired, Self, TypedDict

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from hodor.errors import MALFORMED, HodorError, WeightsError, one_line
from hodor.files import whole_file
from hodor.tracking.boxes import LastBox
from hodor.tracking.descriptors import FrameDescriptors
from hodor.tracking.key_frames import KeyFrame
from hodor.tracking.logits import ArrayT
from hodor.tracking.memory import Memory, RunningConfidence
from hodor.tracking.options import NEVER_OFF, TrackerOptions
from hodor.tracking.prior import LastFrame
from hodor.tracking.runtime import FeaturesT, Runtime
from hodor.tracking.thin_parts import FEATURES, ThinParts
from hodor.types import AnyArray, JsonObject

STATE_FORMAT = "hodor-state-3"
LARGEST = 2**28  # pixels of what a saved place may be in: a damaged size must not take all memory
REFERENCES_FORMAT = "hodor-references-1"

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


class TrackerState(TypedDict):
    """A tracker's state, as plain values and NumPy's arrays."""

    next: int
    """Number of the frame that is stepped next"""
    options: TrackerOptions
    network: str
    """Fingerprint"""
    memory: dict[str, AnyArray]
    assumed: NotRequired[list[str]]
    """Options that the file it was loaded from does not state"""


def state_of(
    memory: Memory[ArrayT], next_index: int, runtime: Runtime[ArrayT, FeaturesT]
) -> TrackerState:
    """A tracker's state before it steps frame ``next_index``; descriptors are (O, C) a frame."""
    return {
        "next": next_index,
        "options": memory.options,
        "network": runtime.fingerprint,
        "memory": memory_arrays(memory, runtime.to_numpy),
    }


def memory_of(state: TrackerState, runtime: Runtime[ArrayT, FeaturesT]) -> Memory[ArrayT]:
    """The memory that a state holds, (C,) an object and frame, with its options.

    Raises:
        HodorError: it is no state, or one of another network.
    """
    needed = ("memory", "network", "next", "options")
    if not isinstance(state, Mapping) or any(name not in state for name in needed):
        raise HodorError(
            f"a tracker's state is a mapping with {', '.join(needed)}, found {_shown(state)}; give "
            "what Tracker.state_dict returned, or the first of what load_state returned"
        )
    if state["network"] != runtime.fingerprint:
        raise HodorError(
            "this state was saved with another model (fingerprint "
            f"{str(state['network'])[:12]}, here {runtime.fingerprint[:12]}); open the tracker "
            "with that model: Tracker.from_pretrained(NAME)"
        )
    return memory_from(state["memory"], Memory(state["options"]), runtime.from_numpy)


def _shown(state: object) -> str:
    """What was given in place of a state."""
    keys = ", ".join(map(str, state)) if isinstance(state, Mapping) else ""
    return f"one with {keys}" if keys else f"{type(state).__name__} {state!r:.40}"


def memory_arrays(
    memory: Memory[ArrayT], to_numpy: Callable[[ArrayT], NDArray[np.float32]]
) -> dict[str, AnyArray]:
    """A memory as named arrays: objects (O, C), background (G, C), last boxes (O, 6).

    to_numpy: makes NumPy's arrays of what the memory holds.
    """
    named: dict[str, AnyArray] = {}
    for kind, frames in (
        ("recent", memory.recent),
        ("references", memory.references),
        ("last_seen", list(memory.last_seen.values())),
    ):
        named |= _pack(kind, (frame.converted(to_numpy) for frame in frames))
    for name, boxes in (("last_boxes", memory.last_boxes), ("next_boxes", memory.next_boxes)):
        numbers = [[float(i), *box] for i, box in boxes.items()]
        named[name] = np.array(numbers, np.float64).reshape(-1, 6)
    running = [[float(i), *mean] for i, mean in memory.running_confidence.items()]
    named["running_confidence"] = np.array(running, np.float64).reshape(-1, 3)
    named |= _pack_thin_parts(memory.thin_parts)
    if memory.last is not None:
        named["last.grey"], named["last.labels"] = memory.last.grey, memory.last.labels
        seen = [[float(i), value] for i, value in memory.last.confidence.items()]
        named["last.confidence"] = np.array(seen, np.float64).reshape(-1, 2)
    named |= _pack_maps("given_maps", memory.given_maps, to_numpy)
    named |= _pack_maps("found_maps", memory.found_maps, to_numpy)
    named |= _pack_maps("last_map", [memory.last_map] if memory.last_map else [], to_numpy)
    return named


def memory_from(
    arrays: Mapping[str, AnyArray],
    empty: Memory[ArrayT],
    from_numpy: Callable[[NDArray[np.float32]], ArrayT],
) -> Memory[ArrayT]:
    """Fill an empty memory from ``memory_arrays``; ``from_numpy`` is the way back, for (C,)."""

    def unpacked(kind: str) -> list[FrameDescriptors[ArrayT]]:
        """Frames of one kind, (C,) an object, in the order in which they were kept."""
        return [frame.converted(from_numpy) for frame in _unpack(kind, arrays)]

    empty.recent = unpacked("recent")
    empty.references = unpacked("references")
    empty.last_seen = {next(iter(frame.objects)): frame for frame in unpacked("last_seen")}
    empty.last_boxes = _boxes(arrays["last_boxes"])
    if "next_boxes" in arrays:  # states of before do not have them
        empty.next_boxes = _boxes(arrays["next_boxes"])
    for i, confidence, frames in arrays["running_confidence"].tolist():
        empty.running_confidence[int(i)] = RunningConfidence(confidence, int(frames))
    empty.thin_parts = _unpack_thin_parts(arrays)
    if "last.grey" in arrays:
        seen = {int(i): value for i, value in arrays["last.confidence"].tolist()}
        empty.last = LastFrame(arrays["last.grey"], arrays["last.labels"], seen)
    empty.given_maps = _unpack_maps("given_maps", arrays, from_numpy)
    empty.found_maps = _unpack_maps("found_maps", arrays, from_numpy)
    empty.last_map = next(iter(_unpack_maps("last_map", arrays, from_numpy)), None)
    return empty


def _pack_maps(
    kind: str,
    frames: Iterable[KeyFrame[ArrayT]],
    to_numpy: Callable[[ArrayT], NDArray[np.float32]],
) -> dict[str, AnyArray]:
    named: dict[str, AnyArray] = {}
    for number, frame in enumerate(frames):
        start = f"{kind}.{number:03d}"
        named[f"{start}.keys"] = to_numpy(frame.keys)
        named[f"{start}.places"] = frame.places
        named[f"{start}.weight"] = np.array(frame.weight)
        named[f"{start}.ids"] = np.array(list(frame.masks), np.int64)
        if frame.masks:
            named[f"{start}.masks"] = np.stack(list(frame.masks.values()))
    return named


def _unpack_maps(
    kind: str,
    arrays: Mapping[str, AnyArray],
    from_numpy: Callable[[NDArray[np.float32]], ArrayT],
) -> list[KeyFrame[ArrayT]]:
    frames = []
    for start in _starts(kind, arrays):
        ids = arrays[f"{start}.ids"].tolist()
        masks = arrays.get(f"{start}.masks", np.empty(0))
        keys = from_numpy(arrays[f"{start}.keys"])
        places = np.asarray(arrays[f"{start}.places"], np.float32)
        # States of before hold given masks' frames and the last one alone.
        weight = float(arrays.get(f"{start}.weight", 1.0))
        frames.append(KeyFrame(keys, dict(zip(ids, masks, strict=True)), places, weight))
    return frames


def _pack_thin_parts(parts: Mapping[int, ThinParts]) -> dict[str, AnyArray]:
    named: dict[str, AnyArray] = {}
    for number, (i, one) in enumerate(parts.items()):
        start = f"thin_parts.{number:03d}"
        named[f"{start}.id"] = np.array(i)
        named[f"{start}.size"] = np.array(one.place.shape)
        for name, places in (("place", one.place), ("first", one.first)):
            pixels = np.flatnonzero(places)  # few of all
            named[f"{start}.{name}"] = np.stack([pixels, places.ravel()[pixels]])
        numbers = [*one.middle, *one.first_middle, one.cell, one.share, one.threshold, one.lost]
        named[f"{start}.numbers"] = np.array(numbers, np.float64)
        named[f"{start}.scale"], named[f"{start}.weights"] = one.scale, one.weights
    return named


def _unpack_thin_parts(arrays: Mapping[str, AnyArray]) -> dict[int, ThinParts]:
    parts = {}
    for start in _starts("thin_parts", arrays):
        (h, w), numbers = arrays[f"{start}.size"].tolist(), arrays[f"{start}.numbers"].tolist()
        scale = arrays[f"{start}.scale"].reshape(2, FEATURES)
        weights = arrays[f"{start}.weights"].reshape(2 * FEATURES + 1)
        if not np.isfinite([*numbers, *scale.ravel(), *weights]).all() or not 0 < h * w <= LARGEST:
            raise ValueError(f"{start} has numbers that cannot be")
        place, first = np.zeros((2, h, w), np.uint8)
        for name, places in (("place", place), ("first", first)):
            pixels, values = arrays[f"{start}.{name}"]
            places.ravel()[pixels] = values
        y, x, first_y, first_x, cell, share, threshold, lost = numbers
        parts[int(arrays[f"{start}.id"])] = ThinParts(
            place,
            (y, x),
            cell,
            share,
            first,
            (first_y, first_x),
            scale,
            weights,
            threshold,
            lost=bool(lost),
        )
    return parts


def _starts(kind: str, arrays: Mapping[str, AnyArray]) -> list[str]:
    """What the names of each packed frame's arrays begin with, in order."""
    return sorted({".".join(n.split(".")[:2]) for n in arrays if n.startswith(f"{kind}.")})


def _pack(
    kind: str, frames: Iterable[FrameDescriptors[NDArray[np.float32]]]
) -> dict[str, AnyArray]:
    named: dict[str, AnyArray] = {}
    for number, frame in enumerate(frames):
        start = f"{kind}.{number:03d}"
        named[f"{start}.index"] = np.array(frame.index)
        named[f"{start}.ids"] = np.array(list(frame.objects), np.int64)
        if frame.objects:
            named[f"{start}.objects"] = np.stack(list(frame.objects.values()))
        if frame.background is not None:
            named[f"{start}.background"] = frame.background
        if frame.alone:
            named[f"{start}.alone"] = np.stack(list(frame.alone.values()))
    return named


def _boxes(array: AnyArray) -> dict[int, LastBox]:
    """By id, of (O, 6)."""
    return {
        int(i): LastBox(left, top, right, bottom, int(ago))
        for i, left, top, right, bottom, ago in array.tolist()
    }


def _unpack(
    kind: str, arrays: Mapping[str, AnyArray]
) -> list[FrameDescriptors[NDArray[np.float32]]]:
    frames = []
    for start in _starts(kind, arrays):
        ids = arrays[f"{start}.ids"].tolist()
        objects = arrays.get(f"{start}.objects", np.empty(0))
        alone = arrays.get(f"{start}.alone", np.empty(0))
        frames.append(
            FrameDescriptors(
                int(arrays[f"{start}.index"]),
                dict(zip(ids, objects, strict=True)),
                arrays.get(f"{start}.background"),
                dict(zip(ids, alone, strict=True)) if len(alone) else {},
            )
        )
    return frames


@dataclass(frozen=True)
class References:
    """Objects as descriptors, without any picture: a few kB that start a tracker elsewhere."""

    frames: tuple[FrameDescriptors[NDArray[np.float32]], ...]
    """Their arrays are NumPy's"""
    network: str
    """Fingerprint of the network that made them"""

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
                "these references were made with another model (fingerprint "
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
            WeightsError: no such file, another kind of file, or a damaged one.
        """
        if Path(path).suffix.lower() in PICTURES:
            raise WeightsError(
                f"{path} is a picture, and references are what hodor track --save-references wrote "
                f"of another video; a picture of masks is given by --masks {path}"
            )
        arrays, metadata = _load(Path(path), REFERENCES_FORMAT, "references")
        try:
            return cls(tuple(_unpack("references", arrays)), metadata["network"])
        except MALFORMED as error:
            raise WeightsError(
                f"{path}: is damaged ({one_line(error)}); make it anew by hodor track "
                "--save-references"
            ) from error


def references_of(
    memory: Memory[ArrayT], ids: Sequence[int], runtime: Runtime[ArrayT, FeaturesT]
) -> References:
    """Descriptors, (C,) an object, of the given masks that a tracker of ``runtime`` remembers."""
    frames = [frame.only(ids) for frame in memory.references]
    described = (frame.converted(runtime.to_numpy) for frame in frames if frame.objects)
    return References(tuple(described), runtime.fingerprint)


def save_state(path: str | Path, state: TrackerState, extra: Mapping[str, object]) -> None:
    """Write a tracker's ``state_dict`` and plain values beside it, whole or not at all.

    Raises:
        WeightsError: it cannot be written, or a value beside it is not plain.
    """
    plain = {"next": state["next"], "options": asdict(state["options"]), "extra": dict(extra)}
    _save(Path(path), dict(state["memory"]), STATE_FORMAT, plain, state["network"])


def load_state(path: str | Path) -> tuple[TrackerState, JsonObject]:
    """A tracker's state and the plain values beside it.

    Options that came after the version that saved it have their defaults, which do nothing;
    ``told_of_assumed`` says which.

    Raises:
        WeightsError: no such file, another kind of file, or one whose options this version of
            hodor does not know.
    """
    path = Path(path)
    arrays, metadata = _load(path, STATE_FORMAT, "a tracker's state")
    try:
        plain = json.loads(metadata["plain"])
        memory_from(arrays, Memory(TrackerOptions()), np.asarray)
        return _stated(path, plain, metadata["network"], arrays), dict(plain["extra"])
    except MALFORMED as error:
        raise WeightsError(f"{path}: is damaged ({one_line(error)}); start anew") from error


def told_of_assumed(state: TrackerState) -> list[str]:
    """A line on the options that a loaded state does not state, if there are some."""
    values = [f"{name} {getattr(state['options'], name)}" for name in state.get("assumed", ())]
    if not values:
        return []
    return [
        "the saved state is of a version of hodor without some options, which are at their "
        f"defaults: {', '.join(values)}"
    ]


def _stated(
    path: Path, plain: JsonObject, network: str, arrays: dict[str, AnyArray]
) -> TrackerState:
    stated = plain["options"].keys()
    known = {field.name for field in fields(TrackerOptions)}
    if unclear := sorted((stated - known) | (NEVER_OFF - stated)):
        raise WeightsError(
            f"{path}: a tracker's state of another version of hodor (its options differ in "
            f"{', '.join(unclear)}); go on with that version, or start anew"
        )
    return {
        "next": int(plain["next"]),
        "options": TrackerOptions(**plain["options"]),
        "network": network,
        "memory": arrays,
        "assumed": sorted(known - stated),
    }


def _save(
    path: Path, arrays: dict[str, AnyArray], kind: str, plain: JsonObject, network: str
) -> None:
    try:
        metadata = {"format": kind, "plain": json.dumps(plain), "network": network}
    except (TypeError, ValueError) as error:
        raise WeightsError(
            f"{path}: values beside a state are plain ones (text, numbers, lists, dictionaries), "
            f"not written: {one_line(error)}"
        ) from error
    with whole_file(path, WeightsError, "could not be written") as fresh:
        # safetensors takes the bytes as they lie, in whatever order.
        inside = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        fresh.write_bytes(save(inside, metadata))


def _load(path: Path, kind: str, what: str) -> tuple[dict[str, AnyArray], dict[str, str]]:
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; expected {what} saved by hodor")
    try:
        with safetensors.safe_open(path, "np") as file:
            metadata = file.metadata() or {}
        arrays = load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(
            f"{path}: not a safetensors file ({one_line(error)}); expected {what}"
        ) from error
    if metadata.get("format") != kind:
        raise WeightsError(f"{path}: holds {metadata.get('format')!r}, expected {what} ({kind!r})")
    return arrays, metadata
