"""Time on a shared machine: medians of interleaved rounds, and a step split into its stages."""

import functools
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch

from hodor.tracking import Stages, Tracker
from hodor.types import Untyped

Meter = Callable[[], float]
"""Something that only goes up: seconds, or operations"""

STAGES = ("motion", "geometry", "backbone", "pyramid", "decoder", "refiner", "output", "encoder")
"""Parts of a step; a network that matches by tokens has one more, ``tokens``"""
REST = "rest"
BLOCK = 0.1  # seconds of work timed as one; less would measure what the caches held before


def seconds_meter(device: torch.device) -> Meter:
    """Seconds; each reading waits until ``device`` has done what it was given."""
    wait: Callable[[], None] = lambda: None  # noqa: E731
    if device.type == "cuda":
        wait = functools.partial(torch.cuda.synchronize, device)
    elif device.type == "mps":
        wait = torch.mps.synchronize

    def read() -> float:
        wait()
        return time.perf_counter()

    return read


def medians(
    works: Mapping[str, Callable[[], object]], rounds: int, meter: Meter = time.perf_counter
) -> dict[str, float]:
    """Seconds that each work takes: the median of ``rounds`` rounds.

    Every round times all works, short ones several times in a row: what slows the machine for a
    while then slows all of them, and their ratios stay right.

    Args:
        works: by name.
        rounds: at least 1.
        meter: see ``seconds_meter``.
    """
    calls = {}
    for name, work in works.items():
        work()  # kernels are chosen and memory is taken in the first call
        calls[name] = max(1, math.ceil(BLOCK / max(_elapsed(work, 1, meter), 1e-9)))
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(_elapsed(work, calls[name], meter))
    return {name: statistics.median(values) for name, values in times.items()}


def by_stage(
    tracker: Tracker, step: Callable[[], object], meter: Meter, steps: int = 1
) -> dict[str, float]:
    """What ``meter`` goes up by in each stage of one step of ``tracker``: the mean of ``steps``.

    The tracker's own methods run, and the meter is read around them. What is in no stage is
    ``rest``, so that all of it adds up to the step.
    """
    places = _places(tracker)
    totals = dict.fromkeys([stage for stage, _, _ in places], 0.0)
    with ExitStack() as stack:
        for stage, owner, name in places:
            add = functools.partial(_add, totals, stage)
            stack.enter_context(metered(owner, name, meter, add))
        before = meter()
        for _ in range(steps):
            step()
        whole = meter() - before
    stages = totals | {REST: whole - sum(totals.values())}
    return {stage: value / steps for stage, value in stages.items()}


@contextmanager
def metered(
    owner: type, name: str, meter: Meter, add: Callable[[Untyped, Untyped, float], None]
) -> Iterator[None]:
    """Within it, after each call of a class's method ``add(self, result, increase)`` is called."""
    plain = getattr(owner, name)

    @functools.wraps(plain)
    def watched(self: object, *args: object, **options: object) -> object:
        before = meter()
        result = plain(self, *args, **options)
        add(self, result, meter() - before)
        return result

    setattr(owner, name, watched)
    try:
        yield
    finally:
        setattr(owner, name, plain)


def _places(tracker: Tracker) -> tuple[tuple[str, type, str], ...]:
    """Stage, class and method of what makes up a step; none calls another."""
    tokens = tracker.network.tokens
    return (
        ("motion", Stages, "look_back"),
        ("geometry", type(tracker.runtime), "image"),
        ("backbone", type(tracker.network.backbone), "forward"),
        ("pyramid", type(tracker.network.pyramid), "forward"),
        *(() if tokens is None else (("tokens", type(tokens), "forward"),)),
        ("decoder", Stages, "decode"),
        ("refiner", Stages, "refine"),
        ("output", Stages, "result"),
        ("encoder", Stages, "encode"),
    )


def _add(
    totals: dict[str, float], stage: str, _owner: object, _result: object, increase: float
) -> None:
    totals[stage] += increase


def _elapsed(work: Callable[[], object], calls: int, meter: Meter) -> float:
    before = meter()
    for _ in range(calls):
        work()
    return (meter() - before) / calls
