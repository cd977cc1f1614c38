"""A benchmark of moving stills, in the folders of DAVIS 2017, from images kept from training."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor.errors import DataError
from hodor.evaluation.davis import DavisDataset
from hodor.evaluation.label_map_files import LabelMap, read_frame, read_label_map
from hodor.evaluation.moving_stills import Cutout, make_clip
from hodor.files import write_json, write_text
from hodor.video import write_label_map
from hodor.video.layouts import VideoFolders, davis_list

NamedClip = tuple[str, NDArray[np.uint8], NDArray[np.uint8]]
"""Name, frames (T, H, W, 3) uint8 RGB and label maps (T, H, W) uint8 of a clip."""

OBJECTS = (2, 5)
"""Fewest and most objects in a clip."""

AREAS = (0.02, 0.40)
"""Smallest and largest cut-out, as parts of its picture."""

AWAY = (0.4, 0.65)
"""When an object that leaves is out of the picture, as fractions of the clip."""

_JPEG_QUALITY = 92
_SPECK = 0.02  # a second part of the mask up to this share of it is dirt, and is dropped
_BACKGROUND_AREA = 0.3  # a background's own object, which is not annotated, is at most this large
_BLURRED_CLIPS = 0.5
_SHUTTER = 0.4


def moving_stills_benchmark(
    images: Path,
    masks: Path,
    root: Path,
    *,
    clips: int = 24,
    seed: int = 0,
    size: tuple[int, int] = (256, 448),
    frames: int = 40,
    leaving: bool = False,
) -> DavisDataset:
    """Write clips of two to five moving objects to ``root`` and return them as a dataset.

    images, masks: folders whose files pair up by stem; whatever is not 0 in a mask is the
    object. Only images of ``hodor.data.is_held_out`` are used, and of those as objects only ones
    in one piece of 2 to 40 % of the picture that do not touch its border. size: H and W. leaving:
    the first object of each clip leaves the picture in the middle and comes back, to count masks
    that are found where there is nothing to find. The same arguments give the same clips.
    ``root``/sources.json tells which images each clip is made of.

    Raises DataError when ``root`` is not empty or there are too few usable images.
    """
    stills = _held_out_stills(images, masks)
    objects = [still for still in stills if still.cutout is not None]
    backgrounds = [still for still in stills if still.covered <= _BACKGROUND_AREA]
    most = OBJECTS[1]
    if len(objects) < most or len(backgrounds) <= most:
        raise DataError(
            f"{images} has {len(objects)} images to cut out and {len(backgrounds)} to be "
            f"backgrounds among the one in twenty kept for measuring; at least {most} and "
            f"{most + 1} are needed, so give a larger folder"
        )
    casts = _casts(objects, backgrounds, clips, seed)
    away = AWAY if leaving else None
    write_davis((_clip(i, cast, seed, size, frames, away) for i, cast in enumerate(casts)), root)
    sources = {_name(i): cast.stems() for i, cast in enumerate(casts)}
    write_json(root / "sources.json", sources)
    return DavisDataset(root)


def write_davis(clips: Iterable[NamedClip], root: Path, *, split: str = "val") -> None:
    """Write clips in the layout of DAVIS 2017: JPEG frames and PNG label maps with a palette.

    clips: taken one at a time, so that a generator keeps memory low. Raises DataError when
    ``root`` holds something already, or a clip's arrays do not fit together.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(f"{root} is not an empty folder; clips are not mixed with other files")
    names = []
    for name, frames, label_maps in clips:
        if frames.shape != (*label_maps.shape, 3):
            raise DataError(
                f"clip {name}: frames {frames.shape} must be label maps {label_maps.shape} and 3"
            )
        _write_clip(root, name, frames, label_maps)
        names.append(name)
    write_text(davis_list(root, 2017, split), "".join(f"{name}\n" for name in names))


def cut_out(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Cutout | None:
    """The object of a picture, or None where it makes no good cut-out.

    image: (H, W, 3) uint8 RGB. mask: (H, W) bool. A good one is in one piece, covers 2 to 40 %
    of the picture and does not touch its border.
    """
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return None
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = int(np.argmax(areas)) + 1
    piece = parts == largest
    in_one_piece = areas.sum() - areas.max() <= _SPECK * areas.max()
    border = piece[0].any() or piece[-1].any() or piece[:, 0].any() or piece[:, -1].any()
    if border or not in_one_piece or not AREAS[0] <= piece.mean() <= AREAS[1]:
        return None
    return Cutout(image, np.asarray(piece, dtype=np.bool_))


@dataclass(frozen=True)
class _Still:
    stem: str
    image: NDArray[np.uint8]
    cutout: Cutout | None
    covered: float


@dataclass(frozen=True)
class _Cast:
    background: _Still
    objects: Sequence[_Still]

    def stems(self) -> dict[str, object]:
        return {"background": self.background.stem, "objects": [s.stem for s in self.objects]}


def _held_out_stills(images: Path, masks: Path) -> list[_Still]:
    # Not at the top: scoring, and each process that helps with it, does without PyTorch.
    from hodor.data import MaskFolder, is_held_out

    pairs = [pair for pair in MaskFolder(images, masks).pairs if is_held_out(pair[0].stem)]
    return [_still(image_path, mask_path) for image_path, mask_path in pairs]


def _still(image_path: Path, mask_path: Path) -> _Still:
    image, mask = read_frame(image_path), read_label_map(mask_path) > 0
    if image.shape[:2] != mask.shape:
        raise DataError(f"{image_path} is {image.shape[:2]}, its mask {mask.shape}; resize one")
    return _Still(image_path.stem, image, cut_out(image, mask), float(mask.mean()))


def _casts(
    objects: Sequence[_Still], backgrounds: Sequence[_Still], clips: int, seed: int
) -> list[_Cast]:
    """Objects and a background for each clip; none is used again before all have been."""
    rng = np.random.default_rng(seed)
    deck, places = _dealt(objects, rng), _dealt(backgrounds, rng)
    casts = []
    for index in range(clips):
        count = OBJECTS[0] + index % (OBJECTS[1] - OBJECTS[0] + 1)
        cast: list[_Still] = []
        while len(cast) < count:
            still = next(deck)
            if still.stem not in {s.stem for s in cast}:
                cast.append(still)
        background = next(s for s in places if s.stem not in {o.stem for o in cast})
        casts.append(_Cast(background, cast))
    return casts


def _dealt(stills: Sequence[_Still], rng: np.random.Generator) -> Iterator[_Still]:
    while True:
        for index in rng.permutation(len(stills)):
            yield stills[index]


def _clip(
    index: int,
    cast: _Cast,
    seed: int,
    size: tuple[int, int],
    frames: int,
    away: tuple[float, float] | None,
) -> NamedClip:
    cutouts = [still.cutout for still in cast.objects if still.cutout is not None]
    rng = np.random.default_rng((seed, index))
    pictures, label_maps = make_clip(
        cutouts,
        cast.background.image,
        size=size,
        frames=frames,
        seed=int(rng.integers(2**31)),
        shutter=_SHUTTER if rng.random() < _BLURRED_CLIPS else 0.0,
        leaves=away,
    )
    return _name(index), pictures, label_maps


def _name(index: int) -> str:
    return f"clip-{index:02d}"


def _write_clip(
    root: Path, name: str, frames: NDArray[np.uint8], label_maps: Iterable[LabelMap]
) -> None:
    pictures, annotations = (folder / name for folder in VideoFolders.of_davis(root))
    for folder in (pictures, annotations):
        folder.mkdir(parents=True)
    for index, (frame, label_map) in enumerate(zip(frames, label_maps, strict=True)):
        Image.fromarray(frame).save(pictures / f"{index:05d}.jpg", quality=_JPEG_QUALITY)
        write_label_map(annotations / f"{index:05d}.png", label_map)
