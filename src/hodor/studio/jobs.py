"""One job at a time, tracking or export, in a thread of its own: progress, pause, cancel."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from hodor.errors import HodorError
from hodor.types import PlainValues

Status = PlainValues
TOLD_SECONDS = 0.1
"""So often, at most, progress is told."""

SPEED_FRAMES = 20
"""Frames over which speed is taken."""


class Cancelled(Exception):
    """The user wants no more of a job."""


class Control:
    """What a job calls while it works, and what the user moves."""

    def __init__(
        self,
        kind: str,
        tell: Callable[[Status], None],
        tell_warning: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.kind = kind
        self.state = "starting"
        self.message = ""
        self.warnings: list[str] = []
        self._tell, self._tell_warning = tell, tell_warning
        self._told = 0.0
        self._running = threading.Event()
        self._running.set()
        self._cancelled = False
        self._done, self._total = 0, 0
        self._frame: int | None = None
        self._moments: deque[float] = deque(maxlen=SPEED_FRAMES + 1)

    # For the job

    def checkpoint(self) -> None:
        """Wait while paused. Raises Cancelled."""
        if not self._running.is_set():
            self._moments.clear()
            self._running.wait()
        if self._cancelled:
            raise Cancelled
        if self.state == "starting":
            self.become("running")

    def expect(self, frames: int) -> None:
        """So many more frames are to be done."""
        self._total = self._done + frames
        self._moments.clear()
        self._moments.append(time.monotonic())

    def advance(self, frame: int) -> None:
        """One frame is done."""
        self._done += 1
        self._frame = frame
        self._moments.append(time.monotonic())
        if time.monotonic() - self._told > TOLD_SECONDS:
            self.tell()

    def warn(self, warnings: Sequence[str]) -> None:
        """Tell the user something once."""
        for warning in warnings:
            if warning not in self.warnings:
                self.warnings.append(warning)
                self._tell_warning(warning)

    # For the user

    def pause(self) -> None:
        """Stop after this frame until ``go_on``."""
        if self.state in ("starting", "running"):
            self._running.clear()
            self.become("paused")

    def go_on(self) -> None:
        """End a pause."""
        if self.state == "paused":
            self.become("running")
            self._running.set()

    def cancel(self) -> None:
        """End the job after this frame; what was done stays."""
        self._cancelled = True
        self._running.set()

    def become(self, state: str, message: str = "") -> None:
        """Change and tell the state."""
        self.state, self.message = state, message
        self.tell()

    def tell(self) -> None:
        """Tell how far the job is."""
        self._told = time.monotonic()
        self._tell(self.status())

    def status(self) -> Status:
        """How far the job is. speed: frames per second; left: seconds; None while unknown."""
        spent = self._moments[-1] - self._moments[0] if len(self._moments) > 1 else 0.0
        speed = (len(self._moments) - 1) / spent if spent > 0 else None
        left = (self._total - self._done) / speed if speed else None
        return {
            "kind": self.kind,
            "state": self.state,
            "message": self.message,
            "warnings": self.warnings,
            "done": self._done,
            "total": self._total,
            "frame": self._frame,
            "speed": None if speed is None else round(speed, 2),
            "left": None if left is None else round(left, 1),
        }


class Jobs:
    """Runs a job, and refuses a second one beside it."""

    def __init__(self, tell: Callable[[Status], None]) -> None:
        self._tell = tell
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self.current: Control | None = None
        self.tell_warning: Callable[[str], None] = lambda _: None
        """Called with each warning of a job, from its thread"""

    def start(self, kind: str, work: Callable[[Control], str]) -> None:
        """Begin a job. work: does it, and gives a line for the user.

        Raises:
            HodorError: another job is under way.
        """
        with self._mutex:
            if self._thread is not None and self._thread.is_alive():
                raise HodorError("another job is under way; wait for it, or cancel it")
            control = self.current = Control(kind, self._tell, self.tell_warning)
            self._thread = threading.Thread(
                target=_run, args=(work, control), name=f"studio-{kind}", daemon=True
            )
            control.tell()
            self._thread.start()

    def status(self) -> Status | None:
        """Of the last job, or None."""
        return self.current.status() if self.current else None

    def stop(self) -> None:
        """Cancel and wait for the end."""
        thread = self._thread
        if self.current and thread and thread.is_alive():
            self.current.cancel()
            thread.join()


def _run(work: Callable[[Control], str], control: Control) -> None:
    try:
        message = work(control)
    except Cancelled:
        control.become("cancelled")
    except HodorError as error:
        control.become("failed", str(error))
    except Exception as error:
        # The page must not wait for ever; the traceback goes to the terminal.
        control.become("failed", f"a defect of hodor: {type(error).__name__}: {error}")
        raise
    else:
        control.become("done", message)
