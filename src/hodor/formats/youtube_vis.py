"""YouTube-VIS: COCO for videos, where an annotation is an object's masks in all frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hodor.errors import MaskError
from hodor.files import whole_file
from hodor.formats.coco import segmentation_mask
from hodor.formats.reading import UNLIKE, Reading, read_json, stem, wrong
from hodor.formats.rle import area_and_box, encode
from hodor.formats.track import (
    Shapes,
    Survey,
    Track,
    are_ids,
    categories,
    counted,
    flattened,
    masks_of,
    survey,
    unused_ids,
)
from hodor.formats.writing import ByObject, Writing, line

PARTS = ("segmentations", "bboxes", "areas")


def write_youtube_vis(track: Track, path: Path, writing: Writing) -> None:
    """One video with an annotation for each object; its id is the object's.

    ``score`` is the mean of the object's confidence, as benchmarks of results ask for it, and
    ``scores`` has it frame by frame.
    """
    seen = survey(track, one_size="YouTube-VIS")
    classes = categories(track, seen.ids)
    with ByObject() as parts, whole_file(path) as temporary:
        indices = _gather(track, seen, parts)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(f'{{"info":{line({"description": track.video})},"licenses":[],')
            video = _video(track, seen, indices, writing)
            file.write(f'"videos":[{line(video)}],\n"categories":')
            file.write(line([{"id": number, "name": name} for name, number in classes.items()]))
            file.write(',\n"annotations":[')
            for number, i in enumerate(seen.ids):
                file.write(",\n" if number else "\n")
                category = classes[track.name_of(i)]
                file.write(_annotation(i, category, seen, list(parts.of(i))))
            file.write("\n]}\n")


def _gather(track: Track, seen: Survey, parts: ByObject) -> list[tuple[int, float]]:
    """Put each object's masks aside, frame by frame; give the frames' indices and times."""
    indices = []
    for frame in track.frames():
        indices.append((frame.index, round(frame.time, 6)))
        here = dict(masks_of(frame.label_map))
        for i in seen.ids:
            if i not in here:
                parts.add(i, "")
                continue
            rle = encode(here[i])
            area, box = area_and_box(rle)
            score = frame.confidence.get(i)
            texts = (line(rle), line(box), line(area), line(score and round(score, 4)))
            parts.add(i, "\t".join(texts))
    return indices


def _video(
    track: Track, seen: Survey, indices: list[tuple[int, float]], writing: Writing
) -> dict[str, Any]:
    height, width = seen.size
    files = [writing.file_of(name, i) for name, (i, _) in zip(seen.names, indices, strict=True)]
    return {
        "id": 1,
        "name": track.video,
        "width": width,
        "height": height,
        "length": seen.count,
        "fps": track.fps,
        "file_names": files,
        "frame_indices": [index for index, _ in indices],
        "times": [time for _, time in indices],
    }


def _annotation(number: int, category: int, seen: Survey, texts: list[str]) -> str:
    """An annotation as JSON, made of its parts as they are."""
    rows = [text.split("\t") if text else ["null"] * 4 for text in texts]
    columns = [f'"{name}":[{",".join(row[at] for row in rows)}]' for at, name in enumerate(PARTS)]
    scores = [float(row[3]) for row in rows if row[3] != "null"]
    if scores:
        columns.append(f'"score":{round(sum(scores) / len(scores), 4)}')
        columns.append(f'"scores":[{",".join(row[3] for row in rows)}]')
    height, width = seen.size
    head = {
        "id": number,
        "video_id": 1,
        "category_id": category,
        "iscrowd": 0,
        "width": width,
        "height": height,
        "length": len(rows),
    }
    return f"{line(head)[:-1]},{','.join(columns)}}}"


def read_youtube_vis(path: Path, reading: Reading) -> Track:
    """One video of a file; ids of objects are those of annotations, if they can be."""
    found = read_json(path)
    warnings: list[str] = []
    try:
        video = _chosen(path, found["videos"], reading.video)
        about = [one for one in found["annotations"] if one["video_id"] == video["id"]]
        objects = dict(zip(_ids(about, warnings), about, strict=True))
        classes = {one["id"]: str(one["name"]) for one in found["categories"]}
        names = {i: classes[one["category_id"]] for i, one in objects.items()}
        rate = reading.fps or float(video.get("fps") or reading.rate)
        name = str(video.get("name") or stem(video["file_names"][0].rpartition("/")[0]))
    except UNLIKE as error:
        raise wrong(path, "file of YouTube-VIS", error) from error

    def frames() -> Iterator[Shapes]:
        for position in range(len(video["file_names"])):
            try:
                yield _shapes(video, position, objects, rate)
            except UNLIKE as error:
                raise wrong(path, "file of YouTube-VIS", error) from error

    timed = bool(reading.fps or video.get("fps"))
    return Track(flattened(frames, warnings), name or path.stem, rate, names, warnings, timed)


def _shapes(
    video: dict[str, Any], position: int, objects: dict[int, dict[str, Any]], rate: float
) -> Shapes:
    size = int(video["height"]), int(video["width"])
    masks, confidence = [], {}
    for i, one in objects.items():
        segmentation = one["segmentations"][position]
        if segmentation:
            masks.append((i, segmentation_mask(segmentation, size)))
        score = one["scores"][position] if "scores" in one else None
        if score is not None:
            confidence[i] = float(score)
    return Shapes(
        index=int(video["frame_indices"][position]) if "frame_indices" in video else position,
        name=stem(video["file_names"][position]),
        time=float(video["times"][position]) if "times" in video else position / rate,
        size=size,
        masks=masks,
        confidence=confidence,
    )


def _chosen(path: Path, videos: list[dict[str, Any]], wanted: str | None) -> dict[str, Any]:
    def name(video: dict[str, Any]) -> str:
        return str(video.get("name") or video["file_names"][0].rpartition("/")[0])

    fitting = [v for v in videos if wanted is None or wanted in (name(v), str(v["id"]))]
    if len(fitting) == 1:
        return fitting[0]
    some = ", ".join(name(video) for video in videos[:5]) + (", ..." if len(videos) > 5 else "")
    wants = "name one by --video" if wanted is None else f"none is called {wanted}"
    raise MaskError(f"{path} holds {counted(len(videos), 'video')} ({some}); {wants}.")


def _ids(annotations: list[dict[str, Any]], warnings: list[str]) -> list[int]:
    given = [one["id"] for one in annotations]
    if are_ids(given):
        return given
    warnings.append("ids are not numbers from 1 to 65535; objects were numbered anew")
    return list(unused_ids(given).values())
