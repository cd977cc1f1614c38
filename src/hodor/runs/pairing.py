"""Videos of a folder or a pattern, each with the masks of its name."""

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path

from hodor.errors import LIST_ITEM, HodorError
from hodor.runs.many import ListedVideo
from hodor.video import list_images, sort_naturally
from hodor.video.stacks import is_of_frames

SHOWN = 5
"""Names that are listed at most"""

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg"),
    *(".ts", ".mts", ".m2ts", ".wmv", ".mxf", ".ogv", ".flv", ".3gp"),
)


def find_videos(source: str) -> list[Path]:
    """Videos of a folder or of a pattern such as ``"clips/*.mp4"``, in natural order.

    Args:
        source: what a user calls it. A folder's videos are its files and, in a folder without
            images of its own, its folders of images. TIFF stacks that say that they have frames
            are videos too.

    Returns:
        Nothing where it is one video, such as a file or a folder of images.
    """
    folder = Path(source)
    if folder.is_dir():
        if images := list_images(folder):
            return images if _are_stacks(images) else []
        return sort_naturally([path for path in folder.iterdir() if _is_video(path)])
    if folder.exists() or "://" in source or not glob.has_magic(source):
        return []
    found = [Path(name) for name in glob.glob(source, recursive=True)]
    if _are_stacks(found):
        return sort_naturally(found)
    videos = [path for path in found if _is_video(path)]
    # One match is the video that was meant; its masks need no folder.
    return sort_naturally(videos) if len(videos) > 1 else []


def _are_stacks(files: Sequence[Path]) -> bool:
    """Whether these are TIFF stacks that say that each has several frames, and no frames."""
    return len(files) > 1 and all(is_of_frames(file) for file in files)


def _is_video(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return bool(list_images(path))
    return path.suffix.lower() in VIDEO_SUFFIXES


def pair_videos(videos: Sequence[Path], masks: Path) -> list[ListedVideo]:
    """Each video with the masks that are called as it is.

    Args:
        videos: from ``find_videos``.
        masks: a folder with a file NAME.* or a folder NAME for each video NAME.*, as ``--masks``
            takes them for one video.

    Raises:
        HodorError: lists every video without masks, or with two, and videos of one name.
    """
    if not masks.is_dir():
        raise HodorError(
            f"{masks} is no folder; for {len(videos)} videos give a folder with a mask for each, "
            f"such as {Path(masks.stem) / videos[0].stem}.png"
        )
    problems: list[str] = []
    names = [video.stem if video.is_file() else video.name for video in videos]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"two videos are called {name}; results go to OUT/NAME: use --list")
    by_name: dict[str, list[Path]] = {}
    for path in sorted(masks.iterdir()):
        if not path.name.startswith("."):
            by_name.setdefault(path.name if path.is_dir() else path.stem, []).append(path)
    paired = []
    for name, video in zip(names, videos, strict=True):
        found = by_name.get(name, [])
        if len(found) == 1:
            paired.append(ListedVideo(name, str(video), found[0], None))
        elif found:
            problems.append(f"{name}: {' and '.join(path.name for path in found)}; keep one")
        else:
            problems.append(f"{name}: no masks; give {masks / name}.png or a folder {masks / name}")
    if problems:
        lines = problems + _unclaimed(masks, by_name, names)
        listed = "".join(f"\n{LIST_ITEM}{line}" for line in lines)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise HodorError(f"{masks}: {count} with the masks; nothing was tracked:{listed}")
    return paired


def _unclaimed(masks: Path, by_name: Mapping[str, Sequence[Path]], names: list[str]) -> list[str]:
    """Masks that are called as no video is, in a line: likely those of the videos without."""
    left = [path.name for name, found in by_name.items() if name not in names for path in found]
    if not left:
        return []
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    return [
        f"{masks} also holds {', '.join(left[:SHOWN])}{more}, called as no video is: rename them, "
        "or write a list for --list"
    ]
