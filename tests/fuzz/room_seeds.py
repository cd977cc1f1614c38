"""Seeds of what other rooms than formats read: videos, models, sessions, data, notes of runs."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import yaml
from formats.inputs import coco, grey, outlined, square, stack, white
from PIL import Image
from safetensors.numpy import save_file
from training_data import recipe_values
from video.tiny_videos import flat_frames, write_video

from hodor.model import HodorConfig
from hodor.tracking import TrackerOptions
from hodor.tracking.state import REFERENCES_FORMAT, STATE_FORMAT
from hodor.video import Frame, RleSink, write_label_map
from hodor.weights.files import FORMAT

IDS = square((5, 5)).astype(np.uint8) + 2 * square((30, 20)).astype(np.uint8)


def seeds_of_rooms(folder: Path) -> None:
    """Each into a folder of its own, whose name begins with what reads it."""
    _videos(folder)
    _runs(folder)
    _models(folder)
    _data(folder)


def _videos(folder: Path) -> None:
    for name in ("mp4", "mkv", "avi"):
        (folder / f"video-{name}").mkdir()
        codec = "mjpeg" if name == "avi" else "libx264"
        kind = "yuvj420p" if name == "avi" else "yuv420p"
        write_video(folder / f"video-{name}/v.{name}", flat_frames(4), codec=codec, pix_fmt=kind)
    for number, suffix in enumerate(("png", "jpg", "bmp", "webp", "tga")):
        grey(folder / f"video-images/V/{number}.{suffix}", flat_frames(1)[0])
    pages = [square((5 + t, 5)).astype(np.uint16) * np.uint16(900) for t in range(3)]
    stack(folder / "video-stack/v.tif", pages)
    for number in (0, 2):
        (folder / "masks-folder/M").mkdir(parents=True, exist_ok=True)
        write_label_map(folder / f"masks-folder/M/{number:05d}.png", IDS)
    white(folder / "masks-folder/M/frame_1.jpg", (5, 5))
    grey(folder / "masks-file/m.bmp", IDS)


def _runs(folder: Path) -> None:
    video = folder / "list-csv/L/v.mp4"
    video.parent.mkdir(parents=True)
    write_video(video, flat_frames(2))
    lines = "source,masks,name\nv.mp4,m.png,one\nv.mp4,m.png,two\n"
    (video.parent / "list.csv").write_text(lines)
    grey(video.parent / "m.png", IDS)
    root = folder / "parts-rle/P"
    root.mkdir(parents=True)
    with RleSink(root / "masks.json", video="v") as sink:
        for t in range(3):
            sink.write(Frame(t, f"{t:05d}", flat_frames(1)[0], t / 25), IDS, [1, 2])
        sink.commit()
        left = (root / ".masks.json.parts.jsonl").read_bytes()
    (root / "masks.json").unlink()
    (root / ".masks.json.parts.jsonl").write_bytes(left)
    for t in range(3):
        (folder / "run-finished/R/labels").mkdir(parents=True, exist_ok=True)
        write_label_map(folder / f"run-finished/R/labels/{t:05d}.png", IDS)
    summary = {
        "source": "v", "inputs": {"source": "/x/v.mp4", "model": "small"}, "frames": 3,
        "source_fps": 25.0, "objects": [1, 2], "names": {"1": "cat"}, "colours": {"1": "#ff0000"},
        "given": {"1": [0]}, "options": {"size": 480}, "model": {"name": "small"},
        "confidence": {"1": [0.5, 0.75, None], "2": [0.1, 0.2, 0.3]}, "warnings": [],
    }  # fmt: skip
    (folder / "run-finished/R/summary.json").write_text(json.dumps(summary))
    root = folder / "session-studio/S"
    for part in ("given", "results"):
        (root / part).mkdir(parents=True)
    write_label_map(root / "given/00000.png", IDS)
    write_label_map(root / "results/00001.png", IDS)
    (root / "confidence.jsonl").write_text('[1, {"1": [0.5, 0, 77], "2": [0.25, 0, 78]}]\n')
    settings = {
        "format": "hodor-studio-1", "model": None, "gone": {"2": [1]},
        "video": {"path": "/x/clip.mp4", "name": "clip", "frames": 3, "size": [48, 64], "fps": 25},
        "objects": [{"id": i, "name": f"o{i}", "colour": "#3ea6ff"} for i in (1, 2)],
    }  # fmt: skip
    (root / "session.json").write_text(json.dumps(settings))


def _models(folder: Path) -> None:
    vectors = np.ones((2, 32), np.float32)
    ids = {"index": np.array(0), "ids": np.array([1, 2]), "objects": vectors}
    frame = {f"recent.000.{name}": value for name, value in ids.items()}
    boxes = np.array([[1, 0.1, 0.1, 0.4, 0.5, 0]], np.float64)
    running = np.array([[1, 0.5, 3]], np.float64)
    plain = {"next": 3, "options": asdict(TrackerOptions()), "extra": {"note": 1}}
    about = {"format": STATE_FORMAT, "plain": json.dumps(plain), "network": "0" * 64}
    arrays = frame | {"last_boxes": boxes, "running_confidence": running}
    _tensors(folder / "state-tracker/s.safetensors", arrays, about)
    arrays = {name.replace("recent", "references"): value for name, value in frame.items()}
    about = {"format": REFERENCES_FORMAT, "plain": "{}", "network": "0" * 64}
    _tensors(folder / "references-saved/r.safetensors", arrays, about)
    fields = {"backbone": "mobilenetv2_035", "channels": 32, "heads": 4, "encoder_layers": 1,
              "decoder_layers": 1, "deformable": False}  # fmt: skip
    config = HodorConfig(**fields).to_dict()
    about = {"format": FORMAT, "config": json.dumps(config), "metadata": '{"name": "tiny"}'}
    _tensors(folder / "model-file/m.safetensors", {"head.weight": vectors}, about)
    (folder / "recipe-yaml").mkdir()
    text = yaml.safe_dump(recipe_values(Path("/data")))
    (folder / "recipe-yaml/r.yaml").write_text(text)


def _tensors(path: Path, arrays: dict[str, np.ndarray], about: dict[str, str]) -> None:  # type: ignore[type-arg]
    path.parent.mkdir()
    save_file(arrays, path, about)


def _data(folder: Path) -> None:
    picture = np.full((48, 64, 3), 90, np.uint8)
    for name in ("0", "1"):
        grey(folder / f"stills-masks/D/images/{name}.png", picture)
        grey(folder / f"stills-masks/D/masks/{name}.png", IDS)
    root = folder / "coco-stills/C"
    grey(root / "a.png", picture)
    coco(root / "instances.json", [outlined((5, 5)), outlined((30, 20), area=100)], ["a.png"])
    for split, videos in (("davis-2017/D", ("one", "two")), ("vos-valid/V", ("one",))):
        root = folder / split
        within = "480p" if "davis" in split else ""
        for video in videos:
            for t in range(3):
                images = root / ("JPEGImages/480p" if within else "valid/JPEGImages") / video
                maps = root / ("Annotations/480p" if within else "valid/Annotations") / video
                grey(images / f"{t:05d}.jpg", picture)
                maps.mkdir(parents=True, exist_ok=True)
                write_label_map(maps / f"{t:05d}.png", IDS)
    (folder / "davis-2017/D/ImageSets/2017").mkdir(parents=True)
    (folder / "davis-2017/D/ImageSets/2017/val.txt").write_text("one\ntwo\n")
    entry = {"category": "cat", "frames": ["00000", "00001", "00002"]}
    meta = {"videos": {"one": {"objects": {"1": entry, "2": entry}}}}
    (folder / "vos-valid/V/valid/meta.json").write_text(json.dumps(meta))
    Image.fromarray(picture).save(folder / "vos-valid/V/valid/JPEGImages/one/00001.jpg")
