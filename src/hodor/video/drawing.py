"""Colours of objects, and label maps drawn over frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Never

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from hodor.errors import HodorError, MaskError
from hodor.video.frames import LabelMap

Colour = tuple[int, int, int]

PLAIN: Mapping[int, Never] = MappingProxyType({})
LONGEST_TAG = 24

# Sizes at a shorter side of 480 pixels; they grow with it.
OUTLINE_AT_480 = 2
TEXT_AT_480 = 15
SMALLEST_TEXT = 10

COLOUR_STRIDE = 97
"""Prime to 255, so that any 255 ids in a row have different colours, neighbours far apart."""

OUTLINE_GAMMA = 0.5
"""The palette's colours are dark (128, 0, 0); this lifts them apart from dark pictures."""


def davis_palette() -> NDArray[np.uint8]:
    """The colours of PASCAL VOC's and DAVIS's label maps, (256, 3) uint8 RGB.

    The bits of the index go in turn to red, green and blue, and in each to ever lower places, so
    that neighbouring ids differ most (the colour map of the PASCAL VOC development kit).
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for place in range(8):
        for channel in range(3):
            bit = (index >> (3 * place + channel)) & 1
            palette[:, channel] |= (bit << (7 - place)).astype(np.uint8)
    return palette


def object_colour(number: int) -> Colour:
    """Colour of an object id in overlays, RGB; ids above 255 share the palette's 255 colours."""
    if number > 255:
        number = 1 + number * COLOUR_STRIDE % 255
    palette = davis_palette()[number] / 255
    red, green, blue = (round(255 * part**OUTLINE_GAMMA) for part in palette.tolist())
    return red, green, blue


def parse_colour(text: str) -> Colour:
    """RGB of ``#rrggbb`` or of a colour's English name. Raises HodorError for other words."""
    try:
        red, green, blue, *_ = ImageColor.getrgb(text)
    except ValueError as error:
        raise HodorError(
            f"{text!r} is no colour: write it as #ff8800, or by its name, such as orange"
        ) from error
    return red, green, blue


def hex_colour(colour: Colour) -> str:
    """An RGB colour as ``#rrggbb``."""
    return f"#{colour[0]:02x}{colour[1]:02x}{colour[2]:02x}"


def draw_overlay(
    pixels: NDArray[np.uint8],
    label_map: LabelMap,
    ids: Sequence[int],
    *,
    alpha: float = 0.45,
    colours: Mapping[int, Colour] = PLAIN,
    names: Mapping[int, str] = PLAIN,
) -> NDArray[np.uint8]:
    """Draw the objects `ids` of a label map over a frame: a veil, an outline and a tag of each.

    pixels: (H, W, 3) uint8 RGB, left as it is; label_map: (H, W); alpha: opacity of the veil, a
    fraction of 1. colours: RGB by id, in place of ``object_colour``. names: by id, for the tags,
    in place of the id, as far as the font has their letters. Ids without a pixel are left out.
    Gives (H, W, 3) uint8. Raises MaskError if the sizes differ.
    """
    if label_map.shape != pixels.shape[:2]:
        raise MaskError(
            f"A label map of {label_map.shape} cannot be drawn on a frame of {pixels.shape[:2]}."
        )
    canvas = np.ascontiguousarray(pixels).copy()
    scale = min(label_map.shape) / 480
    tags = []
    for number in ids:
        region = _find_region(label_map, number)
        if region is not None:
            colour = colours.get(number) or object_colour(number)
            _paint(region.cut(canvas), region, colour, alpha, max(1, round(OUTLINE_AT_480 * scale)))
            tags.append((number, colour, region))
    font = ImageFont.load_default(max(SMALLEST_TEXT, round(TEXT_AT_480 * scale)))
    for number, colour, region in tags:
        _put_tag(canvas, _draw_tag(_tag_text(number, names), colour, font), region)
    return canvas


def _tag_text(number: int, names: Mapping[int, str]) -> str:
    name = names.get(number, "")[:LONGEST_TAG].strip()
    # Pillow's own font has Latin letters.
    return name if name and name.isprintable() and max(map(ord, name)) < 256 else str(number)


@dataclass(frozen=True, eq=False)
class _Region:
    """One object in its bounding box, with a pixel of surroundings where the frame has one.

    centre: (x, y) in the frame of the point farthest from the outline; radius: that distance.
    """

    mask: NDArray[np.uint8]
    left: int
    top: int
    centre: tuple[int, int]
    radius: float

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of a picture (H, W, 3) where the mark is."""
        height, width = self.mask.shape
        return picture[self.top : self.top + height, self.left : self.left + width]


@dataclass(frozen=True, eq=False)
class _Tag:
    """A small plate with an id: pixels (h, w, 3) in 0..255 and opacity (h, w, 1) in 0..1."""

    pixels: NDArray[np.float32]
    opacity: NDArray[np.float32]


def _find_region(label_map: LabelMap, number: int) -> _Region | None:
    whole = (label_map == number).view(np.uint8)
    left, top, width, height = cv2.boundingRect(whole)
    if width == 0:
        return None
    first_row, first_column = max(top - 1, 0), max(left - 1, 0)
    mask = whole[first_row : top + height + 1, first_column : left + width + 1]
    # With a rim, so that an object cut by the frame's border has its tag away from there.
    rimmed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(rimmed, cv2.DIST_L2, 3)[1:-1, 1:-1]
    _, radius, _, (x, y) = cv2.minMaxLoc(distance)
    return _Region(mask, first_column, first_row, (first_column + x, first_row + y), radius)


def _paint(
    area: NDArray[np.uint8], region: _Region, colour: Colour, alpha: float, outline: int
) -> None:
    """Veil and outline in place. The outline lies inside the object, clear of its neighbours'.

    The frame's border gets no outline: outside the picture the object goes on.
    """
    flat = np.empty_like(area)
    flat[:] = colour
    veiled = cv2.addWeighted(area, 1 - alpha, flat, alpha, 0)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * outline + 1, 2 * outline + 1))
    inside = cv2.erode(region.mask, disc)
    cv2.copyTo(veiled, inside, area)
    cv2.copyTo(flat, region.mask - inside, area)


def _draw_tag(
    text: str, colour: Colour, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> _Tag:
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
    margin = max(3, (bottom - top) // 3)
    width = max(right - left, bottom - top) + 2 * margin
    height = bottom - top + 2 * margin
    ink = _readable_on(colour)
    # The plate is drawn four times as large and reduced, since Pillow's corners are jagged.
    opacity, plate = (
        Image.new("L", (4 * width, 4 * height)),
        Image.new("L", (4 * width, 4 * height)),
    )
    edge = (0, 0, 4 * width - 1, 4 * height - 1)
    ImageDraw.Draw(opacity).rounded_rectangle(edge, radius=1.2 * height, fill=255)
    ImageDraw.Draw(plate).rounded_rectangle(edge, 1.2 * height, fill=255, outline=0, width=4)
    face = Image.new("RGB", (width, height), ink)
    face.paste(colour, mask=plate.reduce(4))
    place = ((width - (right - left)) / 2 - left, margin - top)
    ImageDraw.Draw(face).text(place, text, fill=ink, font=font)
    shown = np.asarray(opacity.reduce(4), np.float32)[..., None] / np.float32(255)
    return _Tag(np.asarray(face, np.float32), shown)


def _readable_on(colour: Colour) -> Colour:
    """Black on light colours, white on dark ones (weights of brightness: ITU-R BT.601)."""
    brightness = np.dot(colour, (0.299, 0.587, 0.114))
    return (0, 0, 0) if brightness > 100 else (255, 255, 255)


def _put_tag(canvas: NDArray[np.uint8], tag: _Tag, region: _Region) -> None:
    """On the object's widest place, or above an object that the tag would hide."""
    height, width = tag.pixels.shape[:2]
    x, y = region.centre[0] - width // 2, region.centre[1] - height // 2
    if region.radius < height:
        y = region.top - height if region.top >= height else region.top + region.mask.shape[0]
    x = min(max(x, 0), max(canvas.shape[1] - width, 0))
    y = min(max(y, 0), max(canvas.shape[0] - height, 0))
    area = canvas[y : y + height, x : x + width]
    rows, columns = area.shape[:2]
    opacity = tag.opacity[:rows, :columns]
    area[:] = np.rint(area * (1 - opacity) + tag.pixels[:rows, :columns] * opacity)
