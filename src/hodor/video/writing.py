"""Writing files so that a reader, or a run that comes after a kill, never finds half of one."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hodor.errors import HodorError


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn a full disk, a missing right and the like into one HodorError that names the file."""
    try:
        yield
    except _writing_errors() as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HodorError(
            f"{path} cannot be written ({reason}). What was written before is intact: make room or "
            "choose another folder, then resume."
        ) from error


def _writing_errors() -> tuple[type[Exception], ...]:
    """What writing raises: PyAV's errors only where it is in use, since label maps do without."""
    av = sys.modules.get("av")
    return (OSError,) if av is None else (OSError, av.FFmpegError)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; put it in place at the end, remove it on an error."""
    temporary = temporary_path(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def temporary_path(path: Path) -> Path:
    """Hidden name in the same folder, so that putting it in place is one rename."""
    return path.with_name(f".{path.name}.tmp")


def make_folder(folder: Path) -> None:
    """Create a folder with its parents. Raises HodorError naming it."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)


def make_room(path: Path) -> None:
    """Create a file's folder; remove what a kill left of writing the file. Raises HodorError."""
    make_folder(path.parent)
    with explained(path):
        temporary_path(path).unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Wait until a finished file is on the disk, not only in the system's memory."""
    with path.open("r+b") as file:  # Windows flushes only what may be written.
        os.fsync(file.fileno())


def whole_lines(path: Path) -> Iterator[bytes]:
    """Lines of a file, up to the first that a kill left without its end."""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield line
