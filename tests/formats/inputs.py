"""Small files in the form that annotation tools write, made by the tests that read them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor.formats import ReadOptions, Track, read_track
from hodor.formats.label_studio_rle import encode_brush
from hodor.video import encode_rle

SIZE = (48, 64)
"""(H, W) of all frames here"""

Square = tuple[int, int]
"""Column and row of the first pixel of 10 x 10"""


def square(at: Square, side: int = 10) -> NDArray[np.bool_]:
    mask = np.zeros(SIZE, bool)
    mask[at[1] : at[1] + side, at[0] : at[0] + side] = True
    return mask


def corners(at: Square, side: int = 10) -> list[list[int]]:
    x, y = at
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]


def write_json(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def areas(track: Track) -> dict[str, dict[int, int]]:
    """By the frames' names: pixels by id."""
    found = {}
    for frame in track.frames():
        ids, counts = np.unique(frame.label_map, return_counts=True)
        found[frame.name] = {int(i): int(n) for i, n in zip(ids, counts, strict=True) if i}
    return found


def read(path: Path, name: str | None = None, **options: Any) -> tuple[Track, dict[str, Any]]:
    """A track, read to its end, and its areas."""
    track = read_track(path, name, ReadOptions(**options))
    return track, areas(track)


def indices(track: Track) -> list[int]:
    return [frame.index for frame in track.frames()]


# COCO


def coco(
    path: Path, annotations: Sequence[dict[str, Any]], files: Sequence[str] = ("frame_000000.PNG",)
) -> Path:
    """annotations: without ``category_id`` they are dogs, without ``image_id`` of the first."""
    images = [
        {"id": at, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
        for at, name in enumerate(files, 1)
    ]
    numbered = [
        {"id": at, "image_id": 1, "category_id": 1, **one} for at, one in enumerate(annotations, 1)
    ]
    categories = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    return write_json(path, {"images": images, "annotations": numbered, "categories": categories})


def brush(at: Square, **more: Any) -> dict[str, Any]:
    """A mask as CVAT exports it."""
    segmentation = encode_rle(square(at))
    return {"segmentation": segmentation, "iscrowd": 1, "attributes": {"occluded": False}, **more}


def outlined(at: Square, **more: Any) -> dict[str, Any]:
    return {"segmentation": [np.ravel(corners(at)).tolist()], "iscrowd": 0, **more}


# labelme


def shape(label: str, at: Square, group: object = None) -> dict[str, Any]:
    return {
        "label": label, "points": corners(at), "group_id": group, "shape_type": "polygon",
        "description": "", "flags": {}, "mask": None,
    }  # fmt: skip


def labelme(folder: Path, frames: dict[str, list[dict[str, Any]]], **more: Any) -> Path:
    for name, shapes in frames.items():
        content = {
            "version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{name}.jpg",
            "imageData": None, "imageHeight": SIZE[0], "imageWidth": SIZE[1],
        }  # fmt: skip
        write_json(folder / f"{name}.json", content | more)
    return folder


# CVAT


def cvat_mask(label: str, frame: int, at: Square, group: int | None = None, task: str = "") -> str:
    about = f' group_id="{group}"' if group is not None else ""
    about += f' task_id="{task}"' if task else ""
    return (
        f'<track id="0" label="{label}" source="manual"{about}><mask frame="{frame}" keyframe="1" '
        f'outside="0" occluded="0" rle="0, 100" left="{at[0]}" top="{at[1]}" width="10" '
        f'height="10" z_order="0"></mask></track>'
    )


def cvat_polygons(
    label: str, places: dict[int, Square], group: int | None = None, task: str = ""
) -> str:
    about = f' group_id="{group}"' if group is not None else ""
    about += f' task_id="{task}"' if task else ""
    shapes = "".join(
        f'<polygon frame="{frame}" keyframe="1" outside="0" occluded="0" z_order="0" points="'
        + ";".join(f"{x}.00,{y}.00" for x, y in corners(at))
        + '"></polygon>'
        for frame, at in places.items()
    )
    return f'<track id="0" label="{label}"{about}>{shapes}</track>'


def cvat_task(name: str, number: int = 1, count: int = 5) -> str:
    return (
        f"<task><id>{number}</id><name>{name}</name><size>{count}</size><start_frame>0"
        f"</start_frame><stop_frame>{count - 1}</stop_frame><original_size><width>{SIZE[1]}"
        f"</width><height>{SIZE[0]}</height></original_size><source>{name}</source></task>"
    )


def cvat(path: Path, meta: str, *tracks: str) -> Path:
    path.write_text(
        f"<annotations><version>1.1</version><meta>{meta}</meta>{''.join(tracks)}</annotations>"
    )
    return path


# Label Studio


def region(at: Square, label: str = "dog", number: str = "aB3x") -> dict[str, Any]:
    return {
        "id": number, "type": "brushlabels", "from_name": "tag", "to_name": "image",
        "original_width": SIZE[1], "original_height": SIZE[0], "image_rotation": 0,
        "value": {"format": "rle", "rle": encode_brush(square(at)), "brushlabels": [label]},
    }  # fmt: skip


def task(image: str, *results: list[dict[str, Any]], cancelled: int = 0, **data: Any) -> Any:
    """A task with an annotation for each list of regions, the last `cancelled` of them skipped."""
    annotations = [
        {"id": at, "result": result, "was_cancelled": at >= len(results) - cancelled}
        for at, result in enumerate(results)
    ]
    return {"id": 1, "annotations": annotations, "data": {"image": image, **data}}


# Pictures


def grey(path: Path, values: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def white(path: Path, at: Square) -> Path:
    return grey(path, square(at).astype(np.uint8) * np.uint8(255))


def stack(path: Path, pages: Sequence[NDArray[Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = (Image.fromarray(page) for page in pages)
    first.save(path, save_all=True, append_images=others)
    return path


def yolo(folder: Path, labels: dict[str, str], *, names: str = "names: [dog, cat]\n") -> Path:
    (folder / "labels/train").mkdir(parents=True)
    (folder / "images/train").mkdir(parents=True)
    if names:
        (folder / "data.yaml").write_text(names)
    for name, text in labels.items():
        (folder / f"labels/train/{name}.txt").write_text(text)
        Image.new("RGB", SIZE[::-1]).save(folder / f"images/train/{name}.jpg")
    return folder
