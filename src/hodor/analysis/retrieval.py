"""Figure S1: for each descriptor, which others are of the same object?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hodor.analysis.table import DescriptorTable
from hodor.errors import DataError

LEVELS = 101
"""Recalls 0, 0.01, ..., 1 at which precision is taken."""

_AT_A_TIME = 256


@dataclass(frozen=True)
class Retrieval:
    """Precision against recall, averaged over descriptors, fractions of 1.

    At each recall the precision is the best at that recall or a higher one. chance: the average
    share of a descriptor's own object among all others, which is what guessing gives.
    """

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    average_precision: float
    """Mean over descriptors of the mean precision at each rank where one of its own comes"""
    chance: float
    descriptors: int
    instances: int

    def to_json(self) -> dict[str, object]:
        """Plain values for ``json.dump``."""
        return {
            "average_precision": self.average_precision,
            "chance": self.chance,
            "descriptors": self.descriptors,
            "instances": self.instances,
            "recall": self.recall.round(4).tolist(),
            "precision": self.precision.round(4).tolist(),
        }


def retrieval(table: DescriptorTable) -> Retrieval:
    """Every object's descriptor against all others by Euclidean distance (section S1).

    Raises DataError where no object has two descriptors.
    """
    objects = table.objects
    if not objects.rows:
        raise DataError("the table has no visible objects to retrieve")
    vectors = objects.vectors.astype(np.float64)
    names = {name: n for n, name in enumerate(dict.fromkeys(objects.instances))}
    labels = np.array([names[name] for name in objects.instances])
    curves, averages, chances = [], [], []
    squares = (vectors**2).sum(1)
    for start in range(0, len(vectors), _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        distances = squares[part, None] + squares - 2 * vectors[part] @ vectors.T
        for row, label, own in zip(
            distances, labels[part], range(start, len(vectors)), strict=False
        ):
            row[own] = np.inf
            hits = (labels == label)[np.argsort(row, kind="stable")[:-1]]
            if hits.any():
                curve, average = precision_curve(hits)
                curves.append(curve)
                averages.append(average)
                chances.append(hits.mean())
    if not curves:
        raise DataError("no object has two descriptors, so nothing can be retrieved")
    return Retrieval(
        np.linspace(0, 1, LEVELS),
        np.mean(curves, axis=0),
        float(np.mean(averages)),
        float(np.mean(chances)),
        len(curves),
        len(names),
    )


def precision_curve(hits: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Precision (L,) at ``LEVELS`` recalls, and average precision, of a ranking (N,) with hits."""
    at = np.flatnonzero(hits)
    precision = np.arange(1, len(at) + 1) / (at + 1)
    recall = np.arange(1, len(at) + 1) / len(at)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    # The tiny subtraction keeps a recall of exactly 0.01 n from being missed by rounding.
    place = np.searchsorted(recall, np.linspace(0, 1, LEVELS) - 1e-9)
    return best[np.minimum(place, len(best) - 1)], float(precision.mean())
