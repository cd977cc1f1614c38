"""The size at which a Matroska video is shown, where its pixels are not square.

FFmpeg's muxer states it from a field of the stream that PyAV cannot set. It does state one for
pictures of two eyes side by side, though: a file is begun as one of those, and when it is whole,
that note and the two sides, which stand one after the other, are overwritten in place.
"""

from fractions import Fraction
from pathlib import Path

from hodor.errors import HodorError

STEREO = {"stereo_mode": "left_right"}
"""Metadata of the stream while the file is made."""

OPTIONS = {"write_crc32": "0"}
"""Of the muxer: checksums would be of the bytes before. FFV1's own, of each slice, stay."""

STEREO_MODE = bytes.fromhex("53b88101")
DISPLAY_WIDTH = bytes.fromhex("54b0")
DISPLAY_HEIGHT = bytes.fromhex("54ba")
HEADER = 1 << 16
"""Bytes of a file within which the stream is described."""
SPARE = len(STEREO_MODE) // 2
"""Bytes that each side gains from the note that goes."""


def state_display_size(path: Path, height: int, width: int, pixel_aspect: Fraction) -> None:
    """State how a finished file of frames (height, width) in pixels is shown.

    Raises:
        HodorError: the file is not as this module's metadata and options make it.
    """
    with path.open("r+b") as file:
        head = file.read(HEADER)
        at = head.find(STEREO_MODE + DISPLAY_WIDTH)
        columns, end = _side(head, at + len(STEREO_MODE), DISPLAY_WIDTH)
        rows, _ = _side(head, end, DISPLAY_HEIGHT)
        if at < 0 or not columns or not rows:
            raise HodorError(
                f"{path}: the installed PyAV writes Matroska in a way in which the pixels' aspect "
                "cannot be stated; choose prores."
            )
        shown_height, shown_width = shown_size(height, width, pixel_aspect)
        file.seek(at)
        file.write(_element(DISPLAY_WIDTH, shown_width, columns + SPARE))
        file.write(_element(DISPLAY_HEIGHT, shown_height, rows + SPARE))


def shown_size(height: int, width: int, pixel_aspect: Fraction) -> tuple[int, int]:
    """Height and width with square pixels: one side is kept, whichever leaves the other whole."""
    wide, high = width * pixel_aspect, height / pixel_aspect
    if wide.denominator > 1 and high.denominator == 1:
        return int(high), width
    return height, max(1, round(wide))


def _side(head: bytes, at: int, name: bytes) -> tuple[int, int]:
    """Bytes of an element's number, 0 where another element is there, and where it ends."""
    if at < 0 or head[at : at + len(name)] != name or at + len(name) >= len(head):
        return 0, at
    count = head[at + len(name)] & 0x7F
    return count, at + len(name) + 1 + count


def _element(name: bytes, number: int, count: int) -> bytes:
    return name + bytes([0x80 | count]) + number.to_bytes(count, "big")
