"""What needs no learning from videos or masks: any method worth its name must beat these.

All take frames one at a time, with the masks that are given in each, and give one label map per
frame. Given masks come back as they are.
"""

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.errors import MaskError
from hodor.evaluation.label_map_files import LabelMap
from hodor.types import AnyArray

Frames = Iterable[NDArray[np.uint8]]
"""Frames (H, W, 3) uint8 RGB in order."""

Given = Iterable[LabelMap | None]
"""For each frame the label map (H, W) uint8 of objects that are given in it, or None."""

Baseline = Callable[[Frames, Given], Iterator[LabelMap]]


def copy_masks(frames: Frames, given: Given) -> Iterator[LabelMap]:
    """Masks (H, W) stay where they were given, in every later frame.

    Raises MaskError when sizes differ.
    """
    label_map: LabelMap | None = None
    for frame, masks in zip(frames, given, strict=True):
        check_size(frame, masks)
        label_map = with_given(blank(frame) if label_map is None else label_map, masks)
        yield label_map.copy()


def optical_flow(frames: Frames, given: Given) -> Iterator[LabelMap]:
    """Masks are carried from frame to frame by optical flow.

    Each pixel takes the id of the pixel of the frame before that it came from, by dense inverse
    search (DIS, medium preset; Kroeger et al., ECCV 2016) from the later frame to the earlier.
    Pixels that came from beyond the border take the id at the border.

    Raises MaskError when sizes differ.
    """
    flow_from = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    label_map: LabelMap | None = None
    before: AnyArray | None = None
    for frame, masks in zip(frames, given, strict=True):
        check_size(frame, masks)
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if label_map is None or before is None:
            label_map = blank(frame)
        elif label_map.any():
            start = np.zeros((*label_map.shape, 2), dtype=np.float32)
            label_map = _carried(label_map, flow_from.calc(grey, before, start))
        label_map = with_given(label_map, masks)
        yield label_map.copy()
        before = grey


def _carried(label_map: LabelMap, flow: AnyArray) -> LabelMap:
    """Label map (H, W) fetched along a flow (H, W, 2) of x and y in pixels."""
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    moved = cv2.remap(
        label_map,
        x + flow[..., 0],
        y + flow[..., 1],
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, dtype=np.uint8)


def blank(frame: NDArray[np.uint8]) -> LabelMap:
    """A label map (H, W) without objects for a frame (H, W, 3)."""
    return np.zeros(frame.shape[:2], np.uint8)


def with_given(label_map: LabelMap, masks: LabelMap | None) -> LabelMap:
    """A label map (H, W) with given masks set in."""
    return label_map if masks is None else np.where(masks > 0, masks, label_map)


def check_size(frame: NDArray[np.uint8], masks: LabelMap | None) -> None:
    """Raises MaskError where given masks (H, W) are not of the size of a frame (H, W, 3)."""
    if masks is not None and frame.shape[:2] != masks.shape:
        raise MaskError(
            f"a frame is {frame.shape[:2]} and its label map {masks.shape}; "
            "resize the label map by nearest neighbour"
        )
