"""First masks from a box or a few strokes: one small interface, and OpenCV's GrabCut behind it."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.errors import MaskError
from hodor.types import AnyArray

LONGEST = 480
"""Longest side, in pixels, at which GrabCut works: a second or less on a laptop."""

ROUNDS = 4
"""Rounds of GrabCut: more change little."""

MARGIN = 0.25
"""Surroundings of a box that GrabCut sees, as a share of the box's longer side."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a user showed of an object.

    box: (left, top, right, bottom) in pixels, right and bottom not included; None: strokes only.
    inside, outside: (H, W), where strokes say that the object is, and is not.
    prior: (H, W), a mask that is to be mended, or None.
    """

    box: tuple[int, int, int, int] | None
    inside: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    prior: NDArray[np.bool_] | None = None


LIKELY = 0.8
"""Part of a box, as an ellipse, that is taken for the object at first. On the first frames of ten
DAVIS 2016 sequences, with boxes 3, 10 and 30 % wider on each side, J is 0.60, 0.62 and 0.60; with
the whole box it is 0.63, 0.62 and 0.50, and people draw wide boxes."""


class Segmenter(Protocol):
    """Anything that makes a mask of a prompt."""

    def segment(self, frame: NDArray[np.uint8], prompt: Prompt) -> NDArray[np.bool_]:
        """The object's mask (H, W) in a frame (H, W, 3) uint8 RGB.

        Raises MaskError if the prompt shows nothing to segment.
        """
        ...


class GrabCut:
    """Colours inside against colours outside, with smooth borders (Rother et al., 2004)."""

    def segment(self, frame: NDArray[np.uint8], prompt: Prompt) -> NDArray[np.bool_]:
        """See `Segmenter`: (H, W)."""
        left, top, right, bottom = _seen(prompt, frame.shape[:2])
        part = (slice(top, bottom), slice(left, right))
        height, width = bottom - top, right - left
        scale = min(1.0, LONGEST / max(height, width))
        size = (max(2, round(width * scale)), max(2, round(height * scale)))
        picture = cv2.resize(frame[part], size, interpolation=cv2.INTER_AREA)
        marks = cv2.resize(_marks(prompt)[part], size, interpolation=cv2.INTER_NEAREST)
        soft = cv2.resize(
            _cut(picture, marks).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
        )
        mask = np.zeros(frame.shape[:2], np.bool_)
        mask[part] = soft > 0.5
        known = prompt.inside if prompt.prior is None else prompt.inside | prompt.prior
        mask = _touched(mask, known)
        return (mask | prompt.inside) & ~prompt.outside


def _seen(prompt: Prompt, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of the frame that is looked at, with surroundings to learn the background from."""
    if prompt.box is not None:
        left, top, right, bottom = prompt.box
        spread = MARGIN * max(right - left, bottom - top)
    else:
        known = prompt.inside if prompt.prior is None else prompt.inside | prompt.prior
        rows, columns = np.nonzero(known)
        if rows.size == 0:
            raise MaskError("nothing to segment: draw a box, or a stroke on the object")
        left, top = int(columns.min()), int(rows.min())
        right, bottom = int(columns.max()) + 1, int(rows.max()) + 1
        spread = max(right - left, bottom - top, 0.1 * max(size))
    edge = round(spread) + 2
    seen = (
        max(left - edge, 0),
        max(top - edge, 0),
        min(right + edge, size[1]),
        min(bottom + edge, size[0]),
    )
    if seen[2] - seen[0] < 4 or seen[3] - seen[1] < 4:
        raise MaskError("nothing to segment: the box is outside of the frame, or too small")
    return seen


def _marks(prompt: Prompt) -> NDArray[np.uint8]:
    """What GrabCut starts from, (H, W)."""
    marks = np.full(prompt.inside.shape, cv2.GC_PR_BGD, np.uint8)
    if prompt.prior is not None:
        marks[prompt.prior] = cv2.GC_PR_FGD
    elif prompt.box is not None:
        left, top, right, bottom = prompt.box
        marks[:] = cv2.GC_BGD
        marks[top:bottom, left:right] = cv2.GC_PR_BGD
        axes = round(LIKELY * (right - left) / 2), round(LIKELY * (bottom - top) / 2)
        centre = (left + right) // 2, (top + bottom) // 2
        cv2.ellipse(marks, centre, axes, 0, 0, 360, cv2.GC_PR_FGD, -1)
    else:
        reach = max(3, round(0.02 * max(marks.shape))) | 1
        near = cv2.dilate(prompt.inside.view(np.uint8), np.ones((reach, reach), np.uint8))
        marks[near > 0] = cv2.GC_PR_FGD
        # A rim that is background: without any, there is nothing to tell the object from.
        marks[:2], marks[-2:], marks[:, :2], marks[:, -2:] = (cv2.GC_BGD,) * 4
    if prompt.prior is not None and prompt.box is not None:
        left, top, right, bottom = prompt.box
        around = np.ones(marks.shape, np.bool_)
        around[top:bottom, left:right] = False
        marks[around] = cv2.GC_BGD
    marks[prompt.outside] = cv2.GC_BGD
    marks[prompt.inside] = cv2.GC_FGD
    return marks


def _cut(picture: AnyArray, marks: AnyArray) -> NDArray[np.bool_]:
    """GrabCut's mask; without both sides to learn from, what the marks say."""
    behind = np.isin(marks, (cv2.GC_BGD, cv2.GC_PR_BGD))
    if not behind.all() and behind.any():
        models = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
        cv2.setRNGSeed(0)
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        cv2.grabCut(bgr, marks, (0, 0, 1, 1), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _touched(mask: NDArray[np.bool_], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Parts that a stroke touches; without strokes the parts of at least a tenth of the largest."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    if count <= 2:
        return mask
    if inside.any():
        kept = np.unique(parts[inside & mask])
    else:
        areas = stats[1:, cv2.CC_STAT_AREA]
        kept = np.flatnonzero(areas >= 0.1 * areas.max()) + 1
    return np.asarray(np.isin(parts, kept) & mask)
