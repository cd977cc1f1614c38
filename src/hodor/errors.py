"""Errors that a user can mend. Each says what was wrong, what was found and what to do.

::

    HodorError
    ├── SourceError                a video, folder or camera
    │   ├── MissingSourceError     there is none of that name
    │   ├── ClosedSourceError      it is there, but may not be read
    │   ├── NotAVideoError         it is there, but holds no picture that is known
    │   └── DamagedSourceError     it is cut off, empty or does not decode
    ├── MaskError                  a reference mask or a label map
    ├── WeightsError               a model or a tracker's state
    │   └── MissingModelError      there is none of that name
    ├── DataError                  training or benchmark data
    └── RecipeError                a training recipe
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

LIST_ITEM = "  - "
"""Begins the lines of a message that lists several problems."""


LONGEST_REASON = 300
"""Characters of another library's message that are shown; some repeat a whole file."""


MALFORMED = (
    ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
"""What the content of a file raises where it is not of the form that its reader takes: a reader
makes one line of it. A text that is no JSON or no UTF-8 is a ValueError."""


class HodorError(Exception):
    """Base of every error that a user can cause and mend; the CLI prints it as one line."""


class SourceError(HodorError):
    """A video, folder or camera cannot be opened, or holds nothing to read."""


class MissingSourceError(SourceError):
    """There is no file, folder or camera of that name."""


class ClosedSourceError(SourceError):
    """A video or image is there, but may not be read."""


class NotAVideoError(SourceError):
    """A file or folder is there, but holds no video or image that can be read."""


class DamagedSourceError(SourceError):
    """A video or image is cut off, empty, or none of it decodes."""


class MaskError(HodorError):
    """A reference mask or a label map cannot be used as it is."""


class WeightsError(HodorError):
    """A checkpoint is missing, damaged or does not fit the network."""


class MissingModelError(WeightsError):
    """There is no bundled model and no file of that name."""


class DataError(HodorError):
    """Training or benchmark data is missing or broken."""


class RecipeError(HodorError):
    """A training recipe names something wrong."""


def one_line(what: object) -> str:
    """The text of an error, or of anything, in one line of at most 300 characters."""
    text = " ".join(str(what).split())
    if not text and isinstance(what, BaseException):
        text = type(what).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 4]} ..."


def reason(error: BaseException) -> str:
    """Why something failed: the system's words ("No space left on device"), else the error's."""
    return one_line(getattr(error, "strerror", None) or error)


def counted(count: int, what: str) -> str:
    """Such as "1 frame", "2 frames"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def objects_listed(ids: Iterable[int]) -> str:
    """Such as "object 1", "objects 1, 2", "objects none"."""
    listed = sorted(ids)
    what = "object" if len(listed) == 1 else "objects"
    return f"{what} {', '.join(map(str, listed)) or 'none'}"


def nobody_called(unknown: int, names: Mapping[int, str], ids: Iterable[int]) -> str:
    """That a name was given to an object that is nowhere."""
    there = ", ".join(map(str, sorted(ids))) or "none"
    return f"--name {unknown}={names[unknown]}: there is no object {unknown}; objects are {there}"


@contextmanager
def explained(
    path: Path, kind: type[HodorError] = HodorError, failed: str = "cannot be written"
) -> Iterator[None]:
    """Turn a full disk, a missing right and the like into one error that names the file."""
    try:
        yield
    except _writing_errors() as error:
        raise kind(
            f"{path}: {failed} ({reason(error)}). What was written before is intact: make "
            "room or choose another folder, then resume."
        ) from error


def _writing_errors() -> tuple[type[Exception], ...]:
    """What writing raises: PyAV's errors only where it is in use, since label maps do without."""
    av = sys.modules.get("av")
    return (OSError,) if av is None else (OSError, av.FFmpegError)
