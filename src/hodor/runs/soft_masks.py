"""Soft masks of a result, as mattes take them."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.tracking import Result
from hodor.video import LabelMap, SoftMask, label_map_objects

REACH = 1 / 32
"""How far outside of its mask an object's opacity counts, in shares of the frame's shorter side.

Some two cells of the grid on which the network decides, over which its edges are soft. Farther off,
what is a little like the object would be left as haze."""

NOTHING = 0.1
"""Opacity that counts as none, and as much below 1 as all: in between it is stretched."""


def soft_masks(result: Result, known: Sequence[int], given: LabelMap | None) -> dict[int, SoftMask]:
    """Opacity (H, W) in [0, 1] of each object that has a mask in a frame, by id.

    It is the share of an object against its strongest rival, a half where the label map has
    its edge; cleared far from the mask and where it is next to nothing. A given mask is as it is,
    and thin parts are opaque.

    Args:
        result: of the frame.
        known: ids that were followed before the frame, sorted.
        given: the frame's given label map (H, W).
    """
    told = label_map_objects(given) if given is not None else ()
    seen = {i: result.label_map == i for i in label_map_objects(result.label_map)}
    found = {i: mask.astype(np.float32) for i, mask in seen.items() if i in told}
    sought = [i for i in seen if i in known and i not in told]
    if sought:
        p = result.channel_probabilities()
        backgrounds = len(p) - len(known)
        background = p[:backgrounds].max(0)
        objects = dict(zip(known, p[backgrounds:], strict=True))
        for i in sought:
            rivals = [background, *(plane for j, plane in objects.items() if j not in (i, *told))]
            share = objects[i] / (objects[i] + np.maximum.reduce(rivals)).clip(min=1e-12)
            found[i] = _cleared(share, seen[i])
    for i, thin in result.thin_parts.items():
        for j in sought:
            found[j][thin] = i == j
    for i in told:
        for j in sought:
            found[j] *= 1 - found.get(i, 0)
    return found


def _cleared(share: SoftMask, mask: NDArray[np.bool_]) -> SoftMask:
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near = away <= max(2.0, REACH * min(mask.shape))
    stretched = (share - NOTHING) / (1 - 2 * NOTHING)
    return np.where(near, stretched.clip(0, 1), 0).astype(np.float32)
