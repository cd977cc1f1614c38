"""The sizes that a frame goes through; ``torch.images`` and ``onnx.images`` do it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hodor.model import SIZE_MULTIPLE
from hodor.tracking.boxes import Crop, LastBox, narrowed
from hodor.tracking.options import TrackerOptions
from hodor.types import AnyArray

STRIDE = 4  # of logits
KEYS_STRIDE = 8  # of what is matched
SKIPPED_FROM = 2.0  # shrinking by more than this, plain bilinear skips source pixels
NEARLY_MOST = 0.999  # share of the greatest cover at which a vanished mask keeps a pixel


@dataclass(frozen=True)
class Geometry:
    """Sizes (height, width) that a frame goes through."""

    frame: tuple[int, int]
    crop: Crop
    """The part of the frame that the network sees"""
    inner: tuple[int, int]
    """After resizing"""
    padded: tuple[int, int]
    """After padding right and bottom, multiples of 32"""
    smooth_from: float = SKIPPED_FROM
    """By what factor a frame may be made smaller without being smoothed"""

    @classmethod
    def of(
        cls, frame: tuple[int, int], options: TrackerOptions, crop: Crop | None = None
    ) -> "Geometry":
        """Shorter side to ``options.size``, the longer one limited; aspect kept, or nearly.

        crop: of the frame's aspect, so that all have the same size, before ``narrowed``; None:
        whole.
        """
        short, long = min(frame), max(frame)
        scale = min(options.size / short, round(options.size * options.long_side) / long)
        if options.fit == "stretch":
            h, w = (SIZE_MULTIPLE * max(1, round(side * scale / SIZE_MULTIPLE)) for side in frame)
            return cls(frame, crop or Crop.whole(frame), (h, w), (h, w), smooth_from=1.0)
        h, w = (max(1, round(side * scale)) for side in frame)
        return cls(frame, crop or Crop.whole(frame), (h, w), _padded((h, w)))

    def narrowed(self, boxes: Iterable[LastBox], options: TrackerOptions) -> "Geometry":
        """The same without what is far from all these boxes, in shares of the frame."""
        crop, inner = narrowed(
            boxes,
            self.frame,
            self.crop,
            self.inner,
            crop_margin=options.crop_margin or 0.0,
            search_radius=options.search_radius or 0.0,
        )
        return replace(self, crop=crop, inner=inner, padded=_padded(inner))

    @property
    def crop_size(self) -> tuple[int, int]:
        """Height and width of the crop before resizing."""
        return self.crop.height, self.crop.width

    def placed(self, seen: AnyArray) -> AnyArray:
        """What was made of the crop, (..., H', W'), in the frame; zeros around it."""
        if self.crop_size == self.frame:
            return seen
        full = np.zeros((*seen.shape[:-2], *self.frame), seen.dtype)
        full[..., *self.crop.area] = seen
        return full

    def box_of(self, mask: NDArray[np.bool_]) -> LastBox:
        """The box around a mask (H', W') of the crop that is not empty, in shares of the frame."""
        return LastBox.of(mask).in_frame(self.crop, self.frame)

    def near(self, box: LastBox, search_radius: float) -> tuple[slice, slice]:
        """Rows and columns of logits (h/4, w/4) within reach of a box in shares of the frame."""
        size = (self.inner[0] // STRIDE, self.inner[1] // STRIDE)
        return box.in_crop(self.crop, self.frame).near(size, search_radius)

    @property
    def shrinks(self) -> bool:
        """Whether frames have to be smoothed before they are sampled."""
        sides = zip(self.crop_size, self.inner, strict=True)
        return max(side / inner for side, inner in sides) > self.smooth_from

    @property
    def cells(self) -> tuple[int, int]:
        """Size of the logits that hold some of the frame, the others are padding."""
        return -(-self.inner[0] // STRIDE), -(-self.inner[1] // STRIDE)

    @property
    def places(self) -> NDArray[np.float32]:
        """Where the middles of stride 8's cells lie in the frame: (2, y, x), rows and columns.

        In shorter sides of the frame, so that frames of different crops compare.
        """
        sides = []
        for axis in (0, 1):
            seen = (np.arange(self.padded[axis] // KEYS_STRIDE) + 0.5) * KEYS_STRIDE
            pixels = self.crop[axis] + seen / self.inner[axis] * self.crop_size[axis]
            sides.append((pixels / min(self.frame)).astype(np.float32))
        return np.stack(np.meshgrid(*sides, indexing="ij"))

    @property
    def padding(self) -> tuple[int, int]:
        """Rows below and columns to the right."""
        return self.padded[0] - self.inner[0], self.padded[1] - self.inner[1]


def _padded(inner: tuple[int, int]) -> tuple[int, int]:
    h, w = inner
    return h + -h % SIZE_MULTIPLE, w + -w % SIZE_MULTIPLE
