"""A benchmark in the folders of DAVIS 2016 and 2017, checked whole before anything is read.

ROOT/ImageSets/YEAR/SPLIT.txt names the sequences; ROOT/JPEGImages/480p/SEQUENCE holds frames and
ROOT/Annotations/480p/SEQUENCE label maps of the same names.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hodor.errors import DataError
from hodor.evaluation.label_map_files import (
    LabelMap,
    frame_size,
    label_map_size,
    read_frame,
    read_label_map,
)
from hodor.evaluation.problems import data_error, named

YEARS = (2016, 2017)
"""2016: whatever is not 0 is the one object, with id 1. 2017: pixels hold object ids."""

_VOID = 255  # DAVIS 2017 marks pixels that belong to nothing with it; scored as background
_FRAME_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class DavisSequence:
    """One sequence: where its files are and what the first label map says.

    names: file names without suffix, in order. frame_paths: one per name, or none at all where
    the benchmark came without frames. size: height and width in pixels. object_ids: of the first
    label map, ascending; these and no others are scored.
    """

    name: str
    year: int
    names: tuple[str, ...]
    frame_paths: tuple[Path, ...]
    label_map_paths: tuple[Path, ...]
    size: tuple[int, int]
    object_ids: tuple[int, ...]

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Frames (H, W, 3) uint8 RGB, read one at a time."""
        return (read_frame(path) for path in self.frame_paths)

    def label_maps(self) -> Iterator[LabelMap]:
        """Label maps (H, W) uint8, read one at a time, with void pixels as background."""
        return (read_reference(path, self.year) for path in self.label_map_paths)


@dataclass(frozen=True)
class DavisDataset:
    """The sequences of one split, all of whose files are there and fit together.

    root: folder with ImageSets and Annotations. year: 2016 or 2017. split: name of a list of
    sequences, such as "val". resolution: the folder's name under Annotations. with_frames: False
    where only label maps are needed, as for scoring; then there need be no JPEGImages.

    Raises DataError that lists every missing, unreadable or wrongly sized file.
    """

    root: Path
    year: int = 2017
    split: str = "val"
    resolution: str = "480p"
    with_frames: bool = True
    sequences: tuple[DavisSequence, ...] = field(init=False)

    def __post_init__(self) -> None:
        problems: list[str] = []
        names = _sequence_names(self.root, self.year, self.split)
        found = [self._examine(name, problems) for name in names]
        if problems:
            raise data_error(self.root, problems)
        object.__setattr__(self, "sequences", tuple(s for s in found if s is not None))

    def _examine(self, name: str, problems: list[str]) -> DavisSequence | None:
        """The sequence, or None where something added to ``problems`` keeps it from being one."""
        before = len(problems)
        maps = _listed(self.root / "Annotations" / self.resolution / name, (".png",), problems)
        frames: dict[str, Path] = {}
        if self.with_frames:
            folder = self.root / "JPEGImages" / self.resolution / name
            frames = _listed(folder, _FRAME_SUFFIXES, problems)
            if maps and frames:
                problems += _unpaired(name, maps, frames)
        sizes = _sizes(maps, frames, problems)
        problems += _unequal(name, sizes)
        if not maps or len(problems) > before:
            return None
        return self._sequence(name, maps, frames, sizes[next(iter(maps.values()))], problems)

    def _sequence(
        self,
        name: str,
        maps: dict[str, Path],
        frames: dict[str, Path],
        size: tuple[int, int],
        problems: list[str],
    ) -> DavisSequence | None:
        paths = tuple(maps.values())
        try:
            ids = present_ids(read_reference(paths[0], self.year))
        except DataError as error:
            problems.append(str(error))
            return None
        if not ids:
            problems.append(
                f"{name}: the first label map, {paths[0].name}, has no object; "
                "mark at least one (a map of 0 and 255 belongs to year 2016)"
            )
            return None
        return DavisSequence(name, self.year, tuple(maps), tuple(frames.values()), paths, size, ids)


def read_davis_label_map(path: Path, year: int) -> LabelMap:
    """Label map (H, W) uint8 of a PNG with ids as ``year`` means them (see ``YEARS``).

    Raises DataError when the file cannot be read.
    """
    label_map = read_label_map(path)
    return np.not_equal(label_map, 0).view(np.uint8) if year == YEARS[0] else label_map


def read_reference(path: Path, year: int) -> LabelMap:
    """As ``read_davis_label_map``, but void pixels of 2017 are background."""
    label_map = read_davis_label_map(path, year)
    if label_map.max() < _VOID:
        return label_map
    return np.where(label_map == _VOID, np.uint8(0), label_map)


def present_ids(label_map: LabelMap) -> tuple[int, ...]:
    """Object ids in a label map (H, W) uint8, ascending, without the background's 0."""
    counts = np.bincount(label_map.ravel(), minlength=1)
    return tuple(int(i) for i in np.flatnonzero(counts) if i != 0)


def _sequence_names(root: Path, year: int, split: str) -> list[str]:
    if year not in YEARS:
        raise DataError(f"there is no DAVIS {year}; choose 2016 (one object) or 2017 (several)")
    path = root / "ImageSets" / str(year) / f"{split}.txt"
    if not path.is_file():
        lists = sorted(p.relative_to(root).as_posix() for p in root.glob("ImageSets/*/*.txt"))
        raise DataError(
            f"{path} is missing; found {named(lists) or 'no list of sequences'} in {root}. "
            "Give the folder that holds ImageSets, and a year and split that it has"
        )
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not names:
        raise DataError(f"{path} names no sequence; write one name a line")
    return names


def _listed(folder: Path, suffixes: Sequence[str], problems: list[str]) -> dict[str, Path]:
    """File name without suffix -> path, in order; a missing or empty folder is a problem."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = {
        path.stem: path
        for path in files
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    }
    if not found:
        state = f"has no {suffixes[0]} files" if folder.is_dir() else "is missing"
        problems.append(f"{folder.name}: {folder} {state}")
    return found


def _unpaired(name: str, maps: dict[str, Path], frames: dict[str, Path]) -> list[str]:
    problems = []
    if missing := [stem for stem in frames if stem not in maps]:
        problems.append(f"{name}: no label map for frame {named(missing)}")
    if missing := [stem for stem in maps if stem not in frames]:
        problems.append(f"{name}: no frame for label map {named(missing)}")
    return problems


def _sizes(
    maps: dict[str, Path], frames: dict[str, Path], problems: list[str]
) -> dict[Path, tuple[int, int]]:
    sizes = {}
    for paths, size_of in ((maps.values(), label_map_size), (frames.values(), frame_size)):
        for path in paths:
            try:
                sizes[path] = size_of(path)
            except DataError as error:
                problems.append(str(error))
    return sizes


def _unequal(name: str, sizes: dict[Path, tuple[int, int]]) -> list[str]:
    """A problem where files differ in size from the sequence's first label map."""
    if not sizes:
        return []
    first, (height, width) = next(iter(sizes.items()))
    others = [
        f"{path.parent.parent.parent.name}/{path.name} ({w} x {h})"
        for path, (h, w) in sizes.items()
        if (h, w) != (height, width)
    ]
    if not others:
        return []
    return [f"{name}: {first.name} is {width} x {height}, but not so {named(others)}"]
