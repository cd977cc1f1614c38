"""Locks: one writer for a folder, known by the system's own lock, which a death releases."""

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakSet

from hodor.errors import HodorError, explained

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = ".lock"
"""The file in a folder that is locked; it is there while the folder is."""

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
"""Flags with which every file is opened that may not be a link."""

ATTEMPTS = 3
"""At locking: a file that was removed in between is another one the next time."""


class FolderLock:
    """A folder that this process alone writes to, until `release` or its death.

    The lock is the system's, on the file ``.lock`` in the folder: a kill releases it. Where a file
    system has no locks, nothing is locked.
    """

    def __init__(self, folder: Path, busy: str | None = None) -> None:
        """Make the folder and lock it; if nothing is written to it, it goes again.

        Args:
            folder: to be locked.
            busy: message where another process has it.

        Raises:
            HodorError: another process has it, or the folder cannot be written.
        """
        self._path = folder / LOCK
        self._made = not folder.exists()
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._held = self._take(
                busy
                or f"{folder}: another run is writing to this folder; wait for its end, stop "
                "it, or choose another folder"
            )
        _LOCKS.add(self)

    def _take(self, busy: str) -> int:
        for _ in range(ATTEMPTS):
            if self._path.is_symlink():
                raise HodorError(f"{self._path} is a link; remove it")
            held = os.open(self._path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o666)
            if try_lock(held) and _is_open_at(held, self._path):
                return held
            os.close(held)
            # One who has it holds it; one who is done removes the file, and then there is another.
        raise HodorError(busy)

    def release(self) -> None:
        """Let others write. May be called twice."""
        if self._held < 0:
            return
        if sys.platform != "win32":
            with suppress(OSError):
                self._path.unlink()
        self._close()
        with suppress(OSError):
            if sys.platform == "win32":
                self._path.unlink()
            if self._made:
                self._path.parent.rmdir()  # nothing was written

    def _close(self) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


_LOCKS: WeakSet[FolderLock] = WeakSet()


def _forget_locks() -> None:
    """A forked worker has the lock's file open too, and would hold it when its parent is killed."""
    for lock in list(_LOCKS):
        lock._close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_locks)


def try_lock(held: int) -> bool:
    """Lock an open file; False where another has it. True where the file system has no locks."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(held, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def _is_open_at(held: int, path: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(there.st_mode) and os.path.samestat(os.fstat(held), there)
