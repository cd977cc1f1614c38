"""The tracker: one frame at a time, any number of objects, nothing kept but descriptors."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hodor.errors import HodorError
from hodor.tracking.boxes import Crop, LastBox, crop_around
from hodor.tracking.geometry import STRIDE, Geometry
from hodor.tracking.given import Masks, check_frame, label_map
from hodor.tracking.memory import FrameDescriptors, Memory
from hodor.tracking.opening import open_runtime
from hodor.tracking.options import TrackerOptions
from hodor.tracking.prior import LastFrame, carried_masks
from hodor.tracking.result import Result, calibrated, label_map_of
from hodor.tracking.runtime import Array, Given, Runtime
from hodor.tracking.state import References, memory_arrays, memory_from
from hodor.video import small_grey
from hodor.weights import DEFAULT

if TYPE_CHECKING:  # a tracker with exported files does without PyTorch
    import torch

    from hodor.model import Hodor
    from hodor.tracking.torch.runtime import TorchRuntime

# Added to logits beyond the search radius: so little that a clear match is found again after an
# occlusion (docs, Weights).
BEYOND_RADIUS = -6.0
NOWHERE = -1e4  # added to logits of what is out of sight; no other is as low


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
        network: a trained network, of which frames go through a copy that is made for speed; or a
            runtime, which has its device and precision.
        options: see ``TrackerOptions``; default: what the model's file says, else the paper's.
        device: ``auto``, ``cpu``, ``cuda``, ``mps`` or a torch device.
        precision: ``auto``, ``fp32`` or ``bf16``.

    Raises:
        HodorError: the device or precision is not to be had.
    """

    def __init__(
        self,
        network: "Hodor | Runtime",
        options: TrackerOptions | None = None,
        *,
        device: "str | torch.device" = "auto",
        precision: str = "auto",
    ) -> None:
        if isinstance(network, Runtime):
            self.runtime = network
        else:
            from hodor.tracking.torch.runtime import TorchRuntime

            self.runtime = TorchRuntime(network, device, precision)
        self.options = options or TrackerOptions().changed(
            self.runtime.metadata.get("tracking", {})
        )
        self._memory = self._new_memory()
        self._next = 0

    @classmethod
    def from_pretrained(
        cls,
        model: str = DEFAULT,
        *,
        size: int | None = None,
        window: int | None = None,
        keep_reference: bool | None = None,
        search_radius: float | None = None,
        crop_margin: float | None = None,
        min_confidence_ratio: float | None = None,
        min_similarity: float | None = None,
        device: "str | torch.device" = "auto",
        precision: str = "auto",
        runtime: str = "torch",
    ) -> "Tracker":
        """A tracker with a bundled model, a file or ``hub:ORG/REPO``; None keeps the model's way.

        With the runtime ``onnx``, ``model`` is a folder that ``hodor export onnx`` wrote, and
        PyTorch is not needed.

        Raises:
            WeightsError: no such model, or it is damaged.
        """
        opened = open_runtime(model, runtime, device, precision)
        options = TrackerOptions().changed(opened.metadata.get("tracking", {}))
        chosen = {
            "size": size,
            "window": window,
            "keep_reference": keep_reference,
            "search_radius": search_radius,
            "crop_margin": crop_margin,
            "min_confidence_ratio": min_confidence_ratio,
            "min_similarity": min_similarity,
        }
        return cls(opened, options.changed(chosen))

    @property
    def network(self) -> "Hodor":
        """PyTorch's network.

        Raises:
            HodorError: this tracker runs exported files.
        """
        return self._torch.network

    @property
    def device(self) -> "torch.device":
        """PyTorch's device; raises as ``network`` does."""
        return self._torch.device

    @property
    def dtype(self) -> "torch.dtype":
        """What PyTorch computes in; raises as ``network`` does."""
        return self._torch.dtype

    @property
    def _torch(self) -> "TorchRuntime":
        if self.runtime.name != "torch":
            raise HodorError(
                f"this needs PyTorch's network, and the tracker runs on {self.runtime.name}; take "
                "the runtime torch"
            )
        return self.runtime  # type: ignore[return-value]

    @property
    def ids(self) -> tuple[int, ...]:
        """Objects that are followed, sorted."""
        return tuple(self._memory.ids)

    @property
    def next_index(self) -> int:
        """Number of the frame that ``step`` takes next."""
        return self._next

    @property
    def descriptors(self) -> FrameDescriptors | None:
        """Descriptors of the frame that was stepped last; None before there is any object."""
        return self._memory.recent[-1] if self._memory.recent else None

    @property
    def fingerprint(self) -> str:
        """What tells this network's descriptors from another's: sha256 of config and weights."""
        return self.runtime.fingerprint

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
        geometry = Geometry.of(source, self.options, self._crop(source, labels))
        area = geometry.crop.area
        grey = small_grey(frame) if self.runtime.config.refiner_channels else None
        with self.runtime.running():
            given = None if labels is None else labels[area]
            result = self._step(frame[area], geometry, given, grey)
        result = replace(result, label_map=geometry.placed(result.label_map))
        if grey is not None:
            self._memory.last = LastFrame.of(grey, result.label_map, result.confidence)
        return result

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
        described = (f.taken(f.index, self.runtime.to_numpy) for f in frames if f.objects)
        return References(tuple(described), self.runtime.fingerprint)

    def add_references(self, references: References) -> None:
        """Follow objects that another tracker described, in this video and without any mask.

        Raises:
            HodorError: made with another network, or an id is taken here.
        """
        references.check(self.runtime.fingerprint)
        taken = sorted(set(references.ids) & set(self.ids))
        if taken:
            raise HodorError(f"object {taken[0]} is followed already; remove it first")
        for number, frame in enumerate(references.frames):
            self._memory.add_reference(frame.taken(-1 - number, self.runtime.from_numpy))

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on elsewhere: arrays and plain values, some hundred kB."""
        return {
            "next": self._next,
            "options": self.options,
            "network": self.runtime.fingerprint,
            "memory": memory_arrays(self._memory, self.runtime.to_numpy),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was taken; results are then identical.

        Raises:
            HodorError: the state is of another network.
        """
        if state["network"] != self.runtime.fingerprint:
            raise HodorError("this state was saved with another model; load it with that model")
        self.options = state["options"]
        empty = self._new_memory()
        self._memory = memory_from(state["memory"], empty, self.runtime.from_numpy)
        self._next = int(state["next"])

    def _new_memory(self) -> Memory:
        return Memory(self.options.window, keep_reference=self.options.keep_reference)

    def _crop(self, frame: tuple[int, int], labels: NDArray[np.integer[Any]] | None) -> Crop | None:
        """The part of a frame to look at; None for all of it."""
        last_boxes = dict(self._memory.last_boxes)
        if labels is not None:
            last_boxes |= {int(i): LastBox.of(labels == i) for i in np.unique(labels) if i}
        if (
            self.options.crop_margin is None
            or not last_boxes
            or not last_boxes.keys() >= set(self.ids)
        ):
            return None
        size = min(Geometry.of(frame, self.options).inner)
        return crop_around(last_boxes.values(), frame, self.options.crop_margin, size)

    def _step(
        self,
        frame: NDArray[np.uint8],
        geometry: Geometry,
        labels: NDArray[np.integer[Any]] | None,
        grey: NDArray[np.uint8] | None,
    ) -> Result:
        known = self.ids
        if labels is None and not known:
            self._next += 1
            return Result(self._next - 1, np.zeros(geometry.source, np.uint8), (), {}, {})
        features = self.runtime.extract(frame, geometry)
        given, warnings = self._given(labels, geometry)
        logits, channels = self._segment(features, known, given, geometry)
        if logits is not None and grey is not None:
            carried = carried_masks(self._memory.last, grey, channels, geometry)
            logits = self.runtime.refine(features, logits, carried)
        described = self._describe(features, logits, channels, given)
        shown = self._shown(logits, len(channels))
        result = self._result(described, shown, channels, geometry, given, warnings)
        self._remember(described, result, given, geometry)
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
            masks[number], tiny = self.runtime.given_mask(region, geometry)
            if tiny:
                warnings.append(
                    f"object {number} covers {int(region.sum())} px, less than one cell of the "
                    f"network's map at size {self.options.size}; it is followed, but a larger "
                    "size would serve it better"
                )
        return Given(labels, masks), tuple(warnings)

    def _segment(
        self, features: Any, known: tuple[int, ...], given: Given | None, geometry: Geometry
    ) -> tuple[Array | None, tuple[int, ...]]:
        """Logits (K + O, h/4, w/4) float32 of the objects that are asked for, and their ids."""
        fresh = [i for i in given.masks if i not in known] if given else []
        extra = []
        if fresh and known and given is not None and self.options.decode_new:
            alone = self.runtime.describe_given(features, [given.masks[i] for i in fresh])
            # Only objects: the background of this encoding counts other objects as background.
            extra = [
                FrameDescriptors(self._next, dict(zip(fresh, alone.objects, strict=True)), None)
            ]
        channels = tuple(sorted([*known, *(fresh if extra else [])]))
        if not known:
            return None, ()
        logits = self.runtime.segment(features, self._memory.recall(channels, extra))
        return self._within_radius(logits, channels, geometry), channels

    def _shown(self, logits: Array | None, objects: int) -> Array | None:
        """Logits as results show them; what is fed back to the network stays as it gave it."""
        if logits is None or self.options.object_bias == 0:
            return logits
        bias = np.zeros((len(logits), 1, 1), np.float32)
        bias[len(logits) - objects :] = self.options.object_bias
        return self.runtime.plus(logits, bias)

    def _within_radius(self, logits: Array, channels: tuple[int, ...], geometry: Geometry) -> Array:
        """Logits of objects lowered far from where they were last seen, if that is asked."""
        if self.options.search_radius is None:
            return logits
        size = (geometry.inner[0] // STRIDE, geometry.inner[1] // STRIDE)
        background = len(logits) - len(channels)
        lowered = np.full(logits.shape, BEYOND_RADIUS, np.float32)
        lowered[:background] = 0
        for channel, i in enumerate(channels, background):
            box = self._memory.last_boxes.get(i)
            if box:
                seen = box.in_crop(geometry.crop, geometry.frame)
                lowered[channel][seen.near(size, self.options.search_radius)] = 0
            else:
                lowered[channel] = 0
        return self.runtime.plus(logits, lowered)

    def _result(
        self,
        described: FrameDescriptors,
        logits: Array | None,
        channels: tuple[int, ...],
        geometry: Geometry,
        given: Given | None,
        warnings: tuple[str, ...],
    ) -> Result:
        ids = tuple(described.objects)
        confidence = dict.fromkeys(ids, 0.0)
        if logits is not None:
            unlike = self._unlike(described, channels, given)
            trusted = self._confidences(logits, channels, geometry, unlike)
            logits = self._without_doubtful(logits, trusted)
            confidence |= dict(zip(channels, trusted.tolist(), strict=True))
        confidence |= dict.fromkeys(given.masks if given else (), 1.0)
        visible = {i: value > 0 for i, value in confidence.items()}
        if logits is not None and given is None:
            labels = self.runtime.label_map(logits, channels, geometry)
        else:
            full = self.runtime.probabilities(logits, channels, geometry, None)
            labels = label_map_of(full, channels, ids, given)
        return Result(
            described.index, labels, ids, confidence, visible, warnings,
            channels, logits, geometry, given, self.runtime,
        )  # fmt: skip

    def _confidences(
        self,
        logits: Array,
        channels: tuple[int, ...],
        geometry: Geometry,
        unlike: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Confidence (O,) of each object; 0 where it is out of sight, or too doubtful."""
        values = self.runtime.confidences(logits, len(logits) - len(channels), geometry)
        curve = self.runtime.metadata.get("calibration", [])
        trusted = np.array([calibrated(value, curve) if value else 0.0 for value in values])
        least = [
            self.options.min_confidence_ratio * self._memory.running_confidence_of(i)
            for i in channels
        ]
        return np.where((trusted < least) | unlike, 0.0, trusted)

    def _unlike(
        self, described: FrameDescriptors, channels: tuple[int, ...], given: Given | None
    ) -> NDArray[np.bool_]:
        """Whether what was found of each object (O,) is too unlike its given masks."""
        sure = given.masks if given else {}  # described by their given masks
        asked = [i for i in channels if i not in sure]
        if self.options.min_similarity == 0 or not asked:
            return np.zeros(len(channels), bool)
        found = [described.objects[i] for i in asked]
        similarity = self.runtime.similarity(found, [self._memory.given(i) for i in asked])
        least = self.options.min_similarity
        others = {i for i, value in zip(asked, similarity, strict=True) if value < least}
        return np.array([i in others for i in channels])

    def _without_doubtful(self, logits: Array, confidence: NDArray[np.float64]) -> Array:
        """Logits that give no pixel to objects without confidence."""
        if not self.options.doubts or confidence.all():
            return logits
        lowered = np.zeros((len(logits), 1, 1), np.float32)
        lowered[len(logits) - len(confidence) :, 0, 0] = np.where(confidence > 0, 0, NOWHERE)
        return self.runtime.plus(logits, lowered)

    def _remember(
        self, frame: FrameDescriptors, result: Result, given: Given | None, geometry: Geometry
    ) -> None:
        """Take in a frame, and let the window slide."""
        if given is not None:
            # What was predicted of a corrected object is not trusted any more.
            self._memory.forget(given.masks, references=False)
            self._memory.add_reference(frame.only(given.masks))
        if self.options.skip_lost:
            frame = frame.without(i for i, seen in result.visible.items() if not seen)
        self._memory.push(frame)
        if self.options.min_confidence_ratio > 0:
            sure = given.masks if given else ()
            found = {i: c for i, c in result.confidence.items() if i not in sure}
            self._memory.note_confidence(found)
        if self.options.search_radius is not None or self.options.crop_margin is not None:
            self._memory.note_boxes(result.label_map, result.ids, geometry)

    def _describe(
        self, features: Any, logits: Array | None, channels: tuple[int, ...], given: Given | None
    ) -> FrameDescriptors:
        """Describe the frame from its own masks; objects by id, sorted."""
        masks = given.masks if given else {}
        ids = sorted({*channels, *masks})
        if logits is not None:
            patches = self.runtime.describe(features, logits, channels, given)
        else:
            patches = self.runtime.describe_given(features, [masks[i] for i in ids])
        objects = dict(zip(ids, patches.objects, strict=True))
        background = patches.background
        if self.runtime.config.joint_objects:
            return FrameDescriptors(self._next, objects, background)
        own = background.reshape(len(ids), -1, background.shape[-1])
        return FrameDescriptors(self._next, objects, None, dict(zip(ids, own, strict=True)))
