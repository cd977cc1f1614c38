"""Still images kept away from training, so that clips made of them can measure it."""

import hashlib

ONE_IN = 20


def is_held_out(stem: str) -> bool:
    """Whether the image with this file name stem is kept for measuring: one in twenty."""
    return int.from_bytes(hashlib.sha256(stem.encode()).digest()[:8], "big") % ONE_IN == 0
