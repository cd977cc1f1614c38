"""Label Studio: boxes on the timeline of a video, since its timeline knows no masks."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hodor.files import whole_file
from hodor.formats.label_studio import MODEL, regions_of
from hodor.formats.reading import UNLIKE, Reading, read_json, stem, wrong
from hodor.formats.track import Labelled, Mask, Shapes, Track, flattened, masks_of, survey
from hodor.formats.writing import ByObject, Writing, line

SIDES = ("x", "y", "width", "height")


def write_label_studio_video(track: Track, path: Path, writing: Writing) -> None:
    """One task with a box for each object and frame, for a project with VideoRectangle.

    The boxes' tag is called ``box`` and the video's ``video``. ``data.video`` is what `files` of
    `writing` makes of the video's name.
    """
    seen = survey(track, one_size="a video in Label Studio")
    height, width = seen.size
    duration = 0.0
    with ByObject() as boxes, whole_file(path) as temporary:
        for frame in track.frames():
            duration = frame.time + 1 / track.fps
            for i, mask in masks_of(frame.label_map):
                boxes.add(i, line(_box(mask, frame)))
        with temporary.open("w", encoding="utf-8") as file:
            data = {"video": writing.video_of(track.video), "fps": track.fps}
            data |= {"width": width, "height": height, "name": track.video}
            file.write(f'[{{"data":{line(data)},"predictions":[{{"model_version":"{MODEL}",')
            file.write('"result":[')
            for number, i in enumerate(seen.ids):
                file.write(",\n" if number else "\n")
                file.write(_timeline(track.name_of(i), i, seen.length, duration, boxes))
            file.write("\n]}]}]\n")


def _box(mask: Mask, frame: Labelled) -> dict[str, Any]:
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


def read_label_studio_video(path: Path, reading: Reading) -> Track:
    """Boxes of a video's timeline as masks: every object is its whole box, as a warning says.

    Between keyframes boxes are interpolated, as Label Studio does.
    """
    tasks = read_json(path)
    warnings = [f"{path.name} holds boxes: every object is the whole of its box"]
    try:
        regions = regions_of(tasks[0], "videorectangle")
        data = tasks[0]["data"]
        size = reading.size or (int(data["height"]), int(data["width"]))
        rate = reading.fps or float(data.get("fps") or reading.rate)
        count = max(int(one["value"]["framesCount"]) for one in regions)
        names = {i: str(one["value"].get("labels", ["object"])[0]) for i, one in _numbered(regions)}
        boxes = {i: _boxes(one["value"]["sequence"], count) for i, one in _numbered(regions)}
    except UNLIKE as error:
        raise wrong(path, "video of Label Studio whose size is known", error) from error

    def frames() -> Iterator[Shapes]:
        for index in range(count):
            masks = [(i, _whole(b[index], size)) for i, b in boxes.items() if index in b]
            yield Shapes(index, reading.name_of(index), index / rate, size, masks)

    name = str(data.get("name") or stem(str(data.get("video", path.stem))))
    timed = bool(reading.fps or data.get("fps"))
    return Track(flattened(frames, warnings), name, rate, names, warnings, timed)


def _numbered(regions: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    told = [re.fullmatch(r"object-([0-9]+)", str(one.get("id", ""))) for one in regions]
    ids = [int(match[1]) for match in told if match]
    if len(ids) < len(regions):
        return list(enumerate(regions, 1))
    return list(zip(ids, regions, strict=True))


def _boxes(sequence: list[dict[str, Any]], count: int) -> dict[int, tuple[float, ...]]:
    """Boxes in percent by frame from 0."""
    keys = sorted(sequence, key=lambda key: int(key["frame"]))
    boxes: dict[int, tuple[float, ...]] = {}
    for key, after in zip(keys, [*keys[1:], None], strict=True):
        start = int(key["frame"]) - 1
        here = tuple(float(key[side]) for side in SIDES)
        boxes[start] = here
        if not key.get("enabled", True):
            continue
        end = count if after is None else int(after["frame"]) - 1
        there = here if after is None else tuple(float(after[side]) for side in SIDES)
        for index in range(start + 1, end):
            share = (index - start) / (end - start)
            boxes[index] = tuple(a + (b - a) * share for a, b in zip(here, there, strict=True))
    return boxes


def _whole(box: tuple[float, ...], size: tuple[int, int]) -> Mask:
    height, width = size
    left, right = (round(edge * width / 100) for edge in (box[0], box[0] + box[2]))
    top, bottom = (round(edge * height / 100) for edge in (box[1], box[1] + box[3]))
    mask = np.zeros(size, np.bool_)
    mask[max(top, 0) : bottom, max(left, 0) : right] = True
    return mask
