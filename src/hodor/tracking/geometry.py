"""The sizes that a frame goes through; ``torch_images`` and ``numpy_images`` do it."""

from dataclasses import dataclass

from hodor.model import SIZE_MULTIPLE
from hodor.tracking.options import TrackerOptions

STRIDE = 4  # of logits
ANTIALIAS_FROM = 2.0  # shrinking by more than this, plain bilinear skips source pixels
NEARLY_MOST = 0.999  # share of the greatest cover at which a vanished mask keeps a pixel


@dataclass(frozen=True)
class Geometry:
    """Sizes (height, width) that a frame goes through."""

    source: tuple[int, int]
    inner: tuple[int, int]
    """After resizing"""
    padded: tuple[int, int]
    """After padding right and bottom, multiples of 32"""

    @classmethod
    def of(cls, source: tuple[int, int], options: TrackerOptions) -> "Geometry":
        """Shorter side to ``options.size``, the longer one limited; aspect kept."""
        short, long = min(source), max(source)
        scale = min(options.size / short, round(options.size * options.long_side) / long)
        h, w = (max(1, round(side * scale)) for side in source)
        padded = (h + -h % SIZE_MULTIPLE, w + -w % SIZE_MULTIPLE)
        return cls(source, (h, w), padded)

    @property
    def shrinks(self) -> bool:
        """Whether frames have to be smoothed before they are sampled."""
        return self.source[0] / self.inner[0] > ANTIALIAS_FROM

    @property
    def cells(self) -> tuple[int, int]:
        """Size of the logits that hold some of the frame, the others are padding."""
        return -(-self.inner[0] // STRIDE), -(-self.inner[1] // STRIDE)

    @property
    def padding(self) -> tuple[int, int]:
        """Rows below and columns to the right."""
        return self.padded[0] - self.inner[0], self.padded[1] - self.inner[1]
