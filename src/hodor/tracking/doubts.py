"""Whether what was found is the object: its place, its confidence, its likeness to what was given.

Functions of their arguments; nothing here is computed with a runtime's arrays.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from hodor.tracking.boxes import LastBox
from hodor.tracking.geometry import Geometry

BEYOND_RADIUS = -6.0
"""Added to an object's logits beyond its search radius: so little that a clear match is found again
after an occlusion (docs, Weights)."""
LOST = -1e4
"""Added to all logits of a lost object; no other is as low."""

SURE = 0.85
"""With as much confidence of its own an object is not doubted for its looks, nor for what matching
says: 95 % of the masks of objects that had vanished have less; what is in front of a look-alike has
more, and so has what turns until it looks like nothing that was given (docs, Weights)."""

LIKE = 0.8
"""What is as similar to its given masks is not doubted for little confidence: small, faint things
among others have little of it where they are found rightly (docs, Weights)."""

Area = tuple[slice, slice]


def search_areas(
    ids: Sequence[int], boxes: Mapping[int, LastBox], geometry: Geometry, radius: float
) -> list[Area | None]:
    """Where in a frame's logits each object is expected; None: everywhere.

    Args:
        ids: of O objects.
        boxes: last boxes by id; an object without one is expected everywhere.
        geometry: of the frame.
        radius: as ``TrackerOptions.search_radius``.

    Returns:
        Rows and columns of (h/4, w/4) for each object.
    """
    found = [boxes.get(i) for i in ids]
    return [geometry.near(box, radius) if box else None for box in found]


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


def judged(
    confidence: Sequence[float],
    curve: Sequence[tuple[float, float]],
    least: Sequence[float],
    unlike: Sequence[bool],
) -> list[float]:
    """The confidence of each of O objects; 0 for those that are lost.

    Args:
        confidence: the network's own; 0 for an object that wins no pixel.
        curve: see ``calibrated``.
        least: with less, an object is taken to be lost.
        unlike: whether what was found is too unlike the given masks.
    """
    values = [calibrated(value, curve) if value else 0.0 for value in confidence]
    return [
        0.0 if value < lowest or other else value
        for value, lowest, other in zip(values, least, unlike, strict=True)
    ]


def unlike(
    ids: Sequence[int],
    similarity: Mapping[int, float],
    confidence: Sequence[float],
    min_similarity: float,
) -> list[bool]:
    """Whether each object was found less similar to its given masks than it must be.

    Args:
        ids: of O objects.
        similarity: by id; objects that have none are in no doubt.
        confidence: the network's own.
        min_similarity: as ``TrackerOptions.min_similarity``.
    """
    return [
        value < SURE and similarity.get(i, 1.0) < min_similarity
        for i, value in zip(ids, confidence, strict=True)
    ]


def unsure(
    ids: Sequence[int],
    similarity: Mapping[int, float],
    confidence: Sequence[float],
    min_confidence: float,
) -> list[bool]:
    """Whether each object was found with too little confidence for what is not that like it.

    Args:
        ids: of O objects.
        similarity: by id; objects that have none are in no doubt.
        confidence: the network's own.
        min_confidence: as ``TrackerOptions.min_confidence``.
    """
    return [
        value < min_confidence and similarity.get(i, 1.0) < LIKE
        for i, value in zip(ids, confidence, strict=True)
    ]


def unmatched(
    asked: Sequence[bool],
    confidence: Sequence[float],
    likely: Sequence[float],
    min_matched: float,
) -> list[bool]:
    """Whether each object is less likely where it was found than it must be.

    Args:
        asked: for each of O objects, whether it may be doubted.
        confidence: the network's own.
        likely: from ``Runtime.matched_likelihoods``.
        min_matched: as ``TrackerOptions.min_matched``.
    """
    return [
        may and value < SURE and one < min_matched
        for may, value, one in zip(asked, confidence, likely, strict=True)
    ]


def either(*doubts: Sequence[bool]) -> list[bool]:
    """Whether any of several doubts holds, for each of O objects."""
    return [any(those) for those in zip(*doubts, strict=True)]


def plane_shifts(
    backgrounds: int, confidence: Sequence[float], *, lost_get_no_pixel: bool
) -> list[float] | None:
    """What to add to each plane so that objects without confidence win nothing; None: nothing."""
    if not lost_get_no_pixel or all(confidence):
        return None
    return [0.0] * backgrounds + [0.0 if value > 0 else LOST for value in confidence]


def doubtful(ids: Sequence[int], sure: Collection[int]) -> list[int]:
    """Objects whose masks were predicted, not given."""
    return [i for i in ids if i not in sure]
