"""All formats by name, and which one a file is of."""

from difflib import get_close_matches
from pathlib import Path

from hodor.errors import MaskError, counted
from hodor.formats.checking import checked_reading, checked_writing
from hodor.formats.coco import COCO, COCO_POLYGONS
from hodor.formats.cvat import CVAT, CVAT_POLYGONS
from hodor.formats.exr import EXR
from hodor.formats.format import Format
from hodor.formats.label_maps import PNG, PNG_PER_OBJECT
from hodor.formats.label_studio import LABEL_STUDIO
from hodor.formats.label_studio_video import LABEL_STUDIO_VIDEO
from hodor.formats.labelme import LABELME, LABELME_POLYGONS
from hodor.formats.mattes import FFV1, PRORES, RGBA
from hodor.formats.mots import MOTS
from hodor.formats.npz import NPZ
from hodor.formats.reading import Look, ReadOptions, readable
from hodor.formats.rle import RLE
from hodor.formats.tiff import TIFF
from hodor.formats.track import Track
from hodor.formats.writing import WriteOptions
from hodor.formats.yolo import YOLO
from hodor.formats.youtube_vis import YOUTUBE_VIS
from hodor.video import IMAGE_SUFFIXES

FORMATS = {
    "png": PNG,
    "png-per-object": PNG_PER_OBJECT,
    "tiff": TIFF,
    "rle": RLE,
    "youtube-vis": YOUTUBE_VIS,
    "coco": COCO,
    "coco-polygons": COCO_POLYGONS,
    "cvat": CVAT,
    "cvat-polygons": CVAT_POLYGONS,
    "label-studio": LABEL_STUDIO,
    "label-studio-video": LABEL_STUDIO_VIDEO,
    "yolo": YOLO,
    "labelme": LABELME,
    "labelme-polygons": LABELME_POLYGONS,
    "mots": MOTS,
    "npz": NPZ,
    "prores": PRORES,
    "ffv1": FFV1,
    "rgba": RGBA,
    "exr": EXR,
}

MATTE_SUFFIXES = (".mov", ".mkv")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".avi", ".webm", ".mts", ".mpg")
"""Of videos that are no mattes, which have alpha"""

ASKED_FIRST = ("yolo", "rgba", "label-studio-video", "labelme")
"""Formats that are more special than another one that they look like too."""


USUAL = {"mov": "prores", "mkv": "ffv1", "tif": "tiff", "json": "coco", "xml": "cvat"}
"""What is most likely meant by a suffix that some formats share"""


def _of_suffix(word: str) -> list[str]:
    """The format that is meant by a file's suffix; nothing for other words."""
    found = USUAL.get(word.removeprefix("."))
    return [] if found is None else [found]


def format_of(name: str) -> Format:
    """The format of a name. Raises MaskError that says what was probably meant, and lists all."""
    if name not in FORMATS:
        close = get_close_matches(name.lower(), FORMATS, n=1) or _of_suffix(name.lower())
        meant = f" Did you mean {close[0]}?" if close else ""
        raise MaskError(f"{name!r} is no format; choose one of {', '.join(FORMATS)}.{meant}")
    return FORMATS[name]


def read_track(
    path: str | Path, name: str | None = None, options: ReadOptions | None = None
) -> Track:
    """Open a file or folder in a format.

    Args:
        path: of the file or folder.
        name: of the format; None for what it looks like.
        options: what the file may leave open.

    Raises:
        MaskError: it cannot be read, or looks like no format. What is wrong with a single frame
            is raised when that frame is read.
    """
    path, options = Path(path), options or ReadOptions()
    if not path.exists():
        raise MaskError(f"{path} does not exist; check the path.")
    if not (path.is_file() or path.is_dir()):
        raise MaskError(f"{path} is neither a file nor a folder; check the path.")
    name = name or guess_format(path)
    if name is None:
        raise MaskError(f"{path} is of no known format{_instead(path)}.")
    chosen = format_of(name)
    if path.is_dir() and not chosen.folder:
        raise MaskError(f"{path} is a folder, but {name} is read from a file; give the file.")
    if path.is_file() and chosen.folder and not chosen.lone:
        raise MaskError(f"{path} is a file, but {name} is read from a folder; give the folder.")
    with readable(path, chosen.what):
        track = chosen.read(path, options)
    if not chosen.videos and options.video not in (None, track.video):
        raise MaskError(
            f"{path} holds one video, {track.video}, and none called {options.video}; leave out "
            "--video."
        )
    return checked_reading(track, path, chosen.what, options)


def write_track(
    track: Track, path: str | Path, name: str, options: WriteOptions | None = None
) -> None:
    """Write a track in the format of a name, whole or not at all.

    Raises:
        HodorError: it does not fit the format, or two frames share a name or have one that cannot
            name a file.
    """
    format_of(name).check()
    format_of(name).write(checked_writing(track), Path(path), options or WriteOptions())


def guess_format(path: Path) -> str | None:
    """The name of the format that a file or folder looks like, by names and first keys, or None.

    Raises MaskError for JSON or pictures that cannot be read.
    """
    look = Look(path)
    names = (*ASKED_FIRST, *(name for name in FORMATS if name not in ASKED_FIRST))
    with readable(path, "file or folder"):
        return next((name for name in names if FORMATS[name].looks_like(look)), None)


def _instead(path: Path) -> str:
    """What a file or folder of no known format is, as far as that is known, and what to do."""
    if path.suffix.lower() in (*IMAGE_SUFFIXES, *MATTE_SUFFIXES) and path.is_file():
        return " by itself: images and mattes are read from their folder; give the folder"
    if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
        return (
            ", but a video: masks of the objects in it are what hodor track makes. Give its folder "
            "OUT, or a file of masks"
        )
    choose = f"; name it by --from ({', '.join(FORMATS)})"
    found = Look(path).json
    if path.is_dir() or path.suffix.lower() != ".json":
        return choose
    if isinstance(found, dict):
        return f" (an object with the keys {', '.join(list(found)[:5]) or 'none'})" + choose
    if isinstance(found, list):
        results = _results(found)
        return results or f" (a list of {counted(len(found), 'item')})" + choose
    return f" ({type(found).__name__})" + choose


def _results(found: list[object]) -> str:
    """What is said of a list of results, which lacks what its masks belong to."""
    first = found[0] if found else None
    if not isinstance(first, dict):
        return ""
    for key, kind, missing in (
        ("segmentations", "YouTube-VIS", "videos"),
        ("image_id", "COCO", "images"),
    ):
        if key in first:
            return (
                f": it is a list of {kind} results ({counted(len(found), 'item')}), which names no "
                f"{missing}; put it under the key annotations of the file with the {missing} and "
                "categories that it was made for"
            )
    return ""
