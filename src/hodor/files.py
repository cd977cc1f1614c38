"""The ground floor: files written whole or not at all, safe names, errors in one line.

A file that is being written is called ``.NAME.RANDOM.tmp`` and lies beside the place that it will
take. It is made exclusively, so that a link that lies in wait is never followed, and its writer
holds it locked: what a killed run leaves is unlocked by the system, and `sweep` removes it.
"""

import errno
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from hodor.errors import HodorError, explained, one_line, reason
from hodor.locks import NO_FOLLOW, try_lock

LONGEST_NAME = 240
"""Bytes. File systems take 255; suffixes such as .png and those of temporary files need some."""

RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?\Z", re.IGNORECASE)
"""Names that Windows takes for devices, whatever their suffix."""

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{12}\.tmp\Z", re.DOTALL)


STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/")
"""How paths of what is no file begin."""


# Whole or not at all


class Replacement:
    """A file that is being written, to take the place of `target`; see the module.

    path: where to write.
    """

    def __init__(self, target: Path, *, mode: int = 0o666) -> None:
        """mode: rights of the file, less the umask. Raises OSError."""
        self.target = target
        while True:
            self.path = _temporary(target)
            self._held = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_FOLLOW, mode)
            # A lock of Windows would keep our own writers out, and it removes no open file anyway.
            locked = sys.platform == "win32" or try_lock(self._held)
            if locked and self.path.exists():
                return
            self._let_go()  # `sweep` came in between and took it for left over

    def put_in_place(self, *, flush: bool = False) -> None:
        """Replace the target. flush: wait until the content is on the disk. Raises OSError."""
        if flush:
            os.fsync(self._held)
        if sys.platform == "win32":  # which renames no open file
            self._let_go()
        os.replace(self.path, self.target)
        self._let_go()

    def drop(self) -> None:
        """Remove what was written; the target stays as it is."""
        self._let_go()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _let_go(self) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = -1


@contextmanager
def replacing(path: Path, *, mode: int = 0o666, flush: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path`; put it in place at the end, remove it on an error.

    mode: rights of the file, less the umask. flush: wait until it is on the disk. What is no file
    but a stream, such as ``/dev/stdout`` or a pipe, is written as it is.
    """
    if _is_stream(path):
        yield path
        return
    fresh = Replacement(path, mode=mode)
    try:
        yield fresh.path
        fresh.put_in_place(flush=flush)
    except BaseException:
        fresh.drop()
        raise


def _is_stream(path: Path) -> bool:
    return path.as_posix().startswith(STREAMS) or path.is_fifo() or path.is_char_device()


@contextmanager
def whole_file(
    path: Path, kind: type[HodorError] = HodorError, failed: str = "cannot be written"
) -> Iterator[Path]:
    """As `replacing`, with the folder made, leftovers removed and errors explained as a `kind`."""
    with explained(path, kind, failed):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, path.name)
        with replacing(path) as temporary:
            yield temporary


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to write to, put in place at the end, or dropped on an error.

    Raises HodorError if something is there already: a folder may hold what others need.
    """
    if path.is_symlink() or path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise HodorError(f"{path} is there already; remove it or choose another name.")
    make_room(path)
    with explained(path):
        temporary = _temporary(path)
        temporary.mkdir()
        held = _hold_folder(temporary)
        try:
            yield temporary
            if path.is_dir():
                path.rmdir()
            os.replace(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        finally:
            if held is not None:
                os.close(held)


def write_text(path: Path, text: str, *, mode: int = 0o666, flush: bool = False) -> None:
    """Write a text file in UTF-8, whole or not at all; its folder is made. Raises HodorError."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, mode=mode, flush=flush) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, values: object, *, mode: int = 0o666, flush: bool = False) -> None:
    """Write a JSON file, whole or not at all; its folder is made. Raises HodorError naming it."""
    write_text(path, json.dumps(values, indent=1) + "\n", mode=mode, flush=flush)


def make_folder(folder: Path) -> None:
    """Create a folder with its parents. Raises HodorError naming it."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)


def make_room(path: Path) -> None:
    """Create a file's folder; remove what kills left of writing the file. Raises HodorError."""
    make_folder(path.parent)
    with explained(path):
        sweep(path.parent, path.name)


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove what killed runs left in a folder, of one file or of all; others' work is kept.

    name: of the file that was being written; None: of every file. Raises OSError.
    """
    with os.scandir(folder) as entries:
        left = [one for one in entries if _is_temporary(one.name, name)]
    for entry in left:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            _sweep_folder(path)
        elif entry.is_symlink():
            path.unlink(missing_ok=True)
        else:
            _sweep_file(path)


def _is_temporary(found: str, name: str | None) -> bool:
    match = _TEMPORARY.match(found)
    return match is not None and name in (None, match["name"])


def _sweep_file(path: Path) -> None:
    with suppress(FileNotFoundError, PermissionError):
        # Windows removes no open file, so nothing needs to be asked there.
        held = None if sys.platform == "win32" else os.open(path, os.O_RDWR | NO_FOLLOW)
        try:
            if held is None or try_lock(held):
                path.unlink(missing_ok=True)
        finally:
            if held is not None:
                os.close(held)


def _sweep_folder(path: Path) -> None:
    with suppress(FileNotFoundError, PermissionError):
        held = _hold_folder(path)
        if held is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(held)


def _hold_folder(folder: Path) -> int | None:
    """A lock on a folder; None where another has it, and on Windows, which has none."""
    if sys.platform == "win32":
        return None
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | NO_FOLLOW)
    if try_lock(held):
        return held
    os.close(held)
    return None


def _temporary(path: Path) -> Path:
    """A hidden name in the same folder, so that putting it in place is one rename."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")


# Files that grow


def open_to_append(path: Path, *, buffering: int = -1) -> IO[bytes]:
    """A file to be written at its end, made where there is none. Raises OSError; for links too."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link")
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | NO_FOLLOW
    return open(os.open(path, flags, 0o666), "ab", buffering=buffering)


def whole_lines(path: Path) -> Iterator[bytes]:
    """Lines of a file, up to the first that a kill left without its end."""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield line


# Reading


def read_text(path: Path, kind: type[HodorError] = HodorError) -> str:
    """A text file in UTF-8. Raises a `kind` where it cannot be read, or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise kind(f"{path} cannot be read ({reason(error)})") from error
    except UnicodeDecodeError as error:
        raise kind(
            f"{path} is not text in UTF-8 (byte {error.object[error.start]:#04x} at "
            f"{error.start}); save it as UTF-8"
        ) from error


# Names


def safe_name(name: str, what: str = "name") -> str:
    """A name from data, once it is known that as a file's name it stays in its folder.

    Args:
        name: of a frame, an object, a video ...; what is given back is the same.
        what: it names, for the message.

    Raises:
        HodorError: it is empty, too long, hidden, names a device, or holds signs of paths, control
            characters, or what no file name can hold.
    """
    problem = _problem(name)
    if problem:
        raise HodorError(
            f"{what} {one_line(ascii(name))} {problem}; it cannot become the name of a file"
        )
    return name


def safe_path(folder: Path, name: str, what: str = "name") -> Path:
    """The path in a folder of a name from data that may name folders in it, as "a/1.jpg" does.

    Raises:
        HodorError: a part of it is no safe name, or it is absolute.
    """
    for part in name.split("/"):
        problem = _problem(part)
        if problem:
            raise HodorError(
                f"{what} {one_line(ascii(name))} {problem}; it cannot become the name of a file"
            )
    return folder.joinpath(*name.split("/"))


def stays_inside(root: Path, path: Path) -> Path:
    """The same path, once it is known that no link leads it out of the folder `root`.

    Raises:
        HodorError: it leaves the folder.
    """
    if not path.resolve().is_relative_to(root.resolve()):
        raise HodorError(f"{path} is a link that leaves {root}; remove the link")
    return path


def _problem(name: str) -> str:
    """Why a name is not safe; "" for one that is."""
    if not name.strip():
        return "is empty"
    if name.startswith("."):
        return "begins with a dot"  # "..", and our own notes, which are hidden
    if any(sign in name for sign in "/\\"):
        return "holds a sign of paths"
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in name):
        return "holds a control character"
    if sys.platform == "win32" and (any(sign in name for sign in '<>:"|?*') or name[-1] in " ."):
        return "holds what Windows allows in no name"
    if RESERVED.match(name) or re.match(r"[A-Za-z]:", name):
        return "names a device"
    try:
        too_long = len(os.fsencode(name)) > LONGEST_NAME
    except UnicodeEncodeError:
        return "holds a character that is none (a lone surrogate)"
    return f"is longer than {LONGEST_NAME} bytes" if too_long else ""
