"""Nearest-neighbour propagation of a frozen backbone's features: a baseline that has no decoder.

The protocol is that of space-time correspondences without training on masks, as DINO was evaluated
on DAVIS (Caron et al., ICCV 2021; before it Jabri et al., NeurIPS 2020): each cell of a frame
takes a mean of the masks of the cells most like it, near its own place, in the first frame and in
the latest ones.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hodor.evaluation.baselines import Frames, Given, check_size, with_given
from hodor.evaluation.label_map_files import LabelMap
from hodor.model import Hodor
from hodor.tracking import Geometry, TrackerOptions, image_of
from hodor.types import AnyArray

STRIDE = 8


@dataclass(frozen=True)
class NearestFeatures:
    """A baseline; call it with frames and given masks. Values are those of DINO's evaluation.

    network: only its backbone is used, at stride 8, with the weights that it has: a backbone that
    was trained on with the rest is not the one that training started from. options: how large the
    network sees a frame.
    """

    network: Hodor
    options: TrackerOptions
    neighbours: int = 5
    """Cells whose masks are averaged"""
    radius: int = 12
    """Cells by which a neighbour may be away, in rows and in columns"""
    context: int = 7
    """Latest frames that are looked at, beside the first with masks"""
    temperature: float = 0.1
    """Of the softmax over cosine similarities"""

    def __call__(self, frames: Frames, given: Given) -> Iterator[LabelMap]:
        """Label maps (H, W) uint8, one per frame."""
        first: _Context | None = None
        latest: deque[_Context] = deque(maxlen=self.context)
        ids: list[int] = []
        for frame, masks in zip(frames, given, strict=True):
            check_size(frame, masks)
            geometry = Geometry.of((frame.shape[0], frame.shape[1]), self.options)
            features = self._features(frame, geometry)
            if masks is not None:
                ids += [int(i) for i in np.unique(masks) if i and i not in ids]
            context = ([first] if first else []) + list(latest)
            soft = self._propagated(features, context, len(ids))
            label_map = with_given(_label_map(soft, ids, geometry), masks)
            if masks is not None:
                soft = _set_in(soft, masks, ids, geometry)
            if ids:
                here = _Context(features, soft)
                if first is None:
                    first = here
                else:
                    latest.append(here)
            yield label_map

    @torch.inference_mode()
    def _features(self, frame: NDArray[np.uint8], geometry: Geometry) -> Tensor:
        """Unit vectors (C, y, x) at stride 8, without the padding."""
        device = next(self.network.parameters()).device
        image = image_of(frame, geometry, self.network.config, device)
        features = self.network.backbone(image)[1][0].float()
        rows, columns = (-(-side // STRIDE) for side in geometry.inner)
        return F.normalize(features[:, :rows, :columns], dim=0)

    @torch.inference_mode()
    def _propagated(self, features: Tensor, context: list["_Context"], objects: int) -> Tensor:
        """Masks (1 + O, y, x), background first, as means of the nearest cells' masks."""
        size = features.shape[1:]
        if not context:
            nothing = features.new_zeros(1 + objects, *size)
            nothing[0] = 1
            return nothing
        near = _near(size, self.radius, features.device)
        target = features.flatten(1).T  # (N, C)
        similar = torch.stack([target @ one.features.flatten(1) for one in context])
        similar = similar.masked_fill(~near, -torch.inf).permute(1, 0, 2).flatten(1)  # (N, T * N)
        best = similar.topk(min(self.neighbours, similar.shape[1]), dim=1)
        weights = (best.values / self.temperature).softmax(1)  # (N, k)
        masks = torch.cat([one.padded(objects).flatten(1) for one in context], 1)  # (1 + O, T * N)
        mean = (masks[:, best.indices] * weights).sum(2)
        return mean.view(-1, *size)


@dataclass(frozen=True)
class _Context:
    features: Tensor
    """(C, y, x)"""
    masks: Tensor
    """(1 + O, y, x)"""

    def padded(self, objects: int) -> Tensor:
        """Masks (O, N) with empty ones for objects that came later."""
        return F.pad(self.masks, (0, 0, 0, 0, 0, 1 + objects - len(self.masks)))


def _near(size: tuple[int, ...], radius: int, device: torch.device) -> Tensor:
    """Whether two cells are within the radius of one another: (N, N) bool."""
    rows = torch.arange(size[0], device=device).repeat_interleave(size[1])
    columns = torch.arange(size[1], device=device).repeat(size[0])
    across = (columns[:, None] - columns).abs() <= radius
    return across & ((rows[:, None] - rows).abs() <= radius)


def _set_in(soft: Tensor, masks: LabelMap, ids: list[int], geometry: Geometry) -> Tensor:
    """Masks (1 + O, y, x) with given ones in their places."""
    full: Tensor = torch.from_numpy(np.stack([masks == i for i in ids])).to(soft)
    cells = F.interpolate(full[None], soft.shape[1:], mode="area")[0]
    claimed = cells.sum(0).clamp(max=1)
    merged = soft * (1 - claimed)
    merged[1:] += cells
    return merged


def _label_map(soft: Tensor, ids: list[int], geometry: Geometry) -> LabelMap:
    """The best channel for each pixel; each is stretched to 0..1 first, as the protocol has it."""
    low, high = soft.amin((1, 2), keepdim=True), soft.amax((1, 2), keepdim=True)
    stretched = torch.where(high > 0, (soft - low) / (high - low).clamp(min=1e-6), soft)
    # The last cells may reach beyond the image; cropping them would shift the rest by less than
    # a pixel of it, so they are resized with it.
    full = F.interpolate(stretched[None], geometry.crop_size, mode="bilinear")[0]
    numbers: AnyArray = np.array([0, *ids], np.uint8)
    return np.asarray(numbers[full.argmax(0).cpu().numpy()])
