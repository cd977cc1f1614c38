"""CVAT's agents: a function that tracks masks and polygons from frame to frame.

::

    cvat-cli function create-native hodor \
        --function-module hodor.integrations.cvat -p model=str:small
    cvat-cli function run-agent ID --function-module hodor.integrations.cvat -p model=str:small

CVAT asks for each shape on its own, so shapes are followed one by one here, and do not tell the
tracker where the others are. `hodor.integrations.cvat_frames` follows all at once.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor.errors import HodorError
from hodor.formats import joined, outline
from hodor.integrations.needed import needed
from hodor.tracking import Tracker, TrackerState
from hodor.video import fill_polygons
from hodor.weights import DEFAULT

OBJECT = 1  # the only id: every shape has a memory of its own


class DrawnShape(Protocol):
    """What is used of CVAT's ``TrackableShape``."""

    type: str
    """``mask`` or ``polygon``"""
    points: list[float]
    """Corners x, y in pixels of the frame, or CVAT's runs of a mask"""


class ShapeContext(Protocol):
    """What is used of CVAT's ``TrackingFunctionShapeContext``."""

    original_shape_type: str
    """``mask`` or ``polygon``"""


@dataclass
class ShapeState:
    """What is remembered of one shape between frames."""

    memory: TrackerState


class TrackingFunction:
    """CVAT's interface ``TrackingFunction``.

    Args:
        tracker: its network is shared by all shapes; what it follows is dropped.
        tolerance: how far, in pixels, polygons may leave the edges of masks.

    Raises:
        HodorError: cvat-sdk is not installed.
    """

    def __init__(self, tracker: Tracker, *, tolerance: float = 1.0) -> None:
        self._tracker = tracker
        self._tolerance = tolerance
        self._cvat = needed("cvat_sdk.auto_annotation", "cvat")
        self._masks = needed("cvat_sdk.masks", "cvat")

    @property
    def spec(self) -> object:
        """What CVAT is told: shapes are masks and polygons."""
        return self._cvat.TrackingFunctionSpec(supported_shape_types={"mask", "polygon"})

    def preprocess_image(self, _: object, image: Image.Image) -> NDArray[np.uint8]:
        """The frame (H, W, 3)."""
        return np.asarray(image.convert("RGB"))

    def init_tracking_state(
        self, _: object, pp_image: NDArray[np.uint8], shape: DrawnShape
    ) -> ShapeState:
        """Describe a shape in its frame (H, W, 3). Raises HodorError if it has no pixel."""
        height, width = pp_image.shape[:2]
        mask = self._pixels(shape, height, width)
        if not mask.any():
            raise HodorError("the shape covers no pixel of its frame; draw it larger")
        self._tracker.reset()
        self._tracker.step(pp_image, mask.astype(np.uint8) * OBJECT)
        return ShapeState(self._tracker.state_dict())

    def track(
        self, context: ShapeContext, pp_image: NDArray[np.uint8], state: ShapeState
    ) -> object:
        """The shape in the next frame (H, W, 3); None where it is not seen; it is looked for on."""
        self._tracker.load_state_dict(state.memory)
        mask = self._tracker.step(pp_image).mask(OBJECT)
        state.memory = self._tracker.state_dict()
        if not mask.any():
            return None
        if context.original_shape_type == "polygon":
            points = joined(outline(mask, self._tolerance)).ravel().tolist()
        else:
            points = self._masks.encode_mask(mask)
        return self._cvat.TrackableShape(type=context.original_shape_type, points=points)

    def _pixels(self, shape: DrawnShape, height: int, width: int) -> NDArray[np.bool_]:
        if shape.type == "polygon":
            return fill_polygons([np.reshape(shape.points, (-1, 2))], (height, width))
        found = self._masks.decode_mask(shape.points, image_width=width, image_height=height)
        return np.asarray(found, np.bool_)


def create(
    model: str = DEFAULT,
    *,
    size: int | None = None,
    device: str = "auto",
    tolerance: float = 1.0,
) -> TrackingFunction:
    """What ``cvat-cli`` calls, with ``-p NAME=TYPE:VALUE`` as arguments."""
    tracker = Tracker.from_pretrained(model, size=size, device=device)
    return TrackingFunction(tracker, tolerance=tolerance)
