"""What a reader leaves out is counted; what can be read is read; messages say what a file is."""

import json
from pathlib import Path

import numpy as np
import pytest
from formats.inputs import (
    SIZE,
    areas,
    brush,
    coco,
    corners,
    cvat,
    cvat_polygons,
    cvat_task,
    labelme,
    outlined,
    read,
    region,
    shape,
    square,
    task,
    white,
    write_json,
    yolo,
)

from hodor.errors import MaskError
from hodor.formats import read_track

FRAME = "frame_000000"


def test_boxes_of_coco_are_counted(tmp_path: Path) -> None:
    box = {"bbox": [20, 20, 10, 10], "track_id": 3}
    annotations = [
        outlined((-5, -5), track_id=1),  # Partly outside: the rest is there.
        box | {"segmentation": []},
        box | {"segmentation": [[]]},
        box,
        outlined((5, 20), track_id=4) | {"segmentation": [[10, 10, 30, 30]]},
        outlined((5, 30), track_id=5, image_id=77),
    ]
    track, found = read(coco(tmp_path / "C05.json", annotations))
    assert found == {FRAME: {1: 25}}
    assert track.warnings == [
        "C05.json: annotations without a mask (a box only) were left out (3), polygons of fewer "
        "than three corners were left out (1)",
        "C05.json: annotations of an image that is not listed were left out (1)",
    ]


def test_crowds_are_left_out_where_the_mark_means_something(tmp_path: Path) -> None:
    one, other = brush((5, 5), track_id=1), brush((40, 5), track_id=2)
    for plain in (one, other):
        del plain["attributes"]
    track, found = read(coco(tmp_path / "a.json", [one | {"iscrowd": 0}, other]))
    assert found == {FRAME: {1: 100}}
    assert track.warnings == ["a.json: masks of crowds (iscrowd) were left out (1)"]
    track, found = read(coco(tmp_path / "a.json", [one, other]))
    assert found == {FRAME: {1: 100, 2: 100}}
    assert "masks are marked as crowds (2); they were read as objects" in track.warnings[0]


def test_a_flat_polygon_is_read(tmp_path: Path) -> None:
    flat = outlined((5, 5), track_id=1) | {"segmentation": np.ravel(corners((5, 5))).tolist()}
    assert read(coco(tmp_path / "a.json", [flat]))[1] == {FRAME: {1: 100}}


def test_a_skipped_annotation_is_not_taken(tmp_path: Path) -> None:
    for name, skipped in (("S01", []), ("S01b", [region((30, 30))])):
        path = write_json(
            tmp_path / f"{name}.json", [task("0.jpg", [region((5, 5))], skipped, cancelled=1)]
        )
        track, found = read(path)
        assert found == {"0": {1: 100}}
        assert next(track.frames()).label_map[10, 10] == 1
        assert "skipped annotations were left out (1)" in track.warnings[0]
    only = write_json(tmp_path / "a.json", [task("0.jpg", [region((5, 5))], cancelled=1)])
    assert read(only, size=SIZE)[1] == {"0": {}}


def test_of_several_annotations_the_last_counts(tmp_path: Path) -> None:
    tasks = [task("0.jpg", [region((30, 30))], [region((5, 5))])]
    track, _ = read(write_json(tmp_path / "a.json", tasks))
    assert next(track.frames()).label_map[10, 10] == 1
    assert "earlier annotations of a task were left out (1)" in track.warnings[0]


def test_polygons_and_ellipses_beside_brush_masks_are_read(tmp_path: Path) -> None:
    common = {"original_width": SIZE[1], "original_height": SIZE[0], "from_name": "tag"}
    points = [[x / 64 * 100, y / 48 * 100] for x, y in corners((40, 5))]
    polygon = {
        "id": "p",
        "type": "polygonlabels",
        "value": {"points": points, "polygonlabels": ["cat"]},
    }
    ellipse = {
        "id": "e", "type": "ellipselabels",
        "value": {"x": 50, "y": 75, "radiusX": 10, "radiusY": 10, "ellipselabels": ["egg"]},
    }  # fmt: skip
    box = {"id": "b", "type": "rectanglelabels", "value": {"x": 0, "y": 0, "width": 5, "height": 5}}
    choice = {"id": "c", "type": "choices", "value": {"choices": ["good"]}}
    result = [region((5, 5)), common | polygon, common | ellipse, common | box, choice]
    track, found = read(write_json(tmp_path / "a.json", [task("0.jpg", result)]))
    assert track.names == {1: "dog", 2: "cat", 3: "egg"}
    assert found["0"].keys() == {1, 2, 3}
    assert (found["0"][1], found["0"][2]) == (100, 100)
    assert found["0"][3] == pytest.approx(np.pi * 6.4 * 4.8, rel=0.05)
    assert "a.json: regions of kind rectangle were left out (1)" in track.warnings


def test_ellipses_of_cvat_and_circles_of_labelme_are_regions(tmp_path: Path) -> None:
    ellipse = '<ellipse frame="0" outside="0" cx="30" cy="20" rx="10" ry="5" z_order="0"/>'
    ellipse = f'<track id="0" label="egg">{ellipse}</track>'
    box = '<box frame="0" outside="0" xtl="0" ytl="0" xbr="3" ybr="3"/>'
    box = f'<track id="1" label="x">{box}</track>'
    track, found = read(cvat(tmp_path / "a.xml", cvat_task("t", count=1), ellipse, box))
    assert found["00000"][1] == pytest.approx(np.pi * 50, rel=0.05)
    assert "shapes of kind box were left out (1)" in track.warnings[0]
    circle = shape("egg", (5, 5)) | {"shape_type": "circle", "points": [[30, 20], [38, 20]]}
    line = shape("road", (5, 5)) | {"shape_type": "linestrip"}
    track, found = read(labelme(tmp_path / "L", {"00000": [circle, line]}))
    assert found["00000"][1] == pytest.approx(np.pi * 64, rel=0.05)
    assert "shapes of kind linestrip were left out (1)" in track.warnings[0]


def test_files_that_are_no_masks_are_counted(tmp_path: Path) -> None:
    white(tmp_path / "m/00000.png", (5, 5))
    (tmp_path / "m/x.heic").write_bytes(b"?")
    (tmp_path / "m/gone.png").symlink_to("nowhere.png")
    (tmp_path / "m/.hidden").write_bytes(b"?")
    track, _ = read(tmp_path / "m")
    assert "were left out (2): gone.png, x.heic" in track.warnings[0]
    labelme(tmp_path / "L", {"00000": [shape("dog", (5, 5), 1)]})
    write_json(tmp_path / "L/settings.json", {"a": 1})
    track, _ = read(tmp_path / "L")
    assert "not labelme's were left out (1): settings.json" in track.warnings[0]


def test_boxes_among_polygons_of_yolo_are_counted(tmp_path: Path) -> None:
    text = "0 0.1 0.1 0.4 0.1 0.4 0.5 0.1 0.5\n1 0.5 0.5 0.2 0.2\n"
    track, found = read(yolo(tmp_path / "a", {"00000": text}))
    assert found == {"00000": {1: 380}}
    assert "a: lines that are boxes were left out (1)" in track.warnings


def test_a_shape_without_a_pixel_is_counted(tmp_path: Path) -> None:
    thin = shape("hair", (5, 5), 1) | {"points": [[5, 5], [9, 5], [7, 5]]}
    outside = shape("far", (100, 5), 2)
    track, found = read(labelme(tmp_path / "L", {"00000": [thin, outside]}))
    assert found == {"00000": {}}
    assert "2 shapes without a pixel" in track.warnings[0]


# What a file is


def test_labels_of_yolo_need_no_data_yaml(tmp_path: Path) -> None:
    (tmp_path / "UL/labels").mkdir(parents=True)
    for number in (1, 3):
        text = "0 0.1 0.1 0.4 0.1 0.4 0.5 0.1 0.5\n"
        (tmp_path / f"UL/labels/video_{number}.txt").write_text(text)
    for path in (tmp_path / "UL", tmp_path / "UL/labels"):
        with pytest.raises(MaskError, match="its size is not known; add the images or name the"):
            areas(read_track(path))
        track, found = read(path, size=SIZE)
        assert list(found.values()) == [{1: 380}] * 2
        assert [frame.index for frame in track.frames()] == [0, 2], "Ultralytics counts from 1"
        assert "classes are called by their numbers" in track.warnings[0]


def test_labelme_without_sizes_takes_that_of_the_picture_or_the_video(tmp_path: Path) -> None:
    path = labelme(tmp_path / "L03", {"00000": [shape("dog", (5, 5))]}, imageHeight=None)
    with pytest.raises(MaskError, match=r"states no size .* name the video by --source"):
        areas(read_track(path))
    assert read(path, size=SIZE)[1] == {"00000": {1: 100}}
    white(path / "00000.png", (5, 5)).rename(path / "00000.jpg")
    content = json.loads((path / "00000.json").read_text())
    for name in ("00000.jpg", "C:\\shots\\00000.jpg", "../../00000.jpg"):
        write_json(path / "00000.json", content | {"imagePath": name})
        assert read(path / "00000.json")[1] == {"00000": {1: 100}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"image_id": 1, "segmentation": {}, "score": 0.9}], "list of COCO results (1 item)"),
        ([{"video_id": 1, "segmentations": []}] * 2, "list of YouTube-VIS results (2 items)"),
        ([{"x": 1}], "(a list of 1 item); name it by --from"),
        ([1, 2], "(a list of 2 items)"),
        ({"images": [], "annotations": [], "categories": 3}, "is no file of COCO instances"),
        ({"shapes": 3, "imagePath": "a"}, "is no labelme's JSON that can be read"),
        ({"videos": [], "annotations": []}, "holds 0 videos"),
    ],
)
def test_a_file_is_told_by_what_it_is(content: object, message: str, tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", content)
    with pytest.raises(MaskError) as told:
        areas(read_track(path))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_a_missing_key_is_told_by_its_name(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", {"images": [{"id": 1}], "annotations": []})
    with pytest.raises(MaskError, match="'categories' is missing"):
        read_track(path)


def test_a_track_without_masks_of_frames_between_is_no_loss(tmp_path: Path) -> None:
    track, found = read(cvat(tmp_path / "a.xml", cvat_task("t"), cvat_polygons("dog", {1: (5, 5)})))
    assert list(found.values()) == [{}, {1: 100}, {}, {}, {}]
    assert track.warnings == []
    assert square((5, 5)).sum() == 100
