"""Where the pixels of a frame were in the frame before: dense optical flow at a small size."""

from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 240  # lines at which motion is looked for: two milliseconds a frame
FULL_CHANGE = 64  # grey levels by which a pixel has changed altogether
# Where a place of the frame is asked for that lies outside, its nearest pixel answers.
_EDGE = cv2.BORDER_REPLICATE


class Carried(NamedTuple):
    """The places that a grid of places in a frame had in the frame before."""

    x: NDArray[np.float32]
    """(y, x), in pixels of the small picture, 0 in the middle of the first"""
    y: NDArray[np.float32]
    """(y, x)"""
    change: NDArray[np.float32]
    """(y, x) in [0, 1]: by how much grey the two places differ"""
    size: tuple[int, int]
    """(h, w) of the small picture"""

    def take(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values (h, w) of the frame before, at the small size, at these places; 0 outside."""
        return np.asarray(
            cv2.remap(values, self.x, self.y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        )


def small_grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame (H, W, 3) as motion is looked for: (h, w) uint8, the shorter side ``SIDE``."""
    h, w = frame.shape[:2]
    scale = SIDE / min(h, w)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def look_back(
    now: NDArray[np.uint8],
    before: NDArray[np.uint8],
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
) -> Carried:
    """Where a grid of places was in the frame before.

    Args:
        now: (h, w), from ``small_grey``.
        before: the same of the frame before.
        rows: (y,) places down, in pixels of ``now``, 0 in the middle of the first.
        columns: (x,) places across.
    """
    # OpenCV's stubs do not know that there may be no flow to begin with.
    nothing = cast(NDArray[np.float32], None)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(now, before, nothing)
    across, down = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    moved = cv2.remap(flow, across, down, cv2.INTER_LINEAR, borderMode=_EDGE)
    x, y = across + moved[..., 0], down + moved[..., 1]
    ours = cv2.remap(now, across, down, cv2.INTER_LINEAR, borderMode=_EDGE)
    theirs = cv2.remap(before, x, y, cv2.INTER_LINEAR, borderMode=_EDGE)
    apart = np.abs(ours.astype(np.float32) - theirs.astype(np.float32))
    size = (before.shape[0], before.shape[1])
    return Carried(x, y, np.clip(apart / FULL_CHANGE, 0, 1), size)
