"""What became of many videos: a table and a page, those first that need a look."""

import base64
import csv
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path

import cv2

from hodor.errors import MALFORMED, HodorError
from hodor.extras import needed
from hodor.files import whole_file, write_text
from hodor.formats import noted_intensity
from hodor.runs.folder import is_finished
from hodor.runs.many import ListedVideo
from hodor.types import Json
from hodor.video import (
    Intensity,
    draw_overlay,
    label_map_objects,
    open_seekable,
    read_label_map,
    sort_naturally,
)

TABLE = "report.csv"
PAGE = "report.html"
PICTURE_WIDTH = 320
QUALITY = 80
FINISHED, FAILED, WAITING = "finished", "failed", "not finished"


@dataclass(frozen=True)
class VideoReport:
    """One video's line; what is not known is None."""

    video: str
    """Its name: results are in OUT/NAME"""
    status: str
    """``finished``, ``failed`` or ``not finished``"""
    frames: int | None = None
    seconds: float | None = None
    """Wall-clock, of the run that finished it"""
    objects: int | None = None
    mean_confidence: float | None = None
    """Over objects and frames, in [0, 1]"""
    worst_confidence: float | None = None
    """The lowest of any visible object in any frame"""
    worst_frame: str | None = None
    """The name of that frame"""
    worst_object: int | None = None
    unseen: int | None = None
    """Frames in which some object was not visible"""
    studio: str = ""
    """The command that opens the studio in the worst frame"""
    said: str = ""
    """What went wrong, or the run's warnings"""

    @property
    def finished(self) -> bool:
        """Whether its results are whole."""
        return self.status == FINISHED

    @property
    def need(self) -> tuple[int, float]:
        """Sorts: failures, unfinished ones, then by the worst confidence."""
        order = [FAILED, WAITING, FINISHED].index(self.status)
        worst = 1.0 if self.worst_confidence is None else self.worst_confidence
        return order, worst


def report_videos(
    videos: Sequence[ListedVideo], out: Path, failures: Mapping[str, str]
) -> list[VideoReport]:
    """What became of each video, those first that need a look.

    Args:
        videos: all of them, also those that an earlier run finished.
        out: the folder of their results.
        failures: what went wrong, by name.
    """
    found = [_report(video.name, out / video.name, failures) for video in videos]
    return sorted(found, key=lambda one: (one.need, one.video))


def write_report(
    reports: Sequence[VideoReport], videos: Sequence[ListedVideo], out: Path
) -> list[Path]:
    """Write ``report.csv`` and, where jinja2 is installed, ``report.html`` into a folder.

    Returns:
        The files that were written.

    Raises:
        HodorError: one cannot be written.
    """
    table = out / TABLE
    with whole_file(table) as fresh, fresh.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(VideoReport)])
        writer.writerows([getattr(one, f.name) for f in fields(VideoReport)] for one in reports)
    try:
        jinja2 = needed("jinja2", "analysis")
    except HodorError:
        return [table]
    sources = {video.name: video.source for video in videos}
    pictures = {one.video: _picture(one, sources[one.video], out / one.video) for one in reports}
    template = files("hodor.runs").joinpath("report.html.j2").read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    write_text(out / PAGE, page.from_string(template).render(reports=reports, pictures=pictures))
    return [table, out / PAGE]


def _report(name: str, folder: Path, failures: Mapping[str, str]) -> VideoReport:
    if name in failures:
        return VideoReport(name, FAILED, said=failures[name])
    if not is_finished(folder):
        return VideoReport(name, WAITING)
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return _of_summary(name, folder, summary)
    except (OSError, *MALFORMED):
        return VideoReport(name, FAILED, said=f"{folder / 'summary.json'} cannot be read")


def _of_summary(name: str, folder: Path, summary: Mapping[str, Json]) -> VideoReport:
    values = [
        (float(value), index, int(number))
        for number, series in summary["confidence"].items()
        for index, value in enumerate(series)
        if value is not None
    ]
    seen = [one for one in values if one[0] > 0]
    worst = min(seen, default=None)
    labels = sort_naturally(list((folder / "labels").glob("*.png")))
    return VideoReport(
        name,
        FINISHED,
        frames=summary["frames"],
        seconds=summary["seconds"],
        objects=len(summary["objects"]),
        mean_confidence=round(sum(v for v, _, _ in values) / len(values), 4) if values else None,
        worst_confidence=worst[0] if worst else None,
        worst_frame=labels[worst[1]].stem if worst and worst[1] < len(labels) else None,
        worst_object=worst[2] if worst else None,
        studio=_command(folder, worst[1] if worst else 0),
        unseen=len({index for value, index, _ in values if value == 0}),
        said="; ".join(summary["warnings"]),
    )


def _command(folder: Path, frame: int) -> str:
    # Whole, since a page is read in a browser and the command is run in any folder.
    return f"hodor studio {shlex.quote(str(folder.absolute()))} --frame {frame}"


def _picture(report: VideoReport, source: str, folder: Path) -> str | None:
    """The worst frame with its masks as a data address; None where it cannot be shown."""
    if report.worst_frame is None:
        return None
    try:
        label_map = read_label_map(folder / "labels" / f"{report.worst_frame}.png")
        labels = sort_naturally(list((folder / "labels").glob("*.png")))
        seen = Intensity.parse(noted_intensity(folder))
        index = [path.stem for path in labels].index(report.worst_frame)
        with open_seekable(source, intensity=seen) as frames:
            pixels = frames.read(index).pixels
        drawn = draw_overlay(pixels, label_map, list(label_map_objects(label_map)))
    except (HodorError, ValueError, IndexError):
        return None
    height, width = drawn.shape[:2]
    size = (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width)))
    small = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)[..., ::-1]
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
