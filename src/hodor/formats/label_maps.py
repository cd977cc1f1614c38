"""Label maps as PNG files: one a frame, or one a frame and object; what ``hodor track`` wrote."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hodor.errors import MaskError
from hodor.files import whole_folder
from hodor.formats.reading import UNLIKE, Reading, read_json, wrong
from hodor.formats.track import Labelled, Shapes, Track, flattened, survey
from hodor.formats.writing import Writing
from hodor.video import (
    list_images,
    read_label_map,
    write_label_map,
)

PNG_LEVEL = 3
"""As for label maps: the next level is twice as slow."""


def write_png(track: Track, path: Path, _: Writing) -> None:
    """A PNG for each frame: palette with the DAVIS colours, or 16-bit greyscale for ids above 255.

    All files of a track are of one kind.
    """
    highest = max(survey(track).ids, default=0)
    with whole_folder(path) as folder:
        for frame in track.frames():
            write_label_map(folder / f"{frame.name}.png", frame.label_map, wide=highest > 255)


def read_png(path: Path, reading: Reading) -> Track:
    """A folder of mask files, one a frame, in natural order; or a folder of ``hodor track``."""
    if (path / "labels").is_dir():
        return _read_results(path, reading)
    files = mask_files(path)

    def frames() -> Iterator[Labelled]:
        for index, file in enumerate(files):
            yield Labelled(index, file.stem, index / reading.rate, read_label_map(file))

    return Track(frames, path.resolve().name, reading.rate, timed=reading.timed)


def _read_results(path: Path, reading: Reading) -> Track:
    files = mask_files(path / "labels")
    confidence = _confidence(path / "summary.json", len(files))
    stated = _rate(path / "summary.json") if reading.fps is None else None
    rate = stated or reading.rate

    def frames() -> Iterator[Labelled]:
        for index, file in enumerate(files):
            known = {i: c[index] for i, c in confidence.items() if c[index] is not None}
            yield Labelled(index, file.stem, index / rate, read_label_map(file), known)

    timed = reading.timed or stated is not None
    return Track(frames, _source(path), rate, timed=timed)


def _confidence(summary: Path, count: int) -> dict[int, list[float]]:
    """By object, of every frame; none if the summary is of another number of frames."""
    if not summary.is_file():
        return {}
    found = read_json(summary)
    try:
        values = {int(number): list(series) for number, series in found["confidence"].items()}
    except UNLIKE as error:
        raise wrong(summary, "summary of hodor track", error) from error
    return {number: series for number, series in values.items() if len(series) == count}


def _rate(summary: Path) -> float | None:
    """Frames per second of a run's video; None where its summary does not say."""
    try:
        return float(json.loads(summary.read_text(encoding="utf-8"))["source_fps"])
    except (OSError, *UNLIKE):
        return None


def _source(path: Path) -> str:
    try:
        return str(json.loads((path / "summary.json").read_text(encoding="utf-8"))["source"])
    except (OSError, *UNLIKE):
        return path.resolve().name


def write_png_per_object(track: Track, path: Path, _: Writing) -> None:
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


def read_png_per_object(path: Path, reading: Reading) -> Track:
    """Folders named by object ids, with binary PNG files named by frames."""
    folders = {
        int(folder.name): {file.stem: file for file in mask_files(folder)}
        for folder in object_folders(path)
    }
    names = list(dict.fromkeys(name for _, files in sorted(folders.items()) for name in files))
    if any(set(files) != set(names) for files in folders.values()):
        names.sort(key=lambda name: (name.isdecimal(), int(name) if name.isdecimal() else 0, name))
    warnings: list[str] = []

    def frames() -> Iterator[Shapes]:
        for index, name in enumerate(names):
            masks = [
                (number, np.not_equal(read_label_map(files[name]), 0))
                for number, files in sorted(folders.items())
                if name in files
            ]
            yield Shapes(index, name, index / reading.rate, one_size(path, name, masks), masks)

    called = path.resolve().name
    return Track(flattened(frames, warnings), called, reading.rate, {}, warnings, reading.timed)


def one_size(path: Path, name: str, masks: list[tuple[int, Any]]) -> tuple[int, int]:
    """The size (H, W) that all masks of a frame share. Raises MaskError if they do not."""
    sizes = {mask.shape for _, mask in masks}
    if len(sizes) != 1:
        raise MaskError(f"{path}: masks of frame {name} differ in size ({sorted(sizes)}).")
    height, width = sizes.pop()
    return int(height), int(width)


def mask_files(folder: Path) -> list[Path]:
    """Mask files of a folder in natural order. Raises MaskError if there are none."""
    files = list_images(folder)
    if not files:
        raise MaskError(f"{folder} holds no masks; give a folder of PNG files, one a frame.")
    return files


def object_folders(path: Path) -> list[Path]:
    """Folders within `path` whose names are object ids."""
    return [folder for folder in path.iterdir() if folder.is_dir() and folder.name.isdecimal()]
