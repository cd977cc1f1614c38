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
from hodor.formats.reading import UNLIKE, Reading, read_json, wrong
from hodor.formats.track import Labelled, Mask, Shapes, Track, flattened, masks_of, some_frames
from hodor.formats.writing import Writing, line


def encode(mask: Mask) -> dict[str, Any]:
    """A mask (H, W) as COCO RLE for JSON: {"size": [H, W], "counts": "..."}."""
    rle = coco.encode(np.asfortranarray(mask.view(np.uint8)))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def decode(rle: Mapping[str, Any]) -> Mask:
    """The mask (H, W) of COCO RLE, compressed or a list of counts.

    Raises ValueError if the runs do not fill it: pycocotools would give what happens to be in
    memory for the rest of a mask whose text is cut off.
    """
    height, width = map(int, rle["size"])
    counts = rle["counts"]
    runs = np.array(counts, np.int64) if isinstance(counts, list) else _runs(str(counts))
    if runs.min(initial=0) < 0 or runs.sum() != height * width:
        raise ValueError(
            f"the run lengths of a mask hold {runs.sum()} pixels, but {width} x {height} are "
            f"{width * height}"
        )
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


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


def write_rle(track: Track, path: Path, _: Writing) -> None:
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


def read_rle(path: Path, reading: Reading) -> Track:
    """Read what `write_rle`, or ``hodor track --rle``, wrote, a frame in memory at a time."""
    head = _head(path)
    warnings: list[str] = []

    def frames() -> Iterator[Shapes]:
        try:
            for record in _records(path, head):
                yield _shapes(record, head)
        except UNLIKE as error:
            raise wrong(path, "file of masks per frame", error) from error

    names = {int(number): str(name) for number, name in head.get("names", {}).items()}
    rate = reading.fps or float(head.get("fps", reading.rate))
    timed = bool(reading.fps) or "fps" in head
    return Track(flattened(frames, warnings), str(head["video"]), rate, names, warnings, timed)


def _shapes(record: dict[str, Any], head: dict[str, Any]) -> Shapes:
    objects = record["objects"]
    height, width = record.get("size", head["size"])
    confidence = {one["id"]: float(one["confidence"]) for one in objects if "confidence" in one}
    masks = [(int(one["id"]), decode(one["segmentation"])) for one in objects]
    return Shapes(
        record["index"], record["name"], record["time"], (height, width), masks, confidence
    )


def _head(path: Path) -> dict[str, Any]:
    """What stands before the frames; the frames too if they do not stand in lines."""
    try:
        with path.open(encoding="utf-8") as file:
            first, begins = re.subn(r'"frames": \[\s*$', '"frames": []}', file.readline())
        head: dict[str, Any] = json.loads(first) if begins else read_json(path)
        head["video"], head["size"], head["frames"]
    except (OSError, *UNLIKE) as error:
        raise wrong(path, "file of masks per frame", error) from error
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
