"""What ends a command that failed in a way nobody foresaw: one line, and a log with the rest."""

import os
import platform
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from hodor import __version__
from hodor.errors import one_line, reason

DEFECT = 70
"""Exit status of a defect, as sysexits.h calls it (EX_SOFTWARE)."""

FAILED, INTERRUPTED = 1, 130
"""Of what a user can mend, and of Ctrl-C, as shells have it."""


def explain(error: Exception) -> tuple[str, int]:
    """What to tell of an error that no command has caught, and the exit status.

    What the system refuses (a right, a full disk, a missing file) is the user's to mend; all else
    is a defect of ours, whose traceback goes to a log.
    """
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{_shown(error.filename)}: {reason(error)}; check the path and your rights", FAILED
    if isinstance(error, MemoryError):
        return "there is not enough memory for this; nothing that was written is lost", FAILED
    what = f"{type(error).__name__}: {one_line(error)}"
    log = write_log(error)
    where = f"the log is {log}" if log else "and its log could not be written"
    return f"a defect of hodor ({what}); {where}: please report it with that file", DEFECT


def write_log(error: BaseException) -> Path | None:
    """A new file with the traceback, versions and the command; None where none can be written."""
    text = "".join(traceback.format_exception(error))
    command = " ".join(sys.argv)
    about = f"hodor {__version__}, Python {platform.python_version()}, {platform.platform()}"
    with suppress(OSError):
        held, name = tempfile.mkstemp(prefix="hodor-", suffix=".log")
        with open(held, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{about}\n{command}\n\n{text}")
        return Path(name)
    return None


@contextmanager
def one_interrupt() -> Iterator[None]:
    """The first Ctrl-C stops a command in order; another ends it at once, without a word.

    Else a third one would meet Python while it shuts down, which answers by a traceback.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield  # somebody else answers, or it is ignored, as after nohup
        return
    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is first:
            signal.signal(signal.SIGINT, before)


def open_what_is_closed() -> None:
    """Give a command that was started with closed outputs something to write to."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  to the end of the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def _shown(filename: object) -> str:
    return one_line(os.fsdecode(filename) if isinstance(filename, bytes) else filename)
