"""A network on PyTorch, and the arithmetic of its tensors."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

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
    Pyramid,
    inference_copy,
    objects_to_stride_8,
    to_stride_8,
)
from hodor.tracking.geometry import Geometry
from hodor.tracking.prior import CarriedMasks
from hodor.tracking.runtime import Given, Patches, Recalled, Runtime
from hodor.tracking.torch.devices import choose_device, choose_precision
from hodor.tracking.torch.images import image_of, mask_of, to_source
from hodor.tracking.torch.label_map import fast_label_map


class Features(NamedTuple):
    """A frame as the network sees it."""

    pyramid: Pyramid
    image: Tensor
    """(1, 3, h, w), for the refiner"""


class TorchRuntime(Runtime):
    """A network on some device of PyTorch's.

    Args:
        network: a trained network. Frames go through a copy that is made for speed.
        device: ``auto``, ``cpu``, ``cuda``, ``mps`` or a torch device.
        precision: ``auto``, ``fp32`` or ``bf16``.

    Raises:
        HodorError: the device or precision is not to be had.
    """

    name = "torch"

    def __init__(self, network: Hodor, device: str | torch.device, precision: str) -> None:
        self.device = choose_device(device)
        self.dtype = choose_precision(precision, self.device)
        self.network = network
        self.config = network.config
        self.device_name = str(self.device)
        self.precision = str(self.dtype).removeprefix("torch.")
        self._ready = inference_copy(network, self.dtype).to(self.device)

    @property
    def metadata(self) -> Mapping[str, Any]:
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
        return image_of(frame, geometry, self.config, self.device)

    def extract(self, frame: NDArray[np.uint8], geometry: Geometry) -> Features:
        """See ``Runtime``."""
        image = self.image(frame, geometry)
        return Features(self._ready.extract(image), image)

    def given_mask(self, region: NDArray[np.bool_], geometry: Geometry) -> tuple[Tensor, bool]:
        """See ``Runtime``."""
        mask, vanished = mask_of(region, geometry, self.device)
        return mask, vanished or not bool(to_stride_8(mask[None, None]).amax() > 0.5)

    def segment(self, features: Features, recalled: Recalled) -> Tensor:
        """See ``Runtime``."""
        return self._ready.segment(features.pyramid, history_of(recalled))[0].float()

    def refine(self, features: Features, logits: Tensor, carried: CarriedMasks) -> Tensor:
        """See ``Runtime``."""
        masks, known, confidence, change = (
            torch.from_numpy(values).to(logits.device)[None] for values in carried
        )
        prior = Prior(masks, known, confidence, change[:, None])
        refined = self._ready.refine(features.image, features.pyramid, logits[None], prior)
        return refined[0].float()

    def describe_given(self, features: Features, masks: Sequence[Tensor]) -> Patches:
        """See ``Runtime``."""
        return _patches(self._ready.describe(features.pyramid, torch.stack(list(masks))[None]))

    def describe(
        self, features: Features, logits: Tensor, channels: tuple[int, ...], given: Given | None
    ) -> Patches:
        """See ``Runtime``."""
        p = logits.softmax(0)
        background = len(logits) - len(channels)
        if given is None:
            small = F.avg_pool2d(p[background:][None], 2)
            return _patches(self._ready.describe(features.pyramid, small))
        full = F.interpolate(p[None], scale_factor=4, mode="bilinear", align_corners=False)[0]
        merged = override(full, channels, given)[background:]
        return _patches(self._ready.describe(features.pyramid, objects_to_stride_8(merged[None])))

    def plus(self, logits: Tensor, added: NDArray[np.float32]) -> Tensor:
        """See ``Runtime``."""
        return logits + torch.from_numpy(added).to(logits.device)

    def confidences(self, logits: Tensor, background: int, geometry: Geometry) -> list[float]:
        """See ``Runtime``."""
        h, w = geometry.cells
        return confidences(logits[:, :h, :w].softmax(0), background)

    def similarity(self, found: Sequence[Tensor], given: Sequence[Sequence[Tensor]]) -> list[float]:
        """See ``Runtime``."""
        ours = [one for one, those in zip(found, given, strict=True) for _ in those]
        theirs = [one for those in given for one in those]
        cosines = F.cosine_similarity(torch.stack(ours).float(), torch.stack(theirs).float())
        each = iter(cosines.tolist())  # one copy from the device
        return [max(next(each) for _ in those) for those in given]

    def label_map(
        self, logits: Tensor, channels: Sequence[int], geometry: Geometry
    ) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """See ``Runtime``."""
        return fast_label_map(logits, channels, geometry)

    def probabilities(
        self,
        logits: Tensor | None,
        channels: tuple[int, ...],
        geometry: Geometry,
        given: Given | None,
    ) -> NDArray[np.float32]:
        """See ``Runtime``."""
        p = source_probabilities(logits, channels, geometry, given)
        return np.asarray(p.cpu().numpy(), np.float32)

    def to_numpy(self, array: Tensor) -> NDArray[np.float32]:
        """See ``Runtime``."""
        return np.array(array.float().cpu().numpy(), np.float32)

    def from_numpy(self, array: NDArray[np.float32]) -> Tensor:
        """See ``Runtime``."""
        return torch.from_numpy(array).to(self.device)


def network_fingerprint(network: Hodor) -> str:
    """What tells one network's descriptors from another's: sha256 of config and weights."""
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    digest = hashlib.sha256(json.dumps(network.config.to_dict(), sort_keys=True).encode())
    digest.update(save(state))
    return digest.hexdigest()


def _patches(described: Descriptors) -> Patches:
    return Patches(list(described.objects[0]), described.background[0])


def history_of(recalled: Recalled) -> History:
    """What is remembered as the network takes it (batch of one); zeros stand for what is not."""
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
    return None if known.all() else torch.from_numpy(known).to(device)[None]


def override(probabilities: Tensor, channels: tuple[int, ...], given: Given | None) -> Tensor:
    """Put given masks into probabilities (K + O, h, w) at the network's size.

    The given object's channel becomes its mask; inside it every other channel becomes zero.
    Channels come out sorted by id, with given objects that had none added.
    """
    if given is None or not given.masks:
        return probabilities
    background = len(probabilities) - len(channels)
    claimed = torch.stack(list(given.masks.values())).amax(0)
    kept = probabilities * (1 - claimed)
    objects = dict(zip(channels, kept[background:], strict=True)) | dict(given.masks)
    return torch.cat([kept[:background], torch.stack([objects[i] for i in sorted(objects)])])


def source_probabilities(
    logits: Tensor | None, channels: tuple[int, ...], geometry: Geometry, given: Given | None
) -> Tensor:
    """Probabilities at the crop's size, (K + O, H, W); see ``Runtime.probabilities``."""
    if logits is None:
        device = next(iter(given.masks.values())).device if given else "cpu"
        full = torch.ones(1, *geometry.padded, device=device)
    else:
        full = F.interpolate(logits[None], scale_factor=4, mode="bilinear", align_corners=False)[0]
        full = full.softmax(0)
    return to_source(override(full, channels, given)[None], geometry)


def confidences(probabilities: Tensor, background: int) -> list[float]:
    """Confidence of each object from probabilities (K + O, y, x); 0 if it wins no pixel."""
    best = probabilities.argmax(0)
    objects = probabilities[background:]
    numbers = torch.arange(len(objects), device=best.device) + background
    wins = (best == numbers[:, None, None]).to(objects.dtype)
    count = wins.flatten(1).sum(1)
    mean = (objects * wins).flatten(1).sum(1) / count.clamp(min=1)
    return [float(value) for value in mean.cpu()]
