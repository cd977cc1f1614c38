"""The last masks, carried along by optical flow to the frame that is to be decoded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.tracking.geometry import STRIDE, Geometry
from hodor.video import look_back

LABELS = 2  # sides of the kept label map, in those of the grey picture: masks get soft edges by it


@dataclass(frozen=True)
class LastFrame:
    """A frame as the next one looks back at it: small, whatever the size of the video."""

    grey: NDArray[np.uint8]
    """(h, w), from ``small_grey``"""
    labels: NDArray[np.integer[Any]]
    """(2 h, 2 w) at most: the label map that was the result"""
    confidence: dict[int, float]
    """By id; 1 where a mask was given"""

    @classmethod
    def of(
        cls,
        grey: NDArray[np.uint8],
        label_map: NDArray[np.integer[Any]],
        confidence: Mapping[int, float],
    ) -> "LastFrame":
        """Keep of a frame what the next one needs.

        Args:
            grey: (h, w), from ``small_grey``.
            label_map: (H, W) of the whole frame.
            confidence: by id.
        """
        h, w = grey.shape
        labels = label_map
        if labels.shape[0] > LABELS * h:
            size = (LABELS * w, LABELS * h)
            labels = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT))
        return cls(grey, labels, dict(confidence))

    def without(self, ids: Iterable[int]) -> "LastFrame":
        """The same without some objects."""
        gone = set(ids)
        kept = {i: c for i, c in self.confidence.items() if i not in gone}
        labels = np.where(np.isin(self.labels, list(gone)), 0, self.labels)
        return LastFrame(self.grey, labels.astype(self.labels.dtype), kept)

    def mask(self, i: int) -> NDArray[np.float32]:
        """An object's mask (h, w) at the size of the grey picture, in [0, 1]."""
        h, w = self.grey.shape
        whole = (self.labels == i).astype(np.float32)
        return np.asarray(cv2.resize(whole, (w, h), interpolation=cv2.INTER_AREA))


class CarriedMasks(NamedTuple):
    """What is known of objects in a frame before it is decoded; see ``hodor.model.Prior``."""

    masks: NDArray[np.float32]
    """(O, h/4, w/4) in [0, 1], at the network's size"""
    known: NDArray[np.float32]
    """(O,) of 0 and 1"""
    confidence: NDArray[np.float32]
    """(O,)"""
    change: NDArray[np.float32]
    """(h/4, w/4) in [0, 1]"""


def carried_masks(
    last: LastFrame | None, grey: NDArray[np.uint8], ids: Sequence[int], geometry: Geometry
) -> CarriedMasks:
    """Carry the last masks to a new frame.

    Args:
        last: the frame before; None, or of another size: nothing is known.
        grey: (h, w) of the new frame, from ``small_grey``.
        ids: of the O objects.
        geometry: of the new frame.
    """
    cells = (geometry.padded[0] // STRIDE, geometry.padded[1] // STRIDE)
    if last is None or last.grey.shape != grey.shape:
        nothing = np.zeros(len(ids), np.float32)
        blank = np.zeros(cells, np.float32)
        return CarriedMasks(np.zeros((len(ids), *cells), np.float32), nothing, nothing, blank)
    at = look_back(grey, last.grey, *_middles(cells, grey.shape, geometry))
    masks = [last.mask(i) for i in ids]
    return CarriedMasks(
        np.stack([at.take(mask) for mask in masks]),
        np.array([mask.any() for mask in masks], np.float32),
        np.array([last.confidence.get(i, 0.0) for i in ids], np.float32),
        at.change,
    )


def _middles(
    cells: tuple[int, int], small: tuple[int, ...], geometry: Geometry
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows (y,) and columns (x,) of the cells' middles in the small picture's pixels."""
    crop = geometry.crop
    places = []
    for count, side, start, length, inner, frame in zip(
        cells, small, crop[:2], crop[2:], geometry.inner, geometry.frame, strict=True
    ):
        seen = (np.arange(count) + 0.5) * STRIDE / inner  # shares of the crop
        places.append(((start + seen * length) * side / frame - 0.5).astype(np.float32))
    rows, columns = places
    return rows, columns
