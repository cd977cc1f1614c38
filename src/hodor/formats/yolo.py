"""YOLO segmentation: data.yaml, and a text file of polygons for each frame. It knows no ids."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from hodor.errors import MaskError
from hodor.files import whole_folder
from hodor.formats.polygons import filled, joined, outline
from hodor.formats.reading import UNLIKE, Reading, wrong
from hodor.formats.track import Labelled, Shapes, Track, categories, flattened, masks_of, survey
from hodor.formats.writing import Writing
from hodor.video import list_images, sort_naturally

SPLIT = "train"
QUALITY = 95  # of JPEG


def write_yolo(track: Track, path: Path, writing: Writing) -> None:
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
            target.write_text(_lines(track, frame, classes, writing.tolerance), encoding="utf-8")
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


def read_yolo(path: Path, reading: Reading) -> Track:
    """A folder with data.yaml, or such a file. The lines of each text file are objects 1, 2, ...

    Sizes come from the images beside the labels, else from the video. A warning says that objects
    have no ids, so that a number may mean different objects in different frames.
    """
    root = path.parent if path.is_file() else path
    if path.is_file() and path.suffix.lower() not in (".yaml", ".yml"):
        raise MaskError(
            f"{path} is a file, but yolo is read from a folder with data.yaml and labels/; give "
            "the folder."
        )
    classes = _classes(path if path.is_file() else root / "data.yaml")
    files = sort_naturally(
        file for file in root.rglob("*.txt") if "labels" in file.relative_to(root).parts
    )
    if not files:
        raise MaskError(f"{root} holds no labels/**/*.txt; give a YOLO folder with its labels.")
    warnings = [
        "YOLO has no ids: objects are numbered in each frame on its own, so that a number may mean "
        "different objects in different frames"
    ]
    names: dict[int, str] = {}
    for file in files:
        for number, (kind, _) in enumerate(_polygons(file), 1):
            names.setdefault(number, classes.get(kind, str(kind)))

    def frames() -> Iterator[Shapes]:
        for index, file in enumerate(files):
            size = _size(root, file) or reading.size
            if size is None:
                raise MaskError(
                    f"{file}: there is no image of that name in images/, so its size is not known; "
                    "add the images or name the video by --source."
                )
            height, width = size
            masks = [
                (number, filled([corners * (width, height)], size))
                for number, (_, corners) in enumerate(_polygons(file), 1)
            ]
            yield Shapes(index, file.stem, index / reading.rate, size, masks)

    called = root.resolve().name
    return Track(flattened(frames, warnings), called, reading.rate, names, warnings, reading.timed)


def _classes(path: Path) -> dict[int, str]:
    try:
        names: Any = yaml.safe_load(path.read_text(encoding="utf-8"))["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (OSError, yaml.YAMLError, *UNLIKE) as error:
        raise wrong(path, "data.yaml of YOLO", error) from error


def _polygons(path: Path) -> list[tuple[int, Any]]:
    """Class and corners (N, 2) in shares of width and height, from each line."""
    found = []
    try:
        for text in path.read_text(encoding="utf-8").splitlines():
            kind, *numbers = text.split()
            if len(numbers) == 4:
                raise ValueError("a line of four numbers is a box; give labels of segmentation")
            found.append((int(kind), np.array(numbers, np.float64).reshape(-1, 2)))
    except (OSError, *UNLIKE) as error:
        raise wrong(path, "label file of YOLO segmentation", error) from error
    return found


def _size(root: Path, label: Path) -> tuple[int, int] | None:
    """Size (H, W) of the image beside a label file: images/... in place of labels/..."""
    parts = list(label.relative_to(root).parent.parts)
    parts[parts.index("labels")] = "images"
    folder = root.joinpath(*parts)
    if folder.is_dir():
        for image in list_images(folder):
            if image.stem == label.stem:
                with Image.open(image) as opened:
                    return opened.height, opened.width
    return None
