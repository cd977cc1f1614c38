"""Looking through a sequence's folders, and what is said of everything that is wrong in them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hodor.errors import DataError
from hodor.evaluation.label_map_files import frame_size, label_map_size
from hodor.evaluation.problems import named

FRAME_SUFFIXES = (".jpg", ".jpeg", ".png")
LABEL_SUFFIXES = (".png",)


def listed(folder: Path, suffixes: Sequence[str], problems: list[str]) -> dict[str, Path]:
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


def without_frame(
    name: str, maps: Mapping[str, Path], frames: Mapping[str, Path], problems: list[str]
) -> None:
    """A problem where a label map belongs to no frame."""
    if missing := [stem for stem in maps if stem not in frames]:
        problems.append(f"{name}: no frame for label map {named(missing)}")


def common_size(
    name: str, maps: Mapping[str, Path], frames: Mapping[str, Path], problems: list[str]
) -> tuple[int, int] | None:
    """Height and width of all of a sequence's files; what cannot be read or differs is a problem.

    None where no label map can be read.
    """
    sizes = _sizes(maps.values(), frames.values(), problems)
    if not sizes:
        return None
    first, (height, width) = next(iter(sizes.items()))
    others = [
        f"{path.parent.parent.parent.name}/{path.name} ({w} x {h})"
        for path, (h, w) in sizes.items()
        if (h, w) != (height, width)
    ]
    if others:
        problems.append(f"{name}: {first.name} is {width} x {height}, but not so {named(others)}")
    return height, width


def _sizes(
    maps: Iterable[Path], frames: Iterable[Path], problems: list[str]
) -> dict[Path, tuple[int, int]]:
    sizes = {}
    for paths, size_of in ((maps, label_map_size), (frames, frame_size)):
        for path in paths:
            try:
                sizes[path] = size_of(path)
            except DataError as error:
                problems.append(str(error))
    return sizes
