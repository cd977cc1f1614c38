"""COCO instances: an image for each frame."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

import numpy as np

from hodor.errors import MaskError
from hodor.files import whole_file
from hodor.formats.format import Format, never
from hodor.formats.frame_numbers import numbers_in, numbers_of
from hodor.formats.identity import Box, Instance, identify
from hodor.formats.left_out import LeftOut
from hodor.formats.polygons import box_of_corners, outline
from hodor.formats.reading import ReadOptions, read_json, stem
from hodor.formats.track import (
    Labelled,
    Mask,
    Shapes,
    Track,
    categories,
    flattened,
    masks_of,
    survey,
)
from hodor.formats.videos import of_one_video, one_video
from hodor.formats.writing import WriteOptions, line
from hodor.types import Json, JsonObject, PlainValues
from hodor.video import area_and_box, box_of_rle, decode_rle, encode_rle, fill_polygons
from hodor.video.coco_rle import LEAST_CORNERS, Rle, Runs, Segmentation
from hodor.video.limits import frame_index, frame_size, rate_of


def write_coco(track: Track, path: Path, options: WriteOptions) -> None:
    """COCO instances: an image for each frame, masks as RLE, object ids as ``track_id``."""
    _write_instances(track, path, options, polygons=False)


def write_coco_polygons(track: Track, path: Path, options: WriteOptions) -> None:
    """COCO instances with polygons, a list of one for each part of an object."""
    _write_instances(track, path, options, polygons=True)


def _write_instances(track: Track, path: Path, options: WriteOptions, *, polygons: bool) -> None:
    seen = survey(track)
    classes = categories(track, seen.ids)
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"info":{line({"description": track.video, "fps": track.fps})},')
        file.write(f'"licenses":[],"categories":{line(_categories(classes))},"images":[\n')
        images = (_image(number, f, options) for number, f in enumerate(track.frames(), 1))
        _write_lines(file, images)
        file.write('\n],"annotations":[\n')
        _write_lines(file, _instances(track, classes, options.tolerance if polygons else None))
        file.write("\n]}\n")


def _image(number: int, frame: Labelled, options: WriteOptions) -> PlainValues:
    height, width = frame.label_map.shape
    return {
        "id": number,
        "file_name": options.file_of(frame.name, frame.index),
        "height": height,
        "width": width,
        "frame_index": frame.index,
        "time": round(frame.time, 6),
    }


def _instances(
    track: Track, classes: dict[str, int], tolerance: float | None
) -> Iterator[PlainValues]:
    number = 0
    for image, frame in enumerate(track.frames(), 1):
        for i, mask in masks_of(frame.label_map):
            number += 1
            rle = encode_rle(mask)
            area, box = area_and_box(rle)
            one: PlainValues = {
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


def _categories(classes: dict[str, int]) -> list[PlainValues]:
    return [{"id": number, "name": name} for name, number in classes.items()]


def _write_lines(file: IO[str], records: Iterable[PlainValues]) -> None:
    for number, record in enumerate(records):
        file.write((",\n" if number else "") + line(record))


@dataclass(frozen=True)
class _Annotation:
    """What is read of an annotation: a category, an id of some kind, and where it is."""

    image: object
    category: str
    track: object
    segmentation: Segmentation
    confidence: float | None


def read_coco(path: Path, options: ReadOptions) -> Track:
    """COCO instances with RLE or polygons; frames are numbered by ``frame_index``, their names, or
    ``frame_id``.

    Ids of objects are ``track_id``, in the annotation or among its attributes, or ``instance_id``;
    annotations without one are linked by category and overlap. Annotations that have only a box,
    lone masks of crowds and those of no image are left out, which a warning counts.
    """
    found = read_json(path)
    warnings: list[str] = []
    classes = {one["id"]: str(one["name"]) for one in found["categories"]}
    about = found.get("info") or {}
    _check_kind(found)
    pictures, video = _of_one_video(path, found, options)
    images = _in_order(pictures, options, warnings)
    left_out: list[str] = []
    annotations = _by_image(path, found["annotations"], classes, left_out)
    _tell_strays(path, annotations, [one["id"] for one in found["images"]], left_out)
    listed = [annotations.get(one["id"], []) for _, one in images]
    instances = [
        [Instance(a.track, a.category, box_of_segmentation(a.segmentation)) for a in annotated]
        for annotated in listed
    ]
    objects = identify(instances, warnings, what="track id")
    warnings += left_out
    rate = options.fps or rate_of(about.get("fps") or options.rate)

    def frames() -> Iterator[Shapes]:
        for (index, image), annotated, ids in zip(images, listed, objects.ids, strict=True):
            size = _size(path, image, options)
            yield _shapes(image, index, rate, size, list(zip(ids, annotated, strict=True)))

    timed = bool(about.get("fps"))
    return Track(flattened(frames, warnings), video, rate, objects.names, warnings, timed)


def _check_kind(found: JsonObject) -> None:
    """Raises ValueError for what looks like instances and is none, or names images twice."""
    if any("segments_info" in one for one in found["annotations"]):
        raise ValueError("it is panoptic: its masks are PNG files; give these as label maps")
    ids = [one["id"] for one in found["images"]]
    if len(set(ids)) < len(ids):
        raise ValueError("two images have one id")


def _of_one_video(
    path: Path, found: JsonObject, options: ReadOptions
) -> tuple[list[JsonObject], str]:
    """The images of one video, and its name: by ``video_id``, as of CocoVID, else by folders."""
    images = list(found["images"])
    told = str((found.get("info") or {}).get("description") or path.stem)
    ids = list(dict.fromkeys(image.get("video_id") for image in images))
    wanted = options.video
    if ids and None not in ids:
        called = {one["id"]: str(one.get("name") or one["id"]) for one in found.get("videos") or ()}
        words = [(called.get(one, str(one)), str(one)) for one in ids]
        if len(ids) > 1 or called:
            at = one_video(path, words, wanted)
            images = [image for image in images if image["video_id"] == ids[at]]
            told, wanted = words[at][0], None
    kept, video = of_one_video(path, [str(one["file_name"]) for one in images], wanted, told)
    return [images[at] for at in kept], video


def _in_order(
    images: list[JsonObject], options: ReadOptions, warnings: list[str]
) -> list[tuple[int, JsonObject]]:
    """Images with the numbers of their frames, ascending."""
    if all("frame_index" in image for image in images):
        indices = [frame_index(image["frame_index"]) for image in images]
    else:
        names = [stem(image["file_name"]) for image in images]
        if numbers_in(names, options) is None and all("frame_id" in image for image in images):
            indices = [frame_index(image["frame_id"]) for image in images]
        else:
            indices = numbers_of(names, options, warnings)
    return sorted(zip(indices, images, strict=True), key=lambda one: one[0])


def _by_image(
    path: Path, annotations: Iterable[JsonObject], classes: dict[object, str], warnings: list[str]
) -> dict[object, list[_Annotation]]:
    annotations = list(annotations)
    listed: dict[object, list[_Annotation]] = defaultdict(list)
    left_out = LeftOut()
    crowds_are_objects = _crowds_are_objects(annotations)
    taken = 0
    for one in annotations:
        segmentation = _with_pixels(one.get("segmentation"))
        if segmentation is None:
            corners = bool(np.size(one.get("segmentation") or ()))
            left_out.add("polygons of fewer than three corners" if corners else NO_MASK)
            continue
        if one.get("iscrowd"):
            if not crowds_are_objects:
                left_out.add("masks of crowds (iscrowd)")
                continue
            taken += "occluded" not in (one.get("attributes") or {})
        score = one.get("score")
        listed[one["image_id"]].append(
            _Annotation(
                one["image_id"],
                classes.get(one["category_id"], f"category {one['category_id']}"),
                _track_id(one),
                segmentation,
                None if score is None else float(score),
            )
        )
    left_out.tell(path.name, warnings)
    if taken:
        warnings.append(
            f"{path.name}: masks are marked as crowds ({taken}); they were read as objects, since "
            "this file marks all its brush masks so"
        )
    return listed


NO_MASK = "annotations without a mask (a box only)"


def _crowds_are_objects(annotations: Iterable[JsonObject]) -> bool:
    """Whether ``iscrowd`` says how a mask was drawn, as in CVAT, and not that it is of a crowd.

    CVAT marks every brush mask, and its attributes have ``occluded``; elsewhere the mark means
    something only if some mask of run lengths goes without it.
    """
    masks = [one for one in annotations if isinstance(one.get("segmentation"), dict)]
    of_cvat = any("occluded" in (one.get("attributes") or {}) for one in masks)
    return of_cvat or all(one.get("iscrowd") for one in masks)


def _with_pixels(segmentation: Json) -> Segmentation | None:
    """RLE, or a list of polygons that have corners; None for neither."""
    if isinstance(segmentation, dict):
        return cast(Rle | Runs, segmentation)  # what is in it is looked at where it is read
    if not segmentation or not isinstance(segmentation, list):
        return None
    if not isinstance(segmentation[0], list):
        segmentation = [segmentation]  # One polygon that is not in a list of its own.
    polygons = [polygon for polygon in segmentation if np.size(polygon) >= 2 * LEAST_CORNERS]
    return polygons or None


def _tell_strays(
    path: Path,
    annotations: dict[object, list[_Annotation]],
    images: Iterable[object],
    warnings: list[str],
) -> None:
    left_out = LeftOut()
    for image in annotations.keys() - set(images):
        left_out.add("annotations of an image that is not listed", len(annotations[image]))
    left_out.tell(path.name, warnings)


def _track_id(annotation: JsonObject) -> object:
    """What CVAT, Datumaro and TAO call ``track_id``, and CocoVID ``instance_id``."""
    own = annotation.get("track_id", (annotation.get("attributes") or {}).get("track_id"))
    return annotation.get("instance_id") if own is None else own


def _size(path: Path, image: JsonObject, options: ReadOptions) -> tuple[int, int]:
    """(H, W) of an image: as it says, or that of the video."""
    height, width = image.get("height"), image.get("width")
    if height is not None and width is not None:
        return frame_size(height, width)
    if options.size is None:
        raise MaskError(
            f"{path}: {image['file_name']} has no size (height, width); name the video by --source."
        )
    return options.size


def _shapes(
    image: JsonObject,
    index: int,
    rate: float,
    size: tuple[int, int],
    objects: list[tuple[int, _Annotation]],
) -> Shapes:
    return Shapes(
        index=index,
        name=stem(image["file_name"]),
        time=float(image.get("time", index / rate)),
        size=size,
        masks=((i, segmentation_mask(one.segmentation, size)) for i, one in objects),
        confidence={i: one.confidence for i, one in objects if one.confidence is not None},
    )


def segmentation_mask(segmentation: Segmentation, size: tuple[int, int]) -> Mask:
    """A mask (H, W) of RLE, or of a list of polygons. Raises ValueError if it is neither."""
    if isinstance(segmentation, dict):
        return decode_rle(segmentation)
    return fill_polygons(segmentation, size)


def box_of_segmentation(segmentation: Segmentation) -> Box | None:
    """Where RLE or a list of polygons is. Raises ValueError if it is neither."""
    if isinstance(segmentation, dict):
        return box_of_rle(segmentation)
    return box_of_corners(
        np.concatenate([np.asarray(p, np.float64).reshape(-1, 2) for p in segmentation])
    )


COCO = Format(
    title="COCO instances (JSON)",
    about="Instances for each frame, masks as RLE",
    what="file of COCO instances",
    read=read_coco,
    write=write_coco,
    file="coco.json",
    looks_like=lambda look: {"images", "annotations"} <= look.keys,
    videos=True,
)

COCO_POLYGONS = replace(
    COCO,
    title="COCO instances, polygons (JSON)",
    about="The same with outlines",
    write=write_coco_polygons,
    file="coco-polygons.json",
    looks_like=never,
)
