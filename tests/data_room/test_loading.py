"""Processes that make clips: what happens when they fail."""

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from hodor.data import ClipBatches, ClipSettings, Shard, Steps, Still, in_processes, loading
from hodor.data.objects import Index
from hodor.errors import DataError

SETTINGS = ClipSettings(size=(32, 32), frames=2, objects=(1.0,))


class Square:
    """A dataset of one image; reading it can be made to fail."""

    def __init__(
        self, deadly: Path | None = None, broken: bool = False, hangs_once: Path | None = None
    ) -> None:
        self.deadly = deadly
        self.hangs_once = hangs_once
        self.broken = broken

    def __len__(self) -> int:
        return 1

    def read(self, index: int) -> Still:
        if self.deadly is not None and self.deadly.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if self.hangs_once is not None and self.hangs_once.exists():
            self.hangs_once.unlink()
            threading.Event().wait()
        if self.broken:
            raise DataError("a.jpg: cannot be read")
        labels = np.zeros((40, 40), np.uint8)
        labels[10:30, 10:30] = 1
        return Still(np.full((40, 40, 3), 80, np.uint8), labels)

    def index(self) -> Index:
        return Index(np.array([1]), np.array([1.0]))

    def notes(self) -> list[str]:
        return []

    def stems(self) -> list[str]:
        return [str(i) for i in range(len(self))]

    def shape(self) -> tuple[int, int]:
        return 96, 128


def steps(dataset: Square) -> Steps:
    return Steps(ClipBatches([dataset], [1.0], SETTINGS, 2, seed=0), Shard())


def test_a_killed_worker_is_told_and_no_step_is_lost() -> None:
    told: list[str] = []
    seen = []
    for made in in_processes(steps(Square()), 0, 12, 2, told.append):
        seen.append(made.step)
        if made.step == 3:
            for worker in multiprocessing.active_children():
                assert worker.pid is not None
                os.kill(worker.pid, signal.SIGKILL)
                # Until it is dead: what PyTorch makes of that must not end what goes on here.
                os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    assert seen == list(range(12))
    assert len(told) == 1
    assert "it is replaced" in told[0]


@pytest.mark.slow
def test_a_worker_that_hangs_is_told_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "HUNG", 20)  # more than a step takes on a machine that is busy
    once = tmp_path / "once"
    once.touch()
    told: list[str] = []
    made = list(in_processes(steps(Square(hangs_once=once)), 0, 3, 1, told.append))
    assert [one.step for one in made] == [0, 1, 2]
    assert len(told) == 1
    assert "timed out" in told[0]


def test_workers_that_always_die_end_the_run_in_one_line(tmp_path: Path) -> None:
    deadly = tmp_path / "deadly"
    deadly.touch()
    told: list[str] = []
    with pytest.raises(DataError, match=r"died 3 times at step 0 .*running\.workers"):
        list(in_processes(steps(Square(deadly)), 0, 4, 1, told.append))
    assert len(told) == 2


def test_an_error_crosses_from_a_worker_whole() -> None:
    (made,) = in_processes(steps(Square(broken=True)), 0, 1, 1, print)
    assert isinstance(made.error, DataError)
    assert str(made.error).startswith("50 files in a row could not be used; the last: a.jpg")
    assert made.unreadable == {"a.jpg: cannot be read": 50}
