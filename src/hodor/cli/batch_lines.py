"""What a batch of videos says of itself: how far it is, and at its end which video to look at."""

import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hodor.cli.lines import how_far, say, say_of
from hodor.errors import counted
from hodor.jobs import Outcome
from hodor.runs import Summary, VideoReport


def told(
    console: Console, outcomes: Iterator[Outcome[Summary]], count: int
) -> Iterator[Outcome[Summary]]:
    """The same outcomes, each said in a line; how many are done and how long the rest takes too.

    In a terminal a bar says that, elsewhere the lines do.

    count: how many there will be.
    """
    columns = (
        TextColumn("videos"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    shown = console.is_terminal
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        for done, outcome in enumerate(bar.track(outcomes, total=count), 1):
            far = "" if shown else f" ({how_far(done, count, time.monotonic() - began)})"
            if outcome.value is not None:
                say(console, f"{outcome.name}: {_in_short(outcome.value)}{far}")
            else:
                say_of(console, outcome.name, "red", f"{outcome.error}{far}")
            yield outcome


def tell_all(console: Console, reports: Sequence[VideoReport], written: Sequence[object]) -> None:
    """Say how many videos are finished, which of them to look at first, and where the report is.

    reports: of all videos, those first that need a look.
    """
    finished = [one for one in reports if one.finished]
    are = "is" if len(finished) == 1 else "are"
    say(console, f"{len(finished)} of {counted(len(reports), 'video')} {are} finished")
    first = next((one for one in finished if one.worst_confidence is not None), None)
    if first is not None:
        say(
            console,
            f"look first at {first.video} (object {first.worst_object} in frame "
            f"{first.worst_frame}: confidence {first.worst_confidence:.2f}): {first.studio}",
        )
    say(console, f"report in {' and '.join(map(str, written))}")


def _in_short(summary: Summary) -> str:
    speed = summary.tracked / summary.seconds if summary.seconds else 0.0
    warnings = len(summary.warnings)
    more = f", {counted(warnings, 'warning')}" if warnings else ""
    return f"{counted(summary.frames, 'frame')}, {speed:.1f} frames/s{more}"
