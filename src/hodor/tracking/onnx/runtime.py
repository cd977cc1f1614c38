"""An exported network on onnxruntime, and the arithmetic of its arrays: ``TorchRuntime`` in NumPy.

Each function here has its twin there; tests hold trackers with the one and the other side by side.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hodor.onnx import OnnxNetwork, OnnxPyramid
from hodor.tracking.apart import HandedOver, Winners
from hodor.tracking.descriptors import FrameDescriptors, Recalled
from hodor.tracking.doubts import Area
from hodor.tracking.geometry import Geometry
from hodor.tracking.given import Given
from hodor.tracking.key_frames import EarlierKeys, RememberedPlaces
from hodor.tracking.logits import Logits, backgrounds_of
from hodor.tracking.onnx.images import channels_resized, image_of, mask_of, upsampled
from hodor.tracking.onnx.label_map import fast_label_map
from hodor.tracking.onnx.patches import background_cells, objects_to_stride_8, to_stride_8
from hodor.tracking.prior import CarriedMasks
from hodor.tracking.runtime import Runtime
from hodor.types import Json

Floats = NDArray[np.float32]
LEAST = 1e-6  # as hodor.model.matching.LEAST, which would bring PyTorch


class Features(NamedTuple):
    """A frame as the network sees it."""

    pyramid: OnnxPyramid
    image: Floats
    """(1, 3, h, w), for the refiner"""
    keys: Floats | None
    """(1, C, h/8, w/8), for matching"""


class OnnxRuntime(Runtime[Floats, Features]):
    """An exported network; arrays are NumPy's."""

    name = "onnx"
    precision = "float32"

    def __init__(self, network: OnnxNetwork) -> None:
        self.network = network
        self.config = network.info.config
        self.device_name = network.device

    @property
    def time_grows_with_size(self) -> bool:
        """See ``Runtime``: as in PyTorch, whose results these are."""
        return self.device_name == "cpu"

    @property
    def metadata(self) -> Mapping[str, Json]:
        """What the model's file said of it when it was exported."""
        return self.network.info.metadata

    @property
    def fingerprint(self) -> str:
        """That of the network that was exported, so that saved objects go with both."""
        return self.network.info.fingerprint

    def running(self) -> AbstractContextManager[None]:
        """See ``Runtime``."""
        return nullcontext()

    def extract(
        self,
        frame: NDArray[np.uint8],
        geometry: Geometry,
        earlier: EarlierKeys[Floats] | None = None,
    ) -> Features:
        """See ``Runtime``: pyramid and image (B, 3, h, w); tokens are worked out in each frame."""
        image = image_of(frame[geometry.crop.area], geometry, self.config)
        pyramid = self.network.extract(image)
        return Features(pyramid, image, pyramid.keys)

    def keys(self, features: Features) -> Floats | None:
        """See ``Runtime``: (C, J)."""
        return (
            None if features.keys is None else features.keys[0].reshape(features.keys.shape[1], -1)
        )

    def given_mask(self, region: NDArray[np.bool_], geometry: Geometry) -> tuple[Floats, bool]:
        """See ``Runtime``: (h, w)."""
        mask, vanished = mask_of(region, geometry)
        return mask, vanished or not to_stride_8(mask[None]).max() > 0.5

    def decode(
        self, features: Features, recalled: Recalled[Floats], ids: Sequence[int]
    ) -> Logits[Floats]:
        """See ``Runtime``: (K + O, h/4, w/4)."""
        some = next(d for row in recalled.objects for d in row if d is not None)
        scene = next(d for row in recalled.background for d in row if d is not None)
        objects = np.stack([np.stack(_filled(row, some)) for row in recalled.objects])
        cells = np.stack([np.concatenate(_filled(row, scene)) for row in recalled.background])
        logits = self.network.segment(
            features.pyramid,
            objects[None],
            cells[None],
            recalled.object_valid[None],
            recalled.background_valid[None],
        )
        return Logits(np.asarray(logits[0]), tuple(ids), self.config.background_channels)

    def refine(
        self,
        features: Features,
        logits: Logits[Floats],
        carried: CarriedMasks,
        remembered: Sequence[RememberedPlaces[Floats]],
        geometry: Geometry,
    ) -> Logits[Floats]:
        """See ``Runtime``: (K + O, h/4, w/4)."""
        masks, known, confidence, change = (values[None] for values in carried)
        prior = (masks, known, confidence, change[:, None])
        told = [_places(one, features.keys) for one in remembered]
        refined, matched = self.network.refine(
            features.image, features.pyramid, logits.values[None], prior, geometry.places, told
        )
        return replace(logits, values=refined[0], matched=None if matched is None else matched[0])

    def encode_given(
        self, features: Features, masks: Mapping[int, Floats]
    ) -> FrameDescriptors[Floats]:
        """See ``Runtime``: (C,) an object."""
        return self._encode(features, list(masks), np.stack(list(masks.values())))

    def encode(
        self, features: Features, logits: Logits[Floats], given: Given[Floats] | None
    ) -> FrameDescriptors[Floats]:
        """See ``Runtime``: (C,) an object."""
        p = softmax(logits.values)
        if given is None:
            _, y, x = p.shape
            # (O, h/4, w/4) to stride 8
            small = p[logits.backgrounds :].reshape(-1, y // 2, 2, x // 2, 2).mean((2, 4))
            return self._encode(features, logits.ids, small)
        ids, merged = override(upsampled(p, 4), logits.ids, given)
        return self._encode(features, ids, objects_to_stride_8(merged[logits.backgrounds :]))

    def lower_outside(
        self, logits: Logits[Floats], areas: Sequence[Area | None], amount: float
    ) -> Logits[Floats]:
        """See ``Runtime``: (K + O, h/4, w/4)."""
        added = np.zeros_like(logits.values)
        for plane, area in enumerate(areas, logits.backgrounds):
            if area is not None:
                added[plane] = amount
                added[plane][area] = 0
        return logits.with_values(logits.values + added)

    def shift(self, logits: Logits[Floats], amounts: Sequence[float]) -> Logits[Floats]:
        """See ``Runtime``: (K + O, h/4, w/4)."""
        return logits.with_values(logits.values + np.array(amounts, np.float32)[:, None, None])

    def merged(self, logits: Logits[Floats]) -> Logits[Floats]:
        """See ``Runtime``: (1 + O, h/4, w/4)."""
        behind = np.logaddexp.reduce(logits.values[: logits.backgrounds], 0)
        planes = [behind[None], logits.values[logits.backgrounds :]]
        return logits.with_one_background(np.concatenate(planes))

    def confidences(self, logits: Logits[Floats], geometry: Geometry) -> list[float]:
        """See ``Runtime``: of (K + O, h/4, w/4)."""
        h, w = geometry.cells
        p = softmax(logits.values[:, :h, :w])
        best = p.argmax(0)
        wins = [best == plane for plane in range(logits.backgrounds, len(p))]
        return [
            float(one[won].mean()) if won.any() else 0.0
            for one, won in zip(p[logits.backgrounds :], wins, strict=True)
        ]

    def winners(self, logits: Logits[Floats]) -> Winners:
        """See ``Runtime``: (h/4, w/4)."""
        best = logits.values.argmax(0) - (logits.backgrounds - 1)
        return np.asarray(best.clip(0), np.int32)

    def matched(self, logits: Logits[Floats]) -> Floats | None:
        """See ``Runtime``: (O, h/8, w/8)."""
        return logits.matched

    def hand_over(self, logits: Logits[Floats], pieces: Sequence[HandedOver]) -> Logits[Floats]:
        """See ``Runtime``: (K + O, h/4, w/4)."""
        values = logits.values.copy()
        objects = values[logits.backgrounds :]
        for cells, of, to in pieces:
            both = objects[of][cells], objects[to][cells]
            objects[of][cells], objects[to][cells] = np.minimum(*both), np.maximum(*both)
        return logits.with_values(values)

    def matched_likelihoods(
        self, logits: Logits[Floats], geometry: Geometry, homes: Sequence[int] | None = None
    ) -> list[float]:
        """See ``Runtime``: of (K + O, h/4, w/4)."""
        if logits.matched is None:
            return [1.0] * len(logits.ids)
        h, w = geometry.cells
        best = self.winners(logits)[:h, :w]
        wins = [best == number for number in range(1, 1 + len(logits.ids))]
        likely = likeliest(logits.matched, homes)
        matched = likely.repeat(2, 1).repeat(2, 2)[:, :h, :w]  # (O, h/8, w/8) before
        return [
            float(one[won].mean()) if won.any() else 1.0
            for one, won in zip(matched, wins, strict=True)
        ]

    def similarity(self, found: Sequence[Floats], given: Sequence[Sequence[Floats]]) -> list[float]:
        """See ``Runtime``: of (C,)."""
        pairs = [(one, np.stack(those)) for one, those in zip(found, given, strict=True)]
        norm = np.linalg.norm
        return [float((b @ a / norm(b, axis=1)).max() / norm(a)) for a, b in pairs]

    def label_map(
        self, logits: Logits[Floats], geometry: Geometry
    ) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """See ``Runtime``: (H', W')."""
        return fast_label_map(logits, geometry)

    def probabilities(
        self, logits: Logits[Floats] | None, geometry: Geometry, given: Given[Floats] | None
    ) -> Floats:
        """See ``Runtime``: (K + O, H', W')."""
        ids: tuple[int, ...] = ()
        full = np.ones((1, *geometry.padded), np.float32)
        if logits is not None:
            ids, full = logits.ids, softmax(upsampled(logits.values, 4))
        h, w = geometry.inner
        inner = override(full, ids, given)[1][:, :h, :w]
        return channels_resized(np.ascontiguousarray(inner), geometry.crop_size)

    def to_numpy(self, array: Floats) -> Floats:
        """See ``Runtime``: (C,)."""
        return np.array(array, np.float32)

    def from_numpy(self, array: Floats) -> Floats:
        """See ``Runtime``: (C,)."""
        return array

    def _encode(
        self, features: Features, ids: Sequence[int], masks: Floats
    ) -> FrameDescriptors[Floats]:
        """Cut the background at the masks' size, (O, y, x), then bring all to stride 8."""
        sets = [masks] if self.config.joint_objects else [one[None] for one in masks]
        grid = self.config.background_grid
        cells = np.concatenate([background_cells(some, grid) for some in sets])
        if masks.shape[1:] != features.pyramid.f8.shape[2:]:
            masks, cells = objects_to_stride_8(masks), to_stride_8(cells)
        objects, background = self.network.describe(features.pyramid, masks[None], cells[None])
        return FrameDescriptors.of(
            ids, list(objects[0]), background[0], joint=self.config.joint_objects
        )


def _places(told: RememberedPlaces[Floats], like: Floats | None) -> tuple[Floats, ...]:
    """Remembered frames as a batch; where there is none, a place that says nothing."""
    if not told.keys:
        some = np.zeros((1, 1 if like is None else like.shape[1], 1), np.float32)
        nothing = np.zeros((1, len(told.masks), 1), np.float32)
        nowhere = () if told.places is None else (np.zeros((1, 2, 1), np.float32),)
        return some, nothing, nothing, *nowhere
    where = () if told.places is None else (told.places[None],)
    return np.concatenate(told.keys, 1)[None], told.masks[None], told.valid[None], *where


def _filled(row: Sequence[Floats | None], like: Floats) -> list[Floats]:
    return [np.zeros_like(like) if one is None else one for one in row]


def likeliest(told: Floats, homes: Sequence[int] | None = None) -> Floats:
    """As ``hodor.model.matching.likeliest``: of (O, y, x)."""
    masks = told.clip(0)
    others = np.zeros_like(masks)
    for home in set(homes or [0]):
        here = [i for i in range(len(masks)) if not homes or homes[i] < 0 or homes[i] == home]
        padded = np.concatenate([np.zeros_like(masks[:1]), masks[here]])
        second, first = np.partition(padded, len(padded) - 2, axis=0)[-2:]
        others[here] = np.where(masks[here] >= first, second, first)
    greatest = np.maximum(np.maximum(masks, others), 1 - masks.sum(0))
    return np.where(told >= 0, masks / greatest.clip(LEAST), np.float32(1))


def softmax(logits: Floats) -> Floats:
    """Over the channels of (P, y, x)."""
    full = np.exp(logits - logits.max(0))
    return np.asarray(full / full.sum(0), np.float32)


def override(
    probabilities: Floats, ids: tuple[int, ...], given: Given[Floats] | None
) -> tuple[tuple[int, ...], Floats]:
    """Put given masks into probabilities (K + O, h, w); see ``torch.runtime.override``."""
    if given is None or not given.masks:
        return ids, probabilities
    background = backgrounds_of(len(probabilities), ids)
    claimed = np.maximum.reduce(list(given.masks.values()))
    kept = probabilities * (1 - claimed)
    objects = dict(zip(ids, kept[background:], strict=True)) | dict(given.masks)
    merged = tuple(sorted(objects))
    return merged, np.concatenate([kept[:background], np.stack([objects[i] for i in merged])])
