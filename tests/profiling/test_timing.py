"""Medians and stages, on a clock that the test moves."""

from collections.abc import Callable
from typing import Any

import pytest

from hodor.profiling import STAGES, by_stage, medians
from hodor.tracking import Stages, Tracker

pytestmark = pytest.mark.usefixtures("one_thread")


class Clock:
    """Seconds that pass only when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


def test_medians_are_of_rounds_and_outliers_do_not_count() -> None:
    clock = Clock()
    seconds = iter([9.0, 2.0, 1.0, 50.0, 2.0])  # the first two calls are not among the rounds
    works = {"a": lambda: clock.passes(next(seconds)), "b": lambda: clock.passes(3.0)}
    assert medians(works, 3, clock) == {"a": 2.0, "b": 3.0}


def test_short_work_is_timed_many_times_in_a_row() -> None:
    clock, calls = Clock(), []

    def short() -> None:
        calls.append(1)
        clock.passes(0.01)

    assert medians({"short": short}, 1, clock)["short"] == pytest.approx(0.01)
    assert len(calls) == 2 + 10


def test_stages_add_up_to_the_step_and_leave_the_tracker_as_it_was(
    make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    tracker = make_tracker()
    tracker.step(scene.frames[0], scene.labels[0])
    reads = iter(range(1000))  # each reading is one second later
    plain = Stages.decode
    found = by_stage(tracker, lambda: tracker.step(scene.frames[1]), lambda: float(next(reads)))
    assert list(found) == [*STAGES, "rest"]
    assert all(found[stage] == 1 for stage in STAGES)
    assert found["rest"] == len(STAGES) + 1
    assert Stages.decode is plain


def test_stages_of_a_step_that_fails_leave_the_tracker_as_it_was(
    make_tracker: Callable[..., Tracker],
) -> None:
    def fail() -> None:
        raise ValueError("no")

    plain = Stages.decode
    with pytest.raises(ValueError, match="no"):
        by_stage(make_tracker(), fail, Clock())
    assert Stages.decode is plain
