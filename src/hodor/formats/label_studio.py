"""Label Studio: brush masks, a task for each frame.

Brush masks belong to single images; the timeline of a video knows boxes only and is another
format, `write_label_studio_video`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hodor.errors import MaskError
from hodor.files import whole_file
from hodor.formats.label_studio_rle import decode_brush, encode_brush
from hodor.formats.reading import UNLIKE, Reading, read_json, stem, wrong
from hodor.formats.track import Labelled, Mask, Shapes, Track, flattened, masks_of, some_frames
from hodor.formats.writing import Writing, line
from hodor.video import LabelMap

MODEL = "hodor"
REGION = re.compile(r"object-([0-9]+)-frame-[0-9]+")
"""Ids of regions carry the ids of objects: a brush mask has no other place for one that the
importer keeps."""


def write_label_studio(track: Track, path: Path, writing: Writing) -> None:
    """A task for each frame with brush masks as predictions, for a project with BrushLabels.

    The label's tag is called ``tag`` and the image's ``image``. ``data.image`` is what `files` of
    `writing` makes of a frame's name, such as "/data/local-files/?d=frames/{name}.jpg".
    """
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, frame in enumerate(some_frames(track)):
            file.write(",\n" if number else "\n")
            file.write(line(_task(track, frame, writing)))
        file.write("\n]\n")


def _task(track: Track, frame: Labelled, writing: Writing) -> dict[str, Any]:
    data = {
        "image": writing.file_of(frame.name, frame.index),
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
    prediction: dict[str, Any] = {"model_version": MODEL, "result": regions}
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
) -> dict[str, Any]:
    """One brush mask (H, W) as a region; tags: names of BrushLabels and Image in the project."""
    height, width = mask.shape
    one: dict[str, Any] = {
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

    def __init__(self, tasks: Sequence[dict[str, Any]]) -> None:
        self._tasks = [{"annotations": task.get("annotations")} for task in tasks]
        try:
            self.names = _names(self._tasks)
        except UNLIKE as error:
            raise MaskError(f"annotations of Label Studio that cannot be read: {error}") from error
        self._ids = {name: number for number, name in self.names.items()}

    def label_map(self, at: int, size: tuple[int, int]) -> LabelMap | None:
        """What is drawn on a task's image (H, W), or None. Raises MaskError if it does not fit."""
        regions = regions_of(self._tasks[at], "brushlabels")
        if not regions:
            return None
        try:
            masks = [
                (_id_of(one, self._ids), decode_brush(one["value"]["rle"], size)) for one in regions
            ]
        except UNLIKE as error:
            raise MaskError(f"task {at}: a brush mask does not fit its image ({error})") from error
        return next(flattened(lambda: iter([Shapes(0, "", 0.0, size, masks)]), [])()).label_map


def read_label_studio(path: Path, reading: Reading) -> Track:
    """Tasks with brush masks, from annotations or else predictions; tasks are frames, in order.

    Ids of objects are those that `write_label_studio` put into the regions' ids. Regions that were
    drawn in Label Studio get the ids of their labels: one label, one object.
    """
    tasks = read_json(path)
    warnings: list[str] = []
    if not isinstance(tasks, list):
        raise MaskError(f"{path} is no list of Label Studio tasks; export the project as JSON.")
    try:
        names = _names(tasks)
        ids = {name: i for i, name in names.items()}
    except UNLIKE as error:
        raise wrong(path, "export of Label Studio with brush masks", error) from error

    def frames() -> Iterator[Shapes]:
        for index, task in enumerate(tasks):
            try:
                yield _shapes(task, index, ids, reading)
            except UNLIKE as error:
                raise wrong(path, "export of Label Studio with brush masks", error) from error

    video = str(tasks[0].get("data", {}).get("video", path.stem)) if tasks else path.stem
    return Track(flattened(frames, warnings), video, reading.rate, names, warnings, reading.timed)


def regions_of(task: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Regions of a task's latest annotation, or else its latest prediction."""
    given = task.get("annotations") or task.get("predictions") or [{}]
    return [one for one in given[-1].get("result", []) if one.get("type") == kind]


def _number(region: dict[str, Any]) -> int | None:
    told = REGION.fullmatch(str(region.get("id", "")))
    return int(told[1]) if told else None


def _id_of(region: dict[str, Any], ids: Mapping[str, int]) -> int:
    number = _number(region)
    return ids[_label(region)] if number is None else number


def _names(tasks: list[dict[str, Any]]) -> dict[int, str]:
    """Labels by object id; labels of regions without one get the next free ids."""
    regions = [one for task in tasks for one in regions_of(task, "brushlabels")]
    names: dict[int, str] = {}
    for one in regions:
        number = _number(one)
        if number is not None:
            names[number] = _label(one)
    for one in regions:
        if _number(one) is None and _label(one) not in names.values():
            names[max(names, default=0) + 1] = _label(one)
    return names


def _label(region: dict[str, Any]) -> str:
    return str(region["value"]["brushlabels"][0])


def _shapes(task: dict[str, Any], index: int, ids: dict[str, int], reading: Reading) -> Shapes:
    regions, data = regions_of(task, "brushlabels"), task["data"]
    size = _size(regions, data) or reading.size
    if size is None:
        raise MaskError(
            f"Task {index} states no size, since it has no mask; name the video by --source."
        )
    masks, confidence = [], {}
    for one in regions:
        i = _id_of(one, ids)
        masks.append((i, decode_brush(one["value"]["rle"], size)))
        if "score" in one:
            confidence[i] = float(one["score"])
    image = str(data.get("image", data.get("img", index)))
    return Shapes(
        index=int(data.get("frame", index)),
        name=stem(image.partition("?d=")[2] or image.partition("?")[0]),
        time=float(data.get("time", index / reading.rate)),
        size=size,
        masks=masks,
        confidence=confidence,
    )


def _size(regions: list[dict[str, Any]], data: dict[str, Any]) -> tuple[int, int] | None:
    if regions:
        return int(regions[0]["original_height"]), int(regions[0]["original_width"])
    if "height" in data and "width" in data:
        return int(data["height"]), int(data["width"])
    return None
