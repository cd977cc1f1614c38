"""COCO run-length masks per frame, as ``hodor track --rle`` writes them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from hodor.files import whole_file
from hodor.formats.format import Format
from hodor.formats.reading import Look, ReadOptions, read_json
from hodor.formats.track import Labelled, Shapes, Track, flattened, masks_of, some_frames
from hodor.formats.writing import WriteOptions, line
from hodor.types import JsonObject, PlainValues
from hodor.video import area_and_box, decode_rle, encode_rle
from hodor.video.coco_rle import FrameRecord, ObjectRecord
from hodor.video.limits import frame_index, frame_size, rate_of, whole


def write_rle(track: Track, path: Path, _: WriteOptions) -> None:
    """Write ``masks.json``, a line for each frame."""
    size: list[int] | None = None
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for frame in some_frames(track):
            if size is None:
                size = list(frame.label_map.shape)
                file.write(_begin(track, size))
            else:
                file.write(",\n")
            file.write(line(_record(frame, size)))
        file.write("\n]}\n")


def _begin(track: Track, size: list[int]) -> str:
    head: PlainValues = {"video": track.video, "size": size, "fps": track.fps}
    if track.names:
        head["names"] = {str(number): name for number, name in track.names.items()}
    return json.dumps(head, ensure_ascii=False)[:-1] + ', "frames": [\n'


def _record(frame: Labelled, size: list[int]) -> PlainValues:
    objects: list[ObjectRecord] = []
    for number, mask in masks_of(frame.label_map):
        segmentation = encode_rle(mask)
        area, box = area_and_box(segmentation)
        one: ObjectRecord = {
            "id": number,
            "area": area,
            "bbox": box,
            "segmentation": segmentation,
        }
        if number in frame.confidence:
            one["confidence"] = round(frame.confidence[number], 4)
        objects.append(one)
    record: PlainValues = {
        "index": frame.index,
        "name": frame.name,
        "time": round(frame.time, 6),
    }
    if list(frame.label_map.shape) != size:
        record["size"] = list(frame.label_map.shape)
    return record | {"objects": objects}


def read_rle(path: Path, options: ReadOptions) -> Track:
    """Read what `write_rle`, or ``hodor track --rle``, wrote, a frame in memory at a time."""
    head = _head(path)
    warnings: list[str] = []

    def frames() -> Iterator[Shapes]:
        for record in _records(path, head):
            yield _shapes(record, head)

    names = {
        whole(number, "an object"): str(name) for number, name in head.get("names", {}).items()
    }
    rate = options.fps or rate_of(head.get("fps", options.rate))
    video, timed = str(head["video"]), "fps" in head
    return Track(flattened(frames, warnings), video, rate, names, warnings, timed)


def _shapes(record: FrameRecord, head: JsonObject) -> Shapes:
    objects = record["objects"]
    confidence = {
        whole(one["id"], "an object"): float(one["confidence"])
        for one in objects
        if "confidence" in one
    }
    # In frames that change size each mask states its own, the file that of the first frame.
    stated = record.get("size") or (objects[0]["segmentation"]["size"] if objects else head["size"])
    height, width = stated
    return Shapes(
        frame_index(record["index"]),
        str(record["name"]),
        float(record["time"]),
        frame_size(height, width),
        [(whole(one["id"], "an object"), decode_rle(one["segmentation"])) for one in objects],
        confidence,
    )


def _head(path: Path) -> JsonObject:
    """What stands before the frames; the frames too if they do not stand in lines."""
    with path.open(encoding="utf-8") as file:
        first, begins = re.subn(r'"frames": \[\s*$', '"frames": []}', file.readline())
    head: JsonObject = json.loads(first) if begins else read_json(path)
    head["video"], head["size"], head["frames"]
    return head


def _records(path: Path, head: JsonObject) -> Iterator[FrameRecord]:
    yield from head["frames"]
    if head["frames"]:
        return
    with path.open(encoding="utf-8") as file:
        file.readline()
        for text in file:
            text = text.strip().removesuffix(",")
            if text not in ("]}", ""):
                yield json.loads(text)


def looks_like_rle(look: Look) -> bool:
    """By its first line, since a file of a long video is large; else by its keys."""
    if look.suffix != ".json":
        return False
    return '"frames": [' in look.head or {"frames", "video"} <= look.keys


RLE = Format(
    title="COCO RLE (JSON)",
    about="Run-length masks of all frames in a file",
    what="file of masks per frame",
    read=read_rle,
    write=write_rle,
    file="rle.json",
    looks_like=looks_like_rle,
)
