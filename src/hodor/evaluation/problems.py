"""Many faults in someone's files, told at once: mending them one by one costs a run each."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hodor.errors import LIST_ITEM, DataError

_NAMES_SHOWN = 5


def data_error(where: Path, problems: Sequence[str]) -> DataError:
    """One error that lists every problem found under ``where``, one line each."""
    return data_errors({where: problems})


def data_errors(problems: Mapping[Path, Sequence[str]]) -> DataError:
    """One error that lists every problem found in each of several folders."""
    parts = []
    for where, texts in problems.items():
        if len(texts) == 1:
            parts.append(f"{where}: {texts[0]}; nothing was done")
        elif texts:
            lines = "\n".join(f"{LIST_ITEM}{text}" for text in texts)
            parts.append(f"{where} has {len(texts)} problems; nothing was done:\n{lines}")
    return DataError("\n".join(parts))


def named(names: Iterable[object]) -> str:
    """The first few names and how many more there are: ``00003, 00004 and 7 more``."""
    shown = [str(name) for name in names]
    rest = len(shown) - _NAMES_SHOWN
    if rest <= 0:
        return ", ".join(shown)
    return f"{', '.join(shown[:_NAMES_SHOWN])} and {rest} more"
