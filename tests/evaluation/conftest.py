"""Tiny benchmarks on disk, written through the room's own door."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hodor.evaluation import write_davis

LabelMaps = NDArray[np.uint8]


def moving_squares(frames: int = 5, *, ids: tuple[int, ...] = (1, 2)) -> LabelMaps:
    """Label maps (T, 24, 32): squares of 6 px in a column each, one pixel further right each."""
    maps = np.zeros((frames, 24, 32), np.uint8)
    for t in range(frames):
        for k, object_id in enumerate(ids):
            maps[t, 2 + 10 * k : 8 + 10 * k, 4 + t : 10 + t] = object_id
    return maps


@pytest.fixture
def squares() -> LabelMaps:
    return moving_squares()


@pytest.fixture
def benchmark(tmp_path: Path) -> Callable[..., Path]:
    """Writes sequences of label maps as a DAVIS 2017 folder and returns its root."""

    def write(**sequences: LabelMaps) -> Path:
        root = tmp_path / "davis"
        grey = ((name, np.full((*m.shape, 3), 90, np.uint8), m) for name, m in sequences.items())
        write_davis(grey, root)
        return root

    return write
