"""labelme: a JSON file for each frame, with masks or polygons; ``group_id`` is the object's id."""

import base64
import io
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
from PIL import Image

from hodor.errors import MaskError
from hodor.files import whole_folder
from hodor.formats.format import Format, never
from hodor.formats.frame_numbers import numbers_of
from hodor.formats.identity import Box, Instance, identify
from hodor.formats.left_out import LeftOut
from hodor.formats.polygons import box_of_corners, ellipse, outline
from hodor.formats.reading import Look, ReadOptions, read_json, readable
from hodor.formats.track import (
    UNNAMED,
    Labelled,
    Mask,
    Shapes,
    Track,
    flattened,
    masks_of,
    some_frames,
)
from hodor.formats.writing import WriteOptions, line
from hodor.types import JsonObject
from hodor.video import IMAGE_SUFFIXES, fill_polygons, open_picture, sort_naturally
from hodor.video.limits import corners_of, frame_size, some


class DrawnShape(TypedDict, total=False):
    """What is used of a shape in a file."""

    label: str
    group_id: object
    """The object's id, as people and tools write it"""
    description: str | None
    flags: dict[str, bool]
    shape_type: str
    points: list[list[float]]
    """x and y in pixels: corners; of a mask the first and the last pixel's"""
    mask: str | None
    """PNG of a mask between these, in base64"""


VERSION = "5.5.0"
"""The form of the files; masks are known since 5.3."""


def write_labelme(track: Track, path: Path, options: WriteOptions) -> None:
    """A folder with NAME.json for each frame; shapes of type mask keep every pixel."""
    _write(track, path, options, polygons=False)


def write_labelme_polygons(track: Track, path: Path, options: WriteOptions) -> None:
    """The same with polygons, one for each part of an object; holes joined by cuts of no width."""
    _write(track, path, options, polygons=True)


def _write(track: Track, path: Path, options: WriteOptions, *, polygons: bool) -> None:
    with whole_folder(path) as folder:
        for frame in some_frames(track):
            height, width = frame.label_map.shape
            shapes: list[DrawnShape] = []
            for i, mask in masks_of(frame.label_map):
                made = _polygons(mask, options.tolerance) if polygons else [_mask(mask)]
                shapes += [_shape(track, frame, i, one) for one in made]
            content = {
                "version": VERSION,
                "flags": {},
                "shapes": shapes,
                "imagePath": options.file_of(frame.name, frame.index),
                "imageData": None,
                "imageHeight": height,
                "imageWidth": width,
            }
            (folder / f"{frame.name}.json").write_text(line(content) + "\n", encoding="utf-8")


def _shape(track: Track, frame: Labelled, number: int, made: DrawnShape) -> DrawnShape:
    known = number in frame.confidence
    return {
        "label": track.name_of(number),
        "group_id": number,
        "description": f"confidence {frame.confidence[number]:.4f}" if known else "",
        "flags": {},
        **made,
    }


def _mask(mask: Mask) -> DrawnShape:
    """First and last column and row, and a bilevel PNG of what is between."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = (int(at) for at in (rows[0], rows[-1], columns[0], columns[-1]))
    file = io.BytesIO()
    part = mask[top : bottom + 1, left : right + 1]
    Image.fromarray(part.astype(np.uint8) * np.uint8(255)).convert("1").save(file, "PNG")
    text = base64.b64encode(file.getvalue()).decode("ascii")
    points: list[list[float]] = [[left, top], [right, bottom]]
    return {"shape_type": "mask", "points": points, "mask": text}


def _polygons(mask: Mask, tolerance: float) -> list[DrawnShape]:
    return [
        {"shape_type": "polygon", "points": polygon.tolist(), "mask": None}
        for polygon in outline(mask, tolerance)
    ]


def read_labelme(path: Path, options: ReadOptions) -> Track:
    """A folder of labelme's files, or one file; masks, polygons, rectangles and circles.

    Frames are numbered by the files' names. Shapes of one label and group are an object; those
    without a group are linked by label and overlap, and a label that no frame has twice is one
    object. Other kinds of shapes are left out, which a warning counts.
    """
    warnings: list[str] = []
    files = [path] if path.is_file() else _files(path, warnings)
    left_out = LeftOut()
    found = []
    for file in files:
        with readable(file, WHAT):
            found.append(_parse(file, left_out))
    left_out.tell(path.name, warnings)
    numbers = numbers_of([file.stem for file in files], options, warnings)
    order = sorted(zip(numbers, files, found, strict=True), key=lambda one: one[0])
    groups = _groups([shapes for _, _, shapes in order])
    instances = [
        [Instance(groups(shape), shape.label, shape.box) for shape in shapes]
        for _, _, shapes in order
    ]
    objects = identify(instances, warnings, what="group", label_is_object=True)

    def frames() -> Iterator[Shapes]:
        for (index, file, _), ids in zip(order, objects.ids, strict=True):
            with readable(file, WHAT):
                shapes = _read(file, index, ids, options)
            yield shapes

    video = path.stem if path.is_file() else path.resolve().name
    return Track(flattened(frames, warnings), video, options.rate, objects.names, warnings)


WHAT = "labelme's JSON"
KINDS = ("mask", "polygon", "rectangle", "circle", "rotation")
"""Of shapes with pixels; "rotation" is a turned rectangle of X-AnyLabeling, by its corners."""

BY_CORNERS = ("polygon", "rotation")


@dataclass(frozen=True)
class _Shape:
    """What is known of a shape before its pixels."""

    label: str
    group: object
    box: Box | None


def json_files(folder: Path) -> list[Path]:
    """JSON files of a folder in natural order, no hidden ones such as ``._x.json`` of macOS."""
    return sort_naturally([f for f in folder.glob("*.json") if not f.name.startswith(".")])


def _files(folder: Path, warnings: list[str]) -> list[Path]:
    """Files of labelme in a folder; others of JSON are left out, which a warning tells."""
    files = json_files(folder)
    ours = [file for file in files if _is_labelme(read_json(file))]
    if not ours:
        raise MaskError(f"{folder} holds no JSON files of labelme.")
    others = [file.name for file in files if file not in ours]
    if others:
        warnings.append(
            f"{folder}: files that are not labelme's were left out ({len(others)}): {some(others)}"
        )
    return ours


def _is_labelme(content: object) -> bool:
    return isinstance(content, dict) and "shapes" in content


def _parse(file: Path, left_out: LeftOut) -> list[_Shape]:
    shapes = []
    for shape in read_json(file)["shapes"]:
        if _kind(shape) not in KINDS:
            left_out.add(f"shapes of kind {_kind(shape)}")
            continue
        box = box_of_corners(shape["points"])
        label = str(shape["label"] or UNNAMED)
        shapes.append(_Shape(label, shape.get("group_id"), box))
    return shapes


def _groups(frames: list[list[_Shape]]) -> Callable[[_Shape], object]:
    """Objects of shapes: their groups, with the label where a frame has a group of two labels."""
    labels: dict[str, set[str]] = defaultdict(set)
    for shapes in frames:
        here: dict[str, set[str]] = defaultdict(set)
        for shape in shapes:
            here[str(shape.group)].add(shape.label)
        for group, names in here.items():
            if len(names) > 1:
                labels[group] |= names
    first = {group: min(names) for group, names in labels.items()}

    def of(shape: _Shape) -> object:
        group = str(shape.group)
        if shape.group is None or group not in labels or shape.label == first[group]:
            return shape.group
        return f"{shape.group} ({shape.label})"

    return of


def _kind(shape: DrawnShape) -> str:
    """Of a shape; files of old versions have polygons only and do not say so."""
    return str(shape.get("shape_type") or "polygon")


def _read(file: Path, index: int, ids: list[int], options: ReadOptions) -> Shapes:
    content = read_json(file)
    size = _size(file, content, options)
    kept = [shape for shape in content["shapes"] if _kind(shape) in KINDS]
    masks, confidence = [], {}
    for number, shape in zip(ids, kept, strict=True):
        masks.append((number, _pixels(shape, size)))
        told = str(shape.get("description") or "").partition("confidence ")[2]
        if told and told.replace(".", "", 1).isdecimal():
            confidence[number] = float(told)
    return Shapes(index, file.stem, index / options.rate, size, masks, confidence)


def _size(file: Path, content: JsonObject, options: ReadOptions) -> tuple[int, int]:
    """Size (H, W) of a file's picture: as it says, or that of the picture beside it."""
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if height is not None and width is not None:
        return frame_size(height, width)
    picture = file.parent / stem_and_suffix(content.get("imagePath"))
    if picture.suffix.lower() in IMAGE_SUFFIXES and picture.is_file():
        with open_picture(picture) as image:
            return frame_size(image.height, image.width)
    if options.size is None:
        raise MaskError(
            f"{file} states no size (imageHeight, imageWidth) and its picture is not beside it; "
            "name the video by --source."
        )
    return options.size


def stem_and_suffix(name: object) -> str:
    """A file's name without folders: a picture is looked for beside the JSON file only."""
    return str(name or "").replace("\\", "/").rpartition("/")[2] or "."


def _pixels(shape: DrawnShape, size: tuple[int, int]) -> Mask:
    points = corners_of(shape["points"], size)
    if _kind(shape) in BY_CORNERS:
        return fill_polygons([points], size)
    if _kind(shape) == "circle":
        centre, edge = points.tolist()
        radius = math.dist(centre, edge)
        return fill_polygons([ellipse((centre[0], centre[1]), (radius, radius))], size)
    left, top, right, bottom = (
        round(x) for x in (*points.min(0).tolist(), *points.max(0).tolist())
    )
    mask = np.zeros(size, np.bool_)
    if _kind(shape) == "rectangle":
        mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
        return mask
    rows, columns = bottom + 1 - top, right + 1 - left
    if min(top, left) < 0 or bottom >= size[0] or right >= size[1]:
        raise ValueError(
            f"a mask of {columns} x {rows} at ({left}, {top}) leaves its picture of {size[1]} x "
            f"{size[0]} pixels"
        )
    data = io.BytesIO(base64.b64decode(cast(str, shape["mask"])))
    with Image.open(data, formats=("PNG",)) as image:
        if image.size != (columns, rows):
            raise ValueError(
                f"a mask of {image.width} x {image.height} pixels is for {columns} x {rows}"
            )
        mask[top : bottom + 1, left : right + 1] = np.array(image) != 0
    return mask


def looks_like_labelme(look: Look) -> bool:
    """A file with shapes, or a folder whose first JSON file is one."""
    if look.folder:
        first = next(iter(json_files(look.path)), None)
        return first is not None and _is_labelme(read_json(first))
    return {"shapes", "imagePath"} <= look.keys


LABELME = Format(
    title="labelme (JSON)",
    about="A file for each frame, masks",
    what=WHAT,
    read=read_labelme,
    write=write_labelme,
    file="labelme",
    looks_like=looks_like_labelme,
    lone=True,
)

LABELME_POLYGONS = replace(
    LABELME,
    title="labelme, polygons (JSON)",
    about="A file for each frame, outlines",
    write=write_labelme_polygons,
    file="labelme-polygons",
    looks_like=never,
)
