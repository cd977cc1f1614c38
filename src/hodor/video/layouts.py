"""Where benchmarks of videos keep frames, label maps and lists: DAVIS and YouTube-VOS.

DAVIS: ROOT/ImageSets/YEAR/SPLIT.txt names the videos; ROOT/JPEGImages/480p/VIDEO holds frames and
ROOT/Annotations/480p/VIDEO label maps of the same names. DAVIS 2016 as first published has
ROOT/ImageSets/480p/SPLIT.txt, with the paths of a frame and its label map in each line.

YouTube-VOS, MOSE and LVOS: ROOT/SPLIT/JPEGImages/VIDEO and ROOT/SPLIT/Annotations/VIDEO; JSON files
beside them tell of the videos' objects.
"""

import json
from pathlib import Path
from typing import NamedTuple

from hodor.errors import MALFORMED, DataError, one_line
from hodor.files import read_text, safe_name
from hodor.types import JsonObject

DAVIS_YEARS = (2016, 2017)
"""2016: whatever is not 0 is the one object, with id 1. 2017: pixels hold object ids."""

USUAL_RESOLUTION = "480p"


class VideoFolders(NamedTuple):
    """Two folders that have a folder for each video."""

    images: Path
    label_maps: Path

    @classmethod
    def of_davis(cls, root: Path, resolution: str = USUAL_RESOLUTION) -> "VideoFolders":
        """Those of a root in the layout of DAVIS."""
        return cls(root / "JPEGImages" / resolution, root / "Annotations" / resolution)

    @classmethod
    def of_split(cls, folder: Path) -> "VideoFolders":
        """Those of a split's folder in the layout of YouTube-VOS."""
        return cls(folder / "JPEGImages", folder / "Annotations")


def davis_list(root: Path, year: int, split: str) -> Path:
    """The text file that names a split's videos, whether it is there or not."""
    return root / "ImageSets" / str(year) / f"{split}.txt"


def find_davis_list(root: Path, year: int, split: str, resolution: str = USUAL_RESOLUTION) -> Path:
    """The text file that names a split's videos, one or a pair of paths a line.

    Raises:
        DataError: there is no such year or list; the message names the lists there are.
    """
    if year not in DAVIS_YEARS:
        raise DataError(
            f"{root}: there is no DAVIS {year}; choose 2016 (one object) or 2017 (several)"
        )
    path = davis_list(root, year, split)
    of_pairs = root / "ImageSets" / resolution / f"{split}.txt"
    if not path.is_file() and year == DAVIS_YEARS[0] and of_pairs.is_file():
        return of_pairs
    if not path.is_file():
        lists = sorted(p.relative_to(root).as_posix() for p in root.glob("ImageSets/*/*.txt"))
        raise DataError(
            f"{path} is missing; found {', '.join(lists) or 'no list of sequences'} in {root}. "
            "Give the folder that holds ImageSets, and a year and split that it has"
        )
    return path


def listed_videos(path: Path) -> list[str]:
    """Names of videos in a text file, each once; of a path to a frame, that of its folder.

    Raises:
        DataError: it cannot be read, or names no video.
        HodorError: a name would lead out of its folder.
    """
    words = read_text(path, DataError).split()
    names = dict.fromkeys(word.split("/")[-2] if "/" in word else word for word in words)
    if not names:
        raise DataError(f"{path} names no sequence; write one name a line")
    return [safe_name(name, f"{path}: the sequence's name") for name in names]


def find_resolution(root: Path, video: str) -> str:
    """The folder of ROOT/JPEGImages that holds a video; 480p where it does.

    Raises:
        DataError: none does; the message names the folders there are.
    """
    folders = sorted(p.name for p in (root / "JPEGImages").glob("*") if p.is_dir())
    for name in sorted(folders, key=lambda n: n != USUAL_RESOLUTION):
        if (root / "JPEGImages" / name / video).is_dir():
            return name
    raise DataError(
        f"{root}/JPEGImages: {video} is in none of its folders "
        f"({', '.join(folders) or 'there are none'})"
    )


def described_videos(path: Path) -> JsonObject:
    """What a JSON file of YouTube-VOS says of each video, by name, in order of names.

    Raises:
        DataError: there is no such file, it is of another form, or names no video.
        HodorError: a name would lead out of its folder.
    """
    try:
        videos = json.loads(path.read_text(encoding="utf-8"))["videos"]
        entries = {str(name): videos[name] for name in sorted(videos)}
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; give the folder that holds the splits") from error
    except (OSError, *MALFORMED) as error:
        what = one_line(f"{type(error).__name__}: {error}")
        raise DataError(f"{path} does not list objects of videos ({what}); get it anew") from error
    if not entries:
        raise DataError(f"{path} names no video")
    return {safe_name(name, "the video's name"): entry for name, entry in entries.items()}
