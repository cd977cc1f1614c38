"""COCO run-length masks per frame, as ``hodor track --rle`` writes them, and masks as COCO RLE."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from hodor.files import whole_file
from hodor.formats.format import Format
from hodor.formats.limits import filling_runs, frame_index, frame_size, rate_of, whole
from hodor.formats.reading import Look, ReadOptions, read_json
from hodor.formats.track import Labelled, Mask, Shapes, Track, flattened, masks_of, some_frames
from hodor.formats.writing import WriteOptions, line


def encode(mask: Mask) -> dict[str, Any]:
    """A mask (H, W) as COCO RLE for JSON: {"size": [H, W], "counts": "..."}."""
    rle = coco.encode(np.asfortranarray(mask.view(np.uint8)))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def decode(rle: Mapping[str, Any]) -> Mask:
    """The mask (H, W) of COCO RLE, compressed or a list of counts.

    Raises ValueError if the runs do not fill it: pycocotools would give what happens to be in
    memory for the rest of a mask whose text is cut off.
    """
    (height, width), runs = _unpacked(rle)
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def box_of(rle: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    """Columns and rows (left, top, right, bottom), ends excluded, of COCO RLE; None for no pixel.

    Raises ValueError as `decode`, which takes the memory that this does not need.
    """
    (height, _), runs = _unpacked(rle)
    ends = runs.cumsum()[1::2]
    starts = ends - runs[1::2]
    starts, ends = starts[ends > starts], ends[ends > starts] - 1
    if not len(starts):
        return None
    over = bool((starts // height != ends // height).any())  # from one column into the next
    top, bottom = (
        (0, height) if over else (int((starts % height).min()), int((ends % height).max()) + 1)
    )
    return float(starts[0] // height), float(top), float(ends[-1] // height + 1), float(bottom)


def size_of(rle: Mapping[str, Any]) -> tuple[int, int]:
    """The size (H, W) that COCO RLE states. Raises ValueError if it is none, or too large."""
    height, width = rle["size"]
    return frame_size(height, width)


def _unpacked(rle: Mapping[str, Any]) -> tuple[tuple[int, int], NDArray[np.int64]]:
    """Size (H, W) and run lengths, which fill it."""
    size = size_of(rle)
    counts = rle["counts"]
    runs = np.array(counts, np.int64).ravel() if isinstance(counts, list) else _runs(str(counts))
    filling_runs(runs, size, "the run lengths of a mask")
    return size, runs


def _runs(text: str) -> NDArray[np.int64]:
    """The run lengths that COCO packed into a text.

    A character holds five bits of a number, the lowest first, and whether more follow; the highest
    bit of all is the sign. From the fourth number on, a number is the change from that before last.
    """
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    if not codes.size or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise ValueError("the run lengths of a mask are cut off")
    ends = np.flatnonzero(codes & 32 == 0) + 1
    starts = np.concatenate([[0], ends[:-1]])
    shifts = 5 * (np.arange(codes.size) - np.repeat(starts, ends - starts))
    numbers = np.add.reduceat((codes & 31) << shifts, starts)
    numbers -= np.where(codes[ends - 1] & 16, 1 << 5 * (ends - starts), 0)
    numbers[1::2] = numbers[1::2].cumsum()
    numbers[2::2] = numbers[2::2].cumsum()
    return numbers


def area_and_box(rle: Mapping[str, Any]) -> tuple[int, list[int]]:
    """Area in pixels, and x, y, width, height, of what `encode` gave."""
    packed = {"size": rle["size"], "counts": rle["counts"].encode("ascii")}
    return int(coco.area(packed)), [int(edge) for edge in coco.toBbox(packed)]


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
    head: dict[str, Any] = {"video": track.video, "size": size, "fps": track.fps}
    if track.names:
        head["names"] = {str(number): name for number, name in track.names.items()}
    return json.dumps(head, ensure_ascii=False)[:-1] + ', "frames": [\n'


def _record(frame: Labelled, size: list[int]) -> dict[str, Any]:
    objects = []
    for number, mask in masks_of(frame.label_map):
        segmentation = encode(mask)
        area, box = area_and_box(segmentation)
        one = {"id": number, "area": area, "bbox": box, "segmentation": segmentation}
        if number in frame.confidence:
            one["confidence"] = round(frame.confidence[number], 4)
        objects.append(one)
    record: dict[str, Any] = {
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


def _shapes(record: dict[str, Any], head: dict[str, Any]) -> Shapes:
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
        [(whole(one["id"], "an object"), decode(one["segmentation"])) for one in objects],
        confidence,
    )


def _head(path: Path) -> dict[str, Any]:
    """What stands before the frames; the frames too if they do not stand in lines."""
    with path.open(encoding="utf-8") as file:
        first, begins = re.subn(r'"frames": \[\s*$', '"frames": []}', file.readline())
    head: dict[str, Any] = json.loads(first) if begins else read_json(path)
    head["video"], head["size"], head["frames"]
    return head


def _records(path: Path, head: dict[str, Any]) -> Iterator[dict[str, Any]]:
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
