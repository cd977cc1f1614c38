"""Videos in the folders that their benchmarks come in."""

from dataclasses import replace
from pathlib import Path

from hodor.data.stills import some
from hodor.data.videos import VideoRules, Videos
from hodor.errors import DataError
from hodor.video.layouts import (
    VideoFolders,
    described_videos,
    find_davis_list,
    find_resolution,
    listed_videos,
)


def davis(root: Path, year: int, split: str, rules: VideoRules) -> Videos:
    """DAVIS 2016 or 2017.

    Another single folder of a resolution (``Full-Resolution``, ``256p``) is taken where there is
    no 480p with the sequences of the split.

    Raises:
        DataError: the layout is not there.
    """
    listed = find_davis_list(root, year, split)
    folders = VideoFolders.of_davis(root, find_resolution(root, listed_videos(listed)[0]))
    return Videos(*folders, replace(rules, one_object=year == 2016), listed=listed)


def youtube_vos(root: Path, split: str, rules: VideoRules) -> Videos:
    """YouTube-VOS 2018 and 2019, and MOSE.

    ``root`` may also be the split's folder itself. Frames without a label map (YouTube-VOS
    annotates every fifth) are frames that nobody knows. Where there is a ``meta.json``, the videos
    that it names must be there.

    Raises:
        DataError: the layout is not there.
    """
    folder = root / split if (root / split).is_dir() else root
    folders = VideoFolders.of_split(folder)
    if not folders.images.is_dir():
        raise DataError(
            f"{folders.images}: no such folder; give the folder that holds {split}/JPEGImages"
        )
    if (folder / "meta.json").is_file():
        _check_all_there(folders.images, list(described_videos(folder / "meta.json")))
    return Videos(*folders, rules)


def _check_all_there(images: Path, names: list[str]) -> None:
    missing = [name for name in names if not (images / name).is_dir()]
    if missing:
        raise DataError(
            f"{images}: {len(missing)} of {len(names)} videos of meta.json are missing: "
            f"{some(missing)}"
        )
