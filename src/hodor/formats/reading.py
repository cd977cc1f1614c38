"""What readers share: opening files with errors that name them, and what else is known."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from hodor.errors import HodorError, MaskError
from hodor.types import Json
from hodor.video import DEFAULT_FPS

FILE_SUFFIX = re.compile(
    r"\.(jpe?g|jpe|jfif|png|bmp|tiff?|webp|gif|tga|hei[cf]|avif|exr|dpx|ppm|pgm|jp2|dng"
    r"|mp4|mov|avi|mkv|webm|m4v|mpe?g|ts)\Z",
    re.IGNORECASE,
)
"""What is a suffix: a frame called shot.0001 without one keeps its number."""

ROBOFLOW = re.compile(r"_(?:jpe?g|png|bmp|tiff?|webp)\.rf\.[0-9A-Za-z]{16,64}\Z")
"""What Roboflow adds to a frame's name."""

HEAD = 4096
"""Bytes at the beginning of a file that tell its format."""


@dataclass(frozen=True)
class ReadOptions:
    """What a file may leave open.

    fps: frames per second. frames: names of the video's frames in order, where it is at hand;
    formats that only count frames take their names from it. size: (H, W) of its frames. video:
    which one, if a file holds several.
    """

    fps: float | None = None
    frames: Sequence[str] | None = None
    size: tuple[int, int] | None = None
    video: str | None = None

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.fps or DEFAULT_FPS

    @property
    def timed(self) -> bool:
        """Whether the rate is the user's word."""
        return self.fps is not None

    def name_of(self, index: int) -> str:
        """The name of the frame at a position."""
        if self.frames is not None and index < len(self.frames):
            return self.frames[index]
        return f"{index:05d}"


@dataclass(frozen=True)
class Look:
    """A file or folder as `Format.looks_like` sees it; everything is read once, when asked for."""

    path: Path

    @cached_property
    def folder(self) -> bool:
        """Whether it is a folder."""
        return self.path.is_dir()

    @cached_property
    def suffix(self) -> str:
        """Of a file, in small letters, such as ".xml"."""
        return "" if self.folder else self.path.suffix.lower()

    @cached_property
    def suffixes(self) -> frozenset[str]:
        """Of the files of a folder, in small letters."""
        if not self.folder:
            return frozenset()
        return frozenset(file.suffix.lower() for file in self.path.iterdir() if file.is_file())

    @cached_property
    def head(self) -> str:
        """The first line of a file, or the beginning of a long one."""
        with self.path.open(encoding="utf-8-sig", errors="replace") as file:
            return file.readline(HEAD)

    @cached_property
    def json(self) -> Json:
        """The content of a JSON file, None of others. Raises MaskError if it cannot be read."""
        return read_json(self.path) if self.suffix == ".json" else None

    @property
    def keys(self) -> frozenset[str]:
        """Of the JSON object in a file."""
        return frozenset(self.json if isinstance(self.json, dict) else ())


@contextmanager
def readable(path: Path | str, what: str) -> Iterator[None]:
    """The one place where what goes wrong in a reader becomes a line that names the file.

    Readers and the libraries under them raise what they like of damaged bytes: missing keys,
    arrays that do not fit, archives that are cut off, text that is none, too little memory.

    Args:
        path: what is being read.
        what: it should be, such as "file of COCO instances".

    Raises:
        MaskError: in place of any error but those that say what is wrong themselves.
    """
    try:
        yield
    except HodorError as error:
        if str(path) in str(error):
            raise
        raise MaskError(f"{path}: {error}") from error
    except Exception as error:
        raise wrong(path, what, error) from error


def wrong(path: Path | str, what: str, error: Exception) -> MaskError:
    """The error of a file that is not as its format says."""
    if isinstance(error, OSError) and error.strerror:
        return MaskError(f"{path} cannot be read ({error.strerror}); check the path.")
    return MaskError(f"{path} is no {what} that can be read ({_found(error)}); export it again.")


def read_json(path: Path) -> Json:
    """The content of a JSON file. Raises MaskError naming it."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise MaskError(f"{path} cannot be read as JSON (it is nested too deep).") from error
    except (OSError, ValueError, MemoryError) as error:
        raise MaskError(f"{path} cannot be read as JSON ({_one_line(error)}).") from error


def stem(name: object) -> str:
    """The name of a frame, of its file's name with folders of either slash."""
    last = _plain(name).name
    return ROBOFLOW.sub("", FILE_SUFFIX.sub("", last)) or last


def folder_of(name: object) -> str:
    """The folders before a file's name, "" for none."""
    parent = str(_plain(name).parent)
    return "" if parent == "." else parent


def _plain(name: object) -> PurePosixPath:
    if not isinstance(name, str | int):
        raise ValueError(f"the name of a file is a {type(name).__name__}")
    text = str(name)
    if "://" in text:  # What follows "?" signs the address of a cloud, slashes and all.
        text = unquote(text.partition("://")[2].partition("?")[0].partition("#")[0])
    return PurePosixPath(text.replace("\\", "/"))


def _found(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{_one_line(error)} is missing"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, ValueError) and str(error):
        return _one_line(error)
    return f"{type(error).__name__}: {_one_line(error)}".removesuffix(": ")


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]} ..."
