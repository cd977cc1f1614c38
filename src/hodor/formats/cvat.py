"""CVAT for video 1.1 (and, to read, CVAT for images 1.1): XML with masks or polygons.

CVAT has no tracks of masks: its importer keeps the first mask of each track. So a mask becomes a
track of a single frame, as in CVAT's own exports, and what holds an object together is its group.
Polygons become one track for each object, with a keyframe in every frame.
"""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from hodor.files import whole_file
from hodor.formats.cvat_reading import read_cvat
from hodor.formats.format import Format, never
from hodor.formats.polygons import joined, outline
from hodor.formats.track import (
    Mask,
    Survey,
    Track,
    categories,
    masks_of,
    survey,
)
from hodor.formats.writing import ByObject, WriteOptions


def write_cvat(track: Track, path: Path, _: WriteOptions) -> None:
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


def write_cvat_polygons(track: Track, path: Path, options: WriteOptions) -> None:
    """One track of polygons for each object; its parts and holes joined by cuts of no width."""
    seen = survey(track, one_size="CVAT for video")
    with closing(ByObject()) as parts, whole_file(path) as temporary:
        last: dict[int, tuple[int, str]] = {}
        for frame in track.frames():
            for i, mask in masks_of(frame.label_map):
                points = _points(mask, options.tolerance)
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


CVAT = Format(
    title="CVAT for video 1.1 (XML)",
    about="Tracks of masks",
    what="CVAT 1.1 XML",
    read=read_cvat,
    write=write_cvat,
    file="cvat.xml",
    looks_like=lambda look: look.suffix == ".xml",
    videos=True,
)

CVAT_POLYGONS = replace(
    CVAT,
    title="CVAT for video 1.1, polygons (XML)",
    about="Tracks of outlines",
    write=write_cvat_polygons,
    file="cvat-polygons.xml",
    looks_like=never,
)
