"""A frame in one passage at fixed shapes, played back where that is asked for."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.errors import HodorError
from hodor.model import Hodor, HodorConfig
from hodor.tracking.apart import Winners
from hodor.tracking.at_once import Answer, Asked
from hodor.tracking.descriptors import FrameDescriptors
from hodor.tracking.geometry import Geometry
from hodor.tracking.logits import Logits
from hodor.tracking.result import label_kind
from hodor.tracking.torch.features import Features
from hodor.tracking.torch.fixed.inside import Inside, room_for
from hodor.tracking.torch.fixed.passage import Found, passage
from hodor.tracking.torch.fixed.replay import Replay
from hodor.tracking.torch.fixed.shapes import Room
from hodor.tracking.torch.label_map import AT_ONCE, dense_labels, merged
from hodor.tracking.torch.transfer import Coming
from hodor.types import AnyArray

STEPS = ("plain", "fixed", "captured")
ROOMS = 8  # kept, the latest ones; each has its memory and its graph
OUTPUTS = 16  # kept for each room: as many as a crop has sizes
KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


def check_step(step: str, device: torch.device, config: HodorConfig) -> bool:
    """Whether a step goes at fixed shapes.

    Raises:
        HodorError: an unknown word, or neither the device nor the network can do that.
    """
    if step not in STEPS:
        raise HodorError(f"step {step!r}: it must be {', '.join(STEPS[:-1])} or {STEPS[-1]}")
    if step == "captured" and device.type != "cuda":
        raise HodorError(f"step captured: CUDA has graphs, {device.type} has none; take fixed")
    if step != "plain" and not config.joint_objects:
        raise HodorError(f"step {step}: this network takes objects one at a time; take plain")
    return step != "plain"


class FixedStep:
    """Answers for frames without given masks.

    Any number of trackers may share it, they take turns: what is kept of one video's memory is
    known by its tensors, and another's takes its place.

    Args:
        network: ready for inference, on its device.
        device: the same.
        curve: see ``calibrated``.
        captures: whether passages are captured as CUDA graphs.
    """

    def __init__(
        self,
        network: Hodor,
        device: torch.device,
        curve: Sequence[tuple[float, float]],
        *,
        captures: bool,
    ) -> None:
        self._network, self._device, self._curve = network, device, curve
        self._captures = captures
        self._rooms: OrderedDict[tuple[Room, tuple[int, int]], _Passage] = OrderedDict()
        self._turn = Lock()

    def answer(
        self, image: Tensor, asked: Asked[Tensor], geometry: Geometry
    ) -> Answer[Tensor, Features] | None:
        """What is in a frame with the image (1, 3, h, w); None: too large to do at once."""
        pixels = geometry.crop_size[0] * geometry.crop_size[1]
        config = self._network.config
        room = room_for(geometry.padded, asked, config)
        if (config.background_channels + room.objects) * pixels > AT_ONCE:
            return None
        with self._turn:
            kept = _kept(
                self._rooms,
                (room, geometry.cells),
                lambda: _Passage(self, room, geometry.cells),
                ROOMS,
            )
            return kept.answer(image, asked, geometry)

    def inside(self, room: Room) -> Inside:
        """Memory of a room."""
        return Inside(room, self._network.config, self._device)

    def replay(self, inside: Inside, cells: tuple[int, int]) -> Replay[Found]:
        """The passage of a room; ``cells`` of its logits hold some of the frame."""
        return Replay(
            lambda: passage(self._network, inside.told, cells, self._curve),
            captures=self._captures,
        )

    @property
    def captures(self) -> bool:
        """Whether passages are captured."""
        return self._captures


class _Passage:
    """One room with its passage, and what makes label maps of each size of it."""

    def __init__(self, step: FixedStep, room: Room, cells: tuple[int, int]) -> None:
        self._inside = step.inside(room)
        self._passage = step.replay(self._inside, cells)
        self._captures = step.captures
        self._outputs: OrderedDict[tuple[object, ...], Replay[Tensor]] = OrderedDict()
        self._found: Found | None = None

    def answer(
        self, image: Tensor, asked: Asked[Tensor], geometry: Geometry
    ) -> Answer[Tensor, Features]:
        """See ``FixedStep``: of an image (1, 3, h, w)."""
        self._inside.fill(image, asked, geometry)
        self._found = found = self._passage()
        merging = asked.options.merge == "logsumexp"
        coming = Coming(self._packed_output(asked.ids, geometry, merging=merging))
        # Copies, as the next frame overwrites what a graph gives; made while the device works.
        background = len(found.shown) - self._inside.room.objects
        planes = background + len(asked.ids)
        shown = Logits(found.shown[:planes].clone(), asked.ids, background)
        objects = found.objects[: len(asked.ids)].to(torch.float32, copy=True)
        descriptors = FrameDescriptors.of(
            asked.ids, list(objects), found.background.to(torch.float32, copy=True), joint=True
        )
        keys = None if found.keys is None else found.keys.clone()
        features = Features(found.pyramid, image, keys)
        cells = (found.winners.shape[0], found.winners.shape[1])
        maps, winners, (confidence, own) = _unpacked(
            coming.array(), asked.ids, geometry, 1 + merging, cells
        )
        carried = maps[0] if merging else None
        return Answer(features, shown, descriptors, confidence, own, winners, maps[-1], carried)

    def _packed_output(self, ids: tuple[int, ...], geometry: Geometry, *, merging: bool) -> Tensor:
        """Label maps, winners and confidences as bytes, so that one copy brings all of them.

        merging: whether one more map has the background's planes as one.
        """
        kind = torch.uint8 if label_kind(ids) is np.uint8 else torch.int32

        def work() -> Tensor:
            found, numbers = self._found, self._inside.numbers.to(kind)
            if found is None:
                raise RuntimeError("there is no frame to make a label map of")
            background = len(found.shown) - self._inside.room.objects
            maps = [dense_labels(found.shown, background, numbers, geometry)]
            if merging:
                values = merged(found.shown, background)
                maps.append(dense_labels(values, 1, numbers, geometry))
            each = [*maps, found.winners, found.confidence, found.own]
            return torch.cat([one.flatten().view(torch.uint8) for one in each])

        key = (geometry.crop_size, geometry.inner, kind, merging)
        made = _kept(self._outputs, key, lambda: Replay(work, captures=self._captures), OUTPUTS)
        # Before the passage is captured, what it gives lies elsewhere every time.
        return made(may_capture=self._passage.captured)


def _unpacked(
    packed: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    ids: tuple[int, ...],
    geometry: Geometry,
    count: int,
    cells: tuple[int, int],
) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], Winners, list[dict[int, float]]]:
    """Label maps (count, H', W'), winners (h/4, w/4), both confidences by id, from their bytes."""
    kind = label_kind(ids)
    height, width = geometry.crop_size
    size = count * height * width * (1 if kind is np.uint8 else 4)
    flat = packed[:size] if kind is np.uint8 else packed[:size].view(np.int32)
    maps: AnyArray = flat.reshape(count, height, width).astype(kind, copy=False)
    rest = packed[size:].tobytes()  # which may begin at any byte
    area = cells[0] * cells[1]
    winners = np.frombuffer(rest, np.int32, area).reshape(cells)
    sure = np.frombuffer(rest, np.float32, offset=4 * area).reshape(2, -1)  # of a room's objects
    each = [dict(zip(ids, values.tolist(), strict=False)) for values in sure]
    return maps, winners, each


def _kept(
    those: OrderedDict[KeyT, ValueT], key: KeyT, make: Callable[[], ValueT], most: int
) -> ValueT:
    """What is kept under a key, or made; of too many the one that was not used longest goes."""
    if key not in those:
        those[key] = make()
        if len(those) > most:
            those.popitem(last=False)
    those.move_to_end(key)
    return those[key]
