"""A network on PyTorch, and the arithmetic of its tensors."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from hodor.model import (
    Descriptors,
    History,
    Hodor,
    Prior,
    Remembered,
    inference_copy,
    objects_to_stride_8,
    to_stride_8,
)
from hodor.tracking.apart import HandedOver, Winners
from hodor.tracking.at_once import Answer, Asked
from hodor.tracking.descriptors import FrameDescriptors, Recalled
from hodor.tracking.doubts import Area
from hodor.tracking.geometry import Geometry
from hodor.tracking.given import Given
from hodor.tracking.key_frames import EarlierKeys, RememberedPlaces
from hodor.tracking.logits import Logits, backgrounds_of
from hodor.tracking.prior import CarriedMasks
from hodor.tracking.runtime import Evidence, Runtime
from hodor.tracking.torch.arithmetic import (
    confidences,
    cosines,
    greatest,
    lowered_outside,
    matched_likelihoods,
    winners,
)
from hodor.tracking.torch.devices import choose_device, choose_precision
from hodor.tracking.torch.features import Features
from hodor.tracking.torch.fixed.step import FixedStep, check_step
from hodor.tracking.torch.images import image_of, mask_of, seen_image, to_source
from hodor.tracking.torch.label_map import fast_label_map, merged
from hodor.tracking.torch.transfer import fetch, send, send_together
from hodor.tracking.torch.uploads import Uploads
from hodor.types import Json

TOKENS_EVERY = 2  # frames on CPUs: scores stay, and what tokens take is halved (docs, Runs)


class TorchRuntime(Runtime[Tensor, Features]):
    """A network on some device of PyTorch's.

    Args:
        network: a trained network. Frames go through a copy that is made for speed.
        device: ``auto``, ``cpu``, ``cuda``, ``mps`` or a torch device.
        precision: ``auto``, ``fp32`` or ``bf16``.
        step: ``plain``; ``fixed``, at fixed shapes; ``captured``, the same as a CUDA graph.

    Raises:
        HodorError: the device, precision or step is not to be had.
    """

    name = "torch"

    def __init__(
        self,
        network: Hodor,
        device: str | torch.device,
        precision: str,
        step: str = "plain",
    ) -> None:
        self.device = choose_device(device)
        self.dtype = choose_precision(precision, self.device)
        self.network = network
        self.config = network.config
        self.device_name = str(self.device)
        self.precision = str(self.dtype).removeprefix("torch.")
        self.step = step
        # Steps at fixed shapes count what only fills a room among the objects, and read nothing.
        plain = step == "plain"
        self._ready = inference_copy(network, self.dtype, windowed=plain).to(self.device)
        self._uploads = Uploads(self.device)
        self._fixed: FixedStep | None = None
        if check_step(step, self.device, self.config):
            curve = network.metadata.get("calibration", [])
            self._fixed = FixedStep(self._ready, self.device, curve, captures=step == "captured")

    @property
    def metadata(self) -> Mapping[str, Json]:
        """What the model's file says of it."""
        return self.network.metadata

    @cached_property
    def fingerprint(self) -> str:
        """See ``network_fingerprint``."""
        return network_fingerprint(self.network)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Without gradients, in this runtime's precision."""
        low = self.dtype == torch.bfloat16
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=low),
        ):
            yield

    def image(self, frame: NDArray[np.uint8], geometry: Geometry) -> Tensor:
        """The network's image (1, 3, h, w) of a frame (H, W, 3)."""
        there = self._uploads.take(frame)
        if there is not None:
            return seen_image(there[geometry.crop.area], geometry, self.config)
        return image_of(frame[geometry.crop.area], geometry, self.config, self.device)

    def expect(self, frame: NDArray[np.uint8]) -> None:
        """See ``Runtime``: to CUDA (H, W, 3) is uploaded on a stream of its own."""
        self._uploads.begin(frame)

    @property
    def tokens_every(self) -> int:
        """See ``Runtime``: on CPUs, where a transformer takes long."""
        carries = self.network.tokens is not None and self.device.type == "cpu"
        return TOKENS_EVERY if carries and self.step == "plain" else 1

    def extract(
        self,
        frame: NDArray[np.uint8],
        geometry: Geometry,
        earlier: EarlierKeys[Tensor] | None = None,
    ) -> Features:
        """See ``Runtime``: pyramid and image (1, 3, h, w)."""
        image = self.image(frame, geometry)
        pyramid = self._ready.extract(image)
        meant = None if earlier is None else meanings(earlier)
        return Features(pyramid, image, self._ready.keys(image, pyramid, meant))

    def keys(self, features: Features) -> Tensor | None:
        """See ``Runtime``: (C, J)."""
        return None if features.keys is None else features.keys[0].flatten(1)

    @property
    def time_grows_with_size(self) -> bool:
        """See ``Runtime``: a GPU waits for its kernels to be launched, not for them."""
        return self.device.type == "cpu"

    @property
    def takes_at_once(self) -> bool:
        """See ``Runtime``."""
        return self._fixed is not None

    def at_once(
        self, frame: NDArray[np.uint8], asked: Asked[Tensor], geometry: Geometry
    ) -> Answer[Tensor, Features] | None:
        """See ``Runtime``: of (H, W, 3)."""
        if self._fixed is None:
            return None
        return self._fixed.answer(self.image(frame, geometry), asked, geometry)

    def given_mask(self, region: NDArray[np.bool_], geometry: Geometry) -> tuple[Tensor, bool]:
        """See ``Runtime``: (H', W') to (h, w)."""
        mask, vanished = mask_of(region, geometry, self.device)
        return mask, vanished or not bool(to_stride_8(mask[None, None]).amax() > 0.5)

    def decode(
        self, features: Features, recalled: Recalled[Tensor], ids: Sequence[int]
    ) -> Logits[Tensor]:
        """See ``Runtime``: (K + O, h/4, w/4)."""
        values = self._ready.segment(features.pyramid, history_of(recalled))[0].float()
        return Logits(values, tuple(ids), self.config.background_channels)

    def refine(
        self,
        features: Features,
        logits: Logits[Tensor],
        carried: CarriedMasks,
        remembered: Sequence[RememberedPlaces[Tensor]],
        geometry: Geometry,
    ) -> Logits[Tensor]:
        """See ``Runtime``: (K + O, h/4, w/4)."""
        masks, known, confidence, change = (
            tensor[None] for tensor in send_together(carried, self.device)
        )
        prior = Prior(masks, known, confidence, change[:, None])
        places = None
        if features.keys is not None:
            places = send(geometry.places, self.device).to(features.keys.dtype)[None]
        refined = self._ready.refine(
            features.image,
            features.pyramid,
            logits.values[None],
            prior,
            features.keys,
            places,
            [self._places(one, features.keys) for one in remembered],
        )
        matched = None if refined.matched is None else refined.matched[0].float()
        return replace(logits, values=refined.logits[0].float(), matched=matched)

    def _places(self, told: RememberedPlaces[Tensor], like: Tensor | None) -> Remembered:
        """Remembered frames on this device; where there is none, a place that says nothing."""
        if not told.keys:
            some = torch.zeros(1, 1 if like is None else like.shape[1], 1, device=self.device)
            nothing = some.new_zeros(1, len(told.masks), 1)
            nowhere = None if told.places is None else some.new_zeros(1, 2, 1)
            return Remembered(some, nothing, nothing, nowhere)
        known = [told.masks, told.valid, *([] if told.places is None else [told.places])]
        masks, valid, *places = (tensor[None] for tensor in send_together(known, self.device))
        return Remembered(torch.cat(told.keys, 1)[None], masks, valid, *places)

    def encode_given(
        self, features: Features, masks: Mapping[int, Tensor]
    ) -> FrameDescriptors[Tensor]:
        """See ``Runtime``: (C,) an object, from masks (h, w)."""
        return self._encode(features, list(masks), torch.stack(list(masks.values())))

    def encode(
        self, features: Features, logits: Logits[Tensor], given: Given[Tensor] | None
    ) -> FrameDescriptors[Tensor]:
        """See ``Runtime``: (C,) an object."""
        p = logits.values.softmax(0)
        if given is None:
            small = F.avg_pool2d(p[logits.backgrounds :][None], 2)[0]  # (O, h/4, w/4) to stride 8
            return self._encode(features, logits.ids, small)
        full = F.interpolate(p[None], scale_factor=4, mode="bilinear", align_corners=False)[0]
        ids, merged = override(full, logits.ids, given)
        small = objects_to_stride_8(merged[None, logits.backgrounds :])[0]
        return self._encode(features, ids, small)

    def _encode(
        self, features: Features, ids: Sequence[int], masks: Tensor
    ) -> FrameDescriptors[Tensor]:
        """masks: (O, h, w), or (O, h/8, w/8)."""
        found: Descriptors = self._ready.describe(features.pyramid, masks[None])
        return FrameDescriptors.of(
            ids, list(found.objects[0]), found.background[0], joint=self.config.joint_objects
        )

    def lower_outside(
        self, logits: Logits[Tensor], areas: Sequence[Area | None], amount: float
    ) -> Logits[Tensor]:
        """See ``Runtime``: (K + O, h/4, w/4)."""
        k, (h, w) = logits.backgrounds, logits.values.shape[1:]
        everywhere = (slice(0, h), slice(0, w))
        edges = [
            (rows.start, rows.stop, columns.start, columns.stop)
            for rows, columns in (area or everywhere for area in areas)
        ]
        limits = send(np.array(edges, np.int64).reshape(-1, 4), self.device)
        objects = lowered_outside(logits.values[k:], limits, amount)
        return logits.with_values(torch.cat([logits.values[:k], objects]))

    def shift(self, logits: Logits[Tensor], amounts: Sequence[float]) -> Logits[Tensor]:
        """See ``Runtime``: (K + O, h/4, w/4)."""
        added = send(np.array(amounts, np.float32), self.device)
        return logits.with_values(logits.values + added[:, None, None])

    def merged(self, logits: Logits[Tensor]) -> Logits[Tensor]:
        """See ``Runtime``: (1 + O, h/4, w/4)."""
        return logits.with_one_background(merged(logits.values, logits.backgrounds))

    def confidences(self, logits: Logits[Tensor], geometry: Geometry) -> list[float]:
        """See ``Runtime``: of (K + O, h/4, w/4)."""
        return [float(value) for value in fetch(self._confidences(logits, geometry))]

    def _confidences(self, logits: Logits[Tensor], geometry: Geometry) -> Tensor:
        h, w = geometry.cells
        return confidences(logits.values[:, :h, :w].softmax(0), logits.backgrounds)

    def winners(self, logits: Logits[Tensor]) -> Winners:
        """See ``Runtime``: (h/4, w/4)."""
        return np.asarray(fetch(winners(logits.values, logits.backgrounds)), np.int32)

    def matched(self, logits: Logits[Tensor]) -> NDArray[np.float32] | None:
        """See ``Runtime``: (O, h/8, w/8)."""
        return None if logits.matched is None else np.asarray(fetch(logits.matched), np.float32)

    def hand_over(self, logits: Logits[Tensor], pieces: Sequence[HandedOver]) -> Logits[Tensor]:
        """See ``Runtime``: (K + O, h/4, w/4)."""
        values = logits.values.clone()
        objects = values[logits.backgrounds :]
        for piece in pieces:
            cells = send(piece.cells, self.device)
            one, other = objects[piece.of], objects[piece.to]
            lower, higher = torch.minimum(one, other), torch.maximum(one, other)
            objects[piece.of] = torch.where(cells, lower, one)
            objects[piece.to] = torch.where(cells, higher, other)
        return logits.with_values(values)

    def matched_likelihoods(
        self, logits: Logits[Tensor], geometry: Geometry, homes: Sequence[int] | None = None
    ) -> list[float]:
        """See ``Runtime``: of (K + O, h/4, w/4)."""
        return [float(value) for value in fetch(self._matched(logits, geometry, homes))]

    def _matched(
        self, logits: Logits[Tensor], geometry: Geometry, homes: Sequence[int] | None
    ) -> Tensor:
        if logits.matched is None:
            return torch.ones(len(logits.ids), device=logits.values.device)
        h, w = geometry.cells
        seen = logits.values[:, :h, :w]
        return matched_likelihoods(seen, logits.matched, logits.backgrounds, homes)

    def similarity(self, found: Sequence[Tensor], given: Sequence[Sequence[Tensor]]) -> list[float]:
        """See ``Runtime``: of (C,)."""
        return greatest(fetch(cosines(found, given)).tolist(), given)

    def evidence(
        self,
        logits: Logits[Tensor],
        geometry: Geometry,
        found: Sequence[Tensor],
        given: Sequence[Sequence[Tensor]],
        *,
        matched: bool,
        homes: Sequence[int] | None = None,
    ) -> Evidence:
        """See ``Runtime``: of (K + O, h/4, w/4) and (C,); Python waits once for all of it."""
        parts = [self._confidences(logits, geometry)]
        if matched:
            parts.append(self._matched(logits, geometry, homes))
        if found:
            parts.append(cosines(found, given))
        count = len(logits.ids)
        values = [float(value) for value in fetch(torch.cat(parts))]
        likely = values[count : 2 * count] if matched else [1.0] * count
        return Evidence(values[:count], likely, greatest(values[count * (1 + matched) :], given))

    def label_map(
        self, logits: Logits[Tensor], geometry: Geometry
    ) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """See ``Runtime``: (H', W')."""
        return fast_label_map(logits, geometry)

    def probabilities(
        self, logits: Logits[Tensor] | None, geometry: Geometry, given: Given[Tensor] | None
    ) -> NDArray[np.float32]:
        """See ``Runtime``: (K + O, H', W')."""
        p = crop_probabilities(logits, geometry, given)
        return np.asarray(fetch(p), np.float32)

    def to_numpy(self, array: Tensor) -> NDArray[np.float32]:
        """See ``Runtime``: (C,)."""
        return np.array(array.float().cpu().numpy(), np.float32)

    def from_numpy(self, array: NDArray[np.float32]) -> Tensor:
        """See ``Runtime``: (C,)."""
        return send(array, self.device)


def network_fingerprint(network: Hodor) -> str:
    """What tells one network's descriptors from another's: sha256 of config and weights."""
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    digest = hashlib.sha256(json.dumps(network.config.to_dict(), sort_keys=True).encode())
    digest.update(save(state))
    return digest.hexdigest()


def meanings(earlier: EarlierKeys[Tensor]) -> Tensor:
    """What tokens say of a new frame's places, by the frame before: (1, C / 2, h/8, w/8).

    At what lies outside of that frame's view its nearest place answers.
    """
    y, x = earlier.size
    meant = earlier.keys.chunk(2, 0)[1].view(1, -1, y, x)
    where = np.stack([(earlier.columns + 0.5) / x, (earlier.rows + 0.5) / y], -1) * 2 - 1
    grid = send(where.astype(np.float32), meant.device)[None]
    return F.grid_sample(
        meant.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def history_of(recalled: Recalled[Tensor]) -> History:
    """What is remembered as the network takes it; zeros stand for what is not.

    Args:
        recalled: of T frames and O objects; None stands where a frame does not describe one.

    Returns:
        A batch of one: (1, T, O, C) and (1, T, G, C), or (1, T, O * G, C) for networks that take
        objects one at a time, with masks of what is known if not all is.
    """
    some = next(d for row in recalled.objects for d in row if d is not None)
    scene = next(d for row in recalled.background for d in row if d is not None)
    return History(
        torch.stack([torch.stack(_filled(row, some)) for row in recalled.objects])[None],
        torch.stack([torch.cat(_filled(row, scene)) for row in recalled.background])[None],
        _valid(recalled.object_valid, some.device),
        _valid(recalled.background_valid, some.device),
    )


def _filled(row: Sequence[Tensor | None], like: Tensor) -> list[Tensor]:
    return [torch.zeros_like(like) if one is None else one for one in row]


def _valid(known: NDArray[np.bool_], device: torch.device) -> Tensor | None:
    """The network does without a mask where all is known."""
    return None if known.all() else send(known, device)[None]


def override(
    probabilities: Tensor, ids: tuple[int, ...], given: Given[Tensor] | None
) -> tuple[tuple[int, ...], Tensor]:
    """Put given masks into probabilities (K + O, h, w) at the network's size.

    The given object's plane becomes its mask; inside it every other plane becomes zero.

    Args:
        probabilities: background planes, then those of ``ids``.
        ids: of the O objects.
        given: masks of the frame.

    Returns:
        Ids sorted, with given objects that had no plane; and (K + O', h, w).
    """
    if given is None or not given.masks:
        return ids, probabilities
    background = backgrounds_of(len(probabilities), ids)
    claimed = torch.stack(list(given.masks.values())).amax(0)
    kept = probabilities * (1 - claimed)
    objects = dict(zip(ids, kept[background:], strict=True)) | dict(given.masks)
    merged = tuple(sorted(objects))
    return merged, torch.cat([kept[:background], torch.stack([objects[i] for i in merged])])


def crop_probabilities(
    logits: Logits[Tensor] | None, geometry: Geometry, given: Given[Tensor] | None
) -> Tensor:
    """Probabilities at the crop's size, (K + O, H', W'); see ``Runtime.probabilities``."""
    ids: tuple[int, ...] = ()
    if logits is None:
        device = next(iter(given.masks.values())).device if given else "cpu"
        full = torch.ones(1, *geometry.padded, device=device)
    else:
        values = logits.values[None]
        full = F.interpolate(values, scale_factor=4, mode="bilinear", align_corners=False)[0]
        ids, full = logits.ids, full.softmax(0)
    return to_source(override(full, ids, given)[1][None], geometry)
