"""Label Studio: boxes on the timeline of a video, since its timeline knows no masks."""

import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from hodor.files import whole_file
from hodor.formats.format import Format
from hodor.formats.identity import Instance, identify
from hodor.formats.label_studio import MODEL, is_tasks
from hodor.formats.label_studio_tasks import Region, Task, chosen
from hodor.formats.left_out import LeftOut
from hodor.formats.reading import ReadOptions, read_json, stem
from hodor.formats.track import (
    UNNAMED,
    Labelled,
    Mask,
    Shapes,
    Track,
    flattened,
    masks_of,
    survey,
)
from hodor.formats.videos import one_video
from hodor.formats.writing import ByObject, WriteOptions, line
from hodor.types import JsonObject, PlainValues
from hodor.video.limits import frame_count, frame_index, frame_size, rate_of

SAME_RATE = 1e-3
"""Share by which rates may differ and count as one: 29.97 is written for 30000/1001."""

SIDES = ("x", "y", "width", "height")


def write_label_studio_video(track: Track, path: Path, options: WriteOptions) -> None:
    """One task with a box for each object and frame, for a project with VideoRectangle.

    The boxes' tag is called ``box`` and the video's ``video``. ``data.video`` is what `files` of
    `writing` makes of the video's name.
    """
    seen = survey(track, one_size="a video in Label Studio")
    height, width = seen.size
    duration = 0.0
    with closing(ByObject()) as boxes, whole_file(path) as temporary:
        for frame in track.frames():
            duration = frame.time + 1 / track.fps
            for i, mask in masks_of(frame.label_map):
                boxes.add(i, line(_box(mask, frame)))
        with temporary.open("w", encoding="utf-8") as file:
            data = {"video": options.video_of(track.video), "fps": track.fps}
            data |= {"width": width, "height": height, "name": track.video}
            file.write(f'[{{"data":{line(data)},"predictions":[{{"model_version":"{MODEL}",')
            file.write('"result":[')
            for number, i in enumerate(seen.ids):
                file.write(",\n" if number else "\n")
                file.write(_timeline(track.name_of(i), i, seen.length, duration, boxes))
            file.write("\n]}]}]\n")


def _box(mask: Mask, frame: Labelled) -> PlainValues:
    """A keyframe; x, y, width and height in percent, frames counted from 1."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = mask.shape
    return {
        "frame": frame.index + 1,
        "time": round(frame.time, 6),
        "x": 100 * int(columns[0]) / width,
        "y": 100 * int(rows[0]) / height,
        "width": 100 * (int(columns[-1]) - int(columns[0]) + 1) / width,
        "height": 100 * (int(rows[-1]) - int(rows[0]) + 1) / height,
        "rotation": 0,
    }


def _timeline(label: str, number: int, count: int, duration: float, boxes: ByObject) -> str:
    sequence = [json.loads(text) for text in boxes.of(number)]
    following = [key["frame"] for key in sequence[1:]] + [None]
    for key, after in zip(sequence, following, strict=True):
        # A box that is enabled stays until the next one; before a gap it must not.
        key["enabled"] = after == key["frame"] + 1
    return line(
        {
            "id": f"object-{number}",
            "type": "videorectangle",
            "from_name": "box",
            "to_name": "video",
            "value": {
                "framesCount": count,
                "duration": round(duration, 6),
                "labels": [label],
                "sequence": sequence,
            },
        }
    )


def read_label_studio_video(path: Path, options: ReadOptions) -> Track:
    """Boxes of a video's timeline as masks: every object is its whole box, as a warning says.

    Between keyframes boxes are interpolated, as Label Studio does. A timeline of another rate than
    the video's is laid on its frames by time.
    """
    tasks = read_json(path)
    task = tasks[one_video(path, [_words(task, path) for task in tasks], options.video)]
    warnings = [f"{path.name} holds boxes: every object is the whole of its box"]
    left_out = LeftOut()
    regions = _regions(task, left_out)
    left_out.tell(path.name, warnings)
    data = task["data"]
    size = options.size or frame_size(data["height"], data["width"])
    count = max(frame_count(one["value"]["framesCount"]) for one in regions)
    told = _rate(data, regions)
    rate = options.fps or told or options.rate
    names = [re.fullmatch(r"object-([0-9]+)", str(one.get("id", ""))) for one in regions]
    instances = [
        Instance(match[1] if match else None, _label(one), None, at)
        for at, (match, one) in enumerate(zip(names, regions, strict=True))
    ]
    lanes = [one.lane for one in instances if one.wanted is None]
    objects = identify([instances], warnings, what="object id", lanes=lanes)
    lines = [_Timeline(one["value"]["sequence"], count) for one in regions]
    timelines = list(zip(objects.ids[0], lines, strict=True))
    length = _frames_at(count, told, rate, warnings)

    def frames() -> Iterator[Shapes]:
        for index in range(length):
            at = index * count // length
            boxes = [(i, box) for i, line in timelines if (box := line.at(at)) is not None]
            masks = ((i, _whole(box, size)) for i, box in boxes)
            yield Shapes(index, options.name_of(index), index / rate, size, masks)

    name = _words(task, path)[0]
    timed = told is not None
    return Track(flattened(frames, warnings), name, rate, objects.names, warnings, timed)


def _words(task: Task, path: Path) -> tuple[str, ...]:
    """What a task's video is called."""
    data = task["data"]
    address = str(data.get("video", path.stem))
    return tuple(dict.fromkeys((str(data.get("name") or stem(address)), address, stem(address))))


def _regions(task: Task, left_out: LeftOut) -> list[Region]:
    everything = chosen(task, left_out)
    for one in everything:
        if one.get("type") != "videorectangle":
            left_out.add(f"regions of kind {one.get('type')}")
    regions = [one for one in everything if one.get("type") == "videorectangle"]
    if not regions:
        raise ValueError("there are no boxes on its timeline")
    return regions


def _label(region: Region) -> str:
    labels = region["value"].get("labels")
    return str(labels[0]) if labels else UNNAMED


def _rate(data: JsonObject, regions: list[Region]) -> float | None:
    """Frames per second of the timeline, if the file says them."""
    if data.get("fps"):
        return rate_of(data["fps"])
    value = regions[0]["value"]
    if value.get("duration"):
        return rate_of(frame_count(value["framesCount"]) / float(value["duration"]))
    return None


def _frames_at(count: int, told: float | None, rate: float, warnings: list[str]) -> int:
    """Frames of the video, where the timeline has so many at another rate."""
    if told is None or abs(told / rate - 1) < SAME_RATE:
        return count
    length = frame_count(max(round(count * rate / told), 1))
    warnings.append(
        f"the timeline has {told:g} frames a second and the video {rate:g}: boxes were laid on its "
        "frames by time"
    )
    return length


class _Timeline:
    """The keyframes of one object; boxes between them are interpolated."""

    def __init__(self, sequence: list[JsonObject], count: int) -> None:
        """count: frames of the timeline. Raises ValueError for keyframes beyond it."""
        keys = {frame_index(key["frame"]) - 1: key for key in sequence}
        self._starts = sorted(keys)
        if self._starts and not 0 <= self._starts[0] <= self._starts[-1] < count:
            raise ValueError(
                f"boxes are in frames {self._starts[0] + 1} to {self._starts[-1] + 1}, but there "
                f"are {count}"
            )
        self._boxes = [_sides(keys[start]) for start in self._starts]
        self._go_on = [bool(keys[start].get("enabled", True)) for start in self._starts]

    def at(self, index: int) -> tuple[float, ...] | None:
        """The box in percent in a frame from 0, or None."""
        place = bisect_right(self._starts, index) - 1
        if place < 0:
            return None
        start, here = self._starts[place], self._boxes[place]
        if index > start and not self._go_on[place]:
            return None
        if index == start or place + 1 == len(self._starts):
            return here
        share = (index - start) / (self._starts[place + 1] - start)
        there = self._boxes[place + 1]
        return tuple(a + (b - a) * share for a, b in zip(here, there, strict=True))


def _sides(key: JsonObject) -> tuple[float, ...]:
    sides = tuple(float(key[side]) for side in SIDES)
    if not all(math.isfinite(side) for side in sides):
        raise ValueError("a box has a side that is no number")
    return sides


def _whole(box: tuple[float, ...], size: tuple[int, int]) -> Mask:
    height, width = size
    left, right = (round(edge * width / 100) for edge in (box[0], box[0] + box[2]))
    top, bottom = (round(edge * height / 100) for edge in (box[1], box[1] + box[3]))
    mask = np.zeros(size, np.bool_)
    mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return mask


LABEL_STUDIO_VIDEO = Format(
    title="Label Studio video (JSON)",
    about="Boxes on a timeline",
    what="video of Label Studio whose size is known",
    read=read_label_studio_video,
    write=write_label_studio_video,
    file="label-studio-video.json",
    looks_like=lambda look: is_tasks(look) and "videorectangle" in json.dumps(look.json[:50]),
    videos=True,
)
