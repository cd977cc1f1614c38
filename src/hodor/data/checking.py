"""Reading data before a run does: what is there, and what is broken."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from hodor.data.stills import Stills
from hodor.data.videos import Videos
from hodor.errors import DataError

SAMPLE = 2000  # items that are read unless all are asked for


@dataclass(frozen=True)
class Found:
    """What reading a dataset showed."""

    items: int
    """Images or videos"""
    read: int
    """How many of them were read"""
    objects: int
    """Usable objects in those"""
    broken: tuple[str, ...]
    """One message for each item that cannot be used"""
    notes: tuple[str, ...]
    """What was left out on opening, with counts"""


def examine(
    dataset: Stills | Videos, *, every: bool, progress: Callable[[], None] = lambda: None
) -> Found:
    """Read a dataset's files.

    Args:
        dataset: opened, so that its files are known to be there.
        every: read all of them; else at most ``SAMPLE`` items, evenly spread. Of a video its
            first frame is read, or with ``every`` all that are used.
        progress: called after each item.
    """
    step = 1 if every else max(1, -(-len(dataset) // SAMPLE))
    numbers = range(0, len(dataset), step)

    def read(number: int) -> int | str:
        try:
            return _objects(dataset, number, every=every)
        except DataError as error:
            return str(error)
        finally:
            progress()

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(read, numbers))
    return Found(
        len(dataset),
        len(numbers),
        sum(result for result in results if isinstance(result, int)),
        tuple(result for result in results if isinstance(result, str)),
        tuple(dataset.notes()),
    )


def _objects(dataset: Stills | Videos, number: int, *, every: bool) -> int:
    """Read one item; its usable objects. Raises DataError."""
    if not isinstance(dataset, Videos):
        return int(dataset.read(number).labels.max())
    if every:
        dataset.read_all(number)
    labels = dataset.read(number, 1, torch.Generator()).labels[0]
    return len(set(labels.ravel().tolist()) - {0})
