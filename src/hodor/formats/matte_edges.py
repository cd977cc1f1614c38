"""What a compositor asks of a matte: grown or shrunk, with a soft edge, another object held out."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.errors import HodorError
from hodor.video import LabelMap

OPAQUE = 255


@dataclass(frozen=True)
class Mattes:
    """How mattes are made of label maps.

    grow: pixels by which an object's edge moves outwards; below 0 inwards. feather: pixels over
    which alpha rises from 0 to 1, half of them outside of the edge. hold_out: ids of objects that
    are cut out of all others' mattes, with the same soft edge, and get none themselves. called:
    what files are called in place of ids.
    """

    grow: float = 0.0
    feather: float = 0.0
    hold_out: tuple[int, ...] = ()
    called: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isfinite(self.grow) or not 0 <= self.feather < math.inf:
            raise HodorError(
                f"grow {self.grow:g}, feather {self.feather:g}: give pixels, and for feather no "
                "less than 0"
            )

    def shown(self, ids: Sequence[int]) -> list[int]:
        """Objects that get a matte. Raises HodorError for held-out ones that are not there."""
        for number in self.hold_out:
            if number not in ids:
                listed = ", ".join(map(str, ids)) or "none"
                raise HodorError(
                    f"hold-out {number}: there is no object {number}; objects are {listed}"
                )
        return [number for number in ids if number not in self.hold_out]

    def file_name(self, number: int) -> str:
        """What an object's file is called, without suffix; two of one name keep their ids."""
        name = re.sub(r"[^\w.+-]+", "-", self.called.get(number, "")).strip(".-")
        if not name:
            return str(number)
        same = sum(other == self.called[number] for other in self.called.values())
        return name if same == 1 else f"{name}-{number}"

    def alpha(self, label_map: LabelMap, number: int) -> NDArray[np.uint8]:
        """Opacity (H, W) of an object."""
        alpha = _opacity(label_map == number, self.grow, self.feather)
        for held in self.hold_out:
            alpha = alpha * (1 - _opacity(label_map == held, 0.0, self.feather))
        return np.rint(OPAQUE * alpha).astype(np.uint8)


PLAIN = Mattes()
"""Hard edges, files called by ids"""


def _opacity(mask: NDArray[np.bool_], grow: float, feather: float) -> NDArray[np.float32]:
    """In [0, 1], of the signed distance to the edge, which lies between pixels' centres."""
    if not mask.any() or (grow == 0 and feather == 0):
        return mask.astype(np.float32)
    inside = _distance(mask)
    outside = _distance(~mask)
    # A pixel at the edge is half a pixel from it.
    signed = np.where(mask, inside - 0.5, 0.5 - outside) + grow
    if feather == 0:
        return (signed > 0).astype(np.float32)
    return np.clip(0.5 + signed / feather, 0, 1).astype(np.float32)


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Pixels (H, W) from each pixel of a mask to the nearest outside of it."""
    found = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(found, np.float32)
