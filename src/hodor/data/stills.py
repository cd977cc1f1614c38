"""Annotated still images: what a dataset on disk is to the clip maker."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from hodor.data.held_out import is_held_out
from hodor.errors import DataError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
MAX_VALUES = 100  # in a mask; a smoothed one has about all 256
MIN_AREA = 0.002  # of the picture: published_behaviour 6.5 asks for 2000 px of 640 x 480 or so


@dataclass(frozen=True)
class Still:
    """One annotated image."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB"""
    labels: NDArray[np.uint8]
    """(H, W): 0 is background, 1..n are objects"""


class Stills(Protocol):
    """A set of annotated images, read one at a time."""

    def __len__(self) -> int:
        """Number of images."""

    def read(self, index: int) -> Still:
        """Image ``index`` with at least one object of usable size.

        Raises:
            DataError: the file cannot be read, or holds no usable object.
        """


class MaskFolder:
    """A folder of images and a folder of masks with the same stems.

    A mask with values 0 and 255 (or 0 and 1) is one object; a palette or integer PNG with other
    values holds one object for each value.

    Args:
        images, masks: the folders.
        held_out: leave out the images that ``is_held_out`` keeps for measuring.
        short_side: images are shrunk so that the shorter side is at most this many pixels.

    Raises:
        DataError: a folder is missing, nothing pairs up, or images have no mask (all are named).
    """

    def __init__(
        self, images: Path, masks: Path, *, held_out: bool = False, short_side: int = 512
    ) -> None:
        pictures = image_files(images)
        by_stem = {path.stem: path for path in image_files(masks)}
        without = [path.name for path in pictures if path.stem not in by_stem]
        if without:
            raise DataError(
                f"{images}: {len(without)} of {len(pictures)} images have no mask of the same name "
                f"in {masks}: {some(without)}"
            )
        kept = [p for p in pictures if not (held_out and is_held_out(p.stem))]
        if not kept:
            raise DataError(f"{images}: no images found ({', '.join(IMAGE_SUFFIXES)})")
        self.pairs = [(path, by_stem[path.stem]) for path in kept]
        self.short_side = short_side

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pairs)

    def read(self, index: int) -> Still:
        """See ``Stills.read``."""
        image_path, mask_path = self.pairs[index]
        return _still(read_rgb(image_path), _read_ids(mask_path), self.short_side, image_path)


class CocoInstances:
    """COCO instances JSON with a folder of images. Crowds are left out; later objects win overlaps.

    Args:
        images: folder that ``file_name`` refers to.
        annotations: the JSON file.
        held_out, short_side: as for ``MaskFolder``.

    Raises:
        DataError: the JSON is not COCO instances, or image files are missing.
    """

    def __init__(
        self, images: Path, annotations: Path, *, held_out: bool = False, short_side: int = 512
    ) -> None:
        try:
            from pycocotools.coco import COCO
        except ImportError as error:
            raise DataError("COCO data needs pycocotools: pip install pycocotools") from error
        if not annotations.is_file():
            raise DataError(f"{annotations}: no such file; give the COCO instances JSON")
        try:
            self.coco = COCO(str(annotations))
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise DataError(f"{annotations}: not a COCO instances JSON ({error})") from error
        self.images = images
        self.short_side = short_side
        useful = {a["image_id"] for a in self.coco.dataset["annotations"] if not a.get("iscrowd")}
        self.entries = [
            entry
            for entry in self.coco.dataset["images"]
            if entry["id"] in useful
            and not (held_out and is_held_out(Path(entry["file_name"]).stem))
        ]
        missing = [e["file_name"] for e in self.entries if not (images / e["file_name"]).is_file()]
        if missing or not self.entries:
            raise DataError(
                f"{annotations}: {len(missing)} of {len(self.entries)} annotated images are not "
                f"in {images}: {some(missing)}"
            )

    def __len__(self) -> int:
        """Number of images."""
        return len(self.entries)

    def read(self, index: int) -> Still:
        """See ``Stills.read``."""
        entry = self.entries[index]
        path = self.images / entry["file_name"]
        labels = np.zeros((entry["height"], entry["width"]), np.uint8)
        annotations = self.coco.imgToAnns[entry["id"]]
        # Large objects first, so that small ones in front of them stay.
        objects = sorted((a for a in annotations if not a.get("iscrowd")), key=lambda a: -a["area"])
        for number, annotation in enumerate(objects[:255], 1):
            labels[self.coco.annToMask(annotation) > 0] = number
        return _still(read_rgb(path), labels, self.short_side, path)


class Cached:
    """Keeps stills in memory as they are read, up to a number of bytes."""

    def __init__(self, stills: Stills, limit: int) -> None:
        self.stills = stills
        self.free = limit
        self.kept: dict[int, Still] = {}

    def __len__(self) -> int:
        """Number of images."""
        return len(self.stills)

    def read(self, index: int) -> Still:
        """See ``Stills.read``."""
        if index in self.kept:
            return self.kept[index]
        still = self.stills.read(index)
        size = still.image.nbytes + still.labels.nbytes
        if size <= self.free:
            self.free -= size
            self.kept[index] = still
        return still


def image_files(folder: Path) -> list[Path]:
    """Images in a folder, by name."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)


def some(names: Sequence[str]) -> str:
    """The first few of a list of names."""
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """An image (H, W, 3) RGB, turned as its EXIF data says. Raises DataError."""
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as an image ({error})") from error


def _read_ids(path: Path) -> NDArray[np.uint8]:
    """A mask file as ids 0..255: palette indices, never colours.

    Raises:
        DataError: not integers of one channel, or so many values that edges must be smoothed.
    """
    if path.suffix.lower() in (".jpg", ".jpeg"):
        raise DataError(f"{path}: JPEG changes values, so that ids are lost; save masks as PNG")
    try:
        with Image.open(path) as image:
            mask = np.asarray(image)
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a mask ({error})") from error
    if mask.ndim != 2:
        raise DataError(f"{path}: a mask has one channel of integers; this one is {mask.shape}")
    values, ids = np.unique(mask, return_inverse=True)
    if len(values) > MAX_VALUES:
        raise DataError(
            f"{path}: {len(values)} different values; a mask has one for each object. Antialiased "
            "edges must be cut at a threshold first"
        )
    # Numbered in order; 0 stays background even where no pixel has it.
    numbered: NDArray[np.uint8] = (ids.reshape(mask.shape) + (values[0] != 0)).astype(np.uint8)
    return numbered


def _still(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], short_side: int, path: Path
) -> Still:
    """Shrink, drop objects that are too small to learn from, and number the rest 1..n."""
    if image.shape[:2] != labels.shape:
        raise DataError(f"{path}: image is {image.shape[:2]}, its mask {labels.shape}")
    image, labels = shrunk(image, labels, short_side)
    usable = usable_ids(labels)
    if len(usable) == 0:
        raise DataError(f"{path}: no object of at least {MIN_AREA:.1%} of the picture")
    renumber = np.zeros(256, np.uint8)
    renumber[usable] = np.arange(1, len(usable) + 1)
    return Still(np.ascontiguousarray(image), renumber[labels])


def usable_ids(labels: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Ids in a label map (H, W) of objects that are large enough to learn from."""
    areas = np.bincount(labels.ravel(), minlength=256)[1:]
    return np.flatnonzero(areas >= MIN_AREA * labels.size) + 1


def shrunk(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], short_side: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image (H, W, 3) and its labels (H, W) with the shorter side at most ``short_side``."""
    h, w = labels.shape
    if min(h, w) <= short_side:
        return image, labels
    scale = short_side / min(h, w)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return image, cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
