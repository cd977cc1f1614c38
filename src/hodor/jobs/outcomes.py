"""What comes of a job."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hodor.errors import HodorError

RETRIES = 2
"""Times that a job is begun again after its worker was lost."""


@dataclass(frozen=True)
class Outcome:
    """One finished job: its value, or in one line why there is none."""

    name: str
    value: Any = None
    error: str | None = None


def attempt(work: Callable[[Any], Any], name: str, argument: Any) -> Outcome:
    """Do a job here; an error that a user can mend becomes part of the outcome."""
    try:
        return Outcome(name, work(argument))
    except HodorError as error:
        return Outcome(name, error=" ".join(str(error).split()))


def lost(name: str, times: int) -> Outcome:
    """The outcome of a job that took its worker with it again and again."""
    return Outcome(
        name,
        error=f"its worker was lost {times} times, by a crash, a kill or for want of memory; "
        "what was finished is kept",
    )
