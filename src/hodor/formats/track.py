"""What readers give and writers take: a video's label maps, one frame at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hodor.errors import MaskError, counted
from hodor.video import (
    LabelMap,
    SoftMask,
    SoftMaskOf,
    Sound,
    TimeCode,
    label_map_objects,
    read_soft_mask,
)

UNNAMED = "object"
"""Class of an object that nobody named."""

HIGHEST_ID = 65535

SOFT = "soft"
"""Folder of soft masks in a run's results"""

Mask = NDArray[np.bool_]
"""Where one object is, (H, W)."""


def _no_soft_mask(_: int) -> SoftMask | None:
    return None


@dataclass(frozen=True, eq=False)
class Labelled:
    """One frame's label map.

    index: the frame's position in the video, from 0. name: the stem under which its files are
    saved. time: seconds from the first frame. label_map: (H, W) uint8 or uint16 at source size.
    confidence: in [0, 1] by object id, as far as it is known. pixels: (H, W, 3) uint8 RGB, where
    the video is at hand. soft: gives an object's soft mask (H, W) by id, None where there is none.
    """

    index: int
    name: str
    time: float
    label_map: LabelMap
    confidence: Mapping[int, float] = field(default_factory=dict)
    pixels: NDArray[np.uint8] | None = None
    soft: SoftMaskOf = _no_soft_mask


def with_soft_masks(frame: Labelled, folder: Path) -> Labelled:
    """The same frame with soft masks of ``folder``/ID/NAME.png, each read when it is asked for."""
    return replace(frame, soft=partial(read_soft_mask, folder, frame.name))


@dataclass(frozen=True, eq=False)
class Track:
    """Objects through a video.

    frames: gives all frames in order, each time it is called; one is in memory at a time.
    video: the video's name. fps: its nominal rate. names: what objects are, by id; two objects
    may be of one name. warnings: messages for the user, complete once `frames` has ended. timed:
    whether times and rate are the video's; else they are those of the usual rate. pixel_aspect:
    width over height of a pixel of the video when it is shown. soft: whether frames have soft
    masks. time_code: of the time 0, where the video states it. sound: the video's, which mattes
    take along. um_per_pixel: micrometres that a pixel's side is long, where the video states it.
    """

    frames: Callable[[], Iterator[Labelled]]
    video: str
    fps: float
    names: Mapping[int, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    timed: bool = False
    pixel_aspect: Fraction = Fraction(1)
    soft: bool = False
    time_code: TimeCode | None = None
    sound: Sound | None = None
    um_per_pixel: float | None = None

    def name_of(self, number: int) -> str:
        """What an object is called."""
        return self.names.get(number, UNNAMED)


@dataclass(frozen=True)
class Survey:
    """What some formats state at their beginning, known only after a look at all frames.

    size: (H, W) of the first frame. names: of all frames in order. ids: of all objects, ascending.
    length: frames of the video up to the last one here, if frames were left out.
    """

    size: tuple[int, int]
    names: list[str]
    ids: list[int]
    length: int

    @property
    def count(self) -> int:
        """Number of frames here."""
        return len(self.names)


def survey(track: Track, *, one_size: str | None = None) -> Survey:
    """Look at all frames.

    one_size: name of a format that has one size for a whole video.
    Raises MaskError if there are no frames, or if such a format would get frames of two sizes.
    """
    size: tuple[int, int] | None = None
    names: list[str] = []
    ids: set[int] = set()
    last = 0
    for frame in some_frames(track):
        height, width = frame.label_map.shape
        size = size or (height, width)
        names.append(frame.name)
        last = max(last, frame.index)
        ids.update(label_map_objects(frame.label_map))
        if one_size and size != (height, width):
            raise MaskError(
                f"{track.video}: frame {frame.name} is {width} x {height} pixels, the first is "
                f"{size[1]} x {size[0]}, but {one_size} has one size for a whole video; choose a "
                "format with a file for each frame."
            )
    return Survey(size or (0, 0), names, sorted(ids), last + 1)


def some_frames(track: Track) -> Iterator[Labelled]:
    """All frames. Raises MaskError if there are none."""
    frame = None
    for frame in track.frames():
        yield frame
    if frame is None:
        raise MaskError(f"{track.video} holds no frames; there is nothing to convert.")


def masks_of(label_map: LabelMap) -> list[tuple[int, Mask]]:
    """Ids of the objects in a label map (H, W), ascending, and where each is."""
    return [(number, np.equal(label_map, number)) for number in label_map_objects(label_map)]


def box_of_mask(mask: Mask) -> tuple[float, float, float, float] | None:
    """Columns and rows (left, top, right, bottom), ends excluded, of a mask; None for no pixel."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def categories(track: Track, ids: Iterable[int]) -> dict[str, int]:
    """The classes of objects, numbered from 1 in the order of their ids."""
    found = dict.fromkeys(track.name_of(number) for number in ids)
    return {name: number for number, name in enumerate(found or {UNNAMED: None}, 1)}


@dataclass(frozen=True, eq=False)
class Shapes:
    """One frame as most formats hold it: a list of masks, which may overlap.

    size: (H, W). masks: ids and (H, W) masks, those on top last; of one id there may be several.
    """

    index: int
    name: str
    time: float
    size: tuple[int, int]
    masks: Iterable[tuple[int, Mask]]
    confidence: Mapping[int, float] = field(default_factory=dict)


def flattened(
    frames: Callable[[], Iterator[Shapes]], warnings: list[str]
) -> Callable[[], Iterator[Labelled]]:
    """Lay each frame's masks on top of one another; `warnings` tells where that cost pixels."""

    def flatten() -> Iterator[Labelled]:
        hidden: dict[str, int] = {}
        without = 0
        for frame in frames():
            label_map, covered, pixelless = _lay(frame)
            without += pixelless
            if covered:
                hidden[frame.name] = covered
            yield Labelled(frame.index, frame.name, frame.time, label_map, frame.confidence)
        if hidden:
            tell(
                f"objects overlap in {counted(len(hidden), 'frame')} ({sum(hidden.values())} "
                f"pixels, the most in frame {max(hidden, key=lambda name: hidden[name])}): a label "
                "map has one object a pixel, so the one that is drawn later was kept",
                warnings,
            )
        if without:
            tell(
                f"{counted(without, 'shape')} without a pixel, too thin or outside of the frame, "
                "left no mask",
                warnings,
            )

    return flatten


def narrow(label_map: NDArray[np.uint16]) -> LabelMap:
    """The same label map (H, W) in bytes, if its ids fit."""
    return label_map.astype(np.uint8) if label_map.max(initial=0) <= 255 else label_map


def unused_ids(wanted: Iterable[object]) -> dict[object, int]:
    """Object ids for names that are none or are too large: 1, 2, ... in order."""
    return {name: number for number, name in enumerate(dict.fromkeys(wanted), 1)}


def are_ids(numbers: Iterable[object]) -> bool:
    """Whether all can be object ids."""
    return all(
        isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= HIGHEST_ID
        for number in numbers
    )


def _lay(frame: Shapes) -> tuple[LabelMap, int, int]:
    """A label map (H, W), how many pixels were covered, and how many shapes have none."""
    label_map = np.zeros(frame.size, np.uint16)
    covered = without = 0
    for number, mask in frame.masks:
        if not 1 <= number <= HIGHEST_ID:
            raise ValueError(f"frame {frame.name} has an object {number}; ids are 1 to 65535")
        if mask.shape != label_map.shape:
            raise MaskError(
                f"Frame {frame.name} is {frame.size[1]} x {frame.size[0]} pixels, but the mask of "
                f"object {number} is {mask.shape[1]} x {mask.shape[0]}; these belong to different "
                "versions of the video."
            )
        below = label_map[mask]
        without += not below.size
        covered += int(np.count_nonzero((below != 0) & (below != number)))
        label_map[mask] = number
    return narrow(label_map), covered, without


def tell(message: str, warnings: list[str]) -> None:
    """Add a message once, however often the frames are read."""
    if message not in warnings:
        warnings.append(message)
