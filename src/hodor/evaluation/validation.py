"""J and F of a model's file while it is trained."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

from hodor.evaluation.davis import DavisDataset
from hodor.evaluation.scores import score_folder
from hodor.evaluation.tracked import track_dataset
from hodor.tracking import Tracker


def davis_scores(
    root: Path, year: int, split: str, device: str
) -> Callable[[Path], dict[str, float]]:
    """A function that tracks DAVIS with a model's file and scores it.

    Args:
        root, year, split: as for ``DavisDataset``; checked now, not after hours of training.
        device: as for ``Tracker``.

    Raises:
        DataError: files of the benchmark are missing or broken; all are listed.
    """
    dataset = DavisDataset(root, year, split)

    def scores(model: Path) -> dict[str, float]:
        tracker = Tracker.from_pretrained(str(model), device=device)
        with tempfile.TemporaryDirectory() as folder:
            track_dataset(tracker, dataset, Path(folder))
            mean = cast(dict[str, float], score_folder(Path(folder), dataset).to_json()["mean"])
        return {name: mean[name] for name in ("J&F", "J", "F")}

    return scores
