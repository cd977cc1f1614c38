"""Sound files and folders of every kind that is read, small; damaged ones are made of them."""

from pathlib import Path

import numpy as np
from formats.inputs import (
    brush,
    coco,
    cvat,
    cvat_mask,
    cvat_polygons,
    cvat_task,
    grey,
    labelme,
    outlined,
    region,
    shape,
    square,
    stack,
    task,
    white,
    write_json,
    yolo,
)
from formats.tracks import track_of
from fuzz.room_seeds import seeds_of_rooms

from hodor.formats import FORMATS, WriteOptions, write_track


def seeds(folder: Path) -> list[Path]:
    """Write all seeds into a new folder, each into a folder of its own; gives these."""
    maps = [np.zeros((9, 12), np.uint8) for _ in range(3)]
    for index, label_map in enumerate(maps):
        label_map[1 + index : 5 + index, 2:7] = 1
        label_map[6:8, 8:11] = 2
    for name, one in FORMATS.items():
        target = folder / f"ours-{name}" / one.file
        target.parent.mkdir(parents=True)
        write_track(track_of(maps, {1: "cat", 2: "dog"}), target, name, WriteOptions(tolerance=0))
    for name in (
        "coco", "cvat", "images", "labelme", "brushes", "timeline", "yolo", "mots", "stack", "sav",
        "wide",
    ):  # fmt: skip
        (folder / f"theirs-{name}").mkdir()
    _theirs(folder)
    seeds_of_rooms(folder)
    return sorted(folder.iterdir())


def _theirs(folder: Path) -> None:
    files = ["a/frame_000000.PNG", "a/frame_000001.PNG"]
    annotations = [
        brush((5, 5)), outlined((40, 5), track_id=3, score=0.5), outlined((5, 5), image_id=2),
    ]  # fmt: skip
    coco(folder / "theirs-coco/a.json", annotations, files)
    meta = f"<project><tasks>{cvat_task('a.mp4', 11)}</tasks></project>"
    tracks = [cvat_mask("dog", 0, (4, 10), 7, "11"), cvat_polygons("cat", {0: (5, 5)}, task="11")]
    cvat(folder / "theirs-cvat/a.xml", meta, *tracks)
    polygon = '<polygon label="dog" points="5,5;15,5;15,15" z_order="0" group_id="2"></polygon>'
    ellipse = '<ellipse label="egg" cx="30" cy="20" rx="10" ry="5" rotation="9" z_order="1"/>'
    images = f'<image id="0" name="frame_000000" width="64" height="48">{polygon}{ellipse}</image>'
    cvat(folder / "theirs-images/a.xml", "", images)
    circle = shape("egg", (5, 5)) | {"shape_type": "circle", "points": [[30, 20], [38, 20]]}
    labelme(folder / "theirs-labelme/L", {"00000": [shape("dog", (5, 5), 0), circle]})
    result = [region((5, 5)), region((30, 5), "cat", "object-3-frame-0")]
    tasks = [task(f"/data/upload/3/1a2b3c4d-{i:05d}.jpg", result, [], cancelled=1) for i in (0, 5)]
    write_json(folder / "theirs-brushes/a.json", tasks)
    box = {"x": 1.5, "y": 2, "width": 20, "height": 30, "rotation": 0, "enabled": True}
    value = {"framesCount": 12, "duration": 1.0, "labels": ["dog"], "sequence": [
        {"frame": 1, "time": 0.0, **box}, {"frame": 7, "time": 0.5, **box}]}  # fmt: skip
    annotation = {"result": [{"id": "x", "type": "videorectangle", "value": value}]}
    data = {"video": "/data/a.mp4", "height": 48, "width": 64}
    write_json(folder / "theirs-timeline/a.json", [{"data": data, "annotations": [annotation]}])
    line = "0 0.1 0.1 0.4 0.1 0.4 0.5 0.1 0.5 0.91 3\n1 0.6 0.1 0.9 0.1 0.9 0.5 0.8\n"
    yolo(folder / "theirs-yolo/Y", {"00000": line, "00005": line})
    rows = (folder / "ours-mots/mots.txt").read_text().splitlines()
    (folder / "theirs-mots/a.txt").write_text("\n".join([*rows, rows[0].replace(" 3 ", " 10 ")]))
    stack(folder / "theirs-stack/a.tif", [square((i, 5)).astype(np.uint16) for i in range(3)])
    for number in range(3):  # As PNGs of MOTS, with a region to be ignored.
        wide = square((5 + number, 5)) * np.uint16(1001) + square((40, 30)) * np.uint16(10000)
        grey(folder / f"theirs-wide/W/{number:06d}.png", wide)
    for name in ("000", "001"):
        white(folder / f"theirs-sav/P/{name}/00000.png", (5, 5))
