"""A model's tracks of a dataset, as a folder of label maps that can be scored."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hodor.errors import explained
from hodor.evaluation.benchmark import Benchmark, BenchmarkSequence
from hodor.evaluation.label_map_files import LabelMap
from hodor.video import write_label_map

if TYPE_CHECKING:  # scoring, and each process that helps with it, does without PyTorch
    from hodor.tracking import Tracker


@dataclass(frozen=True, eq=False)
class Step:
    """What a method says of one frame."""

    name: str
    label_map: LabelMap
    confidence: dict[int, float]
    """By object; empty for baselines, which have none"""


class Tracked(NamedTuple):
    """What tracking a dataset took and said."""

    seconds: float
    """Reading and writing included"""
    confidence: dict[str, dict[int, list[float]]]
    """Sequence name -> object id -> confidence in each frame, in [0, 1]; NaN before it is given"""


def track_dataset(
    tracker: "Tracker",
    dataset: Benchmark,
    folder: Path,
    report: Callable[[], None] = lambda: None,
) -> Tracked:
    """Track every sequence from the masks that its benchmark gives, and write label maps.

    Args:
        tracker: its memory is cleared before each sequence.
        dataset: with frames.
        folder: gets a sub-folder for each sequence.
        report: called after every frame.
    """
    began = time.perf_counter()
    confidence = {
        sequence.name: write_steps(track_sequence(tracker, sequence), sequence, folder, report)
        for sequence in dataset.sequences
    }
    return Tracked(time.perf_counter() - began, confidence)


def track_sequence(tracker: "Tracker", sequence: BenchmarkSequence) -> Iterator[Step]:
    """A tracker on one sequence, from its beginning."""
    tracker.reset()
    for name, frame in zip(sequence.names, sequence.frames(), strict=True):
        result = tracker.step(frame, sequence.given_masks(name))
        yield Step(name, np.asarray(result.label_map, np.uint8), result.confidence)


def write_steps(
    steps: Iterable[Step],
    sequence: BenchmarkSequence,
    folder: Path,
    report: Callable[[], None] = lambda: None,
) -> dict[int, list[float]]:
    """Write ``folder``/SEQUENCE/FRAME.png and give back the confidence of each object.

    Frames that no server wants and that are not scored are not kept.
    """
    kept = {*sequence.wanted, *sequence.scored_names}
    confidence: dict[int, list[float]] = {i: [] for i in sequence.object_ids}
    own = folder / sequence.name
    with explained(own):
        own.mkdir(parents=True, exist_ok=True)
    for step in steps:
        if step.name in kept:
            write_label_map(own / f"{step.name}.png", step.label_map)
        for i, values in confidence.items():
            values.append(step.confidence.get(i, math.nan))
        report()
    return confidence
