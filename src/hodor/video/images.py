"""Sources made of still pictures: a folder, a glob pattern, one image, arrays."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hodor.errors import SourceError
from hodor.video.frames import DEFAULT_FPS, Closing, Frame, numbered_name

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

# What Pillow raises for files that are damaged, cut off, not images, or far too large.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


class ImagesSource(Closing):
    """Image files as a video of constant rate, in the order given."""

    live = False

    def __init__(self, files: Sequence[Path], *, name: str, fps: float | None = None) -> None:
        """Raises SourceError for two files of the same stem: one's results would replace the
        other's. Stems are compared without case, as some file systems do.
        """
        _refuse_same_stem(files)
        self._files = tuple(files)
        self.names = [file.stem for file in self._files]
        self.name = name
        self.fps = fps or DEFAULT_FPS
        self.length = self.estimated_length = len(self._files)
        self.warnings: list[str] = []

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """One frame per file. Raises SourceError at a file that cannot be read."""
        for index, file in enumerate(self._files[start:], start):
            yield Frame(index, file.stem, read_image(file, self.warnings), index / self.fps)


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
        self.fps = fps or DEFAULT_FPS
        self.length = self.estimated_length = len(frames)
        self.warnings: list[str] = []

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Every frame as it is, not copied."""
        for index in range(start, len(self._frames)):
            yield Frame(index, numbered_name(index), self._frames[index], index / self.fps)


def list_images(folder: Path) -> list[Path]:
    """Image files of a folder in natural order (2 before 10), without hidden ones."""
    return sort_naturally(file for file in folder.iterdir() if is_image(file))


def is_image(path: Path) -> bool:
    """Whether a path is a file that its name says is an image, and is not hidden."""
    named_so = path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    return named_so and path.is_file()


def sort_naturally(paths: Iterator[Path] | Sequence[Path]) -> list[Path]:
    """Order in which people count: runs of digits compare as numbers."""
    return sorted(paths, key=lambda path: (_natural_key(path), str(path)))


def read_image(path: Path, warnings: list[str] | None = None) -> NDArray[np.uint8]:
    """Read one image file as (H, W, 3) uint8 RGB, turned as its EXIF orientation says.

    16-bit greys are scaled from 0..65535 to 0..255 (always the same way, so that a folder does
    not flicker); transparent images are laid on black; of several pages the first is read, which
    is added to `warnings`. Raises SourceError naming the file where it cannot be read.
    """
    try:
        with Image.open(path) as image:
            if warnings is not None and getattr(image, "n_frames", 1) > 1:
                warnings.append(f"{path} holds {image.n_frames} pages; the first was read.")  # type: ignore[attr-defined]
            image.load()
            return _rgb(ImageOps.exif_transpose(image))
    except UNREADABLE as error:
        raise SourceError(
            f"{path} cannot be read as an image ({_one_line(error)}); replace or remove it."
        ) from error


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        grey = _eight_bits(np.asarray(image))
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode == "F":
        raise ValueError("its pixels are floating point numbers of unknown range; save it as 8-bit")
    if image.has_transparency_data:
        pixels = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(ground, pixels)
    return np.array(image.convert("RGB"))


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    wide = values.astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:
        raise ValueError(f"its pixels range from {wide.min()} to {wide.max()}; save it as 8-bit")
    return ((wide + 128) // 257).astype(np.uint8)


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


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
