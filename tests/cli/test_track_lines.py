"""What a long run says where there is no terminal."""

from io import StringIO
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from hodor.cli import track as command
from hodor.runs import Progress
from hodor.video import Frame


def test_a_run_without_a_terminal_says_once_a_minute_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter(range(0, 10**6, 25))
    monkeypatch.setattr(command.time, "monotonic", lambda: next(clock))
    written = StringIO()
    lines = command._Lines(Console(file=written))
    result: Any = None
    for index in range(6):
        frame = Frame(index, f"{index:05d}", np.zeros((4, 4, 3), np.uint8), 0.0)
        lines.report(Progress(frame, result, index + 1, 100, None))
    said = written.getvalue().splitlines()
    assert said == ["frame 3 of 100, 0.04 frames/s", "frame 6 of 100, 0.04 frames/s"]
