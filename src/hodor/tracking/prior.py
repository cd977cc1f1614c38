"""The last masks, carried along by optical flow to the frame that is to be decoded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.tracking.geometry import STRIDE, Geometry
from hodor.types import IdMap
from hodor.video import Carried, look_back

LABELS = 2  # sides of the kept label map, in those of the grey picture: masks get soft edges by it


@dataclass(frozen=True)
class LastFrame:
    """A frame as the next one looks back at it: small, whatever the size of the video."""

    grey: NDArray[np.uint8]
    """(h, w), from ``small_grey``"""
    labels: IdMap
    """(2 h, 2 w) at most: the label map that was the result"""
    confidence: dict[int, float]
    """By id; 1 where a mask was given"""

    @classmethod
    def of(
        cls,
        grey: NDArray[np.uint8],
        label_map: IdMap,
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
        return self._small(self.labels == i)

    def all_masks(self) -> NDArray[np.float32]:
        """The masks of all objects together (h, w), likewise."""
        return self._small(self.labels > 0)

    def seen(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Whether objects have a pixel: (O,) of 0 and 1."""
        count = 1 + max(int(self.labels.max(initial=0)), *ids)
        # OpenCV's stubs do not know that there may be no mask.
        everywhere = cast(NDArray[np.uint8], None)
        pixels = cv2.calcHist([self.labels], [0], everywhere, [count], [0, count])
        return np.asarray(pixels.ravel()[list(ids)] > 0, np.float32)

    def _small(self, whole: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(H, W) of the kept labels to (h, w)."""
        size = (self.grey.shape[1], self.grey.shape[0])
        return np.asarray(cv2.resize(whole.astype(np.float32), size, interpolation=cv2.INTER_AREA))


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


def looked_back(
    last: LastFrame | None, grey: NDArray[np.uint8], geometry: Geometry
) -> Carried | None:
    """Where the cells of a new frame's logits, (h/4, w/4), were in the frame before.

    Args:
        last: the frame before; None, or of another size: it is not known.
        grey: (h, w) of the new frame, from ``small_grey``.
        geometry: of the new frame.
    """
    if last is None or last.grey.shape != grey.shape:
        return None
    return look_back(grey, last.grey, *_middles(_cells(geometry), grey.shape, geometry))


def carried_masks(
    last: LastFrame | None, at: Carried | None, ids: Sequence[int], geometry: Geometry
) -> CarriedMasks:
    """Carry the last masks to a new frame.

    Args:
        last: the frame before.
        at: where the new frame's cells were in it, from ``looked_back``; None: nothing is known.
        ids: of the O objects.
        geometry: of the new frame.
    """
    if last is None or at is None:
        nothing, blank = np.zeros(len(ids), np.float32), np.zeros(_cells(geometry), np.float32)
        masks = np.zeros((len(ids), *blank.shape), np.float32)
        return CarriedMasks(masks, nothing, nothing, blank)
    masks = _taken(last, at, ids)
    known = np.any(masks, axis=(1, 2))
    return CarriedMasks(
        masks,
        np.ones(len(ids), np.float32) if known.all() else last.seen(ids),
        np.array([last.confidence.get(i, 0.0) for i in ids], np.float32),
        at.change,
    )


def change_of_objects(last: LastFrame, at: Carried) -> float:
    """By how much objects' pixels have changed since the frame before, in [0, 1].

    The mean over all objects' masks, carried along; 1 where none is in sight.

    Args:
        last: the frame before.
        at: where the new frame's cells were in it, (h/4, w/4).
    """
    masks = at.take(last.all_masks())
    covered = float(masks.sum())
    return float((at.change * masks).sum()) / covered if covered else 1.0


def _taken(last: LastFrame, at: Carried, ids: Sequence[int]) -> NDArray[np.float32]:
    """``at.take`` of each object's ``mask``, (O, y, x), in one go whatever their number.

    Each place is a mixture of some pixels of the label map, and each pixel goes to one object.
    """
    y, x = np.nonzero(at.take(last.all_masks()))  # elsewhere is background
    rows, columns = (
        _mixture(where[y, x], small, kept)
        for where, small, kept in zip((at.y, at.x), last.grey.shape, last.labels.shape, strict=True)
    )
    labels = last.labels[rows.pixels[:, :, None], columns.pixels[:, None]]  # (n, down, across)
    shares = rows.shares[:, :, None] * columns.shares[:, None]
    planes: NDArray[np.intp] = np.zeros(1 + max(int(labels.max(initial=0)), *ids), np.intp)
    planes[list(ids)] = 1 + np.arange(len(ids))
    places = planes[labels] * at.x.size + (y * at.x.shape[1] + x)[:, None, None]
    total = np.bincount(places.ravel(), shares.ravel(), (1 + len(ids)) * at.x.size)
    return total.reshape(1 + len(ids), *at.x.shape)[1:].astype(np.float32)


class _Mixture(NamedTuple):
    """What pixels of a longer or shorter side are mixed to get others."""

    pixels: NDArray[np.intp]
    """(n, taps)"""
    shares: NDArray[np.float32]
    """(n, taps)"""


def _mixture(where: NDArray[np.float32], small: int, kept: int) -> _Mixture:
    """The label map's pixels behind places of the small picture, along one axis.

    Args:
        where: n places, in pixels of the small picture.
        small: its side.
        kept: the label map's.
    """
    first = np.floor(where)
    after = where - first
    both = first[:, None] + np.arange(2)  # (n, 2)
    inside = (both >= 0) & (both < small)
    shares = np.stack([1 - after, after], -1) * inside
    behind, two = _resizing(kept, small), np.where(inside, both, 0).astype(np.intp)
    each = (shares[..., None] * behind.shares[two]).astype(np.float32)  # (n, 2, taps)
    flat = (len(where), 2 * behind.pixels.shape[1])
    return _Mixture(behind.pixels[two].reshape(flat), each.reshape(flat))


@lru_cache(maxsize=16)
def _resizing(kept: int, small: int) -> _Mixture:
    """The pixels of a side that OpenCV mixes when it resizes it, for each of the small one."""
    every = np.eye(kept, dtype=np.float32)
    matrix = np.asarray(cv2.resize(every, (kept, small), interpolation=cv2.INTER_AREA), np.float32)
    most = int(np.count_nonzero(matrix, 1).max())
    pixels = np.argsort(matrix == 0, 1, kind="stable")[:, :most]
    return _Mixture(pixels, np.take_along_axis(matrix, pixels, 1))


def _cells(geometry: Geometry) -> tuple[int, int]:
    return geometry.padded[0] // STRIDE, geometry.padded[1] // STRIDE


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
