"""YOLO segmentation: data.yaml, and a text file of polygons for each frame."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from hodor.errors import MaskError
from hodor.files import whole_folder
from hodor.formats.format import Format
from hodor.formats.frame_numbers import numbers_of
from hodor.formats.identity import Box, Instance, identify
from hodor.formats.left_out import LeftOut
from hodor.formats.polygons import box_of_corners, joined, outline
from hodor.formats.reading import Look, ReadOptions, readable
from hodor.formats.track import Labelled, Shapes, Track, categories, flattened, masks_of, survey
from hodor.formats.writing import WriteOptions
from hodor.types import Json, JsonObject
from hodor.video import IMAGE_SUFFIXES, fill_polygons, list_images, open_picture, sort_naturally
from hodor.video.limits import frame_size, whole

MOST_YAML = 1_000_000
"""Bytes of data.yaml; a thousand classes take 20,000."""

SPLIT = "train"
QUALITY = 95  # of JPEG


def write_yolo(track: Track, path: Path, options: WriteOptions) -> None:
    """A folder with data.yaml, labels/train/NAME.txt and, if the video is at hand, its frames as
    images/train/NAME.jpg. An object is one polygon, its parts and holes joined by cuts of no width.
    """
    seen = survey(track)
    classes = list(categories(track, seen.ids))
    about = {
        "path": ".",
        "train": f"images/{SPLIT}",
        "val": f"images/{SPLIT}",
        "names": dict(enumerate(classes)),
    }
    with whole_folder(path) as folder:
        text = yaml.safe_dump(about, sort_keys=False, allow_unicode=True)
        (folder / "data.yaml").write_text(text, encoding="utf-8")
        (folder / "labels" / SPLIT).mkdir(parents=True)
        (folder / "images" / SPLIT).mkdir(parents=True)
        for frame in track.frames():
            target = folder / "labels" / SPLIT / f"{frame.name}.txt"
            target.write_text(_lines(track, frame, classes, options.tolerance), encoding="utf-8")
            if frame.pixels is not None:
                picture = folder / "images" / SPLIT / f"{frame.name}.jpg"
                Image.fromarray(frame.pixels).save(picture, "JPEG", quality=QUALITY)


def _lines(track: Track, frame: Labelled, classes: list[str], tolerance: float) -> str:
    height, width = frame.label_map.shape
    text = ""
    for i, mask in masks_of(frame.label_map):
        corners = joined(outline(mask, tolerance)) / (width, height)
        numbers = " ".join(f"{number:.6f}" for number in corners.ravel())
        text += f"{classes.index(track.name_of(i))} {numbers}\n"
    return text


def read_yolo(path: Path, options: ReadOptions) -> Track:
    """A folder with data.yaml, or such a file, or labels alone.

    Sizes come from the images beside the labels, else from the video. Ids are those that
    Ultralytics writes when it tracks; else shapes are linked by class and overlap, which a warning
    tells. Boxes are left out, which a warning counts.
    """
    root = path.parent if path.is_file() else path
    if path.is_file() and path.suffix.lower() not in (".yaml", ".yml"):
        raise MaskError(
            f"{path} is a file, but yolo is read from a folder with data.yaml and labels/; give "
            "the folder."
        )
    warnings: list[str] = []
    about = path if path.is_file() else root / "data.yaml"
    classes = _classes(about, warnings)
    files = _files(root, warnings)
    lines = [_lines_of(file) for file in files]
    if any(map(_is_pose, (numbers for found in lines for _, numbers in found))):
        raise MaskError(f"{root} holds keypoints (YOLO pose), not outlines; {NEEDED}")
    layout = layout_of([line for found in lines for line in found])
    everything = [[layout(*line) for line in found] for found in lines]
    _check_shares(files, everything)
    shapes = _without_boxes(root, everything, warnings)
    numbers = _numbers(root, files, options, warnings)
    order = sorted(zip(numbers, files, shapes, strict=True), key=lambda one: one[0])
    instances = [
        [Instance(one.track, classes.get(one.kind, str(one.kind)), one.box) for one in found]
        for _, _, found in order
    ]
    told: list[str] = []
    objects = identify(instances, told, what="track id")
    if told and not any(one.track for found in shapes for one in found):
        told = ["YOLO has no ids: " + told[0].partition(": ")[2]]
    warnings += told

    def frames() -> Iterator[Shapes]:
        for (index, file, found), ids in zip(order, objects.ids, strict=True):
            size = _size(root, file) or options.size
            if size is None:
                raise MaskError(
                    f"{file}: there is no image of that name in images/, so its size is not known; "
                    "add the images or name the video by --source."
                )
            yield _shapes(index, file, found, ids, size, options)

    return Track(
        flattened(frames, warnings), root.resolve().name, options.rate, objects.names, warnings
    )


NEEDED = "give labels of segmentation."

MOST_SHARE = 2.0
"""Of a side; tools clip corners to 1, or let shapes leave the picture by a little."""

LISTS = ("classes.txt", "notes.txt", "readme.txt")
"""What LabelImg and others put beside the labels of frames."""


def _files(root: Path, warnings: list[str]) -> list[Path]:
    """Label files below labels/ in natural order, no hidden ones. Raises MaskError for none."""
    found = [
        file
        for file in root.rglob("*.txt")
        if "labels" in file.relative_to(root.parent).parts and not file.name.startswith(".")
    ]
    files = [file for file in found if file.name.lower() not in LISTS]
    left_out = LeftOut()
    left_out.add("lists beside the labels (classes.txt)", len(found) - len(files))
    left_out.tell(root.name, warnings)
    if not files:
        raise MaskError(f"{root} holds no labels/**/*.txt; give a YOLO folder with its labels.")
    return sort_naturally(files)


def _is_pose(numbers: list[str]) -> bool:
    """Whether a line is a box and keypoints, each with x, y and how it is seen: 0, 1 or 2.

    No corner is at 2 times a side, so that one which is seen tells.
    """
    seen = {float(number) for number in numbers[6::3]}
    return len(numbers) % 3 == 1 and 2.0 in seen and seen <= {0.0, 1.0, 2.0}


@dataclass(frozen=True)
class _Polygon:
    """A line of a label file."""

    kind: int
    corners: NDArray[np.float64]
    """(N, 2) in shares of width and height; two for a box"""
    confidence: float | None = None
    track: int | None = None

    @property
    def box(self) -> Box | None:
        """What it covers, in shares."""
        return box_of_corners(self.corners)


def layout_of(
    lines: list[tuple[int, list[str]]],
) -> Callable[[int, list[str]], _Polygon]:
    """How the lines of a folder end, decided once for all: x and y, confidence, track id.

    Ultralytics puts confidence and track id after the corners, each if it is asked for, and no id
    where it tracked nothing. A track id is a whole number, mostly above 1; the rest is at most 1.
    """
    even = [numbers for _, numbers in lines if len(numbers) % 2 == 0]
    odd = [numbers for _, numbers in lines if len(numbers) % 2]
    ends_in_ids = any(_is_id(numbers[-1]) for numbers in even) or _all_ones(even)
    odd_ids = not ends_in_ids and (any(_is_id(n[-1]) for n in odd) or _all_ones(odd))

    def read(kind: int, numbers: list[str]) -> _Polygon:
        extra = 0
        confidence = track = None
        if len(numbers) % 2:
            extra = 1
            track = int(numbers[-1]) if odd_ids and numbers[-1].isdecimal() else None
            confidence = None if odd_ids else float(numbers[-1])
        elif ends_in_ids and len(numbers) > 4 and numbers[-1].isdecimal():
            extra, confidence, track = 2, float(numbers[-2]), int(numbers[-1])
        corners = np.array(numbers[: len(numbers) - extra], np.float64).reshape(-1, 2)
        return _Polygon(kind, corners, confidence, track)

    return read


def _is_id(text: str) -> bool:
    return text.isdecimal() and int(text) > 1


def _all_ones(lines: list[list[str]]) -> bool:
    """Whether all of several lines end in 1, as those of a single tracked object do."""
    return len(lines) > 1 and all(numbers[-1] == "1" for numbers in lines)


def _check_shares(files: list[Path], shapes: list[list[_Polygon]]) -> None:
    """Raises MaskError where corners are pixels."""
    for file, found in zip(files, shapes, strict=True):
        farthest = max((float(np.abs(one.corners).max()) for one in found), default=0.0)
        if farthest > MOST_SHARE:
            raise MaskError(
                f"{file}: a corner is at {farthest:g}, far outside of its frame: YOLO has shares "
                "of the sides, 0 to 1; if these are pixels, divide them by width and height."
            )


def _without_boxes(
    root: Path, shapes: list[list[_Polygon]], warnings: list[str]
) -> list[list[_Polygon]]:
    """Polygons of each file. Raises MaskError if there are boxes only."""
    kept = [[one for one in found if len(one.corners) > 2] for found in shapes]
    boxes = sum(map(len, shapes)) - sum(map(len, kept))
    if boxes and not any(kept):
        raise MaskError(
            f"{root}: a line of four numbers is a box, and there is nothing else; {NEEDED}"
        )
    left_out = LeftOut()
    left_out.add("lines that are boxes", boxes)
    left_out.tell(root.name, warnings)
    return kept


def _numbers(root: Path, files: list[Path], options: ReadOptions, warnings: list[str]) -> list[int]:
    """Numbers of the frames: Ultralytics calls those of a video NAME_1, NAME_2, ..., from 1."""
    names = [file.stem for file in files]
    of_video = [re.fullmatch(r"(.+)_([1-9][0-9]*)", name) for name in names]
    heads = {match[1] for match in of_video if match}
    if all(of_video) and len(heads) == 1 and not any(_image(root, file) for file in files):
        return [int(match[2]) - 1 for match in of_video if match]
    return numbers_of(names, options, warnings)


def _shapes(
    index: int,
    file: Path,
    found: list[_Polygon],
    ids: list[int],
    size: tuple[int, int],
    options: ReadOptions,
) -> Shapes:
    height, width = size
    numbered = list(zip(ids, found, strict=True))
    return Shapes(
        index,
        file.stem,
        index / options.rate,
        size,
        (
            (number, fill_polygons([one.corners * (width, height)], size))
            for number, one in numbered
        ),
        {number: one.confidence for number, one in numbered if one.confidence is not None},
    )


def _classes(path: Path, warnings: list[str]) -> dict[int, str]:
    """Names of the classes by number; those of no file are their numbers, as a warning tells."""
    if not path.is_file():
        warnings.append(f"{path} is not there, so that classes are called by their numbers")
        return {}
    with readable(path, "data.yaml of YOLO"):
        if path.stat().st_size > MOST_YAML:
            raise ValueError(f"it is larger than {MOST_YAML:,} bytes")
        about: JsonObject = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        if about.get("kpt_shape"):
            raise ValueError("it is of keypoints (kpt_shape), not of outlines")
        names: Json = about["names"]
        pairs = list(names.items() if isinstance(names, dict) else enumerate(names))
        for _, name in pairs:
            # A list of lists that refer to one another would fill the memory as a text.
            if not isinstance(name, str | int | float):
                raise ValueError(f"the name of a class is a {type(name).__name__}")
        return {whole(number, "a class"): str(name) for number, name in pairs}


def _lines_of(path: Path) -> list[tuple[int, list[str]]]:
    """Class and numbers of each line."""
    found = []
    with readable(path, "label file of YOLO segmentation"):
        for text in path.read_text(encoding="utf-8-sig").splitlines():
            if not text.strip():
                continue
            kind, *numbers = text.split()
            values = [float(number) for number in numbers]
            if len(numbers) < 4 or not all(math.isfinite(value) for value in values):
                raise ValueError(f"a line is not a class and corners: {text.strip()[:40]}")
            found.append((whole(kind, "a class"), numbers))
    return found


def _image(root: Path, label: Path) -> Path | None:
    """The image beside a label file: images/... in place of labels/..."""
    parts = list(label.relative_to(root.parent).parent.parts)
    parts[len(parts) - 1 - parts[::-1].index("labels")] = "images"
    folder = root.parent.joinpath(*parts)
    suffixes = (*IMAGE_SUFFIXES, *(suffix.upper() for suffix in IMAGE_SUFFIXES))
    found = (folder / f"{label.stem}{suffix}" for suffix in suffixes)
    return next((image for image in found if image.is_file()), None)


def _size(root: Path, label: Path) -> tuple[int, int] | None:
    """Size (H, W) of the image beside a label file."""
    image = _image(root, label)
    if image is None:
        return None
    with open_picture(image) as opened:
        return frame_size(opened.height, opened.width)


def looks_like_yolo(look: Look) -> bool:
    """A data.yaml, a folder with one, or labels without: text files in labels/."""
    if not look.folder:
        return look.suffix in (".yaml", ".yml")
    if (look.path / "data.yaml").is_file():
        return True
    labels = look.path / "labels"
    if look.path.name == "labels":
        return look.suffixes == {".txt"}
    return labels.is_dir() and not list_images(labels) and any(labels.rglob("*.txt"))


YOLO = Format(
    title="YOLO segmentation",
    about="A folder of frames, outlines in TXT files and data.yaml",
    what="folder of YOLO segmentation",
    read=read_yolo,
    write=write_yolo,
    file="yolo",
    looks_like=looks_like_yolo,
    pixels=True,
    lone=True,
)
