"""Tiny data sets in the layouts of the official ones, as their authors describe them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor.video import write_label_map

LabelMap = NDArray[np.uint8]
SIZE = (24, 32)


def frame(t: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """A textured frame (H, W, 3) with two coloured squares that move right."""
    picture = np.random.default_rng(0).integers(0, 80, (*size, 3), np.uint8)
    for i, colour in ((1, (220, 60, 40)), (2, (40, 200, 220))):
        picture[labels(t, (i,), size) == i] = colour
    return picture


def labels(t: int, ids: tuple[int, ...], size: tuple[int, int] = SIZE) -> LabelMap:
    """A label map (H, W) with a square of 8 px for each id, in a row of its own."""
    label_map = np.zeros(size, np.uint8)
    for i in ids:
        label_map[2 + 11 * (i - 1) : 10 + 11 * (i - 1), 4 + t : 12 + t] = i
    return label_map


def write_frame(path: Path, t: int, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(frame(t, size)).save(path, quality=95)


def write_labels(path: Path, label_map: LabelMap) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_label_map(path, label_map)


def youtube_vos(root: Path, *, annotated: bool = False) -> Path:
    """Two videos of different sizes, every fifth frame; object 2 of the first appears in 00010.

    annotated: all frames are, as in ``train``; otherwise only those in which objects appear.
    """
    meta: dict[str, Any] = {"videos": {}}
    for video, ids, size in (("0062f687f1", (1, 2), SIZE), ("00f88c4f0a", (1,), (36, 48))):
        objects = {"1": {"category": "penguin", "frames": [f"{t:05d}" for t in range(0, 25, 5)]}}
        if 2 in ids:
            objects["2"] = {"category": "dune buggy", "frames": ["00010", "00015", "00020"]}
        meta["videos"][video] = {"objects": objects}
        for t in range(0, 25, 5):
            shown = ids if t >= 10 else (1,)
            write_frame(root / f"valid/JPEGImages/{video}/{t:05d}.jpg", t // 5, size)
            if annotated or t == 0 or (t == 10 and 2 in ids):
                write_labels(
                    root / f"valid/Annotations/{video}/{t:05d}.png", labels(t // 5, shown, size)
                )
        for t in range(25):
            write_frame(root / f"valid_all_frames/JPEGImages/{video}/{t:05d}.jpg", t // 5, size)
    # Before an object appears the server wants nothing of it; this frame nobody wants.
    meta["videos"]["00f88c4f0a"]["objects"]["1"]["frames"].remove("00020")
    (root / "valid/meta.json").write_text(json.dumps(meta))
    return root


def youtube_vos_train(root: Path) -> None:
    """What tells seen classes: a train/meta.json that knows penguins and no dune buggies."""
    (root / "train").mkdir()
    entry = {"objects": {"1": {"category": "penguin", "frames": ["00000"]}}}
    (root / "train/meta.json").write_text(json.dumps({"videos": {"aaa": entry}}))


def mose(root: Path, *, annotated: bool = False) -> Path:
    for video in ("1f2e3d4c", "0a1b2c3d"):
        for t in range(4):
            write_frame(root / f"valid/JPEGImages/{video}/{t:05d}.jpg", t)
            if annotated or t == 0:
                write_labels(root / f"valid/Annotations/{video}/{t:05d}.png", labels(t, (1, 2)))
    return root


def lvos(root: Path, *, split: str = "valid", v2: bool = False) -> Path:
    """One video whose names have eight digits and start at 1 (v1) or 6 (v2); object 2 is late."""
    start = 6 if v2 else 1
    folder = root / split
    span = range(start, start + 26)
    for t in span:
        write_frame(folder / f"JPEGImages/abc/{t:08d}.jpg", (t - start) // 5)
        if (t - start) % 5 == 0:
            shown = (1, 2) if t - start >= 10 else (1,)
            where = folder / f"Annotations/abc/{t:08d}.png"
            write_labels(where, labels((t - start) // 5, shown))
    objects = {
        str(i): {"frame_range": {"start": str(s), "end": str(start + 25), "frame_nums": n}}
        for i, s, n in ((1, start, 6), (2, start + 10, 4))
    }
    name = "val_meta.json" if v2 else "valid_meta.json"
    (folder / name).write_text(json.dumps({"videos": {"abc": {"objects": objects}}}))
    return root


def davis_test_dev(root: Path) -> Path:
    for t in range(4):
        write_frame(root / f"JPEGImages/480p/aerobatics/{t:05d}.jpg", t)
    write_labels(root / "Annotations/480p/aerobatics/00000.png", labels(0, (1, 2)))
    (root / "ImageSets/2017").mkdir(parents=True)
    (root / "ImageSets/2017/test-dev.txt").write_text("aerobatics\n")
    return root
