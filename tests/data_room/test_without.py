"""What is kept aside does not train."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from hodor.data import CocoInstances, MaskFolder, VideoRules, Videos


def test_named_files_are_left_out_of_every_kind_of_data(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    entries, annotations = [], []
    for n, stem in enumerate("abcd"):
        for folder in (images, masks):
            folder.mkdir(exist_ok=True)
            Image.fromarray(np.full((40, 40), n, np.uint8)).save(folder / f"{stem}.png")
        entries.append({"id": n, "file_name": f"{stem}.png", "width": 40, "height": 40})
        shape = [[0, 0, 30, 0, 30, 30]]
        annotations.append({"id": n, "image_id": n, "segmentation": shape})
    path = tmp_path / "instances.json"
    path.write_text(json.dumps({"images": entries, "annotations": annotations}))
    without = ("b", "d")
    assert MaskFolder(images, masks, without=without).stems() == ["a", "c"]
    assert CocoInstances(images, path, without=without).stems() == ["a", "c"]
    assert Videos(images, masks, VideoRules(without=without)).stems() == ["a", "c"]
    assert len(MaskFolder(images, masks)) == 4
