"""Where a person should look first, when a run has ended."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DROP = 0.75
"""Confidence below this share of what is usual for an object stands out."""


class Doubtful(NamedTuple):
    """A stretch of frames in which an object's mask is doubtful."""

    object: int
    first: int
    """Frames' numbers, from 0"""
    worst: int
    last: int
    confidence: float
    """In the worst frame; 0 where the object was not visible"""
    usual: float
    """The median over all frames in which the object was visible"""


def most_doubtful(confidence: Mapping[int, Sequence[float]]) -> Doubtful | None:
    """The object and the frames whose confidence falls furthest below what is usual.

    Frames in which an object is seen with little confidence go before those in which it is out of
    sight, which may be right.

    Args:
        confidence: by object id, a value for each frame; NaN before the object was known, 0 where
            it was not visible.

    Returns:
        None where no object's confidence falls below ``DROP`` of its usual one, and none is lost.
    """
    found = [_worst(i, np.array(values, np.float64)) for i, values in confidence.items()]
    doubtful = [one for one in found if one is not None]
    return min(
        doubtful, key=lambda one: (one.confidence == 0, one.confidence / one.usual), default=None
    )


def _worst(number: int, values: NDArray[np.float64]) -> Doubtful | None:
    seen = np.flatnonzero(values > 0)
    if len(seen) == 0:
        return None
    usual = float(np.median(values[seen]))
    worst = int(seen[np.argmin(values[seen])])
    if values[worst] >= DROP * usual:
        lost = np.flatnonzero(values == 0)
        if len(lost) == 0:
            return None
        worst = int(lost[0])
    low = np.nan_to_num(values, nan=np.inf) < (values[worst] + usual) / 2
    first = last = worst
    while first > 0 and low[first - 1]:
        first -= 1
    while last + 1 < len(values) and low[last + 1]:
        last += 1
    return Doubtful(number, first, worst, last, float(values[worst]), usual)
