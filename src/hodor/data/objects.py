"""Which objects of an annotated picture are worth learning from."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

MIN_SHARE = 0.002  # of the picture: published_behaviour 6.5 asks for 2000 px of 640 x 480 or so


@dataclass(frozen=True)
class ObjectRules:
    """What counts as an object. The defaults are ours; ``RELEASED`` is published_behaviour 6.5."""

    share: float = MIN_SHARE
    """Least area, as a share of the picture."""
    area: int = 0
    """Area that must be exceeded, in pixels of the picture as it is on disk."""
    side: int = 0
    """Length that both sides of the bounding box must exceed, in pixels of the picture on disk."""
    front: Literal["smaller", "later"] = "smaller"
    """Which of two overlapping objects of one annotation file lies in front."""


OURS = ObjectRules()
RELEASED = ObjectRules(share=0.0, area=2000, side=20, front="later")


class Index(NamedTuple):
    """What is known of every item of a dataset before it is read."""

    objects: NDArray[np.int64]
    """Number of usable objects."""
    ratios: NDArray[np.float64]
    """Height over width."""


def usable_ids(labels: NDArray[np.uint8], rules: ObjectRules = OURS) -> NDArray[np.intp]:
    """Ids in a label map (H, W) of objects that ``rules`` call large enough."""
    areas = np.bincount(labels.ravel(), minlength=256)[1:]
    least = max(rules.share * labels.size, rules.area + 1, 1)
    ids = np.flatnonzero(areas >= least) + 1
    if not rules.side:
        return ids
    boxes = (cv2.boundingRect((labels == number).view(np.uint8)) for number in ids)
    large = [min(box[2:]) > rules.side for box in boxes]
    kept: NDArray[np.intp] = ids[np.array(large, bool)]
    return kept


def renumbered(labels: NDArray[np.uint8], ids: NDArray[np.intp]) -> NDArray[np.uint8]:
    """A label map (H, W) with ``ids`` as 1, 2, ... and everything else as 0."""
    numbers = np.zeros(256, np.uint8)
    numbers[ids] = np.arange(1, len(ids) + 1)
    return numbers[labels]
