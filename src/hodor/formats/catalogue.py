"""All formats by name, and which one a file is of."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hodor.errors import MaskError
from hodor.formats.coco import read_coco, write_coco, write_coco_polygons
from hodor.formats.cvat import read_cvat, write_cvat, write_cvat_polygons
from hodor.formats.label_maps import (
    object_folders,
    read_png,
    read_png_per_object,
    write_png,
    write_png_per_object,
)
from hodor.formats.label_studio import read_label_studio, write_label_studio
from hodor.formats.label_studio_video import read_label_studio_video, write_label_studio_video
from hodor.formats.labelme import read_labelme, write_labelme, write_labelme_polygons
from hodor.formats.mattes import read_mattes, write_ffv1, write_prores, write_rgba
from hodor.formats.mots import read_mots, write_mots
from hodor.formats.npz import read_npz, write_npz
from hodor.formats.reading import Reading, read_json
from hodor.formats.rle import read_rle, write_rle
from hodor.formats.track import Track, counted
from hodor.formats.writing import Writing
from hodor.formats.yolo import read_yolo, write_yolo
from hodor.formats.youtube_vis import read_youtube_vis, write_youtube_vis
from hodor.video import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Format:
    """A format: its reader, its writer, and how the file or folder is called beside others.

    pixels: whether the video's picture belongs to it. lone: whether it is a folder, of which one
    file can be read alone. videos: whether it holds several, of which the reader takes one.
    """

    read: Callable[[Path, Reading], Track]
    write: Callable[[Track, Path, Writing], None]
    file: str
    pixels: bool = False
    lone: bool = False
    videos: bool = False

    @property
    def folder(self) -> bool:
        """Whether it is a folder, not a file."""
        return not Path(self.file).suffix


FORMATS = {
    "png": Format(read_png, write_png, "png"),
    "png-per-object": Format(read_png_per_object, write_png_per_object, "png-per-object"),
    "rle": Format(read_rle, write_rle, "rle.json"),
    "youtube-vis": Format(read_youtube_vis, write_youtube_vis, "youtube-vis.json", videos=True),
    "coco": Format(read_coco, write_coco, "coco.json"),
    "coco-polygons": Format(read_coco, write_coco_polygons, "coco-polygons.json"),
    "cvat": Format(read_cvat, write_cvat, "cvat.xml"),
    "cvat-polygons": Format(read_cvat, write_cvat_polygons, "cvat-polygons.xml"),
    "label-studio": Format(read_label_studio, write_label_studio, "label-studio.json"),
    "label-studio-video": Format(
        read_label_studio_video, write_label_studio_video, "label-studio-video.json"
    ),
    "yolo": Format(read_yolo, write_yolo, "yolo", pixels=True, lone=True),
    "labelme": Format(read_labelme, write_labelme, "labelme", lone=True),
    "labelme-polygons": Format(read_labelme, write_labelme_polygons, "labelme-polygons", lone=True),
    "mots": Format(read_mots, write_mots, "mots.txt"),
    "npz": Format(read_npz, write_npz, "npz.npz"),
    "prores": Format(read_mattes, write_prores, "prores", pixels=True),
    "ffv1": Format(read_mattes, write_ffv1, "ffv1", pixels=True),
    "rgba": Format(read_mattes, write_rgba, "rgba", pixels=True),
}


def format_of(name: str) -> Format:
    """The format of a name. Raises MaskError that lists all."""
    if name not in FORMATS:
        raise MaskError(f"{name!r} is no format; choose one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def read_track(path: str | Path, name: str | None = None, reading: Reading | None = None) -> Track:
    """Open a file or folder in any format, `name`, or what it looks like.

    Raises MaskError if it cannot be read, or if it looks like none; what is wrong with a single
    frame is raised when that frame is read.
    """
    path = Path(path)
    if not path.exists():
        raise MaskError(f"{path} does not exist; check the path.")
    name = name or guess_format(path)
    if name is None:
        raise MaskError(f"{path} is of no known format{_instead(path)}.")
    chosen = format_of(name)
    if path.is_dir() and not chosen.folder:
        raise MaskError(f"{path} is a folder, but {name} is read from a file; give the file.")
    if path.is_file() and chosen.folder and not chosen.lone:
        raise MaskError(f"{path} is a file, but {name} is read from a folder; give the folder.")
    reading = reading or Reading()
    track = chosen.read(path, reading)
    if not chosen.videos and reading.video not in (None, track.video):
        raise MaskError(
            f"{path} holds one video, {track.video}, and none called {reading.video}; leave out "
            "--video."
        )
    return track


def write_track(track: Track, path: str | Path, name: str, writing: Writing | None = None) -> None:
    """Write a track, whole or not at all. Raises HodorError if it does not fit the format."""
    format_of(name).write(track, Path(path), writing or Writing())


def guess_format(path: Path) -> str | None:
    """The name of the format that a file or folder looks like, by names and first keys, or None.

    Raises MaskError for JSON that cannot be read.
    """
    return _of_folder(path) if path.is_dir() else _of_file(path)


def _of_file(path: Path) -> str | None:
    by_suffix = {".xml": "cvat", ".npz": "npz", ".txt": "mots", ".yaml": "yolo", ".yml": "yolo"}
    if path.suffix.lower() == ".json":
        return _of_json(path)
    return by_suffix.get(path.suffix.lower())


def _of_json(path: Path) -> str | None:
    # What cannot be read is told by `read_json`.
    with suppress(OSError, UnicodeDecodeError), path.open(encoding="utf-8-sig") as file:
        # A file of a long video is large, and its head tells enough.
        if '"frames": [' in file.readline(4096):
            return "rle"
    found = read_json(path)
    if isinstance(found, list):
        if not found or not all(isinstance(task, dict) for task in found):
            return None
        kinds = json.dumps(found[:50])
        return "label-studio-video" if "videorectangle" in kinds else "label-studio"
    keys: set[Any] = set(found) if isinstance(found, dict) else set()
    for needed, name in (
        ({"videos", "annotations"}, "youtube-vis"),
        ({"images", "annotations"}, "coco"),
        ({"shapes", "imagePath"}, "labelme"),
        ({"frames", "video"}, "rle"),
    ):
        if needed <= keys:
            return name
    return None


def _instead(path: Path) -> str:
    """What a file or folder of no known format is, as far as that is known, and what to do."""
    if path.suffix.lower() in (*IMAGE_SUFFIXES, ".mov", ".mkv") and path.is_file():
        return " by itself: images and mattes are read from their folder; give the folder"
    choose = f"; name it by --from ({', '.join(FORMATS)})"
    if path.suffix.lower() != ".json" or path.is_dir():
        return choose
    found = read_json(path)
    if isinstance(found, dict):
        return f" (an object with the keys {', '.join(list(found)[:5]) or 'none'})" + choose
    if isinstance(found, list):
        return f" (a list of {counted(len(found), 'item')})" + choose
    return f" ({type(found).__name__})" + choose


def _of_folder(path: Path) -> str | None:
    names = {file.suffix.lower() for file in path.iterdir() if file.is_file()}
    if (path / "data.yaml").is_file():
        return "yolo"
    if (path / "labels").is_dir() or ".png" in names:
        return "png"
    if ".mov" in names or ".mkv" in names:
        return "prores"
    if ".json" in names:
        return "labelme"
    if object_folders(path):
        return _of_png_folders(path)
    return "png" if names else None


def _of_png_folders(path: Path) -> str:
    from PIL import Image

    for file in object_folders(path)[0].glob("*.png"):
        with Image.open(file) as image:
            return "rgba" if image.mode == "RGBA" else "png-per-object"
    return "png-per-object"
