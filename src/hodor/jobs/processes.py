"""Workers as processes of this machine, each with a pipe: a lost one takes only its job along."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess

from hodor.jobs.outcomes import RETRIES, JobT, Outcome, ResultT, attempt, lost

# Spawn is what every platform has, and forking a process that runs PyTorch may hang.
_SPAWN = get_context("spawn")


@dataclass
class _Worker:
    process: BaseProcess
    pipe: connection.Connection
    job: str | None = None


def in_processes(
    work: Callable[[JobT], ResultT], jobs: Mapping[str, JobT], workers: int
) -> Iterator[Outcome[ResultT]]:
    """See ``run_jobs``."""
    waiting, losses = deque(jobs), dict.fromkeys(jobs, 0)
    crew = [_hired(work, workers) for _ in range(workers)]
    try:
        while waiting or any(one.job for one in crew):
            for one in crew:
                if one.job is None and waiting:
                    one.job = waiting.popleft()
                    one.pipe.send((one.job, jobs[one.job]))
            ready = connection.wait([one.pipe for one in crew if one.job])
            for place, one in enumerate(crew):
                if one.pipe not in ready:
                    continue
                try:
                    outcome = one.pipe.recv()
                    one.job = None
                    if isinstance(outcome, Exception):
                        raise outcome
                    yield outcome
                except EOFError:
                    gone, crew[place] = str(one.job), _hired(work, workers)
                    losses[gone] += 1
                    if losses[gone] > RETRIES:
                        yield lost(gone, losses[gone])
                    else:
                        waiting.append(gone)
    finally:
        for one in crew:
            one.process.terminate()
            one.process.join()


def _hired(work: Callable[[JobT], ResultT], workers: int) -> _Worker:
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_serve, args=(work, theirs), daemon=True)
    with _threads_shared(workers):
        process.start()
    theirs.close()  # so that the pipe ends when the worker does
    return _Worker(process, ours)


@contextmanager
def _threads_shared(workers: int) -> Iterator[None]:
    """Let processes that are started here take their share of the cores.

    PyTorch and OpenMP take the number from the environment when they are loaded, which in a
    spawned process is before any code of ours runs.
    """
    if "OMP_NUM_THREADS" in os.environ:
        yield
        return
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // workers))
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]


def _serve(work: Callable[[JobT], ResultT], pipe: connection.Connection) -> None:
    """Do jobs until the pipe ends. What Ctrl-C means is the business of the process that asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            name, argument = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            pipe.send(attempt(work, name, argument))
        except KeyboardInterrupt:
            return  # told by the process that asked
        except Exception as error:  # a defect of ours: told by the process that asked
            pipe.send(error)
