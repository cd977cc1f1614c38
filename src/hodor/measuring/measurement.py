"""What is measured of an object in a frame; shapes by scikit-image, which says how."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.measure import regionprops

from hodor.errors import HodorError
from hodor.formats import Labelled, Track
from hodor.formats.track import some_frames, survey
from hodor.types import Untyped
from hodor.video import LabelMap


@dataclass(frozen=True)
class Units:
    """In which units a track is measured.

    um_per_pixel: micrometres that a pixel's side is long; None leaves lengths in pixels.
    seconds: whether the track's times are the video's, so that speeds are per second; else they
    are per frame.
    """

    um_per_pixel: float | None = None
    seconds: bool = False

    def __post_init__(self) -> None:
        scale = self.um_per_pixel
        if scale is not None and not 0 < scale < math.inf:
            raise HodorError(f"{scale:g} micrometres a pixel: give a number over 0, such as 0.65")

    @property
    def length(self) -> str:
        """Of lengths: ``um`` or ``px``."""
        return "px" if self.um_per_pixel is None else "um"

    @property
    def area(self) -> str:
        """Of areas: ``um2`` or ``px2``."""
        return f"{self.length}2"

    @property
    def speed(self) -> str:
        """Of speeds, such as ``um_per_s``."""
        return f"{self.length}_per_{'s' if self.seconds else 'frame'}"


def as_written(unit: str) -> str:
    """A unit as people write it: ``um_per_s`` is µm/s."""
    return unit.replace("_per_", "/").replace("um", "µm").replace("2", "²")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One object in one frame. What cannot be said, such as the place of nothing, is None."""

    frame: str
    """The frame's name"""
    index: int
    """The frame's number in the video, from 0"""
    time: float
    """Seconds from the first frame; of the nominal rate where the video's is not known"""
    object: int
    """Id"""
    name: str
    """What the object is called"""
    visible: bool
    """Whether it has a pixel"""
    confidence: float | None
    """In [0, 1], where the masks state one"""
    area: float
    """Of its pixels, in square units; 0 if it is not visible"""
    centroid_x: float | None
    """Mean place of its pixels' centres from the left, in units of length"""
    centroid_y: float | None
    """The same from the top"""
    box_left: int | None
    """First column, in pixels whatever the unit"""
    box_top: int | None
    """First row, in pixels"""
    box_right: int | None
    """Column after the last, in pixels"""
    box_bottom: int | None
    """Row after the last, in pixels"""
    perimeter: float | None
    """Of the line through the centres of border pixels (scikit-image's ``perimeter``)"""
    major_axis: float | None
    """Length of the longer axis of the ellipse with the same second moments"""
    minor_axis: float | None
    """Length of its shorter axis"""
    orientation: float | None
    """Degrees from the x axis to the longer axis, counter-clockwise as seen, in (-90, 90]"""
    speed: float | None
    """Way of the centroid since the frame before, over the time between them"""
    overlap: float | None
    """IoU with its mask in the frame before, where both are visible and of one size"""


class _Shape(NamedTuple):
    """What is measured of one mask, in pixels."""

    area: float
    centroid: tuple[float, float]
    box: tuple[int, int, int, int]
    perimeter: float
    axes: tuple[float, float]
    orientation: float


@dataclass(frozen=True, eq=False)
class _Seen:
    """A frame and the shapes in it."""

    frame: Labelled
    shapes: Mapping[int, _Shape]


def measure(track: Track, units: Units | None = None) -> Iterator[Measurement]:
    """Measure every object in every frame of a track, also where it is not visible.

    The track is read twice: the first time for the objects' ids. A frame at a time is in memory.

    Args:
        track: from ``read_track``, or any other.
        units: default: pixels and frames.

    Yields:
        A row for each frame and object, frames in order, ids ascending.

    Raises:
        MaskError: the track has no frames, or one cannot be read.
    """
    units = units or Units()
    ids = survey(track).ids
    before: _Seen | None = None
    for frame in some_frames(track):
        seen = _Seen(frame, _shapes(frame.label_map))
        overlaps = _overlaps(seen, before)
        for number in ids:
            speed = _speed(number, seen, before, units)
            yield _row(track, seen, number, units, speed, overlaps.get(number))
        before = seen


def _row(
    track: Track,
    seen: _Seen,
    number: int,
    units: Units,
    speed: float | None,
    overlap: float | None,
) -> Measurement:
    frame, shape = seen.frame, seen.shapes.get(number)
    about = (frame.name, frame.index, frame.time, number, track.name_of(number))
    confidence = frame.confidence.get(number)
    if shape is None:
        return Measurement(*about, False, confidence, 0.0, *[None] * 12)
    scale = units.um_per_pixel or 1.0
    row, column = shape.centroid
    top, left, bottom, right = shape.box
    return Measurement(
        *about,
        visible=True,
        confidence=confidence,
        area=shape.area * scale * scale,
        centroid_x=column * scale,
        centroid_y=row * scale,
        box_left=left,
        box_top=top,
        box_right=right,
        box_bottom=bottom,
        perimeter=shape.perimeter * scale,
        major_axis=shape.axes[0] * scale,
        minor_axis=shape.axes[1] * scale,
        orientation=shape.orientation,
        speed=speed,
        overlap=overlap,
    )


def _shapes(label_map: LabelMap) -> dict[int, _Shape]:
    """Shapes of all objects in a label map (H, W), by id."""
    return {int(region.label): _shape(region) for region in regionprops(label_map)}


def _shape(region: Untyped) -> _Shape:
    top, left, bottom, right = map(int, region.bbox)
    row, column = map(float, region.centroid)
    # scikit-image turns from the rows' axis; people turn from the x axis.
    degrees = math.degrees(region.orientation) + 90
    return _Shape(
        area=float(region.area),
        centroid=(row, column),
        box=(top, left, bottom, right),
        perimeter=float(region.perimeter),
        axes=(float(region.axis_major_length), float(region.axis_minor_length)),
        orientation=degrees - 180 if degrees > 90 else degrees,
    )


def _speed(number: int, seen: _Seen, before: _Seen | None, units: Units) -> float | None:
    """Way over time, in units; None where the object was not visible in both frames."""
    if before is None or number not in seen.shapes or number not in before.shapes:
        return None
    way = math.dist(seen.shapes[number].centroid, before.shapes[number].centroid)
    frames = seen.frame.index - before.frame.index
    passed = seen.frame.time - before.frame.time if units.seconds else float(frames)
    return way * (units.um_per_pixel or 1.0) / passed if passed > 0 else None


def _overlaps(seen: _Seen, before: _Seen | None) -> dict[int, float]:
    """IoU of each object that is visible in both frames with its own mask in the one before."""
    if before is None or seen.frame.label_map.shape != before.frame.label_map.shape:
        return {}
    now, then = seen.frame.label_map, before.frame.label_map
    shared: NDArray[np.intp] = np.bincount(now[now == then], minlength=65536)
    both = seen.shapes.keys() & before.shapes.keys()
    return {
        i: float(shared[i] / (seen.shapes[i].area + before.shapes[i].area - shared[i]))
        for i in both
    }
