"""The scripts of benchmarks/ as modules."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    """They are imported by their names, and compute on one thread."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
