"""A model's tracks of a dataset, as a folder of label maps that can be scored."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hodor.evaluation.davis import DavisDataset, DavisSequence
from hodor.tracking import Tracker
from hodor.video import write_label_map


class Tracked(NamedTuple):
    """What tracking a dataset took and said."""

    seconds: float
    """Reading and writing included"""
    confidence: dict[str, dict[int, list[float]]]
    """Sequence name -> object id -> confidence in each frame, in [0, 1]"""


def track_dataset(
    tracker: Tracker,
    dataset: DavisDataset,
    folder: Path,
    report: Callable[[], None] = lambda: None,
) -> Tracked:
    """Track every sequence from its first frame's masks, and write label maps.

    Args:
        tracker: its memory is cleared before each sequence.
        dataset: in DAVIS layout, with frames.
        folder: gets a sub-folder for each sequence.
        report: called after every frame.
    """
    began = time.perf_counter()
    confidence = {
        sequence.name: _track(tracker, sequence, folder / sequence.name, report)
        for sequence in dataset.sequences
    }
    return Tracked(time.perf_counter() - began, confidence)


def _track(
    tracker: Tracker, sequence: DavisSequence, folder: Path, report: Callable[[], None]
) -> dict[int, list[float]]:
    tracker.reset()
    folder.mkdir(parents=True, exist_ok=True)
    first = next(iter(sequence.label_maps()))
    confidence: dict[int, list[float]] = {i: [] for i in sequence.object_ids}
    for name, frame in zip(sequence.names, sequence.frames(), strict=True):
        masks = first if tracker.next_index == 0 else None
        result = tracker.step(frame, masks)
        write_label_map(folder / f"{name}.png", result.label_map)
        for i, value in result.confidence.items():
            confidence[i].append(value)
        report()
    return confidence
