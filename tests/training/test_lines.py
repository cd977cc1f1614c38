"""Lines of a training run's progress where there is no terminal."""

import pytest

from hodor.training import Progress, ProgressLines


def lines_of(steps: int, first: int = 1) -> list[str]:
    said: list[str] = []
    lines = ProgressLines(said.append)
    for step in range(first, steps + 1):
        lines.report(Progress(step, steps, 0.5, 0.25, 1e-4, 2.0))
    return said


def test_the_first_step_and_each_tenth_of_a_run_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hodor.training.lines.time.monotonic", lambda: 1000.0)
    said = [line.partition("/")[0] for line in lines_of(300)]
    assert said == ["1", *(str(30 * tenth) for tenth in range(1, 11))]
    assert [line.partition("/")[0] for line in lines_of(300, first=295)] == ["295", "300"]
    assert len(lines_of(4)) == 4


def test_a_line_says_how_long_it_still_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hodor.training.lines.time.monotonic", lambda: 1000.0)
    assert lines_of(300)[0] == "1/300, loss 0.500, IoU 0.25, 0.50 it/s, 10 min left"
    assert lines_of(20)[0].endswith(", 38 s left")
    assert lines_of(30_000)[0].endswith(", 16.7 h left")


def test_slow_steps_are_said_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**6, 45))
    monkeypatch.setattr("hodor.training.lines.time.monotonic", lambda: next(clock))
    said = [int(line.partition("/")[0]) for line in lines_of(1000)]
    assert said[:4] == [1, 3, 5, 7]
