"""COCO instances whose numbers are none, or not those of their images, end in one line each."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hodor.data import CocoInstances, examine
from hodor.errors import DataError

BOX = [[10.0, 10.0, 40.0, 10.0, 40.0, 30.0, 10.0, 30.0]]  # 30 x 20 pixels


def coco(root: Path, annotation: object, image: dict[str, Any] | None = None) -> Path:
    """A grey picture of 64 x 48 with one annotation; a field of None is left out."""
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(root / "a.png")
    entry = {"id": 1, "file_name": "a.png", "width": 64, "height": 48} | (image or {})
    entry = {key: value for key, value in entry.items() if value is not None}
    if isinstance(annotation, dict):
        annotation = {"id": 7, "image_id": 1, "segmentation": BOX} | annotation
        annotation = {key: value for key, value in annotation.items() if value is not None}
    path = root / "instances.json"
    path.write_text(json.dumps({"images": [entry], "annotations": [annotation]}))
    return path


def told(path: Path) -> str:
    """What opening and reading the only image says."""
    with pytest.raises(DataError) as caught:
        CocoInstances(path.parent, path).read(0)
    assert str(caught.value).count("\n") == 0
    return str(caught.value)


@pytest.mark.parametrize(
    "annotation",
    ["dog", None, [1, 2], {"image_id": None}, {"image_id": [1]}],
    ids=["a text", "nothing", "a list", "of no image", "of a list"],
)
def test_an_annotation_that_is_none_is_told_when_the_set_is_opened(
    annotation: object, tmp_path: Path
) -> None:
    said = told(coco(tmp_path, annotation))
    assert said.startswith(f"{tmp_path / 'instances.json'}: not a COCO instances JSON")


def test_an_image_without_an_id_is_told_when_the_set_is_opened(tmp_path: Path) -> None:
    assert "not a COCO instances JSON ('id')" in told(coco(tmp_path, {}, {"id": None}))


def test_a_json_that_is_nested_too_deep_is_told(tmp_path: Path) -> None:
    path = coco(tmp_path, {})
    path.write_text('{"images": [], "annotations": ' + "[" * 100_000)
    assert "not a COCO instances JSON" in told(path)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ({"height": 10**6, "width": 10**6}, "1000000 x 1000000 pixels"),
        ({"height": 1e400}, "a frame's height is inf"),
        ({"height": "tall"}, "a frame's height is 'tall'"),
        ({"height": -48}, "64 x -48 pixels"),
        ({"height": 64, "width": 48}, "image is (48, 64), the JSON says (64, 48)"),
    ],
)
def test_a_size_that_is_not_the_images_is_told_before_memory_is_taken(
    image: dict[str, Any], said: str, tmp_path: Path
) -> None:
    found = told(coco(tmp_path, {}, image))
    assert found.startswith(str(tmp_path / "a.png"))
    assert said in found


@pytest.mark.parametrize(
    "annotation",
    [{"area": "large"}, {"area": [600]}, {"bbox": [1, 2, 3]}, {"bbox": "box"}, {"bbox": {"x": 1}}],
    ids=str,
)
def test_an_area_or_a_box_that_is_none_is_told_with_its_image(
    annotation: dict[str, Any], tmp_path: Path
) -> None:
    path = coco(tmp_path, annotation)
    opened = CocoInstances(tmp_path, path)
    # It is never drawn for training, and a check of the data counts it.
    assert opened.index().objects.tolist() == [0]
    found = examine(opened, every=True)
    assert (found.items, len(found.broken)) == (1, 1)
    assert f"{tmp_path / 'a.png'}: what the JSON says of it cannot be used" in told(path)


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ([[0, 0, 1e9, 0, 5, 5]], "far outside"),
        ([["a", 0, 9, 0, 5, 5]], "cannot be read"),
        ({"size": [60000, 60000], "counts": [3_600_000_000]}, "60000 x 60000"),
        ({"size": [48, 64], "counts": [10, -5]}, "cannot be read"),
        ({"size": "large", "counts": [1]}, "cannot be read"),
    ],
    ids=["far", "text", "huge", "negative", "no size"],
)
def test_a_shape_that_is_none_is_told_with_its_annotation(
    segmentation: object, said: str, tmp_path: Path
) -> None:
    # An area of its own, so that only reading the shape can tell.
    found = told(
        coco(tmp_path, {"segmentation": segmentation, "area": 600.0, "bbox": [0, 0, 9, 9]})
    )
    assert found.startswith(f"{tmp_path / 'a.png'}: annotation 7: its segmentation cannot be read")
    assert said in found


def test_sizes_as_text_and_areas_as_text_of_numbers_are_read(tmp_path: Path) -> None:
    path = coco(tmp_path, {"area": "600"}, {"height": "48", "width": "64"})
    assert CocoInstances(tmp_path, path).read(0).labels.sum() == 600
