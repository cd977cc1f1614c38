"""What a tracker says of one frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hodor.errors import HodorError
from hodor.tracking.geometry import Geometry
from hodor.tracking.given import Given, check_followed
from hodor.tracking.logits import Logits, backgrounds_of
from hodor.tracking.runtime import AnyRuntime
from hodor.types import AnyArray, IdMap, Untyped


@dataclass(frozen=True)
class Result:
    """One frame, segmented.

    ``confidence`` of an object starts as the mean of the network's own probability over the pixels
    (at stride 4) where the object is the most probable channel; 0 where there is no such pixel, or
    where what was found is too doubtful (``min_confidence``, ``min_similarity``, ``min_matched``).
    A model whose file holds a calibration curve turns it into the J to expect. An object with
    confidence is ``visible``. A given mask counts as certain: 1.0 and visible.

    Pickled, as for another process, it is what the fields say, without the network that soft masks
    are computed by: ask for them before.
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
    _logits: Logits[Untyped] | None = field(default=None, repr=False)
    _geometry: Geometry | None = field(default=None, repr=False)
    _given: Given[Untyped] | None = field(default=None, repr=False)
    _runtime: AnyRuntime | None = field(default=None, repr=False)
    _carried: IdMap | None = field(default=None, repr=False)
    _own: dict[int, float] | None = field(default=None, repr=False)
    _thin_parts: dict[int, NDArray[np.bool_]] = field(default_factory=dict, repr=False)

    @property
    def carried(self) -> IdMap:
        """The label map (H, W) that the next frame looks back at, as the network alone found it.

        See ``TrackerOptions.merge`` and ``thin_parts``.
        """
        return self.label_map if self._carried is None else self._carried

    @property
    def own_confidence(self) -> dict[int, float]:
        """The network's own, by id, as it starts; the next frame is told this, as in training."""
        return self.confidence if self._own is None else self._own

    @property
    def thin_parts(self) -> dict[int, NDArray[np.bool_]]:
        """By id, pixels (H, W) that an object has beside what the network found of it.

        See ``TrackerOptions.thin_parts``. None are left in a result that was pickled.
        """
        return self._thin_parts

    def __getstate__(self) -> dict[str, object]:
        """The fields, and that there was more: a network does not travel with each result."""
        left_behind = {"_logits": None, "_given": None, "_runtime": None, "_carried": None}
        return self.__dict__ | left_behind | {"_thin_parts": {}}

    def with_thin_parts(self, masks: Mapping[int, NDArray[np.bool_]]) -> "Result":
        """The same where objects have pixels (H, W) that were background, by id.

        The next frame looks back at it as it was.
        """
        if not any(mask.any() for mask in masks.values()):
            return self
        labels, more = self.label_map.copy(), {}
        for i, mask in masks.items():
            more[i] = mask & (labels == 0)
            labels[more[i]] = i
        return replace(self, label_map=labels, _carried=self.carried, _thin_parts=more)

    def mask(self, object_id: int) -> NDArray[np.bool_]:
        """Where an object is: (H, W).

        Raises:
            HodorError: no such object.
        """
        check_followed([object_id], self.ids)
        return np.asarray(self.label_map == object_id)

    def soft_masks(self) -> NDArray[np.float32]:
        """Probabilities (1 + O, H, W): background, then ``ids`` in order. Computed when asked.

        Thin parts have 1.

        Raises:
            HodorError: the result was pickled.
        """
        if self._geometry is not None and self._runtime is None:
            raise _came_alone()
        if self._geometry is None or self._runtime is None:
            return np.ones((1, *self.label_map.shape), np.float32)
        p = self._runtime.probabilities(self._logits, self._geometry, self._given)
        objects = self._geometry.placed(p[backgrounds_of(len(p), self.ids) :])
        # Tiny given masks can share a pixel of the network.
        objects = objects / objects.sum(0, keepdims=True).clip(min=1)
        for i, mask in self.thin_parts.items():
            objects[:, mask] = 0
            objects[self.ids.index(i), mask] = 1
        # What a given mask takes from its object falls to the background.
        behind = (1 - objects.sum(0, keepdims=True)).clip(min=0)
        return np.concatenate([behind, objects])

    def channel_probabilities(self) -> NDArray[np.float32]:
        """Probabilities (K + O, H, W) as decoded: catch-all, background cells row by row, objects.

        Given masks are not set in. Objects are those that were known before this frame, by id;
        without any there are no channels: (0, H, W). Computed when asked.
        Outside of a closer crop all is catch-all; a network without one has zeros there.

        Raises:
            HodorError: the result was pickled.
        """
        if self._geometry is not None and self._runtime is None:
            raise _came_alone()
        if self._logits is None or self._geometry is None or self._runtime is None:
            return np.zeros((0, *self.label_map.shape), np.float32)
        p = self._runtime.probabilities(self._logits, self._geometry, None)
        placed = self._geometry.placed(p)
        if placed is not p and self._runtime.config.catch_all:
            placed[0] += 1 - placed.sum(0)  # the catch-all has what lies outside of the crop
        return placed


def _came_alone() -> HodorError:
    return HodorError(
        "this result was pickled, and left the network behind by which soft masks are computed; "
        "take soft_masks() before it is sent or saved"
    )


def label_kind(ids: Sequence[int]) -> type[np.uint8] | type[np.uint16]:
    """The smallest type of a label map that holds these ids."""
    return np.uint8 if max(ids, default=0) <= 255 else np.uint16


def label_map_of(
    probabilities: NDArray[np.float32],
    channels: tuple[int, ...],
    ids: tuple[int, ...],
    given: Given[Untyped] | None,
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Labels (H, W): the best channel wins; given masks come back as they were.

    Args:
        probabilities: (K + O, H, W), objects last. Given masks are not put in yet: resized, they
            would spread over their borders and take pixels from other objects.
        channels: ids of the O objects.
        ids: of all objects, given ones too.
        given: masks of this frame.
    """
    kind = label_kind(ids)
    background = backgrounds_of(len(probabilities), channels)
    objects, found = probabilities[background:], channels
    if given is not None:
        found = tuple(i for i in channels if i not in given.masks)
        objects = objects[[channels.index(i) for i in found]]
    labels: AnyArray = np.zeros(probabilities.shape[1:], kind)
    if found:
        ahead = objects.max(0) > probabilities[:background].max(0)
        labels = np.array([0, *found], kind)[np.where(ahead, objects.argmax(0) + 1, 0)]
    if given is not None:
        labels[given.labels > 0] = given.labels[given.labels > 0]
    return labels
