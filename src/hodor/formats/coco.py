"""COCO instances: an image for each frame."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from hodor.files import whole_file
from hodor.formats.polygons import filled, outline
from hodor.formats.reading import UNLIKE, Reading, read_json, stem, wrong
from hodor.formats.rle import area_and_box, decode, encode
from hodor.formats.track import (
    Labelled,
    Mask,
    Shapes,
    Track,
    are_ids,
    categories,
    flattened,
    masks_of,
    survey,
    unused_ids,
)
from hodor.formats.writing import Writing, line


def write_coco(track: Track, path: Path, writing: Writing) -> None:
    """COCO instances: an image for each frame, masks as RLE, object ids as ``track_id``."""
    _write_instances(track, path, writing, polygons=False)


def write_coco_polygons(track: Track, path: Path, writing: Writing) -> None:
    """COCO instances with polygons, a list of one for each part of an object."""
    _write_instances(track, path, writing, polygons=True)


def _write_instances(track: Track, path: Path, writing: Writing, *, polygons: bool) -> None:
    seen = survey(track)
    classes = categories(track, seen.ids)
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"info":{line({"description": track.video, "fps": track.fps})},')
        file.write(f'"licenses":[],"categories":{line(_categories(classes))},"images":[\n')
        images = (_image(number, f, writing) for number, f in enumerate(track.frames(), 1))
        _write_lines(file, images)
        file.write('\n],"annotations":[\n')
        _write_lines(file, _instances(track, classes, writing.tolerance if polygons else None))
        file.write("\n]}\n")


def _image(number: int, frame: Labelled, writing: Writing) -> dict[str, Any]:
    height, width = frame.label_map.shape
    return {
        "id": number,
        "file_name": writing.file_of(frame.name, frame.index),
        "height": height,
        "width": width,
        "frame_index": frame.index,
        "time": round(frame.time, 6),
    }


def _instances(
    track: Track, classes: dict[str, int], tolerance: float | None
) -> Iterator[dict[str, Any]]:
    number = 0
    for image, frame in enumerate(track.frames(), 1):
        for i, mask in masks_of(frame.label_map):
            number += 1
            rle = encode(mask)
            area, box = area_and_box(rle)
            one: dict[str, Any] = {
                "id": number,
                "image_id": image,
                "category_id": classes[track.name_of(i)],
                "segmentation": rle if tolerance is None else _polygons(mask, tolerance),
                "area": area,
                "bbox": box,
                "iscrowd": 0,
                "track_id": i,
                "attributes": {"track_id": i},
            }
            if i in frame.confidence:
                one["score"] = round(frame.confidence[i], 4)
            yield one


def _polygons(mask: Mask, tolerance: float) -> list[list[float]]:
    return [polygon.ravel().tolist() for polygon in outline(mask, tolerance)]


def _categories(classes: dict[str, int]) -> list[dict[str, Any]]:
    return [{"id": number, "name": name} for name, number in classes.items()]


def _write_lines(file: IO[str], records: Iterable[dict[str, Any]]) -> None:
    for number, record in enumerate(records):
        file.write((",\n" if number else "") + line(record))


def read_coco(path: Path, reading: Reading) -> Track:
    """COCO instances with RLE or polygons; images in the file's order are the frames.

    Ids of objects are ``track_id``, in the annotation or among its attributes. Without them the
    annotations of each image are numbered, and a warning says so. Crowds are left out.
    """
    found = read_json(path)
    warnings: list[str] = []
    try:
        classes = {one["id"]: str(one["name"]) for one in found["categories"]}
        images = list(found["images"])
        about = found.get("info") or {}
        listed = _by_image(found["annotations"])
        objects = _numbered(listed, warnings)
        names = {i: classes[one["category_id"]] for ones in objects.values() for i, one in ones}
        rate = reading.fps or float(about.get("fps") or reading.rate)
    except UNLIKE as error:
        raise wrong(path, "file of COCO instances", error) from error

    def frames() -> Iterator[Shapes]:
        for index, image in enumerate(images):
            try:
                yield _shapes(image, index, rate, objects.get(image["id"], []))
            except UNLIKE as error:
                raise wrong(path, "file of COCO instances", error) from error

    video = str(about.get("description") or path.stem)
    timed = bool(reading.fps or about.get("fps"))
    return Track(flattened(frames, warnings), video, rate, names, warnings, timed)


def _by_image(annotations: Iterable[dict[str, Any]]) -> dict[Any, list[dict[str, Any]]]:
    listed: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for one in annotations:
        if one.get("segmentation") and not one.get("iscrowd"):
            listed[one["image_id"]].append(one)
    return listed


def _numbered(
    listed: dict[Any, list[dict[str, Any]]], warnings: list[str]
) -> dict[Any, list[tuple[int, dict[str, Any]]]]:
    """The annotations of each image with the ids of their objects."""
    given = [_track_id(one) for ones in listed.values() for one in ones]
    if any(number is None for number in given):
        warnings.append(
            "there are no track ids: objects are numbered in each frame on its own, so that a "
            "number may mean different objects in different frames"
        )
        return {image: list(enumerate(ones, 1)) for image, ones in listed.items()}
    if are_ids(given):
        return {image: [(_track_id(one), one) for one in ones] for image, ones in listed.items()}
    warnings.append("track ids are not numbers from 1 to 65535; objects were numbered anew")
    fresh = unused_ids(given)
    return {image: [(fresh[_track_id(one)], one) for one in ones] for image, ones in listed.items()}


def _track_id(annotation: dict[str, Any]) -> Any:
    return annotation.get("track_id", (annotation.get("attributes") or {}).get("track_id"))


def _shapes(
    image: dict[str, Any], index: int, rate: float, objects: list[tuple[int, dict[str, Any]]]
) -> Shapes:
    size = int(image["height"]), int(image["width"])
    return Shapes(
        index=int(image.get("frame_index", index)),
        name=stem(image["file_name"]),
        time=float(image.get("time", index / rate)),
        size=size,
        masks=[(i, segmentation_mask(one["segmentation"], size)) for i, one in objects],
        confidence={i: float(one["score"]) for i, one in objects if "score" in one},
    )


def segmentation_mask(segmentation: Any, size: tuple[int, int]) -> Mask:
    """A mask (H, W) of RLE, or of a list of polygons."""
    if isinstance(segmentation, dict):
        return decode(segmentation)
    return filled([np.reshape(polygon, (-1, 2)) for polygon in segmentation], size)
