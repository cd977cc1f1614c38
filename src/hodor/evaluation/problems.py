"""Many faults in someone's files, told at once: mending them one by one costs a run each."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hodor.errors import DataError

_NAMES_SHOWN = 5


def data_error(where: Path, problems: Sequence[str]) -> DataError:
    """One error that lists every problem found under ``where``, one line each."""
    count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return DataError(f"{where} has {count}; nothing was read:\n{lines}")


def named(names: Iterable[object]) -> str:
    """The first few names and how many more there are: ``00003, 00004 and 7 more``."""
    shown = [str(name) for name in names]
    rest = len(shown) - _NAMES_SHOWN
    if rest <= 0:
        return ", ".join(shown)
    return f"{', '.join(shown[:_NAMES_SHOWN])} and {rest} more"
