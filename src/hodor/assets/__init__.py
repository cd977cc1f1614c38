"""The sample clip: a video of 3 s with three objects, their masks in its first frame, the truth.

Object 1 is an astronaut, 2 a cup of coffee that passes behind her, 3 a space shuttle that passes
in front of her. 72 frames of 512 x 288 pixels at 24 per second. CREDITS.md says what it is made of.
"""

from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["sample_clip", "sample_masks", "sample_truth"]


def sample_clip() -> Path:
    """The video, an MP4 file (H.264)."""
    return _bundled("sample.mp4")


def sample_masks() -> Path:
    """The label map (288, 512) of the video's first frame, a PNG with a palette and ids 1..3."""
    return _bundled("sample_masks.png")


def sample_truth() -> NDArray[np.uint8]:
    """The label maps (72, 288, 512) uint8 of all frames, exact; read from a file at each call."""
    with np.load(_bundled("sample_truth.npz")) as stored:
        truth: NDArray[np.uint8] = stored["truth"]
    return truth


def _bundled(name: str) -> Path:
    return Path(str(files(__name__).joinpath(name)))
