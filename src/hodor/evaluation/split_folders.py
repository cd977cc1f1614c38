"""Benchmarks whose splits are folders: YouTube-VOS, MOSE and LVOS.

Label maps are there for few frames or for all; JSON files tell which objects there are. Layouts as
their authors describe them; see docs/guides/evaluate.md for what was taken from where.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from hodor.errors import MALFORMED, DataError, counted, one_line
from hodor.evaluation.benchmark import BenchmarkSequence, present_ids, read_reference
from hodor.evaluation.davis import first_objects
from hodor.evaluation.folders import (
    FRAME_SUFFIXES,
    LABEL_SUFFIXES,
    common_size,
    listed,
    without_frame,
)
from hodor.evaluation.metrics import FRAMES_AT_LEAST
from hodor.evaluation.problems import data_error, named
from hodor.files import read_text
from hodor.video.layouts import VideoFolders, described_videos


class _Span(TypedDict):
    """LVOS: numbers of the frames in which an object is first and last."""

    start: int
    end: int


class _Object(TypedDict, total=False):
    """What a split's JSON file says of an object."""

    category: str
    frames: list[str]
    """YouTube-VOS: names of the frames that it is in"""
    frame_range: _Span


class _Video(TypedDict):
    """What it says of a video."""

    objects: dict[str, _Object]
    """By id"""


SEEN, UNSEEN = "seen", "unseen"
LVOS_EVERY = 5  # the toolkit of LVOS looks at every fifth frame, counted from an object's first


@dataclass(frozen=True)
class _Files:
    """A sequence's files, all readable and of one size."""

    name: str
    maps: dict[str, Path]
    frames: dict[str, Path]
    size: tuple[int, int]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.frames or self.maps)

    def sequence(
        self,
        given: Mapping[str, tuple[int, ...]],
        scored: Mapping[int, tuple[str, ...]],
        wanted: tuple[str, ...],
        groups: Mapping[int, str],
    ) -> BenchmarkSequence:
        paths = tuple(self.frames.values())
        return BenchmarkSequence(
            self.name, self.names, paths, self.maps, given, scored, wanted, self.size,
            groups=groups,
        )  # fmt: skip


@dataclass(frozen=True)
class YouTubeVosDataset:
    """YouTube-VOS 2018 or 2019: objects appear at any frame, some frames are submitted.

    root: folder that holds SPLIT, and ``train`` if seen and unseen classes are to be told apart.
    split: a folder with JPEGImages, Annotations and ``meta.json``. all_frames: track through
    every frame, in ROOT/SPLIT_all_frames/JPEGImages; what is submitted stays the same.
    with_frames: as for ``DavisDataset``.

    An object is given in the first of the frames that ``meta.json`` lists for it, and scored in
    the others where there is annotation. A class is seen if ``train/meta.json`` names it.

    Raises DataError that lists every problem.
    """

    root: Path
    split: str = "valid"
    all_frames: bool = False
    with_frames: bool = True
    sequences: tuple[BenchmarkSequence, ...] = field(init=False)

    def __post_init__(self) -> None:
        folder = self.root / self.split
        path = folder / "meta.json"
        videos = _videos(path)
        images = self.root / f"{self.split}_all_frames" if self.all_frames else folder
        seen = _classes(self.root / "train" / "meta.json")
        problems: list[str] = []
        found = []
        for name, entry in videos.items():
            files = _files(name, folder, images, self.with_frames, problems)
            if files is not None:
                with _stated(path, name):
                    found.append(_youtube_vos_sequence(files, entry["objects"], seen, problems))
        _finish(self, self.root, found, problems)

    @property
    def title(self) -> str:
        """Which of 2018 and 2019 it is, the files do not tell."""
        return f"YouTube-VOS {self.split} ({counted(len(self.sequences), 'video')})"

    @property
    def submission_folder(self) -> str:
        """The server wants a folder ``Annotations`` in the zip."""
        return "Annotations"


@dataclass(frozen=True)
class MoseDataset:
    """MOSE: all objects are given in the first frame, and all frames are submitted.

    root: folder that holds SPLIT with JPEGImages and Annotations. with_frames: as for
    ``DavisDataset``, whose rules for scoring hold where all frames are annotated.

    Raises DataError that lists every problem.
    """

    root: Path
    split: str = "valid"
    with_frames: bool = True
    sequences: tuple[BenchmarkSequence, ...] = field(init=False)

    def __post_init__(self) -> None:
        folder = self.root / self.split
        problems: list[str] = []
        found = []
        for name in _folder_names(VideoFolders.of_split(folder).label_maps):
            files = _files(name, folder, folder, self.with_frames, problems)
            if files is not None:
                found.append(_mose_sequence(files, problems))
        _finish(self, self.root, found, problems)

    @property
    def title(self) -> str:
        """With the split."""
        return f"MOSE {self.split} ({counted(len(self.sequences), 'video')})"

    @property
    def submission_folder(self) -> str:
        """Videos' folders directly in the zip."""
        return ""


@dataclass(frozen=True)
class LvosDataset:
    """LVOS v1 or v2: long videos, objects that appear late, numbers that do not start at 0.

    root: folder that holds SPLIT with JPEGImages, Annotations and ``SPLIT_meta.json`` (or
    ``meta.json``), which states each object's first and last frame. split: None for ``valid`` or
    ``val``, whichever is there. with_frames: as for ``DavisDataset``.

    An object is given in its first frame and scored, as by the toolkit of LVOS, from that frame
    on in every fifth, before its last. A video is unseen if ``unseen_videos.txt`` in ROOT or SPLIT
    names it; without that file, seen and unseen are not told apart.

    Raises DataError that lists every problem.
    """

    root: Path
    split: str | None = None
    with_frames: bool = True
    sequences: tuple[BenchmarkSequence, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.split is None:
            found_split = next((s for s in ("valid", "val") if (self.root / s).is_dir()), "valid")
            object.__setattr__(self, "split", found_split)
        folder = self.root / str(self.split)
        candidates = [folder / f"{self.split}_meta.json", folder / "meta.json"]
        candidates += sorted(folder.glob("*_meta.json"))
        path = next((path for path in candidates if path.is_file()), candidates[0])
        videos = _videos(path)
        unseen = _lines(self.root / "unseen_videos.txt") or _lines(folder / "unseen_videos.txt")
        problems: list[str] = []
        found = []
        for name, entry in videos.items():
            files = _files(name, folder, folder, self.with_frames, problems)
            if files is not None:
                group = (UNSEEN if name in unseen else SEEN) if unseen else None
                with _stated(path, name):
                    found.append(_lvos_sequence(files, entry["objects"], group, problems))
        _finish(self, self.root, found, problems)

    @property
    def title(self) -> str:
        """With the split; v1 and v2 differ by their number of videos."""
        return f"LVOS {self.split} ({counted(len(self.sequences), 'video')})"

    @property
    def submission_folder(self) -> str:
        """Videos' folders directly in the zip."""
        return ""


@contextmanager
def _stated(path: Path, video: str) -> Iterator[None]:
    """What a JSON file says of a video's objects may be of any form. Raises DataError."""
    try:
        yield
    except MALFORMED as error:
        raise DataError(
            f"{path}: what it says of {video} cannot be used ({one_line(error)}); get it anew"
        ) from error


def _finish(
    dataset: object, root: Path, found: Iterable[BenchmarkSequence | None], problems: list[str]
) -> None:
    if problems:
        raise data_error(root, problems)
    object.__setattr__(dataset, "sequences", tuple(s for s in found if s is not None))


def _youtube_vos_sequence(
    files: _Files, objects: Mapping[str, _Object], seen: frozenset[str], problems: list[str]
) -> BenchmarkSequence | None:
    listed_in = {int(i): tuple(entry["frames"]) for i, entry in objects.items()}
    if nowhere := [i for i, names in listed_in.items() if not names]:
        problems.append(f"{files.name}: meta.json lists no frame for object {named(nowhere)}")
        return None
    wanted = tuple(sorted({name for names in listed_in.values() for name in names}))
    if files.frames and (gone := [name for name in wanted if name not in files.frames]):
        problems.append(f"{files.name}: meta.json lists frame {named(gone)}, which is missing")
    given = _given(files, {i: names[0] for i, names in listed_in.items()}, problems)
    if given is None:
        return None
    scored = {
        i: tuple(name for name in names[1:] if name in files.maps) if _dense(files, names) else ()
        for i, names in listed_in.items()
    }
    kinds = {int(i): entry.get("category") for i, entry in objects.items()}
    groups = {i: SEEN if kind in seen else UNSEEN for i, kind in kinds.items()} if seen else {}
    return files.sequence(given, scored, wanted, groups)


def _dense(files: _Files, names: tuple[str, ...]) -> bool:
    """Whether there is annotation of all of an object's frames, not only where some are given."""
    return all(name in files.maps for name in names)


def _mose_sequence(files: _Files, problems: list[str]) -> BenchmarkSequence | None:
    names, maps = files.names, files.maps
    first = next(iter(maps))
    if files.frames and len(maps) > 1 and (gone := [n for n in names if n not in maps]):
        problems.append(f"{files.name}: no label map for frame {named(gone)}")
    ids = first_objects(files.name, maps[first], False, problems)
    if not ids:
        return None
    dense = len(maps) >= FRAMES_AT_LEAST
    return files.sequence({first: ids}, dict.fromkeys(ids, names[1:-1] if dense else ()), names, {})


def _lvos_sequence(
    files: _Files, objects: Mapping[str, _Object], group: str | None, problems: list[str]
) -> BenchmarkSequence | None:
    by_number = {int(name): name for name in files.names}
    spans = {
        int(i): (int(entry["frame_range"]["start"]), int(entry["frame_range"]["end"]))
        for i, entry in objects.items()
    }
    if lost := [str(start) for start, _ in spans.values() if start not in by_number]:
        problems.append(f"{files.name}: no frame {named(lost)}, where an object starts")
        return None
    given = _given(files, {i: by_number[start] for i, (start, _) in spans.items()}, problems)
    if given is None:
        return None
    dense = len(files.maps) > len(given)
    scored = {
        i: tuple(by_number[n] for n in _every_fifth(by_number, start, end)) if dense else ()
        for i, (start, end) in spans.items()
    }
    needed = {name for names in scored.values() for name in names}
    if gone := sorted(name for name in needed if name not in files.maps):
        problems.append(f"{files.name}: no label map for frame {named(gone)}")
    return files.sequence(given, scored, files.names, dict.fromkeys(spans, group) if group else {})


def _every_fifth(numbers: Iterable[int], start: int, end: int) -> list[int]:
    """Those from `start` on and before `end` that the toolkit looks at."""
    return sorted(n for n in numbers if start <= n < end and (n - start) % LVOS_EVERY == 0)


def _given(
    files: _Files, first: Mapping[int, str], problems: list[str]
) -> dict[str, tuple[int, ...]] | None:
    """Frame name -> objects that are given there; what is not in its label map is a problem."""
    given: dict[str, tuple[int, ...]] = {}
    before = len(problems)
    for name in sorted(set(first.values())):
        ids = tuple(sorted(i for i, where in first.items() if where == name))
        if name not in files.maps:
            problems.append(f"{files.name}: no label map for frame {name}, where {ids} appear")
            continue
        try:
            present = present_ids(read_reference(files.maps[name], one_object=False))
        except DataError as error:
            problems.append(str(error))
            continue
        if lacking := [i for i in ids if i not in present]:
            problems.append(
                f"{files.name}: object {named(lacking)} should appear in frame {name}, but its "
                f"label map has {named(present) or 'no object'}"
            )
        given[name] = ids
    if not first:
        problems.append(f"{files.name}: has no object")
    return given if len(problems) == before else None


def _files(
    name: str, folder: Path, images: Path, with_frames: bool, problems: list[str]
) -> _Files | None:
    before = len(problems)
    maps = listed(VideoFolders.of_split(folder).label_maps / name, LABEL_SUFFIXES, problems)
    frames: dict[str, Path] = {}
    if with_frames:
        frames = listed(VideoFolders.of_split(images).images / name, FRAME_SUFFIXES, problems)
        if maps and frames:
            without_frame(name, maps, frames, problems)
    size = common_size(name, maps, frames, problems)
    if not maps or size is None or len(problems) > before:
        return None
    return _Files(name, maps, frames, size)


def _videos(path: Path) -> dict[str, _Video]:
    """Video name -> entry of a JSON file of objects, by name."""
    entries = described_videos(path)
    try:
        for entry in entries.values():
            entry["objects"].items()
    except MALFORMED as error:
        what = one_line(f"{type(error).__name__}: {error}")
        raise DataError(f"{path} does not list objects of videos ({what}); get it anew") from error
    return entries


def _classes(path: Path) -> frozenset[str]:
    """Classes that a split's objects have; none where there is no such file."""
    if not path.is_file():
        return frozenset()
    objects = [o for video in _videos(path).values() for o in video["objects"].values()]
    return frozenset(str(entry["category"]) for entry in objects if "category" in entry)


def _folder_names(folder: Path) -> list[str]:
    names = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if not names:
        raise DataError(f"{folder} holds no folders of label maps; give the root of the data set")
    return names


def _lines(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    return frozenset(
        line.strip() for line in read_text(path, DataError).splitlines() if line.strip()
    )
