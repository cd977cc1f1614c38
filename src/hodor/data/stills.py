"""Annotated still images: what a dataset on disk is to the clip maker."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.data.held_out import is_held_out
from hodor.data.objects import OURS, Index, ObjectRules, renumbered, usable_ids
from hodor.errors import DataError, MaskError, SourceError, counted
from hodor.video import read_label_map, read_still, with_ignored
from hodor.video.label_maps import IGNORED_REGIONS

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
MAX_VALUES = 100  # in a mask; a smoothed one has about all 256


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

    def index(self) -> Index:
        """Usable objects and shape of every image; may read all masks."""

    def notes(self) -> list[str]:
        """What was left out when the set was opened, with counts."""

    def stems(self) -> list[str]:
        """File stems of what is annotated."""

    def shape(self) -> tuple[int, int]:
        """Height and width of the first image, as it is on disk."""


class MaskFolder:
    """A folder of images and a folder of masks with the same stems.

    A mask with values 0 and 255 (or 0 and 1) is one object; a palette or integer PNG with other
    values holds one object for each value. In a folder of MOTS's PNGs the value 10000, a region to
    be ignored, is background.

    Args:
        images, masks: the folders.
        held_out: leave out the images that ``is_held_out`` keeps for measuring.
        without: stems of further images to leave out.
        short_side: images are shrunk so that the shorter side is at most this many pixels; None:
            they stay as they are.
        rules: what counts as an object.

    Raises:
        DataError: a folder is missing, nothing pairs up, or images have no mask (all are named).
    """

    def __init__(
        self,
        images: Path,
        masks: Path,
        *,
        held_out: bool = False,
        without: Sequence[str] = (),
        short_side: int | None = 512,
        rules: ObjectRules = OURS,
    ) -> None:
        pictures = image_files(images)
        by_stem = {path.stem: path for path in image_files(masks)}
        unmasked = [path.name for path in pictures if path.stem not in by_stem]
        if unmasked:
            raise DataError(
                f"{images}: {len(unmasked)} of {len(pictures)} images have no mask of the same "
                f"name in {masks}: {some(unmasked)}"
            )
        kept = [
            p for p in pictures if not (held_out and is_held_out(p.stem)) and p.stem not in without
        ]
        if not kept:
            raise DataError(f"{images}: no images found ({', '.join(IMAGE_SUFFIXES)})")
        self.pairs = [(path, by_stem[path.stem]) for path in kept]
        ignoring = frozenset(with_ignored(by_stem.values(), pass_over_damaged=True))
        self.ignoring = ignoring & {mask for _, mask in self.pairs}
        self.away = len(pictures) - len(kept)
        self.short_side = short_side
        self.rules = rules

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pairs)

    def read(self, index: int) -> Still:
        """See ``Stills.read``."""
        image_path, mask_path = self.pairs[index]
        labels = read_ids(mask_path, ignored=mask_path in self.ignoring)
        return make_still(read_rgb(image_path), labels, self.short_side, image_path, self.rules)

    def index(self) -> Index:
        """See ``Stills.index``: all masks are read, once."""
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(self._look, range(len(self))))
        return Index(np.array([n for n, _ in found]), np.array([ratio for _, ratio in found]))

    def _look(self, index: int) -> tuple[int, float]:
        mask = self.pairs[index][1]
        try:
            labels = read_ids(mask, ignored=mask in self.ignoring)
        except DataError:
            return 0, 1.0  # never drawn; a check of the data names it
        return len(usable_ids(labels, self.rules)), labels.shape[0] / labels.shape[1]

    def notes(self) -> list[str]:
        """See ``Stills.notes``."""
        away = [f"{counted(self.away, 'more image')} kept aside"] if self.away else []
        ignored = [f"{IGNORED_REGIONS} were left out ({len(self.ignoring)})"]
        return [*away, *(ignored if self.ignoring else [])]

    def stems(self) -> list[str]:
        """See ``Stills.stems``."""
        return [path.stem for path, _ in self.pairs]

    def shape(self) -> tuple[int, int]:
        """See ``Stills.shape``."""
        return shape_of(self.pairs[0][0])


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

    def index(self) -> Index:
        """See ``Stills.index``."""
        return self.stills.index()

    def notes(self) -> list[str]:
        """See ``Stills.notes``."""
        return self.stills.notes()

    def stems(self) -> list[str]:
        """See ``Stills.stems``."""
        return self.stills.stems()

    def shape(self) -> tuple[int, int]:
        """See ``Stills.shape``."""
        return self.stills.shape()


def image_files(folder: Path) -> list[Path]:
    """Images in a folder, by name; hidden files are not images."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    return sorted(p for p in folder.iterdir() if _is_image(p))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def some(names: Sequence[str]) -> str:
    """The first few of a list of names."""
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """An image (H, W, 3) RGB, turned as its EXIF data says. Raises DataError."""
    try:
        return read_still(path)
    except SourceError as error:
        raise DataError(str(error)) from error


def shape_of(path: Path) -> tuple[int, int]:
    """Height and width of an image."""
    h, w, _ = read_rgb(path).shape
    return h, w


def read_ids(path: Path, *, ignored: bool = False) -> NDArray[np.uint8]:
    """A mask file (H, W) as ids 0..255: palette indices, never colours.

    ignored: whether 10000 is a region to be ignored; see ``hodor.video.with_ignored``.

    Raises:
        DataError: not integers of one channel, or so many values that edges must be smoothed.
    """
    try:
        mask = read_label_map(path, ignored=ignored)
    except MaskError as error:
        raise DataError(str(error)) from error
    values, ids = np.unique(mask, return_inverse=True)
    if len(values) > MAX_VALUES:
        raise DataError(
            f"{path}: {len(values)} different values; a mask has one for each object. Antialiased "
            "edges must be cut at a threshold first"
        )
    # Numbered in order; 0 stays background even where no pixel has it.
    numbered: NDArray[np.uint8] = (ids.reshape(mask.shape) + (values[0] != 0)).astype(np.uint8)
    return numbered


def make_still(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    short_side: int | None,
    path: Path,
    rules: ObjectRules,
) -> Still:
    """Shrink, drop objects that are too small to learn from, and number the rest 1..n.

    image: (H, W, 3). labels: (H, W), an id for each pixel.
    """
    if image.shape[:2] != labels.shape:
        raise DataError(f"{path}: image is {image.shape[:2]}, its mask {labels.shape}")
    if rules.area or rules.side:
        labels = renumbered(labels, usable_ids(labels, rules))
    image, labels = shrunk(image, labels, short_side)
    usable = usable_ids(labels, ObjectRules(share=rules.share))
    if len(usable) == 0:
        raise DataError(f"{path}: no object of at least {least(rules)}")
    return Still(np.ascontiguousarray(image), renumbered(labels, usable))


def least(rules: ObjectRules) -> str:
    """What size an object must have, in words."""
    return f"{rules.area} pixels" if rules.area else f"{rules.share:.1%} of the picture"


def shrunk(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], short_side: int | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image (H, W, 3) and its labels (H, W) with the shorter side at most ``short_side``."""
    h, w = labels.shape
    if short_side is None or min(h, w) <= short_side:
        return image, labels
    scale = short_side / min(h, w)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return image, cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
