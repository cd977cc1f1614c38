"""Which pages of a file are frames: a TIFF also holds thumbnails, smaller copies and channels."""

import re
import warnings

from PIL import Image

DESCRIPTION, SUBFILE = 270, 254
"""Tags of TIFF 6.0"""

REDUCED, TRANSPARENCY = 1, 4
"""Bits of the tag NewSubfileType: a smaller copy of another page; its transparency"""

IMAGEJ = re.compile(r"^(images|channels|slices|frames)=([0-9]{1,9})\s*$", re.MULTILINE)
OME = re.compile(r"\bSize([CZT])=\"([0-9]{1,9})\"")
OME_NAMES = {"C": "channels", "Z": "slices", "T": "frames"}


def frame_pages(image: Image.Image) -> list[int]:
    """Numbers of the pages of an open picture that are frames, from 0.

    Those of a TIFF are all but smaller copies (of pyramids, thumbnails) and transparency. Goes back
    to the first page.

    Raises:
        ValueError: the file is cut off, it says that it has more pages than can be found (as
            ImageJ's stacks over 4 GB do), or its pages are of several channels or slices a frame.
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
    if image.format == "TIFF":
        _check(_sides(image), pages)
    return pages


def _is_frame(image: Image.Image, page: int) -> bool:
    image.seek(page)
    kind = image.tag_v2.get(SUBFILE, 0) if hasattr(image, "tag_v2") else 0
    return not (isinstance(kind, int) and kind & (REDUCED | TRANSPARENCY))


def _sides(image: Image.Image) -> dict[str, int]:
    """How many channels, slices and frames a stack of ImageJ or OME says that it has."""
    text = str(image.tag_v2.get(DESCRIPTION, "")) if hasattr(image, "tag_v2") else ""
    if text.startswith("ImageJ="):
        return {name: int(count) for name, count in IMAGEJ.findall(text)}
    if "<OME" in text and "<Pixels" in text:
        pixels = text.partition("<Pixels")[2].partition(">")[0]
        return {OME_NAMES[side]: int(count) for side, count in OME.findall(pixels)}
    return {}


def _check(sides: dict[str, int], pages: list[int]) -> None:
    told = sides.pop("images", 1)
    if len(pages) == 1 < told:
        raise ValueError(
            f"it says that it holds {told} pages, but only the first can be found: save it with a "
            "directory for each page, such as OME-TIFF"
        )
    several = {name: count for name, count in sides.items() if count > 1}
    product = 1
    for count in several.values():
        product *= count
    # Channels of colours are in one page; a stack of one side only may call it as it likes.
    if len(several) > 1 and product == len(pages):
        listed = " x ".join(f"{count} {name}" for name, count in several.items())
        raise ValueError(
            f"its {len(pages)} pages are {listed}, and a frame has one page: save one channel and "
            "slice of each frame"
        )
