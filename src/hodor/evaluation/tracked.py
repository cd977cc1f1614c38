"""A model's tracks of a dataset, as a folder of label maps that can be scored."""

import time
from collections.abc import Callable
from pathlib import Path

from hodor.evaluation.davis import DavisDataset, DavisSequence
from hodor.tracking import Tracker
from hodor.video import write_label_map


def track_dataset(
    tracker: Tracker,
    dataset: DavisDataset,
    folder: Path,
    report: Callable[[], None] = lambda: None,
) -> float:
    """Track every sequence from its first frame's masks, and write label maps.

    Args:
        tracker: its memory is cleared before each sequence.
        dataset: in DAVIS layout, with frames.
        folder: gets a sub-folder for each sequence.
        report: called after every frame.

    Returns:
        Seconds, reading and writing included.
    """
    began = time.perf_counter()
    for sequence in dataset.sequences:
        _track(tracker, sequence, folder / sequence.name, report)
    return time.perf_counter() - began


def _track(
    tracker: Tracker, sequence: DavisSequence, folder: Path, report: Callable[[], None]
) -> None:
    tracker.reset()
    folder.mkdir(parents=True, exist_ok=True)
    first = next(iter(sequence.label_maps()))
    for name, frame in zip(sequence.names, sequence.frames(), strict=True):
        masks = first if tracker.next_index == 0 else None
        result = tracker.step(frame, masks)
        write_label_map(folder / f"{name}.png", result.label_map)
        report()
