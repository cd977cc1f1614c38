"""Label maps as PNG files: one a frame, or one a frame and object; what ``hodor track`` wrote."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from hodor.errors import MaskError, counted
from hodor.files import whole_folder
from hodor.formats.format import Format
from hodor.formats.frame_numbers import numbers_of
from hodor.formats.identity import renumbered
from hodor.formats.left_out import LeftOut
from hodor.formats.reading import Look, ReadOptions, read_json, readable
from hodor.formats.tiff import TIFF_SUFFIXES, read_tiff
from hodor.formats.track import (
    SOFT,
    Labelled,
    Shapes,
    Track,
    flattened,
    survey,
    tell,
    with_soft_masks,
)
from hodor.formats.writing import WriteOptions
from hodor.types import AnyArray, JsonObject
from hodor.video import (
    DEFAULT_FPS,
    IMAGE_SUFFIXES,
    count_pages,
    hold_ids,
    list_images,
    read_label_map,
    sort_naturally,
    with_ignored,
    write_label_map,
)
from hodor.video.label_maps import IGNORED_REGIONS
from hodor.video.limits import rate_of, scale_of_pixels, some

BRUSH_EXPORT = re.compile(r"task-\d+-annotation-\d+-by-")
"""How Label Studio calls a brush mask that it exports as a picture of one label"""

PNG_LEVEL = 3
"""As for label maps: the next level is twice as slow."""


def write_png(track: Track, path: Path, _: WriteOptions) -> None:
    """A PNG for each frame: palette with the DAVIS colours, or 16-bit greyscale for ids above 255.

    All files of a track are of one kind.
    """
    highest = max(survey(track).ids, default=0)
    with whole_folder(path) as folder:
        for frame in track.frames():
            write_label_map(folder / f"{frame.name}.png", frame.label_map, wide=highest > 255)


def read_png(path: Path, options: ReadOptions) -> Track:
    """A folder of mask files, one a frame; or a folder of ``hodor track``; or a lone TIFF stack.

    Frames are numbered by their names. Whether 255 is white or an id, and 10000 a region to be
    ignored or an id, is decided once for all files.
    """
    if (path / "labels").is_dir():
        return _read_results(path, options)
    warnings: list[str] = []
    files = mask_files(path, warnings)
    if len(files) == 1 and files[0].suffix.lower() in TIFF_SUFFIXES and count_pages(files[0]) > 1:
        return replace(read_tiff(files[0], options), video=path.resolve().name)
    names = [file.stem for file in files]
    if any(map(BRUSH_EXPORT.match, names)):
        raise MaskError(
            f"{path} holds brush masks that Label Studio exported label by label, which lack the "
            "names of their frames; export the project as JSON and give that"
        )
    numbers = numbers_of(names, options, warnings)
    order = sorted(zip(numbers, files, strict=True))
    white_is_id = hold_ids(files)
    ignoring = set(with_ignored(files))
    if ignoring:
        told = LeftOut()
        told.add(IGNORED_REGIONS, len(ignoring))
        told.tell(path.resolve().name, warnings)

    def frames() -> Iterator[Labelled]:
        shaded: list[Path] = []
        for index, file in order:
            label_map = read_label_map(
                file, shaded, white_is_id=white_is_id, ignored=file in ignoring
            )
            yield Labelled(index, file.stem, index / options.rate, label_map)
        if shaded:
            tell(
                f"{counted(len(shaded), 'file')} black and white with shades at the edges "
                f"({some(file.name for file in shaded)}): pixels from 128 of 255 on are object 1",
                warnings,
            )

    return Track(frames, path.resolve().name, options.rate, {}, warnings)


def _read_results(path: Path, options: ReadOptions) -> Track:
    warnings: list[str] = []
    files = mask_files(path / "labels", warnings)
    summary = _summary(path / "summary.json")
    confidence = {
        i: series for i, series in summary.confidence.items() if len(series) == len(files)
    }
    # A whole video's frames are all there, whatever their names are.
    whole_video = summary.frames == len(files)
    numbers = numbers_of([file.stem for file in files], options, [] if whole_video else warnings)
    rate = options.fps or summary.rate or options.rate
    order = list(enumerate(files)) if whole_video else sorted(zip(numbers, files, strict=True))

    def frames() -> Iterator[Labelled]:
        for position, (index, file) in enumerate(order):
            here = {i: series[position] for i, series in confidence.items()}
            known = {i: value for i, value in here.items() if value is not None}
            frame = Labelled(index, file.stem, index / rate, read_label_map(file), known)
            yield with_soft_masks(frame, path / SOFT)

    timed = options.timed or summary.rate is not None
    video = summary.source or path.resolve().name
    soft = (path / SOFT).is_dir()
    scale = summary.um_per_pixel
    return Track(frames, video, rate, summary.names, warnings, timed, soft=soft, um_per_pixel=scale)


def noted_video(path: Path) -> str | None:
    """The file or folder of the video that a run of ``hodor track`` followed, while it is there.

    path: of the run's folder; None for everything else.
    """
    noted = _noted_inputs(path).get("source")
    # What came in a file opens no connection.
    there = isinstance(noted, str) and Path(noted).is_absolute() and Path(noted).exists()
    return noted if there else None


def noted_intensity(path: Path) -> str:
    """What a run of ``hodor track`` saw of its images, as `Intensity.parse` reads it.

    path: of the run's folder; ``auto`` for everything else.
    """
    return str(_noted_inputs(path).get("intensity", "auto"))


def _noted_inputs(path: Path) -> JsonObject:
    summary = path / "summary.json"
    if not ((path / "labels").is_dir() and summary.is_file()):
        return {}
    inputs = read_json(summary).get("inputs", {})
    return inputs if isinstance(inputs, dict) else {}


@dataclass(frozen=True)
class _Summary:
    """What is read of ``summary.json``; everything is empty where there is none."""

    source: str = ""
    frames: int = 0
    rate: float | None = None
    """Frames per second of the run's video"""
    um_per_pixel: float | None = None
    """Micrometres that a pixel's side is long in it"""
    confidence: dict[int, list[float | None]] = field(default_factory=dict)
    """By object, of every frame"""
    names: dict[int, str] = field(default_factory=dict)
    """What objects are called"""


def _summary(path: Path) -> _Summary:
    if not path.is_file():
        return _Summary()
    with readable(path, "summary of hodor track"):
        found = read_json(path)
        values = {
            int(number): [None if c is None else float(c) for c in series]
            for number, series in found["confidence"].items()
        }
        scale = found.get("um_per_pixel")
        return _Summary(
            str(found["source"]),
            int(found.get("frames", 0)),
            _noted_rate(found),
            None if scale is None else scale_of_pixels(scale),
            values,
            {int(number): str(name) for number, name in found.get("names", {}).items()},
        )


def _noted_rate(summary: JsonObject) -> float | None:
    """Frames per second, None where nobody stated them.

    Runs on images once noted the usual rate, which was nobody's: those before scales were noted.
    """
    rate, inputs = summary.get("source_fps"), summary.get("inputs")
    source = inputs.get("source") if isinstance(inputs, dict) else None
    guessed = rate == DEFAULT_FPS and "um_per_pixel" not in summary
    if rate is None or (guessed and isinstance(source, str) and _names_images(source)):
        return None
    return rate_of(rate)


def _names_images(source: str) -> bool:
    path = Path(source)
    folder = path.is_dir() or (path.is_absolute() and not path.suffix)
    return folder or path.suffix.lower() in IMAGE_SUFFIXES


def write_png_per_object(track: Track, path: Path, _: WriteOptions) -> None:
    """A folder for each object id with a PNG of 0 and 255 for every frame."""
    ids = survey(track).ids
    with whole_folder(path) as folder:
        for number in ids:
            (folder / str(number)).mkdir()
        for frame in track.frames():
            for number in ids:
                mask = np.equal(frame.label_map, number).astype(np.uint8) * np.uint8(255)
                target = folder / str(number) / f"{frame.name}.png"
                Image.fromarray(mask).save(target, "PNG", compress_level=PNG_LEVEL)


def read_png_per_object(path: Path, options: ReadOptions) -> Track:
    """Folders named by object ids, with binary PNG files named by frames.

    A folder that is no id from 1 to 65535, such as 000 or cat, gets a free one, which a warning
    tells; one that is no number names its object.
    """
    warnings: list[str] = []
    found = object_folders(path)
    if not found:
        raise MaskError(f"{path} holds no folders of masks; give one with 1/NAME.png, 2/NAME.png.")
    ids = renumbered((folder.name for folder in found), warnings, what="folder")
    folders = {
        ids[folder.name]: {file.stem: file for file in mask_files(folder, warnings)}
        for folder in found
    }
    called = {ids[f.name]: f.name for f in found if not f.name.isdecimal()}
    names = list(dict.fromkeys(name for files in folders.values() for name in files))
    order = sorted(zip(numbers_of(names, options, warnings), names, strict=True))

    def frames() -> Iterator[Shapes]:
        for index, name in order:
            masks = [
                (number, np.not_equal(read_label_map(files[name]), 0))
                for number, files in sorted(folders.items())
                if name in files
            ]
            size = one_size(path, name, masks)
            # A folder has a file for every frame, so that an empty one says that nothing is there.
            shown = [(number, mask) for number, mask in masks if mask.any()]
            yield Shapes(index, name, index / options.rate, size, shown)

    return Track(flattened(frames, warnings), path.resolve().name, options.rate, called, warnings)


def one_size(path: Path, name: str, masks: list[tuple[int, AnyArray]]) -> tuple[int, int]:
    """The size (H, W) that all masks of a frame share. Raises MaskError if they do not."""
    sizes = {mask.shape for _, mask in masks}
    if len(sizes) != 1:
        raise MaskError(f"{path}: masks of frame {name} differ in size ({sorted(sizes)}).")
    height, width = sizes.pop()
    return int(height), int(width)


def mask_files(folder: Path, warnings: list[str]) -> list[Path]:
    """Mask files of a folder in natural order; `warnings` tells what else is in it.

    Raises MaskError if there are none.
    """
    files = list_images(folder)
    if not files:
        raise MaskError(f"{folder} holds no masks; give a folder of PNG files, one a frame.")
    taken = set(files)
    others = sorted(
        one.name
        for one in folder.iterdir()
        if one not in taken and not one.name.startswith(".") and not one.is_dir()
    )
    if others:
        warnings.append(
            f"{folder}: files that are no masks here were left out ({len(others)}): {some(others)}"
        )
    return files


def object_folders(path: Path) -> list[Path]:
    """Folders within `path` that hold masks, one for each object, in the order of their names."""
    return sort_naturally(
        folder
        for folder in path.iterdir()
        if folder.is_dir() and not folder.name.startswith(".") and list_images(folder)
    )


def first_of_objects(look: Look) -> Path | None:
    """A file of a folder that has a folder for each object, at least one named by a number."""
    if not look.folder:
        return None
    named = [f for f in look.path.iterdir() if f.is_dir() and f.name.isdecimal()]
    return next((files[0] for folder in sorted(named) if (files := list_images(folder))), None)


def looks_like_png(look: Look) -> bool:
    """A folder of mask files, or of ``hodor track``."""
    if not look.folder:
        return False
    if (look.path / "labels").is_dir():
        return bool(list_images(look.path / "labels"))
    return bool(look.suffixes & set(IMAGE_SUFFIXES))


PNG = Format(
    title="Label maps (PNG)",
    about="A palette PNG for each frame, as DAVIS has them",
    what="folder of label maps",
    read=read_png,
    write=write_png,
    file="png",
    looks_like=looks_like_png,
)

PNG_PER_OBJECT = Format(
    title="PNG per object",
    about="A folder of black and white PNGs for each object",
    what="folder of masks of each object",
    read=read_png_per_object,
    write=write_png_per_object,
    file="png-per-object",
    looks_like=lambda look: first_of_objects(look) is not None,
)
