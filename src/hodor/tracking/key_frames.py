"""Frames remembered as maps, for networks that match; see ``hodor.model.matching``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.tracking.geometry import KEYS_STRIDE, Geometry
from hodor.tracking.logits import ArrayT
from hodor.types import IdMap
from hodor.video import Carried

MAX_GIVEN = 4  # frames with given masks kept as maps: the first and the latest
MAX_FOUND = 2  # frames kept by ``keep_every``: the one that is matched, and the one that is next
FOUND_WEIGHT = 0.1  # of what was found, against what was given: it may be wrong (docs, Runs)
LARGER = 2  # power of the area in places, of that as given, by which what was found counts more


@dataclass(frozen=True)
class KeyFrame(Generic[ArrayT]):
    """A frame's keys, and what is known of objects there."""

    keys: ArrayT
    """(C, J), of its J places at stride 8"""
    masks: dict[int, NDArray[np.float32]]
    """(J,) in [0, 1], by the id of each object of which the frame says something"""
    places: NDArray[np.float32]
    """(2, J), from ``Geometry.places``"""
    weight: float = 1.0
    """In (0, 1]: how much what it says counts against other frames; below 1 it was found"""

    @property
    def grid(self) -> tuple[int, int]:
        """How many places there are down and across."""
        down = int(np.count_nonzero(self.places[1] == self.places[1, 0]))
        return down, self.places.shape[1] // down

    @property
    def sizes(self) -> dict[int, float]:
        """How many places each object covers."""
        return {i: float(mask.sum()) for i, mask in self.masks.items()}

    def weight_of(self, i: int, given: float) -> float:
        """How much what it says of object ``i`` counts, which covered ``given`` places as given.

        What is seen larger since looks as it did lately rather than as it did when it was small.
        """
        larger = max(1.0, self.sizes[i] / given) if given else 1.0
        return min(1.0, self.weight * larger**LARGER)

    @classmethod
    def of(
        cls,
        keys: ArrayT,
        label_map: IdMap,
        ids: Iterable[int],
        geometry: Geometry,
    ) -> "KeyFrame[ArrayT]":
        """A frame with the masks of its result.

        Args:
            keys: (C, J).
            label_map: (H, W) of the whole frame.
            ids: objects of which it says something.
            geometry: of the frame.
        """
        seen = label_map[geometry.crop.area]
        h, w = geometry.inner
        small = cv2.resize(seen, (w, h), interpolation=cv2.INTER_NEAREST_EXACT)
        masks = {i: _covered(small == i, geometry.padded) for i in ids}
        return cls(keys, masks, geometry.places.reshape(2, -1))

    def without(self, ids: Iterable[int]) -> "KeyFrame[ArrayT]":
        """The same keys (C, J), without the masks of some objects."""
        gone = set(ids)
        kept = {i: m for i, m in self.masks.items() if i not in gone}
        return replace(self, masks=kept)


class EarlierKeys(NamedTuple, Generic[ArrayT]):
    """The keys of the frame before, and where a new frame's places were in them."""

    keys: ArrayT
    """(C, J)"""
    size: tuple[int, int]
    """(y, x) of the grid that its J places are"""
    rows: NDArray[np.float32]
    """(h/8, w/8), in places of that grid, 0 in the middle of the first"""
    columns: NDArray[np.float32]

    @classmethod
    def of(cls, before: KeyFrame[ArrayT], at: Carried, geometry: Geometry) -> "EarlierKeys[ArrayT]":
        """What is known of a frame before it is looked at.

        Args:
            before: the frame before, with keys (C, J).
            at: where the cells of the new frame's logits, (h/4, w/4), were in it.
            geometry: of the new frame.
        """
        y, x = before.grid
        short = min(geometry.frame)
        there = []
        for axis, seen, step in ((0, at.y, x), (1, at.x, 1)):
            first, second = (float(one) for one in before.places[axis, [0, step]])
            h, w = seen.shape
            middles = seen.reshape(h // 2, 2, w // 2, 2).mean((1, 3))  # of four cells each
            frame = (middles + 0.5) * geometry.frame[axis] / at.size[axis] / short
            there.append(((frame - first) / (second - first)).astype(np.float32))
        return cls(before.keys, (y, x), *there)


class RememberedPlaces(NamedTuple, Generic[ArrayT]):
    """Remembered frames of one kind, as a runtime takes them; see ``hodor.model.Remembered``."""

    keys: list[ArrayT]
    """(C, J) of each frame; there may be none"""
    masks: NDArray[np.float32]
    """(O, J of all frames)"""
    valid: NDArray[np.float32]
    """(O, J of all frames), how much a frame that says something of an object counts, else 0"""
    places: NDArray[np.float32] | None
    """(2, J of all frames); None: near and far are alike"""

    @classmethod
    def of(
        cls,
        frames: Sequence[KeyFrame[ArrayT]],
        ids: Sequence[int],
        *,
        nearby: bool,
        instead: Sequence[KeyFrame[ArrayT]] = (),
    ) -> "RememberedPlaces[ArrayT]":
        """What frames say of objects.

        Where none says anything, the first one's keys stay, without masks: a network learns how
        like a frame is to a remembered one even where that says nothing.

        Args:
            frames: each with keys (C, J); those that say nothing of any are left out.
            ids: of the O objects, in the order of the result's rows.
            nearby: whether places are heard nearby only.
            instead: frames of which the first one's keys are taken where ``frames`` is empty.
        """
        told = [frame for frame in frames if frame.masks.keys() & set(ids)]
        told = told or [frame.without(ids) for frame in (*frames, *instead)[:1]]
        if not told:
            nothing = np.zeros((len(ids), 0), np.float32)
            return cls([], nothing, nothing, np.zeros((2, 0), np.float32) if nearby else None)
        given: dict[int, float] = {}
        for frame in told:
            if frame.weight == 1:
                given |= {i: max(size, given.get(i, 0)) for i, size in frame.sizes.items()}
        masks, valid = [], []
        for frame in told:
            blank = np.zeros(frame.places.shape[1], np.float32)
            masks.append(np.stack([frame.masks.get(i, blank) for i in ids]))
            known = [frame.weight_of(i, given.get(i, 0)) if i in frame.masks else 0 for i in ids]
            weights = np.array(known, np.float32)[:, None]
            valid.append(np.broadcast_to(weights, masks[-1].shape))
        return cls(
            [frame.keys for frame in told],
            np.concatenate(masks, 1),
            np.concatenate(valid, 1),
            np.concatenate([frame.places for frame in told], 1) if nearby else None,
        )


def _covered(mask: NDArray[np.bool_], padded: tuple[int, int]) -> NDArray[np.float32]:
    """How much of each place at stride 8 a mask (h, w) covers: (J,), with the padding's zeros."""
    h, w = padded
    full = np.zeros((h, w), np.float32)
    full[: mask.shape[0], : mask.shape[1]] = mask
    size = (w // KEYS_STRIDE, h // KEYS_STRIDE)
    small = cv2.resize(full, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).ravel()
