"""COCO instances, as COCO, LVIS and the exports of annotation tools write them."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from hodor.data.held_out import is_held_out
from hodor.data.objects import OURS, Index, ObjectRules
from hodor.data.stills import Still, make_still, read_rgb, shape_of, some
from hodor.errors import MALFORMED, DataError, counted, one_line
from hodor.types import JsonObject
from hodor.video import decode_rle, fill_polygons
from hodor.video.coco_rle import Segmentation
from hodor.video.limits import frame_size


class Annotation(TypedDict):
    """What is used of an object's entry."""

    id: NotRequired[int]
    image_id: int
    segmentation: Segmentation
    area: NotRequired[float]
    """In pixels"""
    bbox: NotRequired[list[float]]
    """x, y, width, height in pixels"""
    iscrowd: NotRequired[int]


MAX_OBJECTS = 255  # of one image, in a label map of bytes


class CocoInstances:
    """COCO instances JSON with a folder of images.

    Categories do not matter. Crowds, and annotations without a shape, are left out. Read are
    polygons, RLE and uncompressed RLE; ``file_name`` may hold folders (with either slash) that are
    there or not, and where it is missing (LVIS) the end of ``coco_url`` stands for it.

    Args:
        images: folder that ``file_name`` refers to.
        annotations: the JSON file.
        held_out, without, short_side, rules: as for ``MaskFolder``.

    Raises:
        DataError: the JSON is not COCO instances, or image files are missing.
    """

    def __init__(
        self,
        images: Path,
        annotations: Path,
        *,
        held_out: bool = False,
        without: Sequence[str] = (),
        short_side: int | None = 512,
        rules: ObjectRules = OURS,
    ) -> None:
        content = _content(annotations)
        self.short_side = short_side
        self.rules = rules
        self.left_out: dict[tuple[str, str], int] = defaultdict(int)
        self.entries: list[JsonObject] = []
        self.paths: list[Path] = []
        missing: list[str] = []
        try:
            self.objects = self._objects(content["annotations"])
            named = [_named(entry, annotations) for entry in content["images"]]
            of_image = [self.objects.get(entry["id"]) for entry in content["images"]]
        except MALFORMED as error:
            raise _wrong(annotations, error) from error
        # Listed once: asking the disk for each of 100,000 files takes minutes on network drives.
        there = {p.relative_to(images).as_posix() for p in images.rglob("*") if p.is_file()}
        for entry, name, found_of in zip(content["images"], named, of_image, strict=True):
            if not found_of:
                continue
            stem = PurePosixPath(name).stem
            if (held_out and is_held_out(stem)) or stem in without:
                self.left_out["image", "left out"] += 1
                continue
            found = next((end for end in _ends(name) if end in there), None)
            if found is None:
                missing.append(name)
            else:
                self.entries.append(entry)
                self.paths.append(images / found)
        if missing or not self.entries:
            total = len(missing) + len(self.entries)
            raise DataError(
                f"{annotations}: {len(missing)} of {total} annotated images are not in {images}: "
                f"{some(missing)}"
            )

    def _objects(self, annotations: Sequence[Annotation]) -> dict[int, list[Annotation]]:
        """Annotations that can be learned from, by image."""
        by_image: dict[int, list[Annotation]] = defaultdict(list)
        for annotation in annotations:
            if annotation.get("iscrowd"):
                self.left_out["annotation", "of crowds"] += 1
            elif not has_shape(annotation.get("segmentation")):
                self.left_out["annotation", "without a shape (boxes only?)"] += 1
            else:
                by_image[annotation["image_id"]].append(annotation)
        return by_image

    def __len__(self) -> int:
        """Number of images."""
        return len(self.entries)

    def read(self, index: int) -> Still:
        """See ``Stills.read``."""
        entry, path = self.entries[index], self.paths[index]
        image = read_rgb(path)
        h, w = image.shape[:2]
        try:
            stated = stated_size(entry) or (h, w)
            ordered = self._ordered(entry["id"])[:MAX_OBJECTS]
        except MALFORMED as error:
            raise DataError(
                f"{path}: what the JSON says of it cannot be used ({one_line(error)})"
            ) from error
        if stated != (h, w):
            raise DataError(f"{path}: image is {(h, w)}, the JSON says {stated}")
        labels = np.zeros((h, w), np.uint8)
        for number, annotation in enumerate(ordered, 1):
            try:
                labels[decode(annotation["segmentation"], h, w)] = number
            except MALFORMED as error:
                raise DataError(
                    f"{path}: annotation {annotation.get('id')}: its segmentation cannot be read "
                    f"({one_line(error)})"
                ) from error
        return make_still(image, labels, self.short_side, path, self.rules)

    def _ordered(self, image: int) -> list[Annotation]:
        """An image's annotations from the back to the front."""
        if self.rules.front == "later":
            return self.objects[image]
        # Large objects first, so that small ones in front of them stay.
        return sorted(self.objects[image], key=lambda a: -area_of(a))

    def index(self) -> Index:
        """See ``Stills.index``; from the JSON alone."""
        counts, ratios = [], []
        for entry, path in zip(self.entries, self.paths, strict=True):
            try:
                h, w = stated_size(entry) or read_rgb(path).shape[:2]
                found = self.objects[entry["id"]]
                counts.append(sum(_large(a, h * w, self.rules) for a in found))
            except MALFORMED:
                h, w = 1, 1
                counts.append(0)  # never drawn; a check of the data names it
            ratios.append(h / w)
        return Index(np.array(counts), np.array(ratios))

    def notes(self) -> list[str]:
        """See ``Stills.notes``."""
        return [f"{counted(n, what)} {why}" for (what, why), n in self.left_out.items()]

    def stems(self) -> list[str]:
        """See ``Stills.stems``."""
        return [path.stem for path in self.paths]

    def shape(self) -> tuple[int, int]:
        """See ``Stills.shape``."""
        return shape_of(self.paths[0])


def stated_size(entry: JsonObject) -> tuple[int, int] | None:
    """Height and width that an image's entry states, also as text; None where it does not.

    Raises ValueError if they are none.
    """
    height, width = entry.get("height"), entry.get("width")
    return frame_size(height, width) if height and width else None


def has_shape(segmentation: object) -> bool:
    """Whether there is a polygon with an area, or an RLE with counts."""
    if isinstance(segmentation, Mapping):
        return bool(segmentation.get("counts"))
    return isinstance(segmentation, list) and any(map(_is_polygon, segmentation))


def _is_polygon(part: object) -> bool:
    return isinstance(part, list) and len(part) >= 6


def decode(segmentation: Segmentation, h: int, w: int) -> NDArray[np.bool_]:
    """A mask (h, w) from polygons, RLE or uncompressed RLE. Raises ValueError if it is none."""
    if isinstance(segmentation, list):
        return fill_polygons([part for part in segmentation if _is_polygon(part)], (h, w))
    mask = decode_rle(segmentation)
    if mask.shape != (h, w):
        raise ValueError(f"it is {mask.shape}, the image {(h, w)}")
    return mask


def area_of(annotation: Annotation) -> float:
    """An annotation's area in pixels: as written, or else that of its box."""
    if annotation.get("area") is not None:
        return float(annotation["area"])
    _, _, w, h = box_of(annotation)
    return w * h


def box_of(annotation: Annotation) -> tuple[float, float, float, float]:
    """An annotation's box (x, y, w, h): as written, or else that of its polygons."""
    if annotation.get("bbox"):
        x, y, w, h = map(float, annotation["bbox"])
        return x, y, w, h
    shape = annotation["segmentation"]
    if isinstance(shape, Mapping):
        rows, columns = shape["size"]
        return 0.0, 0.0, float(columns), float(rows)
    points = np.concatenate([np.reshape(part, (-1, 2)) for part in shape if _is_polygon(part)])
    (x, y), (right, bottom) = points.min(0), points.max(0)
    return float(x), float(y), float(right - x), float(bottom - y)


def _large(annotation: Annotation, pixels: int, rules: ObjectRules) -> bool:
    _, _, w, h = box_of(annotation)
    area = area_of(annotation)
    return area > rules.area and area >= rules.share * pixels and min(w, h) > rules.side


def _content(annotations: Path) -> JsonObject:
    if not annotations.is_file():
        raise DataError(f"{annotations}: no such file; give the COCO instances JSON")
    try:
        content = json.loads(annotations.read_text(encoding="utf-8-sig"))
        if not isinstance(content["images"], list) or not isinstance(content["annotations"], list):
            raise TypeError("'images' and 'annotations' must be lists")
    except (OSError, *MALFORMED) as error:
        raise _wrong(annotations, error) from error
    return dict(content)


def _wrong(annotations: Path, error: Exception) -> DataError:
    return DataError(f"{annotations}: not a COCO instances JSON ({one_line(error)})")


def _named(entry: JsonObject, annotations: Path) -> str:
    name = entry.get("file_name") or entry.get("coco_url")
    if not name:
        raise DataError(
            f"{annotations}: image {entry.get('id')} has neither file_name nor coco_url"
        )
    return str(name).replace("\\", "/")


def _ends(name: str) -> list[str]:
    """A path, then what is left of it as folders are dropped from its front."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return ["/".join(parts[i:]) for i in range(len(parts))]
