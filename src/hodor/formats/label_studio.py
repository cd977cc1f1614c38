"""Label Studio: brush masks, a task for each frame.

Brush masks belong to single images; the timeline of a video knows boxes only and is another
format, `write_label_studio_video`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hodor.errors import MaskError
from hodor.files import whole_file
from hodor.formats.format import Format
from hodor.formats.frame_numbers import numbers_of
from hodor.formats.identity import Box, Instance, identify
from hodor.formats.label_studio_rle import decode_brush, encode_brush
from hodor.formats.label_studio_tasks import (
    Drawn,
    Region,
    Task,
    chosen,
    image_file,
    kind_of,
    label_of,
    regions_of,
    size_of,
    with_pixels,
)
from hodor.formats.left_out import LeftOut
from hodor.formats.polygons import Polygon, box_of_corners, ellipse
from hodor.formats.reading import Look, ReadOptions, folder_of, read_json, readable, stem
from hodor.formats.track import (
    Labelled,
    Mask,
    Shapes,
    Track,
    box_of_mask,
    flattened,
    masks_of,
    some_frames,
)
from hodor.formats.videos import of_one_video, one_video
from hodor.formats.writing import WriteOptions, line
from hodor.types import JsonObject
from hodor.video import LabelMap, fill_polygons
from hodor.video.limits import frame_index, frame_size

MODEL = "hodor"
REGION = re.compile(r"object-([0-9]+)-frame-[0-9]+")
"""Ids of regions carry the ids of objects: a brush mask has no other place for one that the
importer keeps."""


SENT = "what Label Studio sent"


def write_label_studio(track: Track, path: Path, options: WriteOptions) -> None:
    """A task for each frame with brush masks as predictions, for a project with BrushLabels.

    The label's tag is called ``tag`` and the image's ``image``. ``data.image`` is what `files` of
    `writing` makes of a frame's name, such as "/data/local-files/?d=frames/{name}.jpg".
    """
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, frame in enumerate(some_frames(track)):
            file.write(",\n" if number else "\n")
            file.write(line(_task(track, frame, options)))
        file.write("\n]\n")


def _task(track: Track, frame: Labelled, options: WriteOptions) -> Task:
    data = {
        "image": options.file_of(frame.name, frame.index),
        "video": track.video,
        "frame": frame.index,
        "time": round(frame.time, 6),
        "height": frame.label_map.shape[0],
        "width": frame.label_map.shape[1],
    }
    regions = [
        brush_region(
            mask, track.name_of(i), f"object-{i}-frame-{frame.index}", frame.confidence.get(i)
        )
        for i, mask in masks_of(frame.label_map)
    ]
    scores = [frame.confidence[i] for i in sorted(frame.confidence)]
    prediction: Drawn = {"model_version": MODEL, "result": regions}
    if scores:
        prediction["score"] = round(sum(scores) / len(scores), 4)
    return {"data": data, "predictions": [prediction]}


def brush_region(
    mask: Mask,
    label: str,
    region: str,
    confidence: float | None = None,
    *,
    tags: tuple[str, str] = ("tag", "image"),
) -> Region:
    """One brush mask (H, W) as a region; tags: names of BrushLabels and Image in the project."""
    height, width = mask.shape
    one: Region = {
        "id": region,
        "type": "brushlabels",
        "from_name": tags[0],
        "to_name": tags[1],
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": encode_brush(mask), "brushlabels": [label]},
    }
    if confidence is not None:
        one["score"] = round(confidence, 4)
    return one


class BrushTasks:
    """What people drew on the frames of a project; predictions do not count.

    names: labels by object id. Raises MaskError if an annotation cannot be read.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks: list[Task] = [{"annotations": task.get("annotations")} for task in tasks]
        with readable(SENT, "list of annotations"):
            self.names = _names(self._tasks)
        self._ids = {name: number for number, name in self.names.items()}

    def label_map(self, at: int, size: tuple[int, int]) -> LabelMap | None:
        """What is drawn on a task's image (H, W), or None. Raises MaskError if it does not fit."""
        regions = regions_of(self._tasks[at], "brushlabels")
        if not regions:
            return None
        with readable(SENT, f"brush mask of task {at} that fits its image"):
            masks = [
                (_id_of(one, self._ids), decode_brush(one["value"]["rle"], size)) for one in regions
            ]
            return next(flattened(lambda: iter([Shapes(0, "", 0.0, size, masks)]), [])()).label_map


def read_label_studio(path: Path, options: ReadOptions) -> Track:
    """Tasks with brush masks, polygons and ellipses, from annotations or else predictions.

    Frames are numbered by ``data.frame``, else by the names of their images. Ids of objects are
    those that `write_label_studio` put into the regions' ids. Regions that were drawn in Label
    Studio are linked by label and overlap; a label that no task has twice is one object. Skipped
    annotations do not count, and of several the last one does; what is left out is counted.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list):
        raise MaskError(f"{path} is no list of Label Studio tasks; export the project as JSON.")
    warnings: list[str] = []
    left_out = LeftOut()
    kept, video = _one_video(path, tasks, options)
    drawn = [(tasks[at], chosen(tasks[at], left_out)) for at in kept]
    pictures = [
        _Picture(task["data"], with_pixels(regions, left_out), size_of(regions))
        for task, regions in drawn
    ]
    left_out.tell(path.name, warnings)
    order = _in_order(pictures, options, warnings)
    instances = [
        [Instance(_number(one), label_of(one), _box(one), None) for one in picture.regions]
        for _, picture in order
    ]
    objects = identify(instances, warnings, what="object id", label_is_object=True)

    def frames() -> Iterator[Shapes]:
        for (index, picture), ids in zip(order, objects.ids, strict=True):
            yield _shapes(index, picture, ids, options)

    return Track(flattened(frames, warnings), video, options.rate, objects.names, warnings)


@dataclass(frozen=True)
class _Picture:
    """A task's image and what is drawn on it."""

    data: JsonObject
    regions: list[Region]
    """Those with pixels"""
    size: tuple[int, int] | None = None
    """(H, W), as far as its regions say it, also those that are left out"""

    @property
    def file(self) -> str:
        """Name of the image's file, with folders; without what an upload puts before it."""
        return image_file(self.data)


def _one_video(path: Path, tasks: list[Task], options: ReadOptions) -> tuple[list[int], str]:
    """Places of the tasks of one video, and its name."""
    told = [str(task["data"].get("video", "")) for task in tasks]
    videos = list(dict.fromkeys(told))
    if len(videos) > 1:
        words = [(video, folder_of(video), stem(video)) for video in videos]
        video = videos[one_video(path, words, options.video)]
        return [at for at, one in enumerate(told) if one == video], video
    files = [_Picture(task["data"], []).file for task in tasks]
    named = [file or str(at) for at, file in enumerate(files)]
    return of_one_video(path, named, options.video, (videos[0] if videos else "") or path.stem)


def _in_order(
    pictures: list[_Picture], options: ReadOptions, warnings: list[str]
) -> list[tuple[int, _Picture]]:
    if all("frame" in picture.data for picture in pictures):
        indices = [frame_index(picture.data["frame"]) for picture in pictures]
    elif all(picture.file for picture in pictures):
        names = [stem(picture.file) for picture in pictures]
        indices = numbers_of(names, options, warnings)
    else:
        indices = list(range(len(pictures)))
        if len(pictures) > 1:
            warnings.append(
                f"tasks name no image file: {len(pictures)} frames were numbered from 0 in the "
                "order of the tasks"
            )
    return sorted(zip(indices, pictures, strict=True), key=lambda one: one[0])


def _number(region: Region) -> int | None:
    told = REGION.fullmatch(str(region.get("id", "")))
    return int(told[1]) if told and len(told[1]) < 9 else None


def _names(tasks: list[Task]) -> dict[int, str]:
    """Labels by object id; labels of regions without one get the next free ids."""
    regions = [one for task in tasks for one in regions_of(task, "brushlabels")]
    names: dict[int, str] = {}
    for one in regions:
        number = _number(one)
        if number is not None:
            names[number] = label_of(one)
    for one in regions:
        if _number(one) is None and label_of(one) not in names.values():
            names[max(names, default=0) + 1] = label_of(one)
    return names


def _id_of(region: Region, ids: Mapping[str, int]) -> int:
    number = _number(region)
    return ids[label_of(region)] if number is None else number


def _region_size(region: Region) -> tuple[int, int]:
    return frame_size(region["original_height"], region["original_width"])


def _mask(region: Region, size: tuple[int, int]) -> Mask:
    """The pixels (H, W) of a region."""
    value = region["value"]
    if kind_of(region) == "brush":
        return decode_brush(value["rle"], size)
    return fill_polygons([_corners(value, size)], size)


def _corners(value: JsonObject, size: tuple[int, int]) -> Polygon:
    """Corners (N, 2) in pixels, of a polygon or an ellipse in percent of the sides."""
    per_cent = np.array(size[::-1]) / 100
    if "points" in value:
        return np.asarray(value["points"], np.float64).reshape(-1, 2) * per_cent
    centre = float(value["x"]) * per_cent[0], float(value["y"]) * per_cent[1]
    radii = float(value["radiusX"]) * per_cent[0], float(value["radiusY"]) * per_cent[1]
    return ellipse(centre, radii, float(value.get("rotation") or 0))


def _box(region: Region) -> Box | None:
    """Where a region without an object id is; others need none."""
    if _number(region) is not None:
        return None
    size = _region_size(region)
    if kind_of(region) == "brush":
        return box_of_mask(decode_brush(region["value"]["rle"], size))
    return box_of_corners(_corners(region["value"], size))


def _shapes(index: int, picture: _Picture, ids: list[int], options: ReadOptions) -> Shapes:
    regions, data = picture.regions, picture.data
    size = picture.size or _size(data) or options.size
    if size is None:
        raise MaskError(
            f"Task {index} states no size, since it has no mask; name the video by --source."
        )
    numbered = list(zip(ids, regions, strict=True))
    return Shapes(
        index=index,
        name=stem(picture.file) if picture.file else options.name_of(index),
        time=float(data.get("time", index / options.rate)),
        size=size,
        masks=((i, _mask(one, size)) for i, one in numbered),
        confidence={i: float(one["score"]) for i, one in numbered if one.get("score") is not None},
    )


def _size(data: JsonObject) -> tuple[int, int] | None:
    if "height" in data and "width" in data:
        return frame_size(data["height"], data["width"])
    return None


def is_tasks(look: Look) -> bool:
    """Whether a file is a list of Label Studio's tasks."""
    tasks = look.json
    return (
        isinstance(tasks, list)
        and bool(tasks)
        and all(isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks)
    )


LABEL_STUDIO = Format(
    title="Label Studio (JSON)",
    about="Brush masks for each frame",
    what="export of Label Studio with brush masks",
    read=read_label_studio,
    write=write_label_studio,
    file="label-studio.json",
    looks_like=is_tasks,
    videos=True,
)
