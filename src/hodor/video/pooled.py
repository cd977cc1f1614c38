"""Small independent jobs in several threads, such as files that are compressed and written."""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

THREADS: Final = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Where nobody says: half of the processors, since decoding and the network need theirs"""
WAITING = 2  # jobs for each thread that are given and not done


class Pool:
    """Threads that do what they are given; the first failure is raised at the next call.

    With one thread a job is done where it is given.

    Args:
        threads: how many.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._given: deque[Future[None]] = deque()

    def do(self, job: Callable[[], None]) -> None:
        """Have it done; waits while too many others are.

        Raises what an earlier job raised; this one is then not given.
        """
        if self._threads == 1:
            job()
            return
        while self._given and (self._given[0].done() or self._full):
            if self._given[0].exception() is not None:
                self.wait()  # so that nothing is written any more when it is told
            self._given.popleft()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, "hodor-write-files")
        self._given.append(self._pool.submit(job))

    def wait(self) -> None:
        """Until all is done. Raises what the first job raised that failed; others are done."""
        given, self._given = self._given, deque()
        failures = [one.exception() for one in given]
        for failure in failures:
            if failure is not None:
                raise failure

    def end(self) -> None:
        """Until all is done, whatever came of it; the threads end."""
        self._given.clear()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    @property
    def _full(self) -> bool:
        return len(self._given) >= WAITING * self._threads
