"""A track with all that is difficult, for every test of formats."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hodor.formats import Labelled, Track
from hodor.video import LabelMap

SIZE = (40, 57)
COUNT = 6
EMPTY = 3
"""The frame without an object."""
FPS = 30000 / 1001
NAMES = {1: "Füchs & <co>", 300: "猫", 7: "Füchs & <co>"}


def label_map_at(index: int) -> NDArray[np.uint16]:
    """Object 1 has a hole and two parts, 300 comes late, 7 is two pixels that touch by a corner;
    1 and 300 share an edge. Nothing is in frame 3.
    """
    label_map = np.zeros(SIZE, np.uint16)
    if index == EMPTY:
        return label_map
    label_map[5:20, 5 + index : 25 + index] = 1
    label_map[8:12, 10 + index : 14 + index] = 0
    label_map[30:36, 2:8] = 1
    if index > 1:
        label_map[20:34, 20:40] = 300
        label_map[22, 40:48] = 300  # A line of one pixel's width.
    label_map[0, 0] = label_map[1, 1] = 7
    return label_map


def pixels_at(index: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of smooth colours."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.stack([rows * 4, columns * 4, np.full(SIZE, 40 * index)], -1).astype(np.uint8)


def confidence_at(index: int) -> dict[int, float]:
    return {} if index == EMPTY else {1: 0.5, 7: 0.25}


def hard_track(*, highest: int = 300, pixels: bool = False) -> Track:
    """The track; ids above `highest` become smaller ones."""

    def frames() -> Iterator[Labelled]:
        for index in range(COUNT):
            label_map = label_map_at(index)
            label_map[label_map > highest] = highest
            picture = pixels_at(index) if pixels else None
            narrow = label_map.astype(np.uint8) if label_map.max() <= 255 else label_map
            yield Labelled(
                index, f"shot ü {index:03d}", index / FPS, narrow, confidence_at(index), picture
            )

    names = {min(number, highest): name for number, name in NAMES.items()}
    return Track(frames, "clip ü", FPS, names)


def track_of(maps: Sequence[LabelMap], names: dict[int, str] | None = None) -> Track:
    """A track of the given label maps, frames named by their numbers."""

    def frames() -> Iterator[Labelled]:
        for index, label_map in enumerate(maps):
            yield Labelled(index, f"{index:05d}", index / 25, label_map)

    return Track(frames, "clip", 25.0, names or {})
