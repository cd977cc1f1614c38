"""Frames, masks and ids that come from users: checked, and brought to the network's size."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from hodor.errors import HodorError, MaskError, SourceError
from hodor.tracking.logits import ArrayT
from hodor.types import AnyArray, IdMap

MAX_ID = 65535

Masks = IdMap | Mapping[int, AnyArray]


@dataclass(frozen=True)
class Given(Generic[ArrayT]):
    """Masks that the user gave for a frame."""

    labels: NDArray[np.integer]
    """(H', W'): ids in the crop, 0 elsewhere"""
    masks: Mapping[int, ArrayT]
    """(h, w) of 0 and 1 at the network's size, by id, sorted"""
    warnings: tuple[str, ...] = ()
    """About masks that are tiny there"""

    @classmethod
    def of(
        cls,
        labels: IdMap,
        resize: Callable[[NDArray[np.bool_]], tuple[ArrayT, bool]],
        size: int,
    ) -> "Given[ArrayT]":
        """Masks of a label map (H', W') of the crop.

        Args:
            labels: ids, 0 elsewhere.
            resize: a mask (H', W') at the network's size, and whether it is tiny there.
            size: shorter side of the network's image, for warnings.
        """
        masks, warnings = {}, []
        for number in (int(i) for i in np.unique(labels) if i):
            region = labels == number
            masks[number], tiny = resize(region)
            if tiny:
                warnings.append(
                    f"object {number} covers {int(region.sum())} px, less than one cell of the "
                    f"network's map at size {size}; it is followed, but a larger "
                    "size would serve it better"
                )
        return cls(labels, masks, tuple(warnings))


def check_frame(frame: NDArray[np.uint8]) -> None:
    """A frame is (H, W, 3) uint8 RGB.

    Raises:
        SourceError: it is something else.
    """
    is_array = isinstance(frame, np.ndarray)
    found = f"{frame.dtype} {frame.shape}" if is_array else type(frame).__name__
    if not is_array or frame.ndim != 3 or frame.shape[2] != 3:
        advice = _one_more_step(frame.shape) if is_array else ""
        raise SourceError(f"frame: expected an RGB array (H, W, 3), found {found}{advice}")
    if frame.dtype != np.uint8:
        raise SourceError(
            f"frame: expected uint8 values 0..255, found {found}; bring them to that range, the "
            "same way in all frames, and take .astype(np.uint8)"
        )
    if min(frame.shape[:2]) < 2:
        raise SourceError(f"frame: {found} is too small to segment")


def _one_more_step(shape: tuple[int, ...]) -> str:
    """What makes an RGB frame of an array of this shape, where that is clear."""
    match shape:
        case (_, _):
            return "; of greys take np.dstack([frame] * 3)"
        case (_, _, 1):
            return "; of greys take frame.repeat(3, 2)"
        case (_, _, 4):
            return "; without alpha it is frame[..., :3]"
        case (3, _, _):
            return "; with channels last it is frame.transpose(1, 2, 0)"
    return ""


def check_followed(ids: Iterable[int], followed: Sequence[int]) -> None:
    """Ids that a user asks about are those of objects that are followed.

    Raises:
        HodorError: one is not.
    """
    for number in ids:
        if number not in followed:
            raise HodorError(f"object {number} is not followed; followed are {list(followed)}")


def check_free(ids: Iterable[int], followed: Sequence[int]) -> None:
    """Ids that come from elsewhere are not those of objects that are followed here.

    Raises:
        HodorError: one is.
    """
    for number in ids:
        if number in followed:
            raise HodorError(f"object {number} is followed already; remove it first")


def label_map(masks: Masks, size: tuple[int, int]) -> IdMap:
    """Given masks as one label map (H, W); where masks of a mapping overlap, the later id wins.

    Args:
        masks: a label map, or masks (H, W) of bool or 0/1 by id.
        size: (H, W) of the frame.

    Raises:
        MaskError: no array, wrong size, not integers, ids out of range, or nothing in it.
    """
    if isinstance(masks, Mapping):
        return _from_mapping(masks, size)
    labels = _as_array("label map", masks, size)
    if not np.issubdtype(labels.dtype, np.integer):
        advice = "soft or antialiased masks must be cut at a threshold first"
        if labels.dtype == np.bool_:
            advice = "the mask of one object is given as {1: mask}"
        raise MaskError(
            f"label map: expected integers, one id for each pixel, found {labels.dtype}; {advice}"
        )
    if labels.min() < 0 or labels.max() > MAX_ID:
        raise MaskError(
            f"label map: ids run from 1 to {MAX_ID}, found {labels.min()} to {labels.max()}"
        )
    if not labels.any():
        raise MaskError("label map: no object in it (all zero); leave masks out for such frames")
    return labels


def _from_mapping(masks: Mapping[int, AnyArray], size: tuple[int, int]) -> IdMap:
    labels = np.zeros(size, np.uint16)
    for number, mask in masks.items():
        if not isinstance(number, (int, np.integer)) or not 1 <= number <= MAX_ID:
            raise MaskError(f"object id {number!r}: ids are integers from 1 to {MAX_ID}")
        region = _as_array(f"mask of object {number}", mask, size)
        if region.dtype != np.bool_ and not np.isin(np.unique(region), (0, 1)).all():
            raise MaskError(
                f"mask of object {number}: expected bool or 0 and 1, found more values; cut it at "
                "a threshold, as mask > 127 does where 255 is the object"
            )
        if not region.any():
            raise MaskError(f"mask of object {number}: empty; to stop following it, remove it")
        labels[region.astype(bool)] = number
    if not masks:
        raise MaskError("masks: an empty mapping; leave masks out for frames without any")
    hidden = [number for number in masks if not (labels == number).any()]
    if hidden:
        raise MaskError(f"masks: object {hidden[0]} is covered wholly by the masks after it")
    return labels


def _as_array(what: str, given: object, size: tuple[int, int]) -> AnyArray:
    """What was given for a frame (H, W), as an array of its size.

    Raises:
        MaskError: it is no array of numbers, or of another size.
    """
    try:
        array = np.asarray(given)
    except ValueError:  # rows of several lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise MaskError(
            f"{what}: expected an array (H, W), found {type(given).__name__}; a file is read by "
            "hodor.video.read_label_map"
        )
    if array.shape != size:
        raise MaskError(
            f"{what}: its size is {' x '.join(map(str, array.shape)) or 'one number'}, the "
            f"frame's is {size[0]} x {size[1]} (rows x columns)"
        )
    return array
