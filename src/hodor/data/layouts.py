"""Videos in the folders that their benchmarks come in."""

import json
from dataclasses import replace
from pathlib import Path

from hodor.data.videos import VideoRules, Videos
from hodor.errors import DataError
from hodor.files import read_text


def davis(root: Path, year: int, split: str, rules: VideoRules) -> Videos:
    """DAVIS 2016 or 2017: JPEGImages/480p, Annotations/480p, ImageSets/YEAR/SPLIT.txt.

    Another single folder of a resolution (``Full-Resolution``, ``256p``) is taken where there is
    no 480p with the sequences of the split.

    Raises:
        DataError: the layout is not there.
    """
    if year not in (2016, 2017):
        raise DataError(f"{root}: there is no DAVIS {year}; choose 2016 or 2017")
    listed = root / "ImageSets" / str(year) / f"{split}.txt"
    if not listed.is_file():
        there = sorted(p.relative_to(root).as_posix() for p in root.glob("ImageSets/*/*.txt"))
        raise DataError(f"{listed}: no such file; found {', '.join(there) or 'no lists'} in {root}")
    resolution = _resolution(root, read_text(listed, DataError).split())
    return Videos(
        root / "JPEGImages" / resolution,
        root / "Annotations" / resolution,
        replace(rules, one_object=year == 2016),
        listed=listed,
    )


def _resolution(root: Path, names: list[str]) -> str:
    """The folder of JPEGImages that holds the sequences; 480p where it does."""
    folders = sorted(p.name for p in (root / "JPEGImages").glob("*") if p.is_dir())
    for name in sorted(folders, key=lambda n: n != "480p"):
        if names and (root / "JPEGImages" / name / names[0]).is_dir():
            return name
    raise DataError(
        f"{root}/JPEGImages: {names[0] if names else 'the list is empty and no sequence'} is in "
        f"none of its folders ({', '.join(folders) or 'there are none'})"
    )


def youtube_vos(root: Path, split: str, rules: VideoRules) -> Videos:
    """YouTube-VOS 2018 and 2019, and MOSE: SPLIT/JPEGImages/VIDEO, SPLIT/Annotations/VIDEO.

    ``root`` may also be the split's folder itself. Frames without a label map (YouTube-VOS
    annotates every fifth) are frames that nobody knows. Where there is a ``meta.json``, the videos
    that it names must be there.

    Raises:
        DataError: the layout is not there.
    """
    folder = root / split if (root / split).is_dir() else root
    images = folder / "JPEGImages"
    if not images.is_dir():
        raise DataError(f"{images}: no such folder; give the folder that holds {split}/JPEGImages")
    _complete(folder)
    return Videos(images, folder / "Annotations", rules)


def _complete(folder: Path) -> None:
    meta = folder / "meta.json"
    if not meta.is_file():
        return
    try:
        names = list(json.loads(meta.read_text(encoding="utf-8"))["videos"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{meta}: not the list of videos that it should be ({error})") from error
    missing = [name for name in names if not (folder / "JPEGImages" / name).is_dir()]
    if missing:
        raise DataError(
            f"{folder}/JPEGImages: {len(missing)} of {len(names)} videos of meta.json are missing: "
            + ", ".join(missing[:5])
        )
