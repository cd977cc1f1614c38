"""Sources made of still pictures: a folder, a glob pattern, one image, arrays."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hodor.errors import (
    ClosedSourceError,
    DamagedSourceError,
    MissingSourceError,
    NotAVideoError,
    SourceError,
    counted,
    one_line,
)
from hodor.video.frames import DEFAULT_FPS, Closing, Frame, numbered_name
from hodor.video.pages import (
    ChoiceError,
    SeveralPagesError,
    brightest,
    channel_in_page,
    chosen_pages,
    page_sides,
)
from hodor.video.pictures import (
    AUTO,
    UNREADABLE,
    Intensity,
    as_rgb,
    deep_range,
    open_picture,
)
from hodor.video.scale import scale_of

IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".tga",
)  # fmt: skip

TIFF_SUFFIXES = (".tif", ".tiff")

COMPANIONS = frozenset(
    {".json", ".txt", ".xml", ".csv", ".yaml", ".yml", ".md", ".html", ".ini", ".log", ".db"}
)
"""Suffixes of what lies beside frames without being one."""
NO_FRAMES = frozenset({"thumbs.db", "desktop.ini", "readme", "license"})

LOOKED_AT = 64
"""Frames that are read to find the range of deep greys; a stack of thousands is not read twice."""


class ImagesSource(Closing):
    """Image files as a video of constant rate, in the order given."""

    live = False

    def __init__(
        self,
        files: Sequence[Path],
        *,
        name: str,
        fps: float | None = None,
        intensity: Intensity = AUTO,
        left_out: Sequence[str] = (),
    ) -> None:
        """left_out: names of files of the folder that are no frames, for a warning. Raises
        SourceError for two files of the same stem: one's results would replace the other's. Stems
        are compared without case, as some file systems do.
        """
        _refuse_same_stem(files)
        refuse_no_text([name, *(file.name for file in files)], files[0].parent if files else Path())
        self._files = tuple(files)
        self.names = [file.stem for file in self._files]
        self.name = name
        self.fps, self.timed = fps or DEFAULT_FPS, fps is not None
        self.length = self.estimated_length = len(self._files)
        self.um_per_pixel = _scale_in(self._files[0]) if self._files else None
        self.warnings: list[str] = []
        if left_out:
            shown = ", ".join(left_out[:3]) + (", ..." if len(left_out) > 3 else "")
            are = "is no image" if len(left_out) == 1 else "are no images"
            were = "was" if len(left_out) == 1 else "were"
            self.warnings.append(
                f"{counted(len(left_out), 'file')} of {files[0].parent} {are} that can be read, or "
                f"links to nothing, and {were} left out: {shown}"
            )
        self._intensity = intensity

    @cached_property
    def _levels(self) -> tuple[float, float] | None:
        pictures = [partial(_opened_frame, file, self._intensity) for file in self._files]
        return find_levels(pictures, self._intensity, self.warnings)

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """One frame per file. Raises SourceError at a file that cannot be read."""
        for index, file in enumerate(self._files[start:], start):
            pixels = read_image(file, self.warnings, self._levels, self._intensity)
            yield Frame(index, file.stem, pixels, index / self.fps)


class ArraySource(Closing):
    """Frames that are in memory already."""

    live = False
    name = "array"

    def __init__(
        self,
        frames: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
        *,
        fps: float | None = None,
    ) -> None:
        """frames: (T, H, W, 3) uint8 RGB, or a sequence of (H, W, 3). Raises SourceError else."""
        if isinstance(frames, np.ndarray) and frames.ndim != 4:
            raise SourceError(
                "An array source must be (T, H, W, 3) uint8 RGB; found "
                f"{_shape(frames)}. For one frame give array[None]."
            )
        for index, pixels in enumerate(frames):
            if not _is_frame(pixels):
                raise SourceError(
                    f"Frame {index} of the array source must be (H, W, 3) uint8 RGB; found "
                    f"{_shape(pixels)}."
                )
        if len(frames) == 0:
            raise SourceError("The array source holds no frames; give at least one.")
        self._frames = frames
        self.fps, self.timed = fps or DEFAULT_FPS, fps is not None
        self.length = self.estimated_length = len(frames)
        self.warnings: list[str] = []

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Every frame as it is, not copied."""
        for index in range(start, len(self._frames)):
            yield Frame(index, numbered_name(index), self._frames[index], index / self.fps)


def list_images(folder: Path) -> list[Path]:
    """Image files of a folder in natural order (2 before 10), without hidden ones.

    Raises:
        SourceError: the name of one is not UTF-8.
    """
    files = sort_naturally(file for file in folder.iterdir() if is_image(file))
    refuse_no_text([file.name for file in files], folder)
    return files


def left_out(folder: Path) -> list[str]:
    """What a folder holds that looks like a frame and is none that can be read: names, sorted."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and not is_image(path)
        and not path.is_dir()
        and path.suffix.lower() not in COMPANIONS
        and path.name.lower() not in NO_FRAMES
    )


def refuse_no_text(names: Iterable[str], where: Path) -> None:
    """Raises SourceError for a name that is not UTF-8: no result file could hold it."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            shown = name.encode("utf-8", "backslashreplace").decode()
            raise SourceError(
                f"{str(where).encode('utf-8', 'backslashreplace').decode()}: the name {shown} is "
                "not UTF-8, so that no result could be named after it; rename it."
            ) from None


def is_image(path: Path) -> bool:
    """Whether a path is a file that its name says is an image, and is not hidden."""
    named_so = path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    return named_so and path.is_file()


def sort_naturally(paths: Iterator[Path] | Sequence[Path]) -> list[Path]:
    """Order in which people count: runs of digits compare as numbers."""
    return sorted(paths, key=lambda path: (_natural_key(path), str(path)))


def read_image(
    path: Path,
    warnings: list[str] | None = None,
    levels: tuple[float, float] | None = None,
    seen: Intensity = AUTO,
) -> NDArray[np.uint8]:
    """Read one image file as (H, W, 3) uint8 RGB, turned as its EXIF orientation says.

    Greys of 16 bits are scaled from `levels` to 0..255, None: from 0..65535; transparent images are
    laid on black; of several pages the first is read, which is added to `warnings`. seen: the one
    channel and slice that are. Raises SourceError naming the file where it cannot be read.
    """
    with opened_image(path) as image:
        within = channel_in_page(image, seen.channel)
        frame, pages = _frame_of(path, image, seen)
        if warnings is not None and pages > 1:
            slices = page_sides(image).slices == pages
            other = "; --slice takes another of its slices, or the brightest of all" * slices
            warnings.append(f"{path} holds {pages} pages; the first was read{other}.")
        return as_rgb(frame, levels, within)


@contextmanager
def _opened_frame(path: Path, seen: Intensity) -> Iterator[Image.Image]:
    """The picture of an image file's frame, of its channel and slice."""
    with opened_image(path) as image:
        yield _frame_of(path, image, seen)[0]


def _scale_in(file: Path) -> float | None:
    """Micrometres a pixel, as an image file says; one that cannot be read is told at its turn."""
    if file.suffix.lower() in TIFF_SUFFIXES:
        with suppress(SourceError), opened_image(file) as image:
            return scale_of(image).um_per_pixel
    return None


def _frame_of(path: Path, image: Image.Image, seen: Intensity) -> tuple[Image.Image, int]:
    """The picture that is read of an image file, and how many there are to choose from."""
    if image.format != "TIFF":
        return image, getattr(image, "n_frames", 1)
    frames = pages_of_choice(path, image, seen)
    return brightest(image, frames[0]), len(frames)


def pages_of_choice(path: Path, image: Image.Image, seen: Intensity) -> list[tuple[int, ...]]:
    """The pages of each frame of an open TIFF, of one channel and slice; see `chosen_pages`.

    Raises:
        ChoiceError: one has to be chosen, in words that say how.
        ValueError: as `chosen_pages`.
    """
    try:
        return chosen_pages(image, seen.channel, seen.z_slice)
    except SeveralPagesError as error:
        raise ChoiceError(f"{path}: {error.told}: {error.to_do}", error) from None


def read_still(path: Path) -> NDArray[np.uint8]:
    """Read an image (H, W, 3) that is no frame of a video, as `read_image` does.

    Deep greys are stretched by the image's own range. Raises SourceError.
    """
    with opened_image(path) as image:
        found = deep_range([image])
        return as_rgb(image, found if found is not None and found[0] < found[1] else None)


@contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """An image file, open; whatever is wrong with it is a SourceError that names it."""
    try:
        with open_picture(path) as image:
            yield image
    except UNREADABLE as error:
        raise _kind_of(error)(
            f"{path} cannot be read as an image ({one_line(error)}); replace or remove it."
        ) from error


def _kind_of(error: Exception) -> type[SourceError]:
    """What Pillow's or the system's error comes to."""
    if isinstance(error, FileNotFoundError):
        return MissingSourceError
    if isinstance(error, PermissionError):
        return ClosedSourceError
    return NotAVideoError if isinstance(error, UnidentifiedImageError) else DamagedSourceError


def find_levels(
    pictures: Sequence[Callable[[], AbstractContextManager[Image.Image]]],
    intensity: Intensity,
    warnings: list[str],
) -> tuple[float, float] | None:
    """What becomes black and white in all frames of a source; None: 0 and 65535, or no deep greys.

    A few frames, evenly spread, are looked at for ``auto``; what was found is said in `warnings`.
    """
    if intensity.kind != "auto":
        return None if intensity.kind == "full" else (intensity.low, intensity.high)
    step = max(1, -(-len(pictures) // LOOKED_AT))
    looked_at = pictures[::step]

    def images() -> Iterator[Image.Image]:
        for picture in looked_at:
            # One that cannot be read is told when its turn comes: the frames before it are good.
            with suppress(SourceError), picture() as image:
                if image.mode[0] in "IF":  # deep; an error of decoding belongs in here
                    image.load()
                yield image

    with images_explained():
        found = deep_range(images())
    if found is None or found[0] == found[1]:
        return None
    of = "" if step == 1 else f" (in {len(looked_at)} of {len(pictures)} frames)"
    warnings.append(
        f"frames hold more than 8 bits: values from {found[0]:g} to {found[1]:g}{of} were "
        "stretched over black to white, the same in all frames; --intensity LOW:HIGH, or full, "
        "sets this"
    )
    return found


@contextmanager
def images_explained() -> Iterator[None]:
    """Turn numbers that are none into a SourceError."""
    try:
        yield
    except ValueError as error:
        raise SourceError(f"a frame cannot be used: {one_line(error)}") from error


def _natural_key(path: Path) -> list[list[tuple[bool, int, str]]]:
    return [_split_numbers(part) for part in (*path.parent.parts, path.stem)]


def _split_numbers(text: str) -> list[tuple[bool, int, str]]:
    """ "a10" -> text "a", number 10. Numbers come before text."""
    parts = [part for part in re.split(r"([0-9]+)", text.casefold()) if part]
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]


def _refuse_same_stem(files: Sequence[Path]) -> None:
    def stem(file: Path) -> str:
        return file.stem.casefold()

    for _, same in groupby(sorted(files, key=stem), key=stem):
        twins = [str(file) for file in same]
        if len(twins) > 1:
            raise SourceError(
                f"{' and '.join(twins[:3])} share a name, so their results would replace each "
                "other; rename or move one."
            )


def _is_frame(pixels: object) -> bool:
    return (
        isinstance(pixels, np.ndarray)
        and pixels.ndim == 3
        and pixels.shape[2] == 3
        and pixels.dtype == np.uint8
        and pixels.size > 0
    )


def _shape(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype}"
    return type(value).__name__
