"""What a format is; each file of this room makes one, and the catalogue lists them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hodor.extras import check
from hodor.formats.reading import Look, ReadOptions
from hodor.formats.track import Track
from hodor.formats.writing import WriteOptions


def never(_: Look) -> bool:
    """For a format that is read as another one: `Format.looks_like` of that one finds it."""
    return False


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format: what people call it, its reader, its writer, and how it is recognised.

    Attributes:
        title: for people, such as "COCO instances (JSON)".
        about: what is in it, in one line.
        what: a damaged file is none of, for messages such as "a.json is no file of COCO instances
            that can be read".
        read: may raise anything of a damaged file; `read_track` makes one line of it. Frames come
            in the order of their indices.
        write: writes whole or not at all.
        file: how the file or folder is called beside others.
        looks_like: whether a file or folder is of this format, by names and first keys.
        pixels: whether the video's picture belongs to it.
        lone: whether it is a folder, of which one file can be read alone.
        videos: whether it may hold several videos, of which the reader takes one.
        mattes: whether ``Mattes`` says how it is written, and soft masks can go into it.
        module, extra: a package that it needs, and the extra that brings it.
        whole: whether it is as long as the video: frames without masks belong to it too.
    """

    title: str
    about: str
    what: str
    read: Callable[[Path, ReadOptions], Track]
    write: Callable[[Track, Path, WriteOptions], None]
    file: str
    looks_like: Callable[[Look], bool]
    pixels: bool = False
    lone: bool = False
    videos: bool = False
    whole: bool = False
    mattes: bool = False
    module: str = ""
    extra: str = ""

    def check(self) -> None:
        """Raises HodorError where a package is missing that it needs."""
        if self.module:
            check(self.extra, self.module)

    @property
    def folder(self) -> bool:
        """Whether it is a folder, not a file."""
        return not Path(self.file).suffix
