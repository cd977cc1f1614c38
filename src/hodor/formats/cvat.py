"""CVAT for video 1.1 (and, to read, CVAT for images 1.1): XML with masks or polygons.

CVAT has no tracks of masks: its importer keeps the first mask of each track. So a mask becomes a
track of a single frame, as in CVAT's own exports, and what holds an object together is its group.
Polygons become one track for each object, with a keyframe in every frame.
"""

import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from hodor.errors import MaskError
from hodor.files import whole_file
from hodor.formats.polygons import filled, joined, outline
from hodor.formats.reading import UNLIKE, Reading, stem, wrong
from hodor.formats.track import (
    Mask,
    Shapes,
    Survey,
    Track,
    categories,
    flattened,
    masks_of,
    survey,
)
from hodor.formats.writing import ByObject, Writing

FILLED = ("mask", "polygon")
OTHERS = ("box", "polyline", "points", "ellipse", "cuboid", "skeleton")


def write_cvat(track: Track, path: Path, _: Writing) -> None:
    """Masks, pixel by pixel: a track of one frame for each, grouped by the object's id."""
    seen = survey(track, one_size="CVAT for video")
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        _begin(file, track, seen)
        number = 0
        for frame in track.frames():
            for i, mask in masks_of(frame.label_map):
                file.write(_open_track(number, track.name_of(i), i))
                file.write(_mask(frame.index, mask))
                if frame.index + 1 < seen.length:
                    file.write(_mask(frame.index + 1, mask, outside=True))
                file.write("  </track>\n")
                number += 1
        file.write("</annotations>\n")


def write_cvat_polygons(track: Track, path: Path, writing: Writing) -> None:
    """One track of polygons for each object; its parts and holes joined by cuts of no width."""
    seen = survey(track, one_size="CVAT for video")
    with ByObject() as parts, whole_file(path) as temporary:
        last: dict[int, tuple[int, str]] = {}
        for frame in track.frames():
            for i, mask in masks_of(frame.label_map):
                points = _points(mask, writing.tolerance)
                if i in last and last[i][0] + 1 < frame.index:
                    parts.add(i, _polygon(last[i][0] + 1, last[i][1], outside=True))
                parts.add(i, _polygon(frame.index, points))
                last[i] = frame.index, points
        for i, (index, points) in last.items():
            if index + 1 < seen.length:
                parts.add(i, _polygon(index + 1, points, outside=True))
        with temporary.open("w", encoding="utf-8") as file:
            _begin(file, track, seen)
            for number, i in enumerate(seen.ids):
                file.write(_open_track(number, track.name_of(i), i))
                file.writelines(parts.of(i))
                file.write("  </track>\n")
            file.write("</annotations>\n")


def _begin(file: IO[str], track: Track, seen: Survey) -> None:
    height, width = seen.size
    labels = "".join(
        f"<label><name>{escape(name)}</name><type>any</type><attributes></attributes></label>"
        for name in categories(track, seen.ids)
    )
    file.write(
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        f"  <meta><task><name>{escape(track.video)}</name><size>{seen.length}</size>"
        f"<mode>interpolation</mode><start_frame>0</start_frame>"
        f"<stop_frame>{seen.length - 1}</stop_frame><labels>{labels}</labels>"
        f"<original_size><width>{width}</width><height>{height}</height></original_size>"
        "</task></meta>\n"
    )


def _open_track(number: int, label: str, group: int) -> str:
    return f'  <track id="{number}" label={quoteattr(label)} source="auto" group_id="{group}">\n'


def _mask(index: int, mask: Mask, *, outside: bool = False) -> str:
    left, top, right, bottom = _box(mask)
    if outside:
        runs, right, bottom = "0, 1", left, top  # It is not shown: the least that is a mask.
    else:
        runs = ", ".join(map(str, runs_of(mask[top : bottom + 1, left : right + 1])))
    return (
        f'    <mask frame="{index}" keyframe="1" outside="{int(outside)}" occluded="0" '
        f'rle="{runs}" left="{left}" top="{top}" width="{right - left + 1}" '
        f'height="{bottom - top + 1}" z_order="0"></mask>\n'
    )


def _polygon(index: int, points: str, *, outside: bool = False) -> str:
    return (
        f'    <polygon frame="{index}" keyframe="1" outside="{int(outside)}" occluded="0" '
        f'points="{points}" z_order="0"></polygon>\n'
    )


def _points(mask: Mask, tolerance: float) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in joined(outline(mask, tolerance)))


def _box(mask: Mask) -> tuple[int, int, int, int]:
    """First column, first row, last column, last row of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def runs_of(mask: Mask) -> list[int]:
    """Lengths of runs, row by row, of pixels outside and inside in turn, outside first."""
    flat = np.concatenate([[False], mask.ravel(), [not mask.ravel()[-1]]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(length) for length in np.diff(ends, prepend=0)]


def mask_of_runs(runs: list[int], size: tuple[int, int]) -> Mask:
    """The mask (H, W) of `runs_of`. Raises ValueError if the runs do not fill it."""
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(size)


@dataclass(frozen=True)
class _Shape:
    """A mask or polygon as the file has it; it becomes pixels when its frame comes."""

    kind: str
    attributes: Mapping[str, str]

    def mask(self, size: tuple[int, int]) -> Mask:
        """The pixels (H, W)."""
        if self.kind == "polygon":
            pairs = self.attributes["points"].split(";")
            corners = np.array([[float(number) for number in pair.split(",")] for pair in pairs])
            return filled([corners], size)
        left, top, width, height = (
            int(float(self.attributes[name])) for name in ("left", "top", "width", "height")
        )
        runs = [int(number) for number in self.attributes["rle"].split(",")]
        mask = np.zeros(size, np.bool_)
        mask[top : top + height, left : left + width] = mask_of_runs(runs, (height, width))
        return mask


@dataclass
class _Found:
    """What is in a file."""

    tracks: list[tuple[str, int | None]] = field(default_factory=list)
    """Label and group of each"""
    shapes: dict[int, list[tuple[int, int, _Shape]]] = field(default_factory=dict)
    """By frame: depth, number of the track, shape"""
    files: dict[int, tuple[str, tuple[int, int]]] = field(default_factory=dict)
    """By frame: name and size (H, W), in a file of images"""
    size: tuple[int, int] | None = None
    frames: int = 0
    others: Counter[str] = field(default_factory=Counter)


def read_cvat(path: Path, reading: Reading) -> Track:
    """CVAT for video or for images, masks and polygons; a frame's shapes lie by their z_order.

    An object's id is its group, if every track has one; else tracks are numbered from 1. In a file
    of images without groups, shapes are numbered in each image. Frames are named as those of the
    video, where it is at hand. Boxes and other shapes are left out, which a warning tells.
    """
    try:
        found = _parse(path)
        size = found.size or reading.size
    except (OSError, ET.ParseError, *UNLIKE) as error:
        raise wrong(path, "CVAT 1.1 XML", error) from error
    if size is None and not found.files:
        raise MaskError(
            f"{path} does not state its video's size (original_size); export a whole task as CVAT "
            "for video 1.1, or name the video by --source."
        )
    warnings = [
        f"{path.name}: shapes of kind {kind} were left out ({count}); only masks and polygons have "
        "pixels"
        for kind, count in found.others.items()
    ]
    ids = _ids(found, warnings)
    names = {i: label for (label, _), i in zip(found.tracks, ids, strict=True)}

    def frames() -> Iterator[Shapes]:
        for index in _indices(found):
            name, sides = found.files.get(index, (reading.name_of(index), size or (0, 0)))
            shapes = sorted(found.shapes.get(index, []), key=lambda shape: shape[0])
            try:
                masks = [(ids[number], shape.mask(sides)) for _, number, shape in shapes]
            except UNLIKE as error:
                raise wrong(path, "CVAT 1.1 XML", error) from error
            yield Shapes(index, name, index / reading.rate, sides, masks)

    return Track(
        flattened(frames, warnings), path.stem, reading.rate, names, warnings, reading.timed
    )


def _indices(found: _Found) -> list[int]:
    if found.files:
        return sorted(found.files)
    return list(range(max(found.frames, max(found.shapes, default=-1) + 1)))


def _ids(found: _Found, warnings: list[str]) -> list[int]:
    groups = [group for _, group in found.tracks]
    if all(group is not None and 0 < group <= 65535 for group in groups):
        return [group for group in groups if group is not None]
    if found.files:
        warnings.append(
            "there are no groups: objects are numbered in each image on its own, so that a number "
            "may mean different objects in different images"
        )
        place: dict[int, int] = {}
        for shapes in found.shapes.values():
            place |= {number: at for at, (_, number, _) in enumerate(shapes, 1)}
        return [place.get(number, 1) for number in range(len(groups))]
    return list(range(1, len(groups) + 1))


def _parse(path: Path) -> _Found:
    found = _Found()
    image: int | None = None
    shapes: dict[int, list[tuple[int, int, _Shape]]] = defaultdict(list)
    root: str | None = None
    for event, element in ET.iterparse(path, events=("start", "end")):
        root = root or element.tag
        if root != "annotations":
            raise ValueError(f"its root is <{root}>, not <annotations>")
        if event == "start" and element.tag == "track":
            found.tracks.append((element.attrib["label"], _group(element)))
        elif event == "start" and element.tag == "image":
            image = int(element.attrib["id"])
            sides = int(element.attrib["height"]), int(element.attrib["width"])
            found.files[image] = stem(element.attrib["name"]), sides
        elif event == "end" and element.tag == "meta":
            _read_meta(found, element)
        elif event == "end" and element.tag in FILLED:
            if image is not None:
                found.tracks.append((element.attrib["label"], _group(element)))
            if element.attrib.get("outside") != "1":
                frame = int(element.attrib["frame"]) if image is None else image
                depth = int(element.attrib.get("z_order", 0))
                shape = _Shape(element.tag, dict(element.attrib))
                shapes[frame].append((depth, len(found.tracks) - 1, shape))
            element.clear()
        elif event == "end" and element.tag in OTHERS:
            found.others[element.tag] += element.attrib.get("outside") != "1"
        elif event == "end" and element.tag in ("track", "image"):
            element.clear()
    found.shapes = dict(shapes)
    return found


def _group(element: ET.Element) -> int | None:
    group = element.attrib.get("group_id")
    return None if group is None else int(group)


def _read_meta(found: _Found, meta: ET.Element) -> None:
    size = meta.find(".//original_size")
    if size is not None:
        height, width = size.findtext("height"), size.findtext("width")
        if height is not None and width is not None:
            found.size = int(height), int(width)
    found.frames = int(meta.findtext("./*/size") or 0)
