"""Label maps on the wire: runs of equal values, row by row, as little-endian 32-bit numbers.

A map is ``value, count, value, count, ...``; counts add up to height x width. A browser decodes
that in a millisecond, and without the colour management that it applies to pictures.
"""

import numpy as np

from hodor.errors import MaskError
from hodor.types import AnyArray
from hodor.video import LabelMap

HIGHEST = 255
"""Ids of the studio: label maps are palette PNGs."""


def encode_runs(labels: AnyArray) -> bytes:
    """A label map or mask (H, W) as runs."""
    flat = labels.ravel().astype(np.uint32)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    counts = np.diff(np.append(starts, flat.size))
    return np.column_stack([flat[starts], counts]).astype("<u4").tobytes()


def decode_runs(data: bytes, size: tuple[int, int]) -> LabelMap:
    """Runs as a label map of ``size`` (H, W), uint8.

    Raises:
        MaskError: the runs do not fill that size, or hold other ids than 0..255.
    """
    if len(data) % 8:
        raise MaskError(f"mask: {len(data)} bytes are no runs; reload the page")
    runs = np.frombuffer(data, "<u4").reshape(-1, 2)
    total = int(runs[:, 1].sum(dtype=np.uint64))
    if total != size[0] * size[1] or int(runs[:, 0].max(initial=0)) > HIGHEST:
        raise MaskError(
            f"mask: runs of {total} pixels, the frame has {size[1]} x {size[0]}; reload the page"
        )
    return np.repeat(runs[:, 0].astype(np.uint8), runs[:, 1]).reshape(size)
