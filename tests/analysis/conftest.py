"""A tiny data set, and its descriptors as a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation import layouts

from hodor.evaluation import write_davis

for _module in ("pyarrow", "sklearn", "matplotlib", "plotly"):
    pytest.importorskip(_module, reason="needs the extra [analysis]")


@pytest.fixture(scope="session")
def davis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences of six frames; the squares of the second are smaller and lie elsewhere."""
    root = tmp_path_factory.mktemp("davis") / "d"
    frames = np.stack([layouts.frame(t, (60, 90)) for t in range(6)])
    maps = np.stack([layouts.labels(t, (1, 2), (60, 90)) for t in range(6)])
    write_davis(
        [("one", frames, maps), ("two", frames[:, ::-1].copy(), maps[:, ::-1].copy())], root
    )
    return root


@pytest.fixture
def table(
    hodor: Callable[..., Any], one_thread: None, davis: Path, tiny_model: Path, tmp_path: Path
) -> Path:
    """Descriptors of the data set, by the command."""
    path = tmp_path / "tables/d.parquet"
    ran = hodor("analyze", "export", "--davis", davis, "--model", tiny_model, "--out", path)
    assert ran.code == 0, ran.err
    return path
