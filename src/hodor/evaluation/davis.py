"""Benchmarks in the folders of DAVIS 2016 and 2017, checked whole before anything is read.

Test-dev has label maps of first frames only.
"""

from dataclasses import dataclass, field
from pathlib import Path

from hodor.errors import DataError, counted
from hodor.evaluation.benchmark import BenchmarkSequence, present_ids, read_reference
from hodor.evaluation.folders import (
    FRAME_SUFFIXES,
    LABEL_SUFFIXES,
    common_size,
    listed,
    without_frame,
)
from hodor.evaluation.problems import data_error, named
from hodor.video.layouts import DAVIS_YEARS, VideoFolders, find_davis_list, listed_videos


@dataclass(frozen=True)
class DavisDataset:
    """The sequences of one split, all of whose files are there and fit together.

    root: folder with ImageSets and Annotations. year: 2016 or 2017. split: name of a list of
    sequences, such as "val". resolution: the folder's name under Annotations. with_frames: False
    where only label maps are needed, as for scoring; then there need be no JPEGImages. only: names
    of sequences of the list, where not all are wanted.

    The objects of a sequence are those of its first label map. All frames but the first and the
    last are scored, if there are label maps.

    Raises DataError that lists every missing, unreadable or wrongly sized file.
    """

    root: Path
    year: int = 2017
    split: str = "val"
    resolution: str = "480p"
    with_frames: bool = True
    only: tuple[str, ...] = ()
    sequences: tuple[BenchmarkSequence, ...] = field(init=False)

    def __post_init__(self) -> None:
        problems: list[str] = []
        path = find_davis_list(self.root, self.year, self.split, self.resolution)
        found = [self._examine(name, problems) for name in self._chosen(listed_videos(path))]
        if problems:
            raise data_error(self.root, problems)
        object.__setattr__(self, "sequences", tuple(s for s in found if s is not None))

    def _chosen(self, names: list[str]) -> list[str]:
        """Those of the list that are wanted. Raises DataError for one that is not in it."""
        if unknown := [name for name in self.only if name not in names]:
            raise DataError(
                f"{self.root}: {named(unknown)} is not in the list {self.split} of {self.year}, "
                f"which has {', '.join(names)}"
            )
        return [name for name in names if name in self.only] if self.only else names

    @property
    def title(self) -> str:
        """Year and split; whether the list is the official one is not known."""
        return f"DAVIS {self.year} {self.split} ({counted(len(self.sequences), 'sequence')})"

    @property
    def submission_folder(self) -> str:
        """The server wants sequences' folders directly in the zip."""
        return ""

    def _examine(self, name: str, problems: list[str]) -> BenchmarkSequence | None:
        """The sequence, or None where something added to ``problems`` keeps it from being one."""
        before = len(problems)
        folders = VideoFolders.of_davis(self.root, self.resolution)
        maps = listed(folders.label_maps / name, LABEL_SUFFIXES, problems)
        frames: dict[str, Path] = {}
        if self.with_frames:
            frames = listed(folders.images / name, FRAME_SUFFIXES, problems)
            if maps and frames:
                self._compare(name, maps, frames, problems)
        size = common_size(name, maps, frames, problems)
        if not maps or size is None or len(problems) > before:
            return None
        ids = first_objects(name, next(iter(maps.values())), self.year == DAVIS_YEARS[0], problems)
        return self._sequence(name, maps, frames, size, ids) if ids else None

    @staticmethod
    def _compare(
        name: str, maps: dict[str, Path], frames: dict[str, Path], problems: list[str]
    ) -> None:
        only_first = list(maps) == list(frames)[:1]
        if missing := [stem for stem in frames if stem not in maps and not only_first]:
            problems.append(f"{name}: no label map for frame {named(missing)}")
        without_frame(name, maps, frames, problems)

    def _sequence(
        self,
        name: str,
        maps: dict[str, Path],
        frames: dict[str, Path],
        size: tuple[int, int],
        ids: tuple[int, ...],
    ) -> BenchmarkSequence:
        names = tuple(frames or maps)
        # A single label map is what is given and leaves nothing to score.
        scored = names[1:-1] if len(maps) > 1 else ()
        return BenchmarkSequence(
            name=name,
            names=names,
            frame_paths=tuple(frames.values()),
            label_map_paths=maps,
            given={names[0]: ids},
            scored=dict.fromkeys(ids, scored),
            wanted=names,
            size=size,
            one_object=self.year == DAVIS_YEARS[0],
        )


def first_objects(name: str, path: Path, one_object: bool, problems: list[str]) -> tuple[int, ...]:
    """Objects of a sequence's first label map; none, or an unreadable map, is a problem."""
    try:
        ids = present_ids(read_reference(path, one_object=one_object))
    except DataError as error:
        problems.append(str(error))
        return ()
    if not ids:
        problems.append(
            f"{name}: the first label map, {path.name}, has no object; "
            "mark at least one (a map of 0 and 255 belongs to year 2016)"
        )
    return ids
