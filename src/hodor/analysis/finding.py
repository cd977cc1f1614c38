"""In which videos and frames is this object? The paper's retrieval, turned into a tool."""

import base64
import html
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor.analysis.crops import read_crops
from hodor.analysis.export import AnalysedVideo, box_of
from hodor.analysis.table import Descriptor, DescriptorTable
from hodor.errors import DataError, HodorError
from hodor.files import write_text
from hodor.tracking import References, Tracker

THUMBNAILS = 60  # rows of a page that have a picture


@dataclass(frozen=True)
class Found:
    """One frame in which a wanted object may be; the nearer the likelier."""

    wanted: int
    """Id among the references"""
    distance: float
    """Euclidean, from the nearest descriptor of the reference"""
    row: Descriptor


def find_in_table(references: References, table: DescriptorTable) -> list[Found]:
    """Rank the objects of a table by distance from references, nearest first.

    Raises HodorError where another network made the table.
    """
    references.check(table.model)
    objects = table.objects
    if not objects.rows:
        raise DataError("the table has no visible objects")
    vectors = objects.vectors
    found = [
        Found(i, float(distance), row)
        for i in references.ids
        for row, distance in zip(
            objects.rows, nearest(vectors, _wanted(references, i)), strict=True
        )
    ]
    return sorted(found, key=lambda one: one.distance)


def find_in_videos(
    references: References,
    tracker: Tracker,
    videos: Iterable[AnalysedVideo],
    *,
    every: int = 5,
    report: Callable[[str], None] = lambda _: None,
) -> list[Found]:
    """Look for references in videos that have no masks, nearest first.

    Each frame is segmented with nothing but the references in memory, so that no mistake is
    carried on; what is found is described anew, and its distance from the reference taken.

    Args:
        references: of objects in some other video.
        tracker: with the network that made them; its memory is cleared.
        videos: their given masks are not looked at.
        every: only each so manieth frame.
        report: called with a video's name after each frame.

    Raises:
        HodorError: another network made the references.
    """
    found = []
    for video in videos:
        for index, (name, pixels) in enumerate(video.frames()):
            if index % every:
                continue
            tracker.reset()
            tracker.add_references(references)
            result = tracker.step(pixels)
            described = tracker.descriptors
            for i in references.ids:
                mask = result.label_map == i
                box = box_of(mask)
                if box is None or described is None or i not in described.objects:
                    continue
                vector = described.objects[i].float().cpu().numpy()
                row = Descriptor(
                    video.source, video.name, name, index, i, -1, box, result.confidence[i],
                    int(np.count_nonzero(mask)), False, vector,
                )  # fmt: skip
                distance = float(nearest(vector[None], _wanted(references, i))[0])
                found.append(Found(i, distance, row))
            report(video.name)
    return sorted(found, key=lambda one: one.distance)


def nearest(vectors: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance of each of (N, C) from the nearest of (R, C): (N,)."""
    apart = vectors[:, None] - wanted[None]
    return np.asarray(np.sqrt((apart**2).sum(2)).min(1), np.float32)


def _wanted(references: References, object_id: int) -> NDArray[np.float32]:
    """Descriptors (R, C) of one object, one for each frame in which its mask was given."""
    own = [frame.objects[object_id] for frame in references.frames if object_id in frame.objects]
    return np.stack(own)


def by_video(found: Sequence[Found]) -> dict[str, float]:
    """Video -> distance of its nearest frame, nearest first."""
    best: dict[str, float] = {}
    for one in found:
        best[one.row.sequence] = min(one.distance, best.get(one.row.sequence, np.inf))
    return dict(sorted(best.items(), key=lambda item: item[1]))


def found_page(found: Sequence[Found], path: Path, title: str) -> None:
    """A page with thumbnails of the nearest, one file without scripts."""
    if not found:
        raise HodorError("nothing was found, so there is no page to write")
    shown = list(found[:THUMBNAILS])
    crops = read_crops([one.row for one in shown], size=140)
    cards = "\n".join(
        f'<figure><img alt="" src="data:image/jpeg;base64,{_jpeg(crop)}"><figcaption>'
        f"{n}. {html.escape(one.row.sequence)} {html.escape(one.row.frame)}<br>object "
        f"{one.wanted}, distance {one.distance:.2f}</figcaption></figure>"
        for n, (one, crop) in enumerate(zip(shown, crops, strict=True), 1)
    )
    videos = "\n".join(
        f"<tr><td>{html.escape(name)}<td>{distance:.2f}"
        for name, distance in by_video(found).items()
    )
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>"
        ":root{color-scheme:light dark}body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem}"
        "div{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;width:140px}"
        "img{max-width:140px;border-radius:5px}figcaption{font-size:.8rem;opacity:.8}"
        "td{padding:.1rem 1rem .1rem 0}</style></head><body>"
        f"<h1>{html.escape(title)}</h1><h2>Videos, nearest first</h2><table>{videos}</table>"
        f"<h2>Frames, nearest first</h2><div>{cards}</div></body></html>\n"
    )
    write_text(path, text)


def _jpeg(crop: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
