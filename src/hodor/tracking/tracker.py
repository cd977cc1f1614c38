"""The tracker: one frame at a time, any number of objects, nothing kept but descriptors."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Never, Unpack

import numpy as np
from numpy.typing import NDArray

from hodor.errors import HodorError
from hodor.tracking.descriptors import FrameDescriptors
from hodor.tracking.given import Masks, check_followed, check_frame, check_free, label_map
from hodor.tracking.memory import Memory
from hodor.tracking.one_thread import OneThread
from hodor.tracking.opening import open_runtime, runtime_for, torch_runtime
from hodor.tracking.options import OptionChanges, TrackerOptions
from hodor.tracking.result import Result
from hodor.tracking.runtime import AnyRuntime
from hodor.tracking.stages import Stages
from hodor.tracking.state import References, TrackerState, memory_of, references_of, state_of
from hodor.types import IdMap, Untyped
from hodor.weights import DEFAULT

if TYPE_CHECKING:  # a tracker with exported files does without PyTorch
    import torch

    from hodor.model import Hodor


class Tracker:
    """Follows objects through a video, frame by frame.

    ::

        tracker = Tracker.from_pretrained("small")
        result = tracker.step(first_frame, masks=label_map)   # ids are yours: 1..65535
        for frame in other_frames:
            result = tracker.step(frame)
            result.label_map, result.confidence

    Objects may be added, corrected (give a mask again) or removed at any frame. Frames may be of
    any size and may change size. A tracker belongs to one thread at a time: what is asked of it in
    the middle of another thread's step is refused.

    Args:
        network: a trained network, of which frames go through a copy that is made for speed; or a
            runtime, which has its device and precision.
        options: see ``TrackerOptions``; default: what the model's file says, else the paper's.
        device: ``auto``, ``cpu``, ``cuda``, ``mps`` or a torch device.
        precision: ``auto``, ``fp32`` or ``bf16``.
        step: ``plain``, or for GPUs ``fixed`` or ``captured``; see the guide, Performance.

    Raises:
        HodorError: the device, precision or step is not to be had.
    """

    def __init__(
        self,
        network: "Hodor | AnyRuntime",
        options: TrackerOptions | None = None,
        *,
        device: "str | torch.device" = "auto",
        precision: str = "auto",
        step: str = "plain",
    ) -> None:
        self.runtime = runtime_for(network, device, precision, step)
        self.options = options or TrackerOptions.stated_by(self.runtime.metadata)
        self._memory: Memory[Untyped] = Memory(self.options)
        self._next = 0
        self._one_thread = OneThread()

    @classmethod
    def from_pretrained(
        cls,
        model: str = DEFAULT,
        *,
        device: "str | torch.device" = "auto",
        precision: str = "auto",
        runtime: str = "torch",
        step: str = "plain",
        **options: Unpack[OptionChanges],
    ) -> "Tracker":
        """A tracker with a bundled model, a file or ``hub:ORG/REPO``.

        Args:
            model: its name; with the runtime ``onnx``, for which PyTorch is not needed, a folder
                that ``hodor export onnx`` wrote.
            device, precision, step: as for ``Tracker``.
            runtime: ``torch`` or ``onnx``.
            options: fields of ``TrackerOptions``; None keeps the model's way, ``"off"`` switches
                off what can be off.

        Raises:
            WeightsError: no such model, or it is damaged.
            HodorError: an option is out of range.
        """
        opened = open_runtime(model, runtime, device, precision, step)
        return cls(opened, TrackerOptions.stated_by(opened.metadata).changed(options))

    @property
    def network(self) -> "Hodor":
        """PyTorch's network.

        Raises:
            HodorError: this tracker runs exported files.
        """
        return torch_runtime(self.runtime).network

    @property
    def device(self) -> "torch.device":
        """PyTorch's device; raises as ``network`` does."""
        return torch_runtime(self.runtime).device

    @property
    def dtype(self) -> "torch.dtype":
        """What PyTorch computes in; raises as ``network`` does."""
        return torch_runtime(self.runtime).dtype

    @property
    def ids(self) -> tuple[int, ...]:
        """Objects that are followed, sorted."""
        return tuple(self._memory.ids)

    @property
    def next_index(self) -> int:
        """Number of the frame that ``step`` takes next."""
        return self._next

    @property
    def descriptors(self) -> FrameDescriptors[Untyped] | None:
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
            HodorError: another thread is in the middle of a step.
        """
        with self._one_thread:
            return self._step(frame, masks)

    def _step(self, frame: NDArray[np.uint8], masks: Masks | None) -> Result:
        """A frame (H, W, 3) and given masks (H, W), checked, through all stages."""
        check_frame(frame)
        size = (frame.shape[0], frame.shape[1])
        labels = None if masks is None else label_map(masks, size)
        grey = self.stages.grey(frame)
        if labels is None and not self.ids:
            result = Result(self._next, np.zeros(size, np.uint8), (), {}, {})
        else:
            result = self._followed(frame, labels, grey)
        self.stages.remember_small(grey, result)
        self._next += 1
        return result

    def _followed(
        self, frame: NDArray[np.uint8], labels: IdMap | None, grey: NDArray[np.uint8] | None
    ) -> Result:
        """A frame (H, W, 3) with given ids (H, W), through all stages; ``grey``: it, small."""
        stages = self.stages
        geometry = stages.geometry((frame.shape[0], frame.shape[1]), labels)
        with self.runtime.running():
            given = stages.given(labels, geometry)
            at = stages.look_back(grey, geometry)
            answer = stages.at_once(frame, given, at, geometry)
            if answer is not None:
                features, descriptors = answer.features, answer.descriptors.at(self._next)
                result = stages.answered(answer, self._next, geometry)
            else:
                features = stages.extract(frame, self._next, None if given else at, geometry)
                logits = stages.decode(features, given, geometry)
                logits = stages.refine(features, logits, at, geometry)
                descriptors = stages.encode(features, logits, given).at(self._next)
                result = stages.result(descriptors, logits, given, geometry)
            result, thin_parts = stages.with_thin_parts(frame, result, given, geometry)
            stages.remember(features, descriptors, result, given, geometry)
            stages.remember_thin_parts(thin_parts)
        return result

    @property
    def stages(self) -> Stages[Untyped, Untyped]:
        """What a step is made of, on this tracker's memory; for measuring and looking inside."""
        return Stages(self.runtime, self._memory, self.options)

    def remove(self, ids: int | Iterable[int]) -> None:
        """Stop following objects.

        Raises:
            HodorError: one of them is not followed; then none is removed.
        """
        gone = list(ids) if isinstance(ids, Iterable) else [ids]
        check_followed(gone, self.ids)
        with self._one_thread:
            self._memory.forget(gone)

    def reset(self) -> None:
        """Forget everything, for another video."""
        with self._one_thread:
            self._memory = Memory(self.options)
            self._next = 0

    def references(self, ids: Sequence[int] | None = None) -> References:
        """Descriptors of objects' given masks, from which another tracker can start elsewhere.

        Args:
            ids: which objects; default: all.

        Raises:
            HodorError: an object is not followed.
        """
        wanted = list(self.ids if ids is None else ids)
        check_followed(wanted, self.ids)
        return references_of(self._memory, wanted, self.runtime)

    def add_references(self, references: References) -> None:
        """Follow objects that another tracker described, in this video and without any mask.

        Raises:
            HodorError: made with another network, or an id is taken here.
        """
        references.check(self.runtime.fingerprint)
        check_free(references.ids, self.ids)
        taken_over = [frame.converted(self.runtime.from_numpy) for frame in references.frames]
        with self._one_thread:
            self._memory.add_foreign(taken_over)

    def state_dict(self) -> TrackerState:
        """All that is needed to go on elsewhere: arrays and plain values, some hundred kB."""
        return state_of(self._memory, self._next, self.runtime)

    def __deepcopy__(self, _: dict[int, object]) -> "Tracker":
        """A tracker that goes on from here by itself; both use one network."""
        other = Tracker(self.runtime, self.options)
        other.load_state_dict(self.state_dict())
        return other

    def __reduce__(self) -> Never:
        raise HodorError(
            "a tracker is not pickled, since its network may be on a GPU; send state_dict(), and "
            "give it to load_state_dict of a tracker with the same model"
        )

    def load_state_dict(self, state: TrackerState) -> None:
        """Go on where ``state_dict`` was taken; results are then identical.

        Raises:
            HodorError: it is no state, or one of another network.
        """
        with self._one_thread:
            self._memory = memory_of(state, self.runtime)
            self.options, self._next = state["options"], int(state["next"])
