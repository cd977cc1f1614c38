"""A frame with numbered lines over it, for who has no pointer to read pixels off by."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hodor.errors import HodorError
from hodor.files import whole_file
from hodor.video.drawing import draw_overlay
from hodor.video.frames import LabelMap
from hodor.video.label_maps import label_map_objects

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""Of pictures with numbered lines, and what they are in Pillow's words"""

LINES = 12
"""At most so many numbered lines along the longer side: their numbers do not touch one another"""
FAINT_PER_LINE = 5
"""Spaces between faint lines from one numbered line to the next"""
SMALLEST = 480
"""Pixels of the shorter side below which a frame is drawn larger, so that numbers find room"""
LINE, FAINT = 0.55, 0.16
"""How opaque lines are"""
TEXT = 14
"""Pixels high; on frames of more than 720 lines in proportion"""
TEXT_LINES = 720


class _Line(NamedTuple):
    """A line at a column or row of the frame, and whether it has a number."""

    at: int
    numbered: bool


def check_picture(path: Path) -> None:
    """Whether a picture can be written under a name.

    Raises:
        HodorError: its suffix is none of ``SUFFIXES``.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise HodorError(
            f"{path}: the picture is written as PNG or JPEG; give a name that ends in .png"
        )


def write_grid(path: Path, pixels: NDArray[np.uint8], label_map: LabelMap | None = None) -> int:
    """Write a frame with numbered lines, and objects over it, as a picture.

    Args:
        path: PNG or JPEG to write; one that is there is replaced.
        pixels: (H, W, 3) uint8 RGB.
        label_map: (H, W), objects that are drawn.

    Returns:
        How many times as large as the frame the picture is.

    Raises:
        HodorError: it cannot be written.
    """
    check_picture(path)
    if label_map is not None:
        pixels = draw_overlay(pixels, label_map, list(label_map_objects(label_map)))
    drawn, times = draw_grid(pixels)
    with whole_file(path) as fresh:
        Image.fromarray(drawn).save(fresh, SUFFIXES[path.suffix.lower()])
    return times


def draw_grid(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """Draw lines at round numbers of columns and rows, numbered at the frame's edges.

    Args:
        pixels: (H, W, 3) uint8 RGB, left as they are.

    Returns:
        (H * n, W * n, 3) uint8, and n: 1, but for small frames, which are drawn n times as large.
        Numbers are those of the frame's own pixels.
    """
    height, width = pixels.shape[:2]
    times = max(1, math.ceil(SMALLEST / min(height, width)))
    drawn: NDArray[np.uint8] = np.repeat(np.repeat(pixels, times, axis=0), times, axis=1)
    step = _round_step(max(height, width) / LINES)
    columns, rows = _lines(width, step), _lines(height, step)
    # Viewers show large pictures smaller, in which lines of one pixel would be lost.
    larger = max(1.0, min(drawn.shape[:2]) / TEXT_LINES)
    wide = round(larger)
    for column in columns:
        _shade(drawn[:, column.at * times : column.at * times + wide], column)
    for row in rows:
        _shade(drawn[row.at * times : row.at * times + wide], row)
    picture = Image.fromarray(drawn)
    size = round(TEXT * larger)
    _number(ImageDraw.Draw(picture), columns, rows, times, size)
    return np.array(picture), times


def _round_step(least: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ... from a length on, but at least five pixels."""
    power: int = 10 ** int(math.log10(max(least, 1)))
    steps = (factor * power for factor in (1, 2, 5, 10))
    return max(5, next(step for step in steps if step >= least))


def _lines(length: int, step: int) -> list[_Line]:
    faint = max(1, step // FAINT_PER_LINE)
    return [_Line(at, at % step == 0) for at in range(faint, length, faint)]


def _shade(strip: NDArray[np.uint8], line: _Line) -> None:
    """A line in place, black on what is light and white on what is dark."""
    opacity = LINE if line.numbered else FAINT
    grey = strip.mean(axis=2, keepdims=True)
    ink = np.where(grey > 127, 0, 255)
    strip[:] = np.rint(strip * (1 - opacity) + ink * opacity)


def _number(
    draw: ImageDraw.ImageDraw, columns: list[_Line], rows: list[_Line], times: int, size: int
) -> None:
    """Numbers of columns along the upper and lower edge, of rows along the others."""
    width, height = draw.im.size
    font = ImageFont.load_default(size)
    for line in columns:
        if line.numbered:
            for y, anchor in ((2, "mt"), (height - 3, "mb")):
                _plate(draw, (line.at * times, y), str(line.at), anchor, font)
    for line in rows:
        # Corners are the columns'.
        if line.numbered and 2 * size < line.at * times < height - 2 * size:
            for x, anchor in ((2, "lm"), (width - 3, "rm")):
                _plate(draw, (x, line.at * times), str(line.at), anchor, font)


def _plate(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    anchor: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    left, _, right, _ = draw.textbbox(place, text, font=font, anchor=anchor)
    # The number of a line near the edge stays in the picture.
    x, y = place[0] - min(0, left - 3) - max(0, right + 3 - draw.im.size[0]), place[1]
    left, top, right, bottom = draw.textbbox((x, y), text, font=font, anchor=anchor)
    draw.rectangle((left - 3, top - 2, right + 2, bottom + 1), fill=(0, 0, 0))
    draw.text((x, y), text, fill=(255, 255, 255), font=font, anchor=anchor)
