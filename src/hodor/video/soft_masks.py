"""Soft masks as files: for each object and frame a grey PNG of 16 bits, its opacity."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hodor.errors import MaskError, one_line
from hodor.files import make_folder
from hodor.video.label_maps import write_label_map
from hodor.video.pictures import UNREADABLE, open_picture

FULL = 65535
"""In files: wholly the object's"""

SoftMask = NDArray[np.float32]
"""One object's opacity in [0, 1], (H, W)."""

SoftMaskOf = Callable[[int], SoftMask | None]
"""Gives the soft mask of an object id in a frame; None where there is none."""


def write_soft_masks(folder: Path, name: str, masks: Mapping[int, SoftMask]) -> None:
    """Write ``folder``/ID/NAME.png for each object of a frame, whole or not at all.

    masks: by object id, at the frame's size.
    Raises HodorError naming the file if it cannot be written.
    """
    for number, mask in masks.items():
        make_folder(folder / str(number))
        grey = np.rint(FULL * mask).astype(np.uint16)
        write_label_map(folder / str(number) / f"{name}.png", grey, wide=True)


def read_soft_mask(folder: Path, name: str, number: int) -> SoftMask | None:
    """One object's soft mask in a frame, as ``write_soft_masks`` wrote it; None for no file.

    Raises MaskError if the file is no such picture.
    """
    path = folder / str(number) / f"{name}.png"
    if not path.is_file():
        return None
    try:
        with open_picture(path) as image:
            grey = np.asarray(image)
    except UNREADABLE as error:
        raise MaskError(f"{path}: cannot be read ({one_line(error)}); remove its folder") from error
    if grey.ndim != 2 or grey.dtype.kind not in "iu":
        raise MaskError(f"{path}: is no soft mask (grey, 16 bits); remove its folder")
    return (grey / FULL).clip(0, 1).astype(np.float32)
