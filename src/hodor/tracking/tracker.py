"""The tracker: one frame at a time, any number of objects, nothing kept but descriptors."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hodor.errors import HodorError
from hodor.model import (
    Descriptors,
    Hodor,
    Pyramid,
    inference_copy,
    objects_to_stride_8,
    to_stride_8,
)
from hodor.tracking.geometry import Geometry
from hodor.tracking.given import Masks, check_frame, label_map
from hodor.tracking.history import Described, Memory
from hodor.tracking.options import TrackerOptions, choose_device, choose_precision
from hodor.tracking.output import fast_label_map
from hodor.tracking.result import (
    STRIDE,
    Given,
    Result,
    calibrated,
    confidences,
    label_map_of,
    override,
    source_probabilities,
)
from hodor.tracking.state import References, memory_from, memory_tensors, network_print
from hodor.weights import DEFAULT, load_model

# Added to logits beyond ``reach``: so little that a clear match is found again after an occlusion
# (docs, Weights).
BEYOND_REACH = -6.0


class Tracker:
    """Follows objects through a video, frame by frame.

    ::

        tracker = Tracker.from_pretrained("small")
        result = tracker.step(first_frame, masks=label_map)   # ids are yours: 1..65535
        for frame in other_frames:
            result = tracker.step(frame)
            result.label_map, result.confidence

    Objects may be added, corrected (give a mask again) or removed at any frame. Frames may be of
    any size and may change size.

    Args:
        network: a trained network. Frames go through a copy that is made for speed.
        options: see ``TrackerOptions``; default: what the model's file says, else the paper's.
        device: ``auto``, ``cpu``, ``cuda``, ``mps`` or a torch device.
        precision: ``auto``, ``fp32`` or ``bf16``.

    Raises:
        HodorError: the device or precision is not to be had.
    """

    def __init__(
        self,
        network: Hodor,
        options: TrackerOptions | None = None,
        *,
        device: str | torch.device = "auto",
        precision: str = "auto",
    ) -> None:
        self.device = choose_device(device)
        self.dtype = choose_precision(precision, self.device)
        self.options = options or TrackerOptions().changed(network.about.get("tracking", {}))
        self.network = network
        self._ready = inference_copy(network, self.dtype).to(self.device)
        self._memory = self._new_memory()
        self._next = 0

    @cached_property
    def _print(self) -> str:
        return network_print(self.network)

    @classmethod
    def from_pretrained(
        cls,
        model: str = DEFAULT,
        *,
        size: int | None = None,
        window: int | None = None,
        keep_reference: bool | None = None,
        reach: float | None = None,
        device: str | torch.device = "auto",
        precision: str = "auto",
    ) -> "Tracker":
        """A tracker with a bundled model, a file or ``hub:ORG/REPO``; None keeps the model's way.

        Raises:
            WeightsError: no such model, or it is damaged.
        """
        network = load_model(model)
        options = TrackerOptions().changed(network.about.get("tracking", {}))
        chosen = {
            "size": size,
            "window": window,
            "keep_reference": keep_reference,
            "reach": reach,
        }
        return cls(network, options.changed(chosen), device=device, precision=precision)

    @property
    def ids(self) -> tuple[int, ...]:
        """Objects that are followed, sorted."""
        return tuple(self._memory.ids)

    @property
    def next_index(self) -> int:
        """Number of the frame that ``step`` takes next."""
        return self._next

    @property
    def described(self) -> Described | None:
        """Descriptors of the frame that was stepped last; None before there is any object."""
        return self._memory.recent[-1] if self._memory.recent else None

    @property
    def model_print(self) -> str:
        """What tells this network's descriptors from another's: sha256 of config and weights."""
        return self._print

    def step(self, frame: NDArray[np.uint8], masks: Masks | None = None) -> Result:
        """Segment one frame.

        Args:
            frame: (H, W, 3) uint8 RGB.
            masks: for new objects, or to correct known ones: a label map (H, W) of integers, in
                which 0 says nothing, or masks (H, W) by id. They come back unchanged.

        Returns:
            The label map and what goes with it; see ``Result``.

        Raises:
            SourceError: not an RGB frame.
            MaskError: masks of another size, empty, or not integers. The tracker is as before.
        """
        check_frame(frame)
        source = (frame.shape[0], frame.shape[1])
        labels = None if masks is None else label_map(masks, source)
        with torch.inference_mode(), self._autocast():
            return self._step(frame, Geometry.of(source, self.options), labels)

    def remove(self, ids: int | Iterable[int]) -> None:
        """Stop following objects.

        Raises:
            HodorError: one of them is not followed; then none is removed.
        """
        gone = list(ids) if isinstance(ids, Iterable) else [ids]
        unknown = [i for i in gone if i not in self.ids]
        if unknown:
            raise HodorError(f"object {unknown[0]} is not followed; followed are {list(self.ids)}")
        self._memory.forget(gone)

    def reset(self) -> None:
        """Forget everything, for another video."""
        self._memory = self._new_memory()
        self._next = 0

    def references(self, ids: Sequence[int] | None = None) -> References:
        """Descriptors of objects' given masks, from which another tracker can start elsewhere.

        Args:
            ids: which objects; default: all.

        Raises:
            HodorError: an object is not followed.
        """
        wanted = list(self.ids if ids is None else ids)
        unknown = [i for i in wanted if i not in self.ids]
        if unknown:
            raise HodorError(f"object {unknown[0]} is not followed; followed are {list(self.ids)}")
        frames = [frame.only(wanted) for frame in self._memory.references]
        return References(tuple(frame for frame in frames if frame.objects), self._print)

    def add_references(self, references: References) -> None:
        """Follow objects that another tracker described, in this video and without any mask.

        Raises:
            HodorError: made with another network, or an id is taken here.
        """
        references.check(self._print)
        taken = sorted(set(references.ids) & set(self.ids))
        if taken:
            raise HodorError(f"object {taken[0]} is followed already; remove it first")
        for number, frame in enumerate(references.frames):
            self._memory.add_reference(frame.moved(-1 - number, self.device))

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on elsewhere: tensors and plain values, some hundred kB."""
        return {
            "next": self._next,
            "options": self.options,
            "network": self._print,
            "memory": memory_tensors(self._memory),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was taken; results are then identical.

        Raises:
            HodorError: the state is of another network.
        """
        if state["network"] != self._print:
            raise HodorError("this state was saved with another model; load it with that model")
        self.options = state["options"]
        self._memory = memory_from(state["memory"], self._new_memory(), self.device)
        self._next = int(state["next"])

    def _new_memory(self) -> Memory:
        return Memory(self.options.window, keep_reference=self.options.keep_reference)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16
        )

    def _step(
        self,
        frame: NDArray[np.uint8],
        geometry: Geometry,
        labels: NDArray[np.integer[Any]] | None,
    ) -> Result:
        index = self._next
        image = geometry.image(frame, self.network.config, self.device)
        known = self.ids
        if labels is None and not known:
            self._next += 1
            nothing = np.zeros(geometry.source, np.uint8)
            return Result(index, nothing, (), {}, {})
        pyramid = self._ready.extract(image)
        given, warnings = self._given(labels, geometry)
        logits, channels = self._segment(pyramid, known, given, geometry)
        shown = self._shown(logits, len(channels))
        result = self._result(index, shown, channels, geometry, given, warnings)
        self._remember(pyramid, logits, result, given)
        self._next += 1
        return result

    def _given(
        self, labels: NDArray[np.integer[Any]] | None, geometry: Geometry
    ) -> tuple[Given | None, tuple[str, ...]]:
        """Given masks at the network's size, and warnings about tiny ones."""
        if labels is None:
            return None, ()
        masks, warnings = {}, []
        for number in (int(i) for i in np.unique(labels) if i):
            region = labels == number
            masks[number], vanished = geometry.mask(region, self.device)
            if vanished or not to_stride_8(masks[number][None, None]).amax() > 0.5:
                warnings.append(
                    f"object {number} covers {int(region.sum())} px, less than one cell of the "
                    f"network's map at size {self.options.size}; it is followed, but a larger "
                    "size would serve it better"
                )
        return Given(labels, masks), tuple(warnings)

    def _segment(
        self, pyramid: Pyramid, known: tuple[int, ...], given: Given | None, geometry: Geometry
    ) -> tuple[Tensor | None, tuple[int, ...]]:
        """Logits (K + O, h/4, w/4) float32 of the objects that are asked for, and their ids."""
        fresh = [i for i in given.masks if i not in known] if given else []
        extra = []
        if fresh and known and given is not None and self.options.decode_new:
            masks = torch.stack([given.masks[i] for i in fresh])
            alone = self._ready.describe(pyramid, masks[None])
            # Only objects: the background of this encoding counts other objects as background.
            extra = [Described(self._next, dict(zip(fresh, alone.objects[0], strict=True)), None)]
        channels = tuple(sorted([*known, *(fresh if extra else [])]))
        if not known:
            return None, ()
        history = self._memory.assemble(channels, extra)
        logits = self._ready.segment(pyramid, history)[0].float()
        return self._within_reach(logits, channels, geometry), channels

    def _shown(self, logits: Tensor | None, objects: int) -> Tensor | None:
        """Logits as results show them; what is fed back to the network stays as it gave it."""
        if logits is None or self.options.object_bias == 0:
            return logits
        shown = logits.clone()
        shown[len(logits) - objects :] += self.options.object_bias
        return shown

    def _within_reach(
        self, logits: Tensor, channels: tuple[int, ...], geometry: Geometry
    ) -> Tensor:
        """Logits of objects lowered far from where they were last seen, if that is asked."""
        if self.options.reach is None:
            return logits
        size = (geometry.inner[0] // STRIDE, geometry.inner[1] // STRIDE)
        background = len(logits) - len(channels)
        lowered = torch.full_like(logits, BEYOND_REACH)
        lowered[:background] = 0
        for channel, i in enumerate(channels, background):
            sight = self._memory.sights.get(i)
            near = sight.near(size, self.options.reach) if sight else (slice(None), slice(None))
            lowered[channel][near] = 0
        return logits + lowered

    def _result(
        self,
        index: int,
        logits: Tensor | None,
        channels: tuple[int, ...],
        geometry: Geometry,
        given: Given | None,
        warnings: tuple[str, ...],
    ) -> Result:
        ids = tuple(sorted({*channels, *(given.masks if given else ())}))
        confidence = dict.fromkeys(ids, 0.0)
        if logits is not None:
            background = len(logits) - len(channels)
            h, w = (-(-side // STRIDE) for side in geometry.inner)  # without the padding
            values = confidences(logits[:, :h, :w].softmax(0), background)
            curve = self.network.about.get("calibration", [])
            trusted = (calibrated(value, curve) if value else 0.0 for value in values)
            confidence |= dict(zip(channels, trusted, strict=True))
        confidence |= dict.fromkeys(given.masks if given else (), 1.0)
        visible = {i: value > 0 for i, value in confidence.items()}
        if logits is not None and given is None:
            labels = fast_label_map(logits, channels, geometry)
        else:
            full = source_probabilities(logits, channels, geometry, None)
            labels = label_map_of(full, channels, ids, given)
        return Result(
            index, labels, ids, confidence, visible, warnings, channels, logits, geometry, given
        )

    def _remember(
        self, pyramid: Pyramid, logits: Tensor | None, result: Result, given: Given | None
    ) -> None:
        """Describe the frame from its own masks, and let the window slide."""
        if given is not None:
            # What was predicted of a corrected object is not trusted any more.
            self._memory.forget(given.masks, references=False)
        frame = self._describe(pyramid, logits, result, given)
        if given is not None:
            self._memory.add_reference(frame.only(given.masks))
        if self.options.skip_lost:
            frame = frame.without(i for i, seen in result.visible.items() if not seen)
        self._memory.push(frame)
        if self.options.reach is not None:  # nothing else asks where objects were
            self._memory.note_sights(result.label_map, result.ids)

    def _describe(
        self, pyramid: Pyramid, logits: Tensor | None, result: Result, given: Given | None
    ) -> Described:
        described = self._descriptors(pyramid, logits, result, given)
        objects = dict(zip(result.ids, described.objects[0], strict=True))
        if self.network.config.joint_objects:
            return Described(result.index, objects, described.background[0])
        own = described.background[0].view(len(result.ids), -1, described.background.shape[-1])
        return Described(result.index, objects, None, dict(zip(result.ids, own, strict=True)))

    def _descriptors(
        self, pyramid: Pyramid, logits: Tensor | None, result: Result, given: Given | None
    ) -> Descriptors:
        if logits is None:
            masks = torch.stack([given.masks[i] for i in result.ids]) if given else torch.empty(0)
            return self._ready.describe(pyramid, masks[None])
        background = len(logits) - len(result._channels)
        p = logits.softmax(0)
        if given is None:
            small = F.avg_pool2d(p[background:][None], 2)
            return self._ready.describe(pyramid, small)
        full = F.interpolate(p[None], scale_factor=4, mode="bilinear", align_corners=False)[0]
        merged = override(full, result._channels, given)[-len(result.ids) :]
        return self._ready.describe(pyramid, objects_to_stride_8(merged[None]))
