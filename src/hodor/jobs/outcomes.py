"""What comes of a job."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from hodor.errors import HodorError

JobT = TypeVar("JobT")
"""What a job is called with"""

ResultT = TypeVar("ResultT")
"""What comes of a job"""

RETRIES = 2
"""Times that a job is begun again after its worker was lost."""


@dataclass(frozen=True)
class Outcome(Generic[ResultT]):
    """One finished job: its value, or in one line why there is none."""

    name: str
    value: ResultT | None = None
    error: str | None = None


def attempt(work: Callable[[JobT], ResultT], name: str, argument: JobT) -> Outcome[ResultT]:
    """Do a job here; an error that a user can mend becomes part of the outcome."""
    try:
        return Outcome(name, work(argument))
    except HodorError as error:
        return Outcome(name, error=" ".join(str(error).split()))


def lost(name: str, times: int) -> Outcome[ResultT]:
    """The outcome of a job that took its worker with it again and again."""
    return Outcome(
        name,
        error=f"its worker was lost {times} times, by a crash, a kill or for want of memory; "
        "what was finished is kept",
    )
