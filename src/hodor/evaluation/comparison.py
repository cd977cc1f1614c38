"""Two methods on the same sequences: their differences, and how far these can be trusted."""

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from hodor.errors import DataError
from hodor.evaluation.scores import Scores, average

RESAMPLES = 10_000
COVERAGE = 0.95
_SEED = 0


@dataclass(frozen=True)
class Paired:
    """J&F of one method minus that of another, sequence by sequence, fractions of 1.

    interval: of the mean difference, in which 95 % of the means of resampled sequences lie
    (percentile bootstrap). It tells how much the choice of sequences matters, as if they had been
    drawn at random; it knows nothing of other seeds of training. better, worse: sequences in
    which the first is above or below; equal ones are in neither. sign_test: how likely a split
    at least as uneven would be if both were equally likely to win a sequence (two-sided).
    """

    differences: dict[str, float]
    mean: float
    interval: tuple[float, float]
    better: int
    worse: int
    sign_test: float

    def to_json(self) -> dict[str, object]:
        """Plain values for ``json.dump``."""
        return {
            "mean": self.mean,
            "interval_95": list(self.interval),
            "better": self.better,
            "worse": self.worse,
            "sign_test": self.sign_test,
            "sequences": self.differences,
        }


def sequence_means(scores: Scores) -> dict[str, float]:
    """J&F of each sequence: the average over its objects."""
    return {
        name: average(list(objects.values())).j_and_f for name, objects in scores.sequences.items()
    }


def compare(first: Scores, second: Scores) -> Paired:
    """The first method against the second. Raises DataError when their sequences differ."""
    ours, theirs = sequence_means(first), sequence_means(second)
    if ours.keys() != theirs.keys():
        raise DataError("these scores are of different sequences and cannot be compared in pairs")
    differences = {name: ours[name] - theirs[name] for name in ours}
    values: NDArray[np.float64] = np.array(list(differences.values()))
    better, worse = int((values > 0).sum()), int((values < 0).sum())
    return Paired(
        differences, float(values.mean()), _bootstrap(values), better, worse,
        sign_test(better, worse),
    )  # fmt: skip


def _bootstrap(values: NDArray[np.float64]) -> tuple[float, float]:
    drawn = np.random.default_rng(_SEED).integers(0, len(values), (RESAMPLES, len(values)))
    tail = (1 - COVERAGE) / 2
    low, high = np.quantile(values[drawn].mean(1), (tail, 1 - tail))
    return float(low), float(high)


def sign_test(better: int, worse: int) -> float:
    """Two-sided probability of a split at least as uneven, by tosses of a fair coin."""
    count = better + worse
    if count == 0:
        return 1.0
    tail: int = sum(comb(count, k) for k in range(min(better, worse) + 1))
    return float(min(1.0, 2 * tail / 2**count))
