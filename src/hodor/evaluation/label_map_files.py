"""Label maps and frames of benchmarks: read as tracking reads them, their sizes told beforehand."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor.errors import DataError, MaskError, SourceError
from hodor.video import open_picture, read_image
from hodor.video import read_label_map as read_mask
from hodor.video.pictures import UNREADABLE

LabelMap = NDArray[np.uint8]
"""Label map (H, W): one object id per pixel, 0 is background."""

_INDEX_MODES = ("P", "L", "1")
_JPEG_END = b"\xff\xd9"
_TAIL = 4096  # bytes; cameras write some of their own behind the end


def read_label_map(path: Path) -> LabelMap:
    """Label map (H, W) uint8 of a mask file, in which 255 is never a name for 1.

    Raises DataError when the file cannot be read, or its ids would have to be guessed.
    """
    try:
        label_map = read_mask(path, white_is_id=True)
    except MaskError as error:
        raise DataError(str(error)) from error
    if label_map.dtype != np.uint8:
        raise DataError(f"{path} has ids up to {label_map.max()}; benchmarks have 8-bit ids")
    return label_map.astype(np.uint8, copy=False)


def read_frame(path: Path) -> NDArray[np.uint8]:
    """Frame (H, W, 3) uint8 RGB of an image file. Raises DataError when it cannot be read."""
    try:
        return read_image(path)
    except SourceError as error:
        raise DataError(str(error)) from error


def label_map_size(path: Path) -> tuple[int, int]:
    """Height and width of a label map's PNG, whose checksums are checked but nothing decoded.

    Raises DataError when the file is missing, damaged or holds colours without a palette.
    """
    try:
        with open_picture(path) as picture:
            _check_mode(path, picture)
            picture.verify()
            return picture.height, picture.width
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def frame_size(path: Path) -> tuple[int, int]:
    """Height and width in an image file's header.

    Raises DataError when there is none, or when the end of a JPEG is missing: a copy that broke
    off is found without decoding.
    """
    try:
        with open_picture(path) as picture:
            size, kind = (picture.height, picture.width), picture.format
        if kind == "JPEG":
            _check_end(path)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    return size


def _check_end(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, _TAIL), 2)
        if _JPEG_END not in file.read():
            raise ValueError("it breaks off before its end")


def _check_mode(path: Path, picture: Image.Image) -> None:
    if picture.mode not in _INDEX_MODES:
        raise DataError(
            f"{path} has no 8-bit object ids (Pillow mode {picture.mode}); save it as a PNG with "
            "a palette, or in greys whose value is the id"
        )


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read ({error}); write the file again")
