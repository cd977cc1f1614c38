"""Tiny data and recipes for tests of training."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

COLOURS = [(220, 40, 40), (40, 90, 220)]


def two_images(root: Path) -> Path:
    """Two images with one object each, a disc and a box, on textured ground."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rng = np.random.default_rng(0)
    for number, colour in enumerate(COLOURS):
        ground = rng.integers(90, 150, (12, 16, 3), np.uint8)
        image = cv2.resize(ground, (128, 96), interpolation=cv2.INTER_CUBIC)
        mask = np.zeros((96, 128), np.uint8)
        if number:
            mask[30:70, 40:90] = 255
        else:
            cv2.circle(mask, (60, 48), 24, 255, -1)
        image[mask > 0] = colour
        cv2.imwrite(str(root / "images" / f"{number}.png"), image[..., ::-1])
        cv2.imwrite(str(root / "masks" / f"{number}.png"), mask)
    return root


def recipe_values(root: Path, **optimisation: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "root": str(root),
        "model": {
            "backbone": "mobilenetv2_035",
            "backbone_norms": "folded",
            "channels": 32,
            "heads": 4,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "deformable": False,
            "dropout": 0.0,
            "pooling": "soft",
            "fusion": "full",
        },
        "data": [{"kind": "masks", "images": "images", "masks": "masks"}],
        "clips": {
            "size": [64, 96],
            "frames": 2,
            "objects": [1.0],
            "extra": 0.0,
            "pasted_only": 0.0,
            "zoom": [0.9, 1.0],
            "motion": {"translate": 0.05, "rotate": 5.0, "elastic_share": 0.0},
            "colour": {"clip": 0.2, "frame": 0.1, "blur": 0.0},
        },
        "schedule": "loop",
        "loss": {"stride": 2, "merge": "logsumexp", "dice": "object"},
        "mask_gradients": True,
        "optimisation": {"iterations": 6, "batch": 2, "learning_rate": 2e-3, **optimisation},
        "checkpoint_every": 2,
        "pictures_every": 3,
    }


def recipe_file(folder: Path, values: dict[str, Any]) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def losses(folder: Path) -> list[float]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines if '"loss"' in line and line[-1] == "}"]


def two_videos(root: Path) -> Path:
    """Two videos of five frames with a box that moves, of which only frame 2 is annotated."""
    for number, colour in enumerate(COLOURS):
        for kind in ("images", "masks"):
            (root / kind / str(number)).mkdir(parents=True)
        for t in range(5):
            image = np.full((96, 128, 3), 120, np.uint8)
            box = (slice(30, 70), slice(30 + 6 * t, 80 + 6 * t))
            image[box] = colour
            cv2.imwrite(str(root / "images" / str(number) / f"{t}.png"), image[..., ::-1])
        mask = np.zeros((96, 128), np.uint8)
        mask[30:70, 42:92] = 255
        cv2.imwrite(str(root / "masks" / str(number) / "2.png"), mask)
    return root
