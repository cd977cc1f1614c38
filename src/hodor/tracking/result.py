"""What a tracker says of one frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hodor.errors import HodorError
from hodor.tracking.geometry import Geometry

STRIDE = 4  # of logits


@dataclass(frozen=True)
class Given:
    """Masks that the user gave for a frame."""

    labels: NDArray[np.integer]
    """(H, W): ids at source size, 0 elsewhere"""
    masks: Mapping[int, Tensor]
    """(h, w) of 0 and 1 at the network's size"""


@dataclass(frozen=True)
class Result:
    """One frame, segmented.

    ``confidence`` of an object starts as the mean of the network's own probability over the pixels
    (at stride 4) where the object is the most probable channel; 0 where there is no such pixel. A
    model whose file holds a calibration curve turns it into the J to expect. An object is
    ``visible`` when there is such a pixel. A given mask counts as certain: 1.0 and visible.
    """

    index: int
    """Frame number, from 0"""
    label_map: NDArray[np.uint8] | NDArray[np.uint16]
    """(H, W) at source size; 0 is background, other values are the user's ids"""
    ids: tuple[int, ...]
    """Objects that are followed, sorted; a lost one stays"""
    confidence: dict[int, float]
    """In [0, 1], by id"""
    visible: dict[int, bool]
    """By id"""
    warnings: tuple[str, ...] = ()
    """What the user should know, such as a mask that is tiny for the network's size"""
    _channels: tuple[int, ...] = field(default=(), repr=False)
    _logits: Tensor | None = field(default=None, repr=False)
    _geometry: Geometry | None = field(default=None, repr=False)
    _given: Given | None = field(default=None, repr=False)

    def mask(self, object_id: int) -> NDArray[np.bool_]:
        """Where an object is: (H, W).

        Raises:
            HodorError: no such object.
        """
        self._known(object_id)
        return np.asarray(self.label_map == object_id)

    def soft_masks(self) -> NDArray[np.float32]:
        """Probabilities (1 + O, H, W): background, then ``ids`` in order. Computed when asked."""
        if self._geometry is None:
            return np.ones((1, *self.label_map.shape), np.float32)
        p = source_probabilities(self._logits, self._channels, self._geometry, self._given)
        objects = p[len(p) - len(self.ids) :]
        # What a given mask takes from its object falls to the background.
        behind = (1 - objects.sum(0, keepdim=True)).clamp(min=0)
        return torch.cat([behind, objects]).cpu().numpy()

    def channel_probabilities(self) -> NDArray[np.float32]:
        """Probabilities (K + O, H, W) as decoded: catch-all, background cells row by row, objects.

        Given masks are not set in. Objects are those that were known before this frame, by id;
        without any there are no channels: (0, H, W). Computed when asked.
        """
        if self._logits is None or self._geometry is None:
            return np.zeros((0, *self.label_map.shape), np.float32)
        p = source_probabilities(self._logits, self._channels, self._geometry, None)
        return np.asarray(p.cpu().numpy(), np.float32)

    def _known(self, object_id: int) -> None:
        if object_id not in self.ids:
            raise HodorError(f"object {object_id} is not followed; followed are {list(self.ids)}")


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
    """Probabilities at source size, (K + O, H, W), as published (behaviour, section 5).

    Logits (K + O, h/4, w/4) are upsampled, softmax makes masks of them, given masks are put in,
    padding is cropped, and probabilities are resized.
    """
    if logits is None:
        device = next(iter(given.masks.values())).device if given else "cpu"
        full = torch.ones(1, *geometry.padded, device=device)
    else:
        full = F.interpolate(logits[None], scale_factor=4, mode="bilinear", align_corners=False)[0]
        full = full.softmax(0)
    return geometry.to_source(override(full, channels, given)[None])


def label_kind(ids: Sequence[int]) -> type[np.uint8] | type[np.uint16]:
    """The smallest type of a label map that holds these ids."""
    return np.uint8 if max(ids, default=0) <= 255 else np.uint16


def label_map_of(
    probabilities: Tensor, channels: tuple[int, ...], ids: tuple[int, ...], given: Given | None
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Labels at source size: the best channel wins; given masks come back as they were.

    Args:
        probabilities: (K + O, H, W), objects last. Given masks are not put in yet: resized, they
            would spread over their borders and take pixels from other objects.
        channels: ids of the O objects.
        ids: of all objects, given ones too.
        given: masks of this frame.
    """
    kind = label_kind(ids)
    background = len(probabilities) - len(channels)
    objects, found = probabilities[background:], channels
    if given is not None:
        found = tuple(i for i in channels if i not in given.masks)
        objects = objects[[channels.index(i) for i in found]]
    labels: NDArray[Any] = np.zeros(probabilities.shape[1:], kind)
    if found:
        best, behind = objects.max(0), probabilities[:background].amax(0)
        channel = torch.where(best.values > behind, best.indices + 1, 0).cpu().numpy()
        labels = np.array([0, *found], kind)[channel]
    if given is not None:
        labels[given.labels > 0] = given.labels[given.labels > 0]
    return labels


def calibrated(confidence: float, curve: Sequence[tuple[float, float]]) -> float:
    """The J to expect of an object with this confidence, on a rising line through points.

    Args:
        confidence: of a visible object, over 0.
        curve: points (confidence, J); none: the confidence is taken as it is.
    """
    if not curve:
        return confidence
    points = np.array(curve)
    # Above 0, which says that there is no mask at all.
    return max(0.01, float(np.interp(confidence, points[:, 0], points[:, 1])))


def confidences(probabilities: Tensor, background: int) -> list[float]:
    """Confidence of each object from probabilities (K + O, y, x); 0 if it wins no pixel."""
    best = probabilities.argmax(0)
    objects = probabilities[background:]
    numbers = torch.arange(len(objects), device=best.device) + background
    wins = (best == numbers[:, None, None]).to(objects.dtype)
    count = wins.flatten(1).sum(1)
    mean = (objects * wins).flatten(1).sum(1) / count.clamp(min=1)
    return [float(value) for value in mean.cpu()]
