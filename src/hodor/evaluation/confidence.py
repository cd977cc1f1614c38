"""How far a tracker's confidence can be trusted: against true J, and where nothing is to find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from hodor.errors import counted
from hodor.evaluation.benchmark import Benchmark, BenchmarkSequence, read_result

Confidence = Mapping[str, Mapping[int, Sequence[float]]]
"""Sequence name -> object id -> confidence in each frame, in [0, 1]; NaN before it was given."""

KNOTS = 12  # of a calibration curve: with four thousand masks, each rests on some hundreds
LEAST_SURE = (0.005, 0.01, 0.02, 0.04)  # shares of masks: among the first are those that are wrong


class Judged(NamedTuple):
    """One object in one frame, as a tracker saw it and as it was."""

    confidence: float
    j: float
    """Intersection over union with the truth; 0 where only one of them is empty"""
    found: bool
    """The tracker gave it at least one pixel."""
    present: bool
    """The truth has at least one pixel of it."""


@dataclass(frozen=True)
class Bin:
    """Masks of similar confidence: how many, and the means of confidence and true J."""

    count: int
    confidence: float
    j: float


@dataclass(frozen=True)
class Reliability:
    """Confidence against truth.

    bins: of equal width from 0 to 1, empty ones left out; masks that were found. error: mean
    distance of confidence and J over bins, weighted by counts (expected calibration error).
    absent: frames in which an object was not to be seen; false_masks: those in which one was
    found all the same.
    """

    bins: tuple[Bin, ...]
    error: float
    absent: int
    false_masks: int

    def to_json(self) -> dict[str, object]:
        """Plain dictionaries for ``json.dump``."""
        return {
            "calibration_error": self.error,
            "bins": [vars(one) for one in self.bins],
            "absent_frames": self.absent,
            "false_masks": self.false_masks,
        }


def judge(results: Path, dataset: Benchmark, confidence: Confidence) -> list[Judged]:
    """Compare every annotated frame after the one in which an object is given with the truth.

    Args:
        results: folder of label maps for each sequence, complete and of the right sizes.
        dataset: with the truth.
        confidence: as ``track_dataset`` gives it.
    """
    return [
        one
        for sequence in dataset.sequences
        for one in _judge(results / sequence.name, sequence, confidence[sequence.name])
    ]


def _judge(
    folder: Path, sequence: BenchmarkSequence, confidence: Mapping[int, Sequence[float]]
) -> list[Judged]:
    judged = []
    known: set[int] = set()
    for index, name in enumerate(sequence.names):
        if known and name in sequence.label_map_paths:
            truth = sequence.label_map(name)
            guess = read_result(folder / f"{name}.png", one_object=sequence.one_object)
            judged += [
                _judged(confidence[i][index], guess == i, truth == i)
                for i in sorted(known)
                if name in sequence.scored[i] or name == sequence.wanted[-1]
            ]
        known.update(sequence.given.get(name, ()))
    return judged


def _judged(confidence: float, ours: NDArray[np.bool_], true: NDArray[np.bool_]) -> Judged:
    either = np.count_nonzero(ours | true)
    j = np.count_nonzero(ours & true) / either if either else 1.0
    return Judged(confidence, j, bool(ours.any()), bool(true.any()))


def reliability(judged: Sequence[Judged], *, bins: int = 10) -> Reliability:
    """Summarise; see ``Reliability``."""
    found = [one for one in judged if one.found]
    number = [min(int(one.confidence * bins), bins - 1) for one in found]
    rows = []
    for b in sorted(set(number)):
        inside = [one for one, where in zip(found, number, strict=True) if where == b]
        mean = np.mean([(one.confidence, one.j) for one in inside], axis=0)
        rows.append(Bin(len(inside), float(mean[0]), float(mean[1])))
    error = sum(row.count * abs(row.confidence - row.j) for row in rows) / max(1, len(found))
    absent = [one for one in judged if not one.present]
    return Reliability(tuple(rows), error, len(absent), sum(one.found for one in absent))


def calibration_curve(judged: Sequence[Judged]) -> list[tuple[float, float]]:
    """Confidence -> expected J as points of a rising line, for a model's file.

    Masks that were found are sorted by confidence and cut into ``KNOTS`` groups of equal size, the
    first of these once more by ``LEAST_SURE``; a point is a group's mean confidence and mean J, no
    lower than that of the group before. The line begins at 0, where there is nothing to expect.
    """
    found = sorted((one.confidence, one.j) for one in judged if one.found)
    ends = [round(share * len(found)) for share in (*LEAST_SURE, *np.arange(1, KNOTS) / KNOTS)]
    groups = np.split(np.array(found).reshape(-1, 2), ends)
    means = np.array([group.mean(0) for group in groups if len(group)])
    rising = np.maximum.accumulate(means[:, 1])
    points = zip(means[:, 0].tolist(), rising.tolist(), strict=True)
    return [(0.0, 0.0), *((round(c, 4), round(j, 4)) for c, j in points)]


def reliability_table(result: Reliability, name: str) -> Table:
    """Bins of a model called ``name`` for people, values x 100."""
    title = f"{name}: confidence against J, x 100; calibration error {100 * result.error:.1f}"
    masks, frames = counted(result.false_masks, "mask"), counted(result.absent, "frame")
    caption = f"{masks} found in {frames} without the object"
    if not result.absent:
        caption = "no frame without one of its objects"
    # Else they are broken to the narrow columns.
    table = Table(title=title, caption=caption, min_width=max(len(title), len(caption)))
    for column in ("confidence", "J", "masks"):
        table.add_column(column, justify="right")
    for row in result.bins:
        table.add_row(f"{100 * row.confidence:.0f}", f"{100 * row.j:.0f}", str(row.count))
    return table
