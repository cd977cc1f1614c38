"""Which pages of a file are frames: a TIFF also holds thumbnails, smaller copies and channels."""

import re
import warnings
from dataclasses import dataclass, replace

from PIL import Image

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


class SeveralChannelsError(ValueError):
    """Each frame of a stack has a page for each of its channels, and none was chosen.

    told: in words. channels: their number.
    """

    def __init__(self, told: str, channels: int) -> None:
        super().__init__(f"{told}: save one channel of each frame")
        self.told = told
        self.channels = channels


def frame_pages(image: Image.Image, channel: int | None = None) -> list[int]:
    """Numbers of the pages of an open picture that are frames, from 0.

    Those of a TIFF are all but smaller copies (of pyramids, thumbnails) and transparency. Goes back
    to the first page.

    Args:
        image: open, at any page.
        channel: from 1; only its pages, where each frame has a page for each channel.

    Raises:
        ValueError: the file is cut off, it says that it has more pages than can be found (as
            ImageJ's stacks over 4 GB do), its pages are of several channels or slices a frame, or
            there is no such channel.
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
        return pages
    sides = page_sides(image)
    _check_count(sides, pages)
    if channel is not None and sides.channels > 1:
        pages = _of_channel(sides, pages, channel)
        sides = replace(sides, channels=1)
    _refuse_several(sides, pages)
    return pages


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


def _of_channel(sides: Sides, pages: list[int], channel: int) -> list[int]:
    """The pages of one of several channels, in their order."""
    if not 1 <= channel <= sides.channels:
        raise ValueError(f"it has {sides.channels} channels, and none is number {channel}")
    if sides.product != len(pages):
        raise ValueError(
            f"it says that it has {_listed(sides)}, but it holds {len(pages)} pages, so that "
            f"channel {channel} cannot be told: save that channel by itself"
        )
    before = sides.order.partition("C")[0]
    step = (sides.slices if "Z" in before else 1) * (sides.frames if "T" in before else 1)
    return [page for at, page in enumerate(pages) if at // step % sides.channels == channel - 1]


def _refuse_several(sides: Sides, pages: list[int]) -> None:
    # Channels of colours are in one page; a stack of one side only may call it as it likes.
    several = [sides.channels, sides.slices, sides.frames]
    if sum(count > 1 for count in several) < 2 or sides.product != len(pages):
        return
    told = f"its {len(pages)} pages are {_listed(sides)}, and a frame has one page"
    if sides.channels > 1 and 1 in (sides.slices, sides.frames):
        raise SeveralChannelsError(told, sides.channels)
    raise ValueError(f"{told}: save one slice of each frame")


def _listed(sides: Sides) -> str:
    """Such as "2 channels x 3 frames"."""
    counts = {"channels": sides.channels, "slices": sides.slices, "frames": sides.frames}
    return " x ".join(f"{count} {name}" for name, count in counts.items() if count > 1)
