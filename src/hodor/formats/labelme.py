"""labelme: a JSON file for each frame, with masks or polygons; ``group_id`` is the object's id."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hodor.errors import MaskError
from hodor.files import whole_folder
from hodor.formats.polygons import filled, outline
from hodor.formats.reading import UNLIKE, Reading, read_json, stem, wrong
from hodor.formats.track import (
    Labelled,
    Mask,
    Shapes,
    Track,
    are_ids,
    flattened,
    masks_of,
    some_frames,
)
from hodor.formats.writing import Writing, line
from hodor.video import sort_naturally

VERSION = "5.5.0"
"""The form of the files; masks are known since 5.3."""


def write_labelme(track: Track, path: Path, writing: Writing) -> None:
    """A folder with NAME.json for each frame; shapes of type mask keep every pixel."""
    _write(track, path, writing, polygons=False)


def write_labelme_polygons(track: Track, path: Path, writing: Writing) -> None:
    """The same with polygons, one for each part of an object; holes joined by cuts of no width."""
    _write(track, path, writing, polygons=True)


def _write(track: Track, path: Path, writing: Writing, *, polygons: bool) -> None:
    with whole_folder(path) as folder:
        for frame in some_frames(track):
            height, width = frame.label_map.shape
            shapes = []
            for i, mask in masks_of(frame.label_map):
                made = _polygons(mask, writing.tolerance) if polygons else [_mask(mask)]
                shapes += [_shape(track, frame, i, one) for one in made]
            content = {
                "version": VERSION,
                "flags": {},
                "shapes": shapes,
                "imagePath": writing.file_of(frame.name, frame.index),
                "imageData": None,
                "imageHeight": height,
                "imageWidth": width,
            }
            (folder / f"{frame.name}.json").write_text(line(content) + "\n", encoding="utf-8")


def _shape(track: Track, frame: Labelled, number: int, made: dict[str, Any]) -> dict[str, Any]:
    known = number in frame.confidence
    return {
        "label": track.name_of(number),
        "group_id": number,
        "description": f"confidence {frame.confidence[number]:.4f}" if known else "",
        "flags": {},
        **made,
    }


def _mask(mask: Mask) -> dict[str, Any]:
    """First and last column and row, and a bilevel PNG of what is between."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = (int(at) for at in (rows[0], rows[-1], columns[0], columns[-1]))
    file = io.BytesIO()
    part = mask[top : bottom + 1, left : right + 1]
    Image.fromarray(part.astype(np.uint8) * np.uint8(255)).convert("1").save(file, "PNG")
    text = base64.b64encode(file.getvalue()).decode("ascii")
    points = [[left, top], [right, bottom]]
    return {"shape_type": "mask", "points": points, "mask": text}


def _polygons(mask: Mask, tolerance: float) -> list[dict[str, Any]]:
    return [
        {"shape_type": "polygon", "points": polygon.tolist(), "mask": None}
        for polygon in outline(mask, tolerance)
    ]


def read_labelme(path: Path, reading: Reading) -> Track:
    """A folder of labelme's files, in natural order, or one file; masks, polygons, rectangles.

    Ids of objects are group ids, where all shapes have one; else a label is an object, and the
    shapes of one label in a frame are one object's parts. Other kinds of shapes are left out,
    which a warning tells.
    """
    files = [path] if path.is_file() else sort_naturally(path.glob("*.json"))
    if not files:
        raise MaskError(f"{path} holds no JSON files of labelme.")
    warnings: list[str] = []
    try:
        ids, names = _ids(files, warnings)
    except UNLIKE as error:
        raise wrong(path, "labelme's JSON", error) from error

    def frames() -> Iterator[Shapes]:
        for index, file in enumerate(files):
            try:
                yield _read(file, index, ids, reading)
            except (OSError, *UNLIKE) as error:
                raise wrong(file, "labelme's JSON", error) from error

    video = path.stem if path.is_file() else path.resolve().name
    return Track(flattened(frames, warnings), video, reading.rate, names, warnings, reading.timed)


KINDS = ("mask", "polygon", "rectangle")


def _ids(files: list[Path], warnings: list[str]) -> tuple[dict[str, int] | None, dict[int, str]]:
    """Ids by label, or None where groups are the ids; names by id."""
    shapes = [shape for file in files for shape in read_json(file)["shapes"]]
    others = {str(shape["shape_type"]) for shape in shapes} - set(KINDS)
    if others:
        warnings.append(f"shapes of kind {', '.join(sorted(others))} were left out")
    kept = [shape for shape in shapes if shape["shape_type"] in KINDS]
    if are_ids(shape.get("group_id") for shape in kept):
        return None, {shape["group_id"]: str(shape["label"]) for shape in kept}
    labels = dict.fromkeys(str(shape["label"]) for shape in kept)
    ids = {label: number for number, label in enumerate(labels, 1)}
    return ids, {number: label for label, number in ids.items()}


def _read(file: Path, index: int, ids: dict[str, int] | None, reading: Reading) -> Shapes:
    content = read_json(file)
    size = int(content["imageHeight"]), int(content["imageWidth"])
    masks, confidence = [], {}
    for shape in content["shapes"]:
        if shape["shape_type"] in KINDS:
            number = shape["group_id"] if ids is None else ids[str(shape["label"])]
            masks.append((number, _pixels(shape, size)))
            told = str(shape.get("description") or "").partition("confidence ")[2]
            if told:
                confidence[number] = float(told)
    name = file.stem or stem(content["imagePath"])
    return Shapes(index, name, index / reading.rate, size, masks, confidence)


def _pixels(shape: dict[str, Any], size: tuple[int, int]) -> Mask:
    points = np.array(shape["points"], np.float64)
    if shape["shape_type"] == "polygon":
        return filled([points], size)
    (left, top), (right, bottom) = points.min(0).round(), points.max(0).round()
    mask = np.zeros(size, np.bool_)
    if shape["shape_type"] == "rectangle":
        mask[max(int(top), 0) : int(bottom), max(int(left), 0) : int(right)] = True
        return mask
    with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as image:
        part = np.array(image) != 0
    mask[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = part
    return mask
