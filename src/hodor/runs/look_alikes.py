"""Objects that look alike to the network: said once, when they come so near that they may swap."""

from collections.abc import Sequence
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.tracking import Result, Tracker
from hodor.video import Frame, LabelMap

ALIKE = 0.9
"""Cosine of two objects' given descriptors from which on they look alike. With the model small
two dogs have 0.97, a dog and a person 0.57, the objects of the sample clip at most 0.36."""

_SQUARE = np.ones((3, 3), np.uint8)

Pair = tuple[int, int]


class LookAlikes:
    """Watches a run for objects that look alike and touch."""

    def __init__(self) -> None:
        self._alike: dict[Pair, float] = {}
        self._told: set[Pair] = set()
        self._ids: tuple[int, ...] = ()

    def look(
        self, tracker: Tracker, frame: Frame, result: Result, *, masks_came: bool
    ) -> list[str]:
        """What to tell of a frame: a line at most, and each pair of objects once in a run.

        Args:
            tracker: after this frame's step.
            frame: the frame.
            result: its result.
            masks_came: whether the frame brought masks.
        """
        if masks_came or result.ids != self._ids:
            self._compare(tracker)
            self._ids = result.ids
        touching = [pair for pair in self._alike if _touch(result.label_map, *pair)]
        new = [pair for pair in touching if pair not in self._told]
        told = [self._said(new, frame.name)] if new else []
        self._told.update(new)
        return told

    def _compare(self, tracker: Tracker) -> None:
        """Note which objects have like descriptors of their given masks."""
        given: dict[int, NDArray[np.float32]] = {}
        for described in tracker.references().frames:
            given |= described.objects
        self._alike = {
            pair: cosine
            for pair in combinations(sorted(given), 2)
            if (cosine := _cosine(given[pair[0]], given[pair[1]])) >= ALIKE
        }

    def _said(self, pairs: Sequence[Pair], frame: str) -> str:
        """The line of a frame; what to do is said in the first of a run."""
        named = ", ".join(
            f"{one} and {two} (cosine {self._alike[one, two]:.2f})" for one, two in pairs
        )
        line = f"objects {named} look alike and touch in frame {frame}"
        if self._told:
            return line
        return (
            f"{line}, from where on they may be exchanged: if they are, give a mask in a later "
            "frame; --search-radius 0.15 or a smaller --crop-margin may help"
        )


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _touch(label_map: LabelMap, one: int, other: int) -> bool:
    near = cv2.dilate(np.equal(label_map, one).astype(np.uint8), _SQUARE) > 0
    return bool((near & (label_map == other)).any())
