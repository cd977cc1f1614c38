"""Lines of output: whole however narrow the screen is, and names in them as they are written."""

from rich.console import Console
from rich.text import Text


def say(console: Console, line: object, style: str = "") -> None:
    """Print a line. Brackets in it are no markup: folders may be called so."""
    console.print(Text(str(line), style), soft_wrap=True)


def say_of(console: Console, what: str, colour: str, line: object) -> None:
    """Print a line that begins with what it is about, in a colour."""
    console.print(Text.assemble((what, colour), f": {line}"), soft_wrap=True)


HOUR, MINUTE = 3600, 60


def in_words(seconds: float) -> str:
    """How long something takes, such as ``4 min``."""
    if seconds >= HOUR:
        return f"{seconds / HOUR:.1f} h"
    return f"{seconds / MINUTE:.0f} min" if seconds >= MINUTE else f"{seconds:.0f} s"


def how_far(done: int, total: int, seconds: float) -> str:
    """How much of a task is done and how long the rest takes, such as ``3 of 40, 4 min left``.

    seconds: since it began.
    """
    left = f", {in_words(seconds / done * (total - done))} left" if 0 < done < total else ""
    return f"{done} of {total}{left}"
