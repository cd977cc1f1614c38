"""Which pages of a file are frames: a TIFF also holds thumbnails, smaller copies and channels."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor.errors import SourceError

MAX: Final = "max"
"""In place of a slice's number: of all slices the greatest value of each pixel."""

Slice = int | Literal["max"]
"""Number of a slice, from 1, or ``MAX``"""

DESCRIPTION, SUBFILE = 270, 254
"""Tags of TIFF 6.0"""

REDUCED, TRANSPARENCY = 1, 4
"""Bits of the tag NewSubfileType: a smaller copy of another page; its transparency"""

IMAGEJ = re.compile(r"^(images|channels|slices|frames)=([0-9]{1,9})\s*$", re.MULTILINE)
OME = re.compile(r"\bSize([CZT])=\"([0-9]{1,9})\"")
OME_NAMES = {"C": "channels", "Z": "slices", "T": "frames"}
OME_ORDER = re.compile(r"\bDimensionOrder=\"XY([CZT]{3})\"")
IMAGEJ_ORDER = "CZT"
"""Of its pages: channels change first"""


class SeveralPagesError(ValueError):
    """Each frame of a stack has a page for each of its channels or slices, and none was chosen.

    told: in words. channels, slices: how many there are to choose from; 1: none has to be chosen.
    """

    def __init__(self, told: str, channels: int, slices: int) -> None:
        several = [("channel", channels), ("slice", slices)]
        one = " of one ".join(name for name, count in several if count > 1)
        super().__init__(f"{told}: save one {one} of each frame")
        self.told = told
        self.channels = channels
        self.slices = slices

    @property
    def to_do(self) -> str:
        """The options that choose."""
        ways = [f"a channel by --channel 1 to {self.channels}"] * (self.channels > 1)
        ways += [
            f"a slice by --slice 1 to {self.slices}, or --slice max, the brightest of all in each "
            "pixel"
        ] * (self.slices > 1)
        return f"choose {' and '.join(ways)}"


class ChoiceError(SourceError):
    """A channel or a slice of a stack has to be chosen.

    channel, z_slice: the first of those, 1; None where none has to be chosen.
    """

    def __init__(self, told: str, several: SeveralPagesError) -> None:
        super().__init__(told)
        self.channel = 1 if several.channels > 1 else None
        self.z_slice = 1 if several.slices > 1 else None


def frame_pages(image: Image.Image) -> list[int]:
    """Numbers of the pages of an open picture that are frames, from 0.

    Those of a TIFF are all but smaller copies (of pyramids, thumbnails) and transparency. Goes back
    to the first page.

    Args:
        image: open, at any page.

    Raises:
        ValueError: the file is cut off, it says that it has more pages than can be found (as
            ImageJ's stacks over 4 GB do), or its pages are of several channels or slices a frame.
    """
    return [page for (page,) in chosen_pages(image)]


def chosen_pages(
    image: Image.Image, channel: int | None = None, z_slice: Slice | None = None
) -> list[tuple[int, ...]]:
    """Numbers of the pages of each frame, as `frame_pages` has them, of what was chosen.

    Args:
        image: open, at any page.
        channel: from 1; only its pages, where each frame has a page for each channel.
        z_slice: only its pages, where each frame has a page for each slice; ``MAX``: all of them,
            for `brightest`.

    Returns:
        For each frame its pages: one, or several of which the brightest values are meant.

    Raises:
        ValueError: as `frame_pages`; or there is no such channel or slice.
    """
    with warnings.catch_warnings():
        # Where a stack is cut off, Pillow warns and takes what comes before for all.
        warnings.simplefilter("error", UserWarning)
        try:
            count = int(getattr(image, "n_frames", 1))
            pages = [page for page in range(count) if count == 1 or _is_frame(image, page)]
        except UserWarning as error:
            raise ValueError(f"it is damaged or cut off: {error}") from error
    image.seek(0)
    if image.format != "TIFF":
        return [(page,) for page in pages]
    sides = page_sides(image)
    _check_count(sides, pages)
    one_channel = channel is not None and sides.channels > 1
    one_slice = z_slice is not None and sides.slices > 1
    if not (one_channel or one_slice):
        _refuse_several(sides, len(pages))
        return [(page,) for page in pages]
    left = replace(
        sides,
        channels=1 if one_channel else sides.channels,
        slices=1 if one_slice else sides.slices,
    )
    _check_choice(sides, len(pages), channel, z_slice)
    _refuse_several(left, left.product, least=1 if one_slice and left.channels > 1 else 2)
    return _of_choice(
        sides, pages, channel if one_channel else None, z_slice if one_slice else None
    )


def brightest(image: Image.Image, pages: Sequence[int]) -> Image.Image:
    """The picture of a frame: its page, or the greatest value of each pixel in all of its pages.

    Args:
        image: open; goes to these pages.
        pages: one or more, from 0.

    Raises:
        ValueError: the pages are of several sizes.
    """
    image.seek(pages[0])
    if len(pages) == 1:
        return image
    values = _values(image)
    for page in pages[1:]:
        image.seek(page)
        values = np.maximum(values, _values(image))
    return Image.fromarray(values)


def _values(image: Image.Image) -> NDArray[np.generic]:
    return np.asarray(image.convert("RGB") if image.mode == "P" else image)


def _is_frame(image: Image.Image, page: int) -> bool:
    image.seek(page)
    kind = image.tag_v2.get(SUBFILE, 0) if hasattr(image, "tag_v2") else 0
    return not (isinstance(kind, int) and kind & (REDUCED | TRANSPARENCY))


@dataclass(frozen=True)
class Sides:
    """How many channels, slices and frames a stack says that it has; 1 where it says nothing.

    order: of pages, that which changes first before the others; C, Z and T. told: pages that
    ImageJ says there are.
    """

    channels: int = 1
    slices: int = 1
    frames: int = 1
    order: str = IMAGEJ_ORDER
    told: int = 1

    @property
    def product(self) -> int:
        """Pages that there should be."""
        return self.channels * self.slices * self.frames


def page_sides(image: Image.Image) -> Sides:
    """What a stack of ImageJ or OME, open at its first page, says of its pages."""
    text, order = description(image), IMAGEJ_ORDER
    if text.startswith("ImageJ="):
        found = {name: int(count) for name, count in IMAGEJ.findall(text)}
    else:
        pixels = ome_pixels(text)
        found = {OME_NAMES[side]: int(count) for side, count in OME.findall(pixels)}
        if ordered := OME_ORDER.search(pixels):
            order = ordered[1]
    channels, slices, frames = (max(1, found.get(name, 1)) for name in OME_NAMES.values())
    return Sides(channels, slices, frames, order, found.get("images", 1))


def channel_in_page(image: Image.Image, channel: int | None) -> int | None:
    """Which channel of a page is meant, in a picture that is open at its first page.

    None: all of them, since none was chosen, or since pages are the channels.
    """
    return None if channel is None or page_sides(image).channels > 1 else channel


def description(image: Image.Image) -> str:
    """What a TIFF, open at its first page, says of itself; "" for others."""
    return str(tag_of(image, DESCRIPTION) or "")


def tag_of(image: Image.Image, tag: int) -> object:
    """The value of a TIFF's tag at the page that is open; None where there is none."""
    return image.tag_v2.get(tag) if hasattr(image, "tag_v2") else None


def ome_pixels(text: str) -> str:
    """Attributes of the first image in a description by OME; "" where it is none."""
    return text.partition("<Pixels")[2].partition(">")[0] if "<OME" in text else ""


def _check_count(sides: Sides, pages: list[int]) -> None:
    if len(pages) == 1 < sides.told:
        raise ValueError(
            f"it says that it holds {sides.told} pages, but only the first can be found: save it "
            "with a directory for each page, such as OME-TIFF"
        )


def _check_choice(sides: Sides, pages: int, channel: int | None, z_slice: Slice | None) -> None:
    """Raises ValueError for a channel or slice that is not there, or cannot be told."""
    wanted: list[tuple[str, Slice | None, int]] = [
        ("channel", channel, sides.channels),
        ("slice", z_slice, sides.slices),
    ]
    for name, number, count in wanted:
        if number is None or count == 1:
            continue
        if isinstance(number, int) and not 1 <= number <= count:
            raise ValueError(f"it has {count} {name}s, and none is number {number}")
        if sides.product != pages:
            raise ValueError(
                f"it says that it has {_listed(sides)}, but it holds {pages} pages, so that "
                f"{name} {number} cannot be told: save that {name} by itself"
            )


def _of_choice(
    sides: Sides, pages: list[int], channel: int | None, z_slice: Slice | None
) -> list[tuple[int, ...]]:
    """The pages of one of several channels, slices or both, in their order.

    Of a side of which none was chosen, or all (``MAX``), a frame has one page for each.
    """
    counts = {"C": sides.channels, "Z": sides.slices, "T": sides.frames}
    grid = np.array(pages).reshape([counts[side] for side in reversed(sides.order)])
    grid = grid.transpose([sides.order[::-1].index(side) for side in "TZC"])
    if channel is not None:
        grid = grid[:, :, channel - 1, None]
    if z_slice is None:  # slices without frames are frames
        grid = grid.reshape(-1, 1, grid.shape[2])
    elif isinstance(z_slice, int):
        grid = grid[:, z_slice - 1, None]
    return [tuple(int(page) for page in frame.flat) for frame in grid]


def _refuse_several(sides: Sides, pages: int, least: int = 2) -> None:
    """Raises SeveralPagesError where at least that many sides have more than one page."""
    # Channels of colours are in one page; a stack of one side only may call it as it likes.
    several = [sides.channels, sides.slices, sides.frames]
    if sum(count > 1 for count in several) < least or sides.product != pages:
        return
    told = f"its {pages} pages are {_listed(sides)}, and a frame has one page"
    # Slices without frames are frames.
    slices = sides.slices if sides.frames > 1 else 1
    raise SeveralPagesError(told, sides.channels, slices)


def _listed(sides: Sides) -> str:
    """Such as "2 channels x 3 frames"."""
    counts = {"channels": sides.channels, "slices": sides.slices, "frames": sides.frames}
    return " x ".join(f"{count} {name}" for name, count in counts.items() if count > 1)
