"""YouTube-VIS: COCO for videos, where an annotation is an object's masks in all frames."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NotRequired, TypedDict

from hodor.files import whole_file
from hodor.formats.coco import NO_MASK, box_of_segmentation, segmentation_mask
from hodor.formats.format import Format
from hodor.formats.frame_numbers import numbers_of
from hodor.formats.identity import renumbered
from hodor.formats.left_out import LeftOut
from hodor.formats.reading import ReadOptions, folder_of, read_json, stem
from hodor.formats.track import Shapes, Survey, Track, categories, flattened, masks_of, survey
from hodor.formats.videos import one_video
from hodor.formats.writing import ByObject, WriteOptions, line
from hodor.video import area_and_box, encode_rle
from hodor.video.coco_rle import Segmentation
from hodor.video.limits import frame_index, frame_size, rate_of

PARTS = ("segmentations", "bboxes", "areas")


class Video(TypedDict):
    """What is used of a video's entry."""

    id: int
    name: NotRequired[str]
    width: int
    height: int
    """In pixels"""
    length: int
    fps: NotRequired[float]
    file_names: list[str]
    """Of its frames; the lists below, and an annotation's, are as long"""
    frame_indices: NotRequired[list[int]]
    times: NotRequired[list[float]]
    """In seconds"""


class Annotation(TypedDict):
    """What is used of an object's entry."""

    id: int
    video_id: int
    category_id: int
    segmentations: list[Segmentation | None]
    """Frame by frame; None where it is not visible"""
    scores: NotRequired[list[float | None]]
    """In [0, 1]"""
    iscrowd: NotRequired[int]


def write_youtube_vis(track: Track, path: Path, options: WriteOptions) -> None:
    """One video with an annotation for each object; its id is the object's.

    ``score`` is the mean of the object's confidence, as benchmarks of results ask for it, and
    ``scores`` has it frame by frame.
    """
    seen = survey(track, one_size="YouTube-VIS")
    classes = categories(track, seen.ids)
    with closing(ByObject()) as parts, whole_file(path) as temporary:
        indices = _gather(track, seen, parts)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(f'{{"info":{line({"description": track.video})},"licenses":[],')
            video = _video(track, seen, indices, options)
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
            rle = encode_rle(here[i])
            area, box = area_and_box(rle)
            score = frame.confidence.get(i)
            texts = (line(rle), line(box), line(area), line(score and round(score, 4)))
            parts.add(i, "\t".join(texts))
    return indices


def _video(
    track: Track, seen: Survey, indices: list[tuple[int, float]], options: WriteOptions
) -> Video:
    height, width = seen.size
    files = [options.file_of(name, i) for name, (i, _) in zip(seen.names, indices, strict=True)]
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


def read_youtube_vis(path: Path, options: ReadOptions) -> Track:
    """One video of a file; ids of objects are those of annotations, if they can be.

    Frames are numbered by ``frame_indices``, else by the names of their files.
    """
    found = read_json(path)
    warnings: list[str] = []
    videos = list(found["videos"])
    words = [(_name(one), str(one["id"])) for one in videos]
    video = videos[one_video(path, words, options.video)]
    if found["annotations"] is None:
        raise ValueError("it lists videos and no annotations, as files of test splits do")
    _tell_left_out(path, found["annotations"], [one["id"] for one in videos], warnings)
    about = [
        one for one in found["annotations"]
        if one["video_id"] == video["id"] and one.get("segmentations")
    ]  # fmt: skip
    about = _without_crowds(path, about, warnings)
    _check_lengths(video, about)
    ids = renumbered((one["id"] for one in about), warnings, what="id")
    if len(ids) < len(about):
        raise ValueError("two annotations have one id")
    objects = {ids[one["id"]]: one for one in about}
    classes = {one["id"]: str(one["name"]) for one in found["categories"]}
    names = {
        i: classes.get(one["category_id"], f"category {one['category_id']}")
        for i, one in objects.items()
    }
    rate = options.fps or rate_of(video.get("fps") or options.rate)
    order = _in_order(video, options, warnings)

    def frames() -> Iterator[Shapes]:
        for index, position in order:
            yield _shapes(video, index, position, objects, rate)

    name, timed = _name(video) or path.stem, bool(video.get("fps"))
    return Track(flattened(frames, warnings), name, rate, names, warnings, timed)


def _without_crowds(
    path: Path, annotations: list[Annotation], warnings: list[str]
) -> list[Annotation]:
    """Annotations of objects, where some are of crowds; a mark that all have means nothing."""
    objects = [one for one in annotations if not one.get("iscrowd")]
    crowds = len(annotations) - len(objects)
    if crowds and not objects:
        warnings.append(f"{path.name}: all masks are marked as crowds, and were read as objects")
        return annotations
    left_out = LeftOut()
    left_out.add("masks of crowds (iscrowd)", crowds)
    left_out.tell(path.name, warnings)
    return objects


def _in_order(video: Video, options: ReadOptions, warnings: list[str]) -> list[tuple[int, int]]:
    """Numbers of the frames, ascending, and their places in the file's lists."""
    if "frame_indices" in video:
        indices = [frame_index(index) for index in video["frame_indices"]]
    else:
        indices = numbers_of([stem(name) for name in video["file_names"]], options, warnings)
    return sorted(zip(indices, range(len(video["file_names"])), strict=True))


def _check_lengths(video: Video, annotations: list[Annotation]) -> None:
    """Raises ValueError if an annotation has fewer or more masks than its video has frames."""
    frames = len(video["file_names"])
    for one in annotations:
        if len(one["segmentations"]) != frames:
            raise ValueError(
                f"annotation {one['id']} has {len(one['segmentations'])} masks, but its video has "
                f"{frames} frames"
            )


def _tell_left_out(
    path: Path, annotations: list[Annotation], videos: list[object], warnings: list[str]
) -> None:
    left_out = LeftOut()
    strays = sum(one["video_id"] not in videos for one in annotations)
    left_out.add("annotations of a video that is not listed", strays)
    left_out.add(NO_MASK, sum(not one.get("segmentations") for one in annotations))
    left_out.tell(path.name, warnings)


def _shapes(
    video: Video,
    index: int,
    position: int,
    objects: dict[int, Annotation],
    rate: float,
) -> Shapes:
    size = frame_size(video["height"], video["width"])
    masks, confidence = [], {}
    for i, one in objects.items():
        segmentation = one["segmentations"][position]
        if segmentation and box_of_segmentation(segmentation) is not None:
            masks.append((i, segmentation))
        score = one["scores"][position] if "scores" in one else None
        if score is not None:
            confidence[i] = float(score)
    return Shapes(
        index=index,
        name=stem(video["file_names"][position]),
        time=float(video["times"][position]) if "times" in video else index / rate,
        size=size,
        masks=((i, segmentation_mask(segmentation, size)) for i, segmentation in masks),
        confidence=confidence,
    )


def _name(video: Video) -> str:
    files = video["file_names"]
    return str(video.get("name") or (folder_of(files[0]) if files else "") or "")


YOUTUBE_VIS = Format(
    title="YouTube-VIS (JSON)",
    about="Tracks with a mask for each frame",
    what="file of YouTube-VIS",
    read=read_youtube_vis,
    write=write_youtube_vis,
    file="youtube-vis.json",
    looks_like=lambda look: (
        {"videos", "annotations"} <= look.keys and "images" not in look.keys  # which CocoVID has
    ),
    videos=True,
)
