"""COCO instances as COCO, LVIS and annotation tools write them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from hodor.data import RELEASED, CocoInstances, ObjectRules
from hodor.errors import DataError

H, W = 60, 80
BOX = [[10.0, 20.0, 50.0, 20.0, 50.0, 50.0, 10.0, 50.0]]  # 40 x 30 pixels


def rle(compressed: bool) -> dict[str, Any]:
    mask = np.zeros((H, W), np.uint8, order="F")
    mask[20:50, 10:50] = 1
    if compressed:
        encoded = coco.encode(mask)
        return {"size": encoded["size"], "counts": encoded["counts"].decode()}
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, flat.size]).tolist()
    return {"size": [H, W], "counts": runs}


def write(
    root: Path,
    annotations: list[dict[str, Any]],
    image: dict[str, Any] | None = None,
    file: str = "a.jpg",
) -> Path:
    """A picture at ROOT/``file``, and a JSON beside it."""
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((H, W, 3), 90, np.uint8)).save(path)
    entry = {"id": 1, "file_name": file, "width": W, "height": H} | (image or {})
    entry = {key: value for key, value in entry.items() if value is not None}
    content = {"images": [entry], "annotations": annotations, "categories": []}
    (root / "instances.json").write_text(json.dumps(content))
    return root / "instances.json"


def one(segmentation: Any, **more: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 1, "category_id": 7, "segmentation": segmentation} | more


@pytest.mark.parametrize(
    "shape", [BOX, rle(True), rle(False)], ids=["polygons", "rle", "uncompressed rle"]
)
def test_all_kinds_of_shapes_give_the_same_mask(tmp_path: Path, shape: Any) -> None:
    labels = CocoInstances(tmp_path, write(tmp_path, [one(shape)])).read(0).labels
    assert (labels[20:50, 10:50] == 1).all()
    assert (labels > 0).sum() == 1200


@pytest.mark.parametrize(
    ("file", "image"),
    [
        ("train2017/000001.jpg", {"file_name": "000001.jpg", "root": "train2017"}),
        (
            "train2017/000001.jpg",  # LVIS
            {"file_name": None, "coco_url": "http://example.org/train2017/000001.jpg"},
        ),
        ("000001.jpg", {"file_name": None, "coco_url": "http://example.org/train2017/000001.jpg"}),
        ("JPEGImages/a.jpg", {}),  # labelme2coco
        ("a.jpg", {"file_name": "images\\a.jpg"}),  # exports written on Windows
        ("a.jpg", {"file_name": "../../label-studio/data/media/upload/1/a.jpg"}),  # Label Studio
        ("a.jpg", {"width": None, "height": None}),
        ("a.jpg", {"width": str(W), "height": str(H)}),
    ],
)
def test_file_names_of_all_flavours_are_found(
    tmp_path: Path, file: str, image: dict[str, Any]
) -> None:
    root = tmp_path / image.pop("root", "")
    opened = CocoInstances(root, write(tmp_path, [one(BOX)], image, file))
    assert opened.read(0).labels.max() == 1
    assert opened.index().ratios.tolist() == [H / W]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    annotations = [
        one(BOX),
        one(rle(False), iscrowd=1),
        one([], bbox=[0, 0, 5, 5]),  # Roboflow's boxes
        one([[1, 2, 3, 4]]),
        one(None),
    ]
    notes = CocoInstances(tmp_path, write(tmp_path, annotations)).notes()
    assert notes == ["1 annotation of crowds", "3 annotations without a shape (boxes only?)"]


def test_the_index_counts_what_reading_finds_without_reading(tmp_path: Path) -> None:
    small = [[60.0, 5.0, 75.0, 5.0, 75.0, 20.0, 60.0, 20.0]]
    path = write(tmp_path, [one(BOX, area=1200), one(small, area=225), one(rle(True))])
    for rules in (ObjectRules(), ObjectRules(share=0, area=500, side=20)):
        opened = CocoInstances(tmp_path, path, rules=rules)
        assert opened.index().objects.tolist() == [3 if rules.area == 0 else 2]
    large = CocoInstances(tmp_path, path, rules=RELEASED)  # over 2000 pixels
    # An RLE without area and box counts as its whole image until it is read.
    assert large.index().objects.tolist() == [1]
    with pytest.raises(DataError, match="no object of at least 2000 pixels"):
        large.read(0)


def test_the_rule_says_which_of_two_objects_lies_in_front(tmp_path: Path) -> None:
    inner = [[20.0, 30.0, 40.0, 30.0, 40.0, 45.0, 20.0, 45.0]]
    path = write(tmp_path, [one(inner, area=300), one(BOX, area=1200)])
    smaller = CocoInstances(tmp_path, path).read(0).labels
    assert smaller.max() == 2
    later = CocoInstances(tmp_path, path, rules=ObjectRules(front="later")).read(0).labels
    assert later.max() == 1  # the one behind is hidden altogether


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "not a COCO instances JSON"),
        ('{"images": []}', "annotations"),
        ("{", "not a COCO instances JSON"),
    ],
)
def test_other_json_is_told(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=said):
        CocoInstances(tmp_path, tmp_path / "x.json")


def test_a_shape_of_another_size_is_told_with_its_image(tmp_path: Path) -> None:
    wrong = rle(True) | {"size": [W, H]}
    opened = CocoInstances(tmp_path, write(tmp_path, [one(wrong)]))
    with pytest.raises(DataError, match=r"a\.jpg: annotation 1: its segmentation cannot be read"):
        opened.read(0)
