"""Clips made ahead of the network, in threads or in processes."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from types import FrameType
from typing import NamedTuple, TypeVar

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from hodor.data.batches import Batch, ClipBatches
from hodor.errors import DataError

MadeT = TypeVar("MadeT")

AHEAD = 3  # steps that wait in memory where threads make them
AHEAD_EACH = 2  # steps that wait for each process
MAX_DEATHS = 3  # of workers without a step between them
HUNG = 300  # seconds without a step after which a process is one that waits for ever: a fork can
# inherit a lock of MKL's that a thread held, and spin on it


class Shard(NamedTuple):
    """Which clips of a step one process computes, and how many at once."""

    rank: int = 0
    of: int = 1
    at_once: int | None = None
    """None: as many as there are of a group."""


class PreparedBatch(NamedTuple):
    """What one process needs for one step."""

    step: int
    parts: list[Batch]
    unreadable: dict[str, int]
    """Files left out on the way, and how often"""
    error: DataError | None = None


def parts_of(batch: int, group: int, share: Shard) -> list[tuple[int, int]]:
    """First clip and number of clips of each part: contiguous, within groups, ``at_once`` at most.

    Args:
        batch: clips of a step; a multiple of the number of processes.
        group: clips that can be computed together.
        share: whose.
    """
    each = batch // share.of
    start, end = share.rank * each, (share.rank + 1) * each
    parts = []
    while start < end:
        stop = min(end, (start // group + 1) * group, start + (share.at_once or batch))
        parts.append((start, stop - start))
        start = stop
    return parts


class Steps(Dataset[PreparedBatch]):
    """The steps of a run as a dataset: an item is what one process needs for a step."""

    def __init__(self, batches: ClipBatches, share: Shard) -> None:
        self.batches = batches
        self.parts = parts_of(batches.batch, batches.group, share)

    def __getitem__(self, step: int) -> PreparedBatch:
        """The clips of ``step``. Errors are values: they cross from a process whole."""
        batches = copy(self.batches)  # steps are made side by side: each counts for itself
        batches.unreadable = {}
        try:
            made, error = [batches.make(step, *part) for part in self.parts], None
        except DataError as found:
            made, error = [], found
        return PreparedBatch(step, made, batches.unreadable, error)


def in_threads(steps: Steps, first: int, last: int) -> Iterator[PreparedBatch]:
    """Steps ``first`` to ``last``, made by threads of this process, which share its memory."""
    pool = ThreadPoolExecutor(max_workers=AHEAD - 1)
    try:
        waiting: list[Future[PreparedBatch]] = []
        for step in range(first, last):
            waiting.append(pool.submit(steps.__getitem__, step))
            if len(waiting) == AHEAD:
                yield waiting.pop(0).result()
        for one in waiting:
            yield one.result()
    finally:
        # What still runs may hold a lock of MKL's: a process forked meanwhile would wait for ever.
        pool.shutdown(wait=True, cancel_futures=True)


def in_processes(
    steps: Steps, first: int, last: int, workers: int, tell: Callable[[str], None]
) -> Iterator[PreparedBatch]:
    """Steps ``first`` to ``last``, made by processes; one that dies or hangs is told and replaced.

    Args:
        steps: what to make.
        first, last: the last is not included.
        workers: number of processes.
        tell: called with a line when a worker died.

    Raises:
        DataError: workers die again and again.
    """
    deaths = 0
    while first < last:
        loader = DataLoader(
            steps,
            batch_size=None,
            sampler=range(first, last),
            num_workers=workers,
            prefetch_factor=AHEAD_EACH,
            collate_fn=_as_it_is,
            worker_init_fn=_alone,
            timeout=HUNG,
            generator=torch.Generator(),  # or it would draw from the run's own randomness
        )
        try:
            for made in _between(loader):
                first, deaths = made.step + 1, 0
                yield made
        except RuntimeError as error:
            if "worker" not in str(error) and "timed out" not in str(error):
                raise
            deaths += 1
            reason = " ".join(str(error).split())
            if deaths == MAX_DEATHS:
                raise DataError(
                    f"processes that make clips died {deaths} times at step {first} ({reason}); "
                    "the last checkpoint is intact. If memory ran out, lower running.workers or "
                    "cache_gb; then go on with --resume"
                ) from error
            tell(f"a process that makes clips died at step {first} ({reason}); it is replaced")


def _between(loader: Iterable[MadeT]) -> Iterator[MadeT]:
    """What a loader gives; that a worker died is raised here, and not in the midst of other work.

    PyTorch's handler of SIGCHLD raises wherever the main thread happens to be, such as in a step of
    training. While that goes on the signal is only noted.
    """
    made = iter(loader)
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGCHLD"):
        yield from made  # there is no such handler
        return
    handler = signal.getsignal(signal.SIGCHLD)
    noted: list[tuple[int, FrameType | None]] = []
    for one in made:
        signal.signal(signal.SIGCHLD, lambda *found: noted.append(found))
        try:
            yield one
        finally:
            signal.signal(signal.SIGCHLD, handler)
        if noted and callable(handler):
            handler(*noted.pop())


def _as_it_is(made: MadeT) -> MadeT:
    return made


def _alone(_worker: int) -> None:
    """OpenCV's threads would only contend: there is a process for each core."""
    cv2.setNumThreads(0)
