"""What a compositor asks of a matte: grown or shrunk, with a soft edge, another object held out."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.errors import HodorError, MaskError
from hodor.formats.track import Track
from hodor.video import LabelMap, SoftMask, SoftMaskOf

OPAQUE = 255


@dataclass(frozen=True)
class Mattes:
    """How mattes are made of label maps.

    grow: pixels by which an object's edge moves outwards; below 0 inwards. feather: pixels over
    which alpha rises from 0 to 1, half of them outside of the edge. hold_out: ids of objects that
    are cut out of all others' mattes, with the same soft edge, and get none themselves. called:
    what files are called in place of ids. soft: take the network's soft masks in place of their
    edges; grown and feathered as pictures are.
    """

    grow: float = 0.0
    feather: float = 0.0
    hold_out: tuple[int, ...] = ()
    called: Mapping[int, str] = field(default_factory=dict)
    soft: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.grow) or not 0 <= self.feather < math.inf:
            raise HodorError(
                f"grow {self.grow:g}, feather {self.feather:g}: give pixels, and for feather no "
                "less than 0"
            )

    def check(self, track: Track) -> None:
        """Raises MaskError where soft masks are asked for and the track has none."""
        if self.soft and not track.soft:
            raise MaskError(
                f"{track.video}: there are no soft masks here, only hard ones; hodor track --alpha "
                "soft writes them with its results, and --feather softens hard ones"
            )

    def shown(self, ids: Sequence[int]) -> list[int]:
        """Objects that get a matte. Raises HodorError for held-out ones that are not there."""
        for number in self.hold_out:
            if number not in ids:
                listed = ", ".join(map(str, ids)) or "none"
                raise HodorError(
                    f"hold-out {number}: there is no object {number}; objects are {listed}"
                )
        left = [number for number in ids if number not in self.hold_out]
        if ids and not left:
            raise HodorError(
                f"--hold-out {' --hold-out '.join(map(str, self.hold_out))}: no object is left to "
                "get a matte; leave one out of this"
            )
        return left

    def file_name(self, number: int) -> str:
        """What an object's file is called, without suffix; two of one name keep their ids."""
        name = re.sub(r"[^\w.+-]+", "-", self.called.get(number, "")).strip(".-")
        if not name:
            return str(number)
        same = sum(other == self.called[number] for other in self.called.values())
        return name if same == 1 else f"{name}-{number}"

    def alpha(
        self, label_map: LabelMap, number: int, soft: SoftMaskOf | None = None
    ) -> NDArray[np.uint8]:
        """Opacity (H, W) of an object, from 0 to 255; as ``opacity``."""
        return np.rint(OPAQUE * self.opacity(label_map, number, soft)).astype(np.uint8)

    def opacity(self, label_map: LabelMap, number: int, soft: SoftMaskOf | None = None) -> SoftMask:
        """Opacity (H, W) of an object, from 0 to 1.

        soft: gives an object's soft mask, where ``self.soft`` asks for it.
        """
        alpha = self._edge(label_map, number, self.grow, soft)
        for held in self.hold_out:
            alpha = alpha * (1 - self._edge(label_map, held, 0.0, soft))
        return alpha

    def _edge(
        self,
        label_map: LabelMap,
        number: int,
        grow: float,
        soft: SoftMaskOf | None,
    ) -> SoftMask:
        found = soft(number) if self.soft and soft is not None else None
        if found is None:
            return _opacity(label_map == number, grow, self.feather)
        return _feathered(_grown(found, grow), self.feather)


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


def _grown(alpha: SoftMask, grow: float) -> SoftMask:
    """A soft mask whose edge is moved outwards by so many pixels, between whole ones in shares."""
    change = cv2.dilate if grow > 0 else cv2.erode
    whole, part = divmod(abs(grow), 1)
    near = change(alpha, _disc(int(whole))) if whole else alpha
    if part:
        near = (1 - part) * near + part * change(alpha, _disc(int(whole) + 1))
    return np.asarray(near, np.float32)


def _disc(radius: int) -> NDArray[np.uint8]:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _feathered(alpha: SoftMask, feather: float) -> SoftMask:
    """A soft mask, smoothed as much as a mean over so many pixels would."""
    if feather == 0:
        return alpha
    width = feather / math.sqrt(12)  # the standard deviation of such a mean
    return np.asarray(
        cv2.GaussianBlur(alpha, (0, 0), width, borderType=cv2.BORDER_REPLICATE), np.float32
    )


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Pixels (H, W) from each pixel of a mask to the nearest outside of it."""
    found = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(found, np.float32)
