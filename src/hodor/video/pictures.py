"""Opening pictures: the formats that are read, and greys deeper than eight bits."""

import math
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hodor.errors import MALFORMED, SourceError
from hodor.video.pages import MAX, Slice

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "TGA", "PPM")
"""What Pillow may open, in its names. Others make it start programs (EPS) or are no pictures."""

# What Pillow raises for files that are damaged, cut off, not images, or far too large: a damaged
# table of a TIFF is whatever its decoder makes of it.
UNREADABLE = (
    OSError, SyntaxError, EOFError, ArithmeticError, MemoryError, struct.error, zlib.error,
    Image.DecompressionBombError, *MALFORMED,
)  # fmt: skip

FULL_RANGE = 65535.0
"""Of 16 bits: what is white where nothing else is said."""


def open_picture(file: str | Path | IO[bytes]) -> Image.Image:
    """A picture in one of ``FORMATS``. Raises what is in ``UNREADABLE``."""
    return Image.open(file, formats=FORMATS)


OF_CHANNEL, OF_SLICE = " of channel ", " of slice "
"""Between what becomes black and white, the channel and the slice, in words"""


@dataclass(frozen=True)
class Intensity:
    """Which values of a picture are seen, and how greys of more than eight bits become eight.

    Pictures of eight bits keep their values.

    kind: ``auto`` stretches what the source holds, the same for all its frames; ``full`` takes 0 to
    65535; ``range`` takes low to high. channel: from 1, the only one that is seen, as grey: of
    stacks with a page for each channel, and of colours; None: colours as they are. z_slice: of
    stacks with several slices for each frame the one that is seen, from 1, or ``max``, their
    greatest values.
    """

    kind: str = "auto"
    low: float = 0.0
    high: float = FULL_RANGE
    channel: int | None = field(default=None, repr=False)
    z_slice: Slice | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        """What `parse` reads."""
        channel = "" if self.channel is None else f"{OF_CHANNEL}{self.channel}"
        z_slice = "" if self.z_slice is None else f"{OF_SLICE}{self.z_slice}"
        return f"{self.levels}{channel}{z_slice}"

    @property
    def levels(self) -> str:
        """What becomes black and white, as ``--intensity`` takes it."""
        return f"{self.low!r}:{self.high!r}" if self.kind == "range" else self.kind

    @property
    def choice(self) -> dict[str, int | str]:
        """``channel`` and ``slice``, those of them that were chosen."""
        chosen: dict[str, int | str | None] = {"channel": self.channel, "slice": self.z_slice}
        return {name: value for name, value in chosen.items() if value is not None}

    @property
    def words(self) -> list[str]:
        """Options of the command line that say the same."""
        levels = [] if self.kind == "auto" else ["--intensity", self.levels]
        return levels + [
            word for name, value in self.choice.items() for word in (f"--{name}", str(value))
        ]

    @classmethod
    def parse(
        cls, text: str, channel: int | None = None, z_slice: str | None = None
    ) -> "Intensity":
        """``auto``, ``full`` or ``LOW:HIGH``, as a user writes it; or `text`.

        channel: from 1; z_slice: a number from 1 or ``max``; in place of those in the text. Raises
        SourceError for other words.
        """
        text, _, noted = text.partition(OF_SLICE)
        text, _, number = text.partition(OF_CHANNEL)
        if channel is None and number:
            channel = int(number) if number.isdecimal() else 0
        if channel is not None and channel < 1:
            raise SourceError(f"channel {number or channel}: channels are numbered from 1")
        chosen = slice_of(noted or None if z_slice is None else z_slice)
        if text in ("auto", "full"):
            return cls(text, channel=channel, z_slice=chosen)
        low, _, high = text.partition(":")
        try:
            found = cls("range", float(low), float(high), channel, chosen)
        except ValueError:
            found = cls("range", math.nan, math.nan)
        if not (math.isfinite(found.low) and math.isfinite(found.high) and found.low < found.high):
            raise SourceError(
                f"intensity {text!r}: write auto, full, or LOW:HIGH with LOW below HIGH, such as "
                "100:4000."
            )
        return found


def slice_of(word: str | None) -> Slice | None:
    """What ``--slice`` means by a word: a number from 1, or ``max``. Raises SourceError."""
    if word is None:
        return None
    if word == MAX:
        return MAX
    if not (word.isdecimal() and int(word) > 0):
        raise SourceError(
            f"slice {word!r}: slices are numbered from 1, and {MAX} takes the brightest of all in "
            "each pixel"
        )
    return int(word)


AUTO, FULL = Intensity("auto"), Intensity("full")


def is_deep(image: Image.Image) -> bool:
    """Whether a picture holds greys of more than eight bits, or floating point numbers."""
    return image.mode.startswith("I") or image.mode == "F"


def deep_range(images: Iterable[Image.Image]) -> tuple[float, float] | None:
    """The least and the greatest value in pictures with deep greys; None without any.

    Raises:
        ValueError: values are not finite.
    """
    low, high = math.inf, -math.inf
    for image in images:
        if is_deep(image):
            values = np.asarray(image)
            if not np.isfinite(values).all():
                raise ValueError("its pixels are numbers that are none (nan or infinite)")
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    return None if low > high else (low, high)


def count_channels(image: Image.Image) -> int:
    """How many channels one page has: 1 of greys, 3 of colours; transparency is none."""
    return 1 if is_deep(image) or image.mode in ("1", "L", "LA") else 3


def as_rgb(
    image: Image.Image,
    levels: tuple[float, float] | None = None,
    channel: int | None = None,
) -> NDArray[np.uint8]:
    """A picture as (H, W, 3) uint8 RGB, turned as its EXIF orientation says.

    Transparent pictures are laid on black. levels: the values of deep greys that become black and
    white, what lies beyond too; None takes 0 to 65535, which floating point numbers have not.
    channel: from 1, the only one that is seen, as grey. Raises ValueError where the pixels do not
    fit.
    """
    image.load()
    if channel is not None and channel > (count := count_channels(image)):
        raise ValueError(f"it has {count} channel{'s' * (count > 1)}, and none is number {channel}")
    image = ImageOps.exif_transpose(image)
    if is_deep(image):
        return np.repeat(_eight_bits(np.asarray(image), levels)[..., None], 3, axis=2)
    if image.has_transparency_data:
        pixels = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(ground, pixels)
    colours = np.array(image.convert("RGB"))
    return colours if channel is None else np.repeat(colours[..., channel - 1, None], 3, axis=2)


def _eight_bits(
    values: NDArray[np.generic], levels: tuple[float, float] | None
) -> NDArray[np.uint8]:
    if levels is None:
        if values.dtype.kind == "f":
            raise ValueError("its pixels are floating point numbers of unknown range")
        wide = values.astype(np.int64)
        if wide.min() < 0 or wide.max() > FULL_RANGE:
            raise ValueError(f"its pixels range from {wide.min()} to {wide.max()}; save as 16-bit")
        return ((wide + 128) // 257).astype(np.uint8)
    low, high = levels
    shares = (values.astype(np.float64) - low) / (high - low)
    return (np.nan_to_num(shares).clip(0, 1) * 255).round().astype(np.uint8)
