"""What needs no learning: any method worth its name must beat these.

Both take frames one at a time and give one label map per frame, the given one first.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.errors import MaskError
from hodor.evaluation.label_map_files import LabelMap


def copy_first_mask(
    frames: Iterable[NDArray[np.uint8]], first_label_map: LabelMap
) -> Iterator[LabelMap]:
    """The first frame's label map (H, W) uint8, again for every frame (H, W, 3)."""
    for frame in frames:
        _check_size(frame, first_label_map)
        yield first_label_map.copy()


def optical_flow(
    frames: Iterable[NDArray[np.uint8]], first_label_map: LabelMap
) -> Iterator[LabelMap]:
    """The first label map carried from frame to frame by optical flow.

    Each pixel takes the id of the pixel of the frame before that it came from, by dense inverse
    search (DIS, medium preset; Kroeger et al., ECCV 2016) from the later frame to the earlier.
    Pixels that came from beyond the border take the id at the border.

    frames: (H, W, 3) uint8 RGB. first_label_map: (H, W) uint8. Raises MaskError when sizes differ.
    """
    flow_from = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    label_map = first_label_map
    before: NDArray[Any] | None = None
    for frame in frames:
        _check_size(frame, first_label_map)
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if before is not None:
            start = np.zeros((*label_map.shape, 2), dtype=np.float32)
            label_map = _carried(label_map, flow_from.calc(grey, before, start))
        yield label_map.copy()
        before = grey


def _carried(label_map: LabelMap, flow: NDArray[Any]) -> LabelMap:
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


def _check_size(frame: NDArray[np.uint8], label_map: LabelMap) -> None:
    if frame.shape[:2] != label_map.shape:
        raise MaskError(
            f"a frame is {frame.shape[:2]} and the first label map {label_map.shape}; "
            "resize the label map by nearest neighbour"
        )
