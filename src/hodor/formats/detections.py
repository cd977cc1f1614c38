"""Frames as ``supervision.Detections``, for programs that draw, count and filter with it."""

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from hodor.errors import HodorError
from hodor.formats.track import Labelled, Shapes, Track, are_ids, categories, flattened, masks_of
from hodor.types import JsonObject

if TYPE_CHECKING:
    from supervision import Detections


def to_detections(frame: Labelled, track: Track | None = None) -> "Detections":
    """One frame's objects as detections: boxes, masks, ``tracker_id`` and, if known, confidence.

    track: says what objects are called: ``data["class_name"]`` and ``class_id``, which counts the
    names of the track from 0 in the order of ids. Boxes end after their last pixel, as
    ``supervision`` has them of masks. Raises HodorError if ``supervision`` is not installed.
    """
    supervision = _supervision()
    regions = masks_of(frame.label_map)
    ids = [number for number, _ in regions]
    height, width = frame.label_map.shape
    masks = np.array([mask for _, mask in regions]).reshape(-1, height, width).astype(np.bool_)
    details: JsonObject = {}
    if all(number in frame.confidence for number in ids):
        details["confidence"] = np.array([frame.confidence[i] for i in ids], np.float32)
    if track is not None:
        classes = categories(track, sorted({*track.names, *ids}))
        names = [track.name_of(number) for number in ids]
        details["class_id"] = np.array([classes[name] - 1 for name in names], np.int64)
        details["data"] = {"class_name": np.array(names, np.str_)}
    found: Detections = supervision.Detections(
        xyxy=supervision.mask_to_xyxy(masks).astype(np.float32).reshape(-1, 4),
        mask=masks,
        tracker_id=np.array(ids, np.int64),
        **details,
    )
    return found


def from_detections(detections: "Detections", size: tuple[int, int]) -> Labelled:
    """A label map (H, W) of detections with masks, for ``Tracker.step``.

    Ids are ``tracker_id``, else 1, 2, ... in order; where masks overlap the later one is on top.
    Raises HodorError if the detections have boxes only, or ids that no label map holds.
    """
    count = len(detections)
    if detections.mask is None and count:
        raise HodorError("These detections have boxes but no masks; take a model that segments.")
    given = range(1, count + 1) if detections.tracker_id is None else detections.tracker_id
    ids = [int(number) for number in given]
    if not are_ids(ids):
        raise HodorError(f"tracker_id must be numbers from 1 to 65535; found {ids}.")
    masks = [] if detections.mask is None else [np.asarray(m, np.bool_) for m in detections.mask]
    values = [] if detections.confidence is None else [float(c) for c in detections.confidence]
    confidence = dict(zip(ids, values, strict=False))
    shapes = Shapes(0, "00000", 0.0, size, list(zip(ids, masks, strict=True)), confidence)
    return next(flattened(lambda: iter([shapes]), [])())


def _supervision() -> ModuleType:
    try:
        import supervision
    except ImportError as error:
        raise HodorError(
            f"this needs more packages ({error.name} is missing): pip install supervision"
        ) from error
    return supervision
