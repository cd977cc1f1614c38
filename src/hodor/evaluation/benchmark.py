"""What every benchmark is once its layout is read: sequences, what is given, what is scored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hodor.evaluation.label_map_files import LabelMap, read_frame, read_label_map

VOID = 255
"""DAVIS 2017 marks pixels that belong to nothing with it; scored as background."""


@dataclass(frozen=True)
class BenchmarkSequence:
    """One sequence: its files, whose masks are given in which frame, and what is scored."""

    name: str
    names: tuple[str, ...]
    """File names of all frames without suffix, in order"""
    frame_paths: tuple[Path, ...]
    """One per name, or none at all where the benchmark came without frames"""
    label_map_paths: Mapping[str, Path]
    """Frame name -> annotation, for all frames that have one"""
    given: Mapping[str, tuple[int, ...]]
    """Frame name -> objects whose masks are given there, each in one frame only"""
    scored: Mapping[int, tuple[str, ...]]
    """Object -> names of the frames in which it is scored; none without annotation"""
    wanted: tuple[str, ...]
    """Frames that a submission must hold"""
    size: tuple[int, int]
    """Height and width in pixels"""
    one_object: bool = False
    """Whatever is not 0 is the one object, with id 1, as in DAVIS 2016"""
    groups: Mapping[int, str] = field(default_factory=dict)
    """Object -> "seen" or "unseen", where the benchmark tells them apart"""

    @property
    def object_ids(self) -> tuple[int, ...]:
        """All objects that are given, ascending; these and no others may be in a result."""
        return tuple(sorted(i for ids in self.given.values() for i in ids))

    @property
    def scored_names(self) -> tuple[str, ...]:
        """Frames in which any object is scored, in order."""
        some = {name for names in self.scored.values() for name in names}
        return tuple(name for name in self.names if name in some)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Frames (H, W, 3) uint8 RGB, read one at a time."""
        return (read_frame(path) for path in self.frame_paths)

    def label_maps(self) -> Iterator[LabelMap]:
        """Annotations (H, W) uint8 in the order of frames, read one at a time."""
        return (self.label_map(name) for name in self.names if name in self.label_map_paths)

    def label_map(self, name: str) -> LabelMap:
        """A frame's annotation (H, W) uint8, with void pixels as background."""
        return read_reference(self.label_map_paths[name], one_object=self.one_object)

    def given_masks(self, name: str) -> LabelMap | None:
        """The label map (H, W) of objects that are given in a frame, or None."""
        ids = self.given.get(name)
        if not ids:
            return None
        label_map = self.label_map(name)
        return np.where(np.isin(label_map, ids), label_map, np.uint8(0))


class Benchmark(Protocol):
    """Sequences in some layout, all of whose files are there and fit together."""

    @property
    def title(self) -> str:
        """For people, such as "DAVIS 2017 val"."""
        ...

    @property
    def sequences(self) -> tuple[BenchmarkSequence, ...]:
        """In the order of the benchmark's own list."""
        ...

    @property
    def submission_folder(self) -> str:
        """What sequences' folders are under in the zip that the server takes; "" for nothing."""
        ...


def is_scored(benchmark: Benchmark) -> bool:
    """Whether any object can be scored: whether there is annotation beyond what is given."""
    return any(any(one.scored.values()) for one in benchmark.sequences)


def read_result(path: Path, *, one_object: bool) -> LabelMap:
    """Label map (H, W) uint8 of a PNG. Raises DataError when the file cannot be read."""
    label_map = read_label_map(path)
    return np.not_equal(label_map, 0).view(np.uint8) if one_object else label_map


def read_reference(path: Path, *, one_object: bool) -> LabelMap:
    """As ``read_result``, (H, W), but void pixels are background."""
    label_map = read_result(path, one_object=one_object)
    if label_map.max() < VOID:
        return label_map
    return np.where(label_map == VOID, np.uint8(0), label_map)


def present_ids(label_map: LabelMap) -> tuple[int, ...]:
    """Object ids in a label map (H, W) uint8, ascending, without the background's 0."""
    counts = np.bincount(label_map.ravel(), minlength=1)
    return tuple(int(i) for i in np.flatnonzero(counts) if i != 0)
