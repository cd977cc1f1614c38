"""Prompts of several objects to one label map."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hodor.errors import MaskError
from hodor.segmenter.prompts import Box, Prompts, check_box, check_point
from hodor.segmenter.segmenter import Segmenter

HIGHEST = 255


@dataclass(frozen=True, eq=False)
class FirstMasks:
    """Masks of a frame.

    label_map: (H, W) uint8. scores: the IoU to expect, by object. cut: boxes that went beyond the
    frame, as they were taken, by object.
    """

    label_map: NDArray[np.uint8]
    scores: Mapping[int, float]
    cut: Mapping[int, Box] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """What a user should know of how prompts were taken, a line each."""
        height, width = self.label_map.shape
        return [
            f"the box of object {number} goes beyond the frame of {width} x {height} pixels; it "
            f"was taken as {','.join(f'{value:g}' for value in box)}"
            for number, box in sorted(self.cut.items())
        ]


def first_masks(
    frame: NDArray[np.uint8], prompts: Mapping[int, Prompts], segmenter: Segmenter | None = None
) -> FirstMasks:
    """Masks of what was shown in a frame; where two overlap, the smaller object has the pixels.

    Args:
        frame: (H, W, 3) uint8 RGB.
        prompts: by object id, 1 to 255.
        segmenter: None: the bundled one, opened anew.

    Raises:
        MaskError: a prompt does not fit the frame, or an object is not found, or is hidden whole
            by another.
        HodorError: onnxruntime is missing.
    """
    size = (frame.shape[0], frame.shape[1])
    for number, shown in prompts.items():
        if not 1 <= number <= HIGHEST:
            raise MaskError(f"object {number}: ids are 1 to {HIGHEST}")
        for point in shown.points:
            check_point(point, size)
    fitting = {
        number: Prompts(shown.points, shown.labels, shown.box and check_box(shown.box, size))
        for number, shown in prompts.items()
    }
    segmenter = segmenter or Segmenter()
    seen = segmenter.embed(frame)
    found = {number: segmenter.follow(seen, shown) for number, shown in fitting.items()}
    label_map = np.zeros(size, np.uint8)
    for number in sorted(found, key=lambda i: -int(found[i].mask.sum())):
        label_map[found[number].mask] = number
    for number in prompts:
        if not (label_map == number).any():
            raise MaskError(
                f"object {number} was not found by its prompts, or lies under another object: give "
                "it a box closer to it, or another point"
            )
    scores = {i: float(one.scores[one.best]) for i, one in found.items()}
    boxes = {i: one.box for i, one in fitting.items() if one.box}
    cut = {i: box for i, box in boxes.items() if box != tuple(prompts[i].box or ())}
    return FirstMasks(label_map, scores, cut)
