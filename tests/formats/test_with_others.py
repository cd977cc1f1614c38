"""The world's own readers understand what is written here, and its files are understood."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cvat_sdk.masks import decode_mask, encode_mask
from formats.tracks import COUNT, EMPTY, SIZE, hard_track, label_map_at, pixels_at, track_of
from numpy.typing import NDArray
from pycocotools import mask as coco
from pycocotools.coco import COCO

from hodor.errors import HodorError, MaskError
from hodor.formats import (
    FORMATS,
    Labelled,
    ReadOptions,
    WriteOptions,
    from_detections,
    read_track,
    to_detections,
    write_track,
)
from hodor.formats.cvat import runs_of
from hodor.formats.cvat_reading import mask_of_runs
from hodor.formats.label_studio_rle import decode_brush, encode_brush
from hodor.video import decode_rle, encode_rle

IDS = (1, 7, 300)


def write(name: str, path: Path, **writing: Any) -> Any:
    """Write the hard track; the content of a JSON file."""
    write_track(hard_track(), path, name, WriteOptions(**writing))
    return json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else None


@pytest.mark.parametrize("name", ["coco", "coco-polygons"])
def test_pycocotools_reads_coco(name: str, tmp_path: Path, capsys: Any) -> None:
    write(name, tmp_path / "coco.json", tolerance=0.0, files="frames/{name}.png")
    data = COCO(str(tmp_path / "coco.json"))
    capsys.readouterr()  # It prints.
    assert [image["file_name"] for image in data.loadImgs(data.getImgIds())] == [
        f"frames/shot ü {index:03d}.png" for index in range(COUNT)
    ]
    assert {c["name"] for c in data.loadCats(data.getCatIds())} == {"Füchs & <co>", "猫"}
    for index, image in enumerate(data.getImgIds()):
        found = np.zeros(SIZE, np.uint16)
        for one in data.loadAnns(data.getAnnIds(image)):
            mask = data.annToMask(one).astype(bool)
            found[mask] = one["track_id"]
            rows, columns = np.nonzero(mask)
            assert one["area"] == len(rows)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert one["bbox"] == box
        np.testing.assert_array_equal(found, label_map_at(index))


def test_pycocotools_decodes_youtube_vis_and_the_masks_of_mots(tmp_path: Path) -> None:
    content = write("youtube-vis", tmp_path / "vis.json")
    (video,) = content["videos"]
    assert (video["height"], video["width"], video["length"]) == (*SIZE, COUNT)
    found = np.zeros((COUNT, *SIZE), np.uint16)
    for one in content["annotations"]:
        assert len(one["segmentations"]) == len(one["bboxes"]) == len(one["areas"]) == COUNT
        assert one["segmentations"][EMPTY] is None
        for index, segmentation in enumerate(one["segmentations"]):
            if segmentation is not None:
                found[index][coco.decode(segmentation).astype(bool)] = one["id"]
                assert one["areas"][index] == coco.area(segmentation)
    np.testing.assert_array_equal(found, [label_map_at(index) for index in range(COUNT)])

    write("mots", tmp_path / "mots.txt")
    found[:] = 0
    for text in (tmp_path / "mots.txt").read_text().splitlines():
        frame, number, kind, height, width, counts = text.split(" ")
        rle = {"size": [int(height), int(width)], "counts": counts.encode()}
        found[int(frame)][coco.decode(rle).astype(bool)] = int(number) - 1000 * int(kind)
    np.testing.assert_array_equal(found, [label_map_at(index) for index in range(COUNT)])


@pytest.mark.parametrize("index", [0, 2, 5])
@pytest.mark.parametrize("number", IDS)
def test_runs_of_cvat_are_those_of_its_own_package(index: int, number: int) -> None:
    mask = label_map_at(index) == number
    if not mask.any():
        pytest.skip("it comes later")
    *runs, left, top, right, bottom = map(int, encode_mask(mask))
    part = mask[top : bottom + 1, left : right + 1]
    assert runs_of(part) == runs
    np.testing.assert_array_equal(mask_of_runs(runs, part.shape), part)


def test_cvats_package_decodes_the_masks_of_its_xml(tmp_path: Path) -> None:
    """The importer of CVAT keeps the first mask of a track and its group."""
    write("cvat", tmp_path / "cvat.xml")
    found = np.zeros((COUNT, *SIZE), np.uint16)
    for track in ET.parse(tmp_path / "cvat.xml").getroot().findall("track"):
        first = track[0].attrib
        assert first["outside"] == "0"
        assert first["keyframe"] == "1"
        left, top = int(first["left"]), int(first["top"])
        box = [left, top, left + int(first["width"]) - 1, top + int(first["height"]) - 1]
        points = [*map(int, first["rle"].split(",")), *box]
        mask = decode_mask(points, image_height=SIZE[0], image_width=SIZE[1])
        found[int(first["frame"])][mask] = int(track.attrib["group_id"])
        # What follows hides it again, so that it lasts one frame.
        after = [(int(shape.attrib["frame"]), shape.attrib["outside"]) for shape in track[1:]]
        frame = int(first["frame"])
        assert after == ([(frame + 1, "1")] if frame + 1 < COUNT else [])
    np.testing.assert_array_equal(found, [label_map_at(index) for index in range(COUNT)])


def test_polygons_of_cvat_disappear_with_their_object(tmp_path: Path) -> None:
    write("cvat-polygons", tmp_path / "cvat.xml")
    tracks = ET.parse(tmp_path / "cvat.xml").getroot().findall("track")
    seen = {
        int(track.attrib["group_id"]): [
            (int(shape.attrib["frame"]), shape.attrib["outside"]) for shape in track
        ]
        for track in tracks
    }
    shown = [(0, "0"), (1, "0"), (2, "0"), (3, "1"), (4, "0"), (5, "0")]
    assert seen == {1: shown, 7: shown, 300: shown[2:]}


# What label-studio-sdk 2.1.2 encodes of this mask; it decodes it to the same.
SMALL = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [1, 0, 0, 0, 0]], bool)
SMALL_BYTES = [0, 0, 0, 60, 57, 27, 254, 23, 0, 183, 255, 24, 4, 127, 247, 192, 0]
# The same by literal values: "0", which length, the number less 1, and the values.
LITERAL = f"{60:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
LITERAL += f"010{59:08b}" + "".join(f"{255 * pixel:08b}" * 4 for pixel in SMALL.ravel())
LITERAL += "0" * (-len(LITERAL) % 8)


def test_brush_masks_are_the_bytes_of_label_studio() -> None:
    assert encode_brush(SMALL) == SMALL_BYTES
    np.testing.assert_array_equal(decode_brush(SMALL_BYTES, SMALL.shape), SMALL)
    literal = [int(LITERAL[at : at + 8], 2) for at in range(0, len(LITERAL), 8)]
    np.testing.assert_array_equal(decode_brush(literal, SMALL.shape), SMALL)
    with pytest.raises(ValueError, match="cut off"):
        decode_brush(SMALL_BYTES[:-3], SMALL.shape)


def test_a_long_run_of_a_brush_mask_is_split() -> None:
    mask = np.zeros((300, 200), bool)
    mask[1:280] = True
    np.testing.assert_array_equal(decode_brush(encode_brush(mask), mask.shape), mask)


def test_supervision_has_boxes_masks_and_ids() -> None:
    track = hard_track(pixels=True)
    for frame in track.frames():
        found = to_detections(frame, track)
        ids = np.unique(frame.label_map)[1:] if frame.label_map.any() else []
        assert found.tracker_id is not None
        assert found.tracker_id.tolist() == list(ids)
        assert found.class_id is not None
        assert [["Füchs & <co>", "猫"][kind] for kind in found.class_id] == list(
            found.data["class_name"]
        )
        assert (found.confidence is not None) == (frame.index in (0, 1, EMPTY))
        assert found.mask is not None
        for mask, (left, top, right, bottom) in zip(found.mask, found.xyxy, strict=True):
            rows, columns = np.nonzero(mask)
            assert columns.min() == left
            assert rows.min() == top
            assert columns.max() == right
            assert rows.max() == bottom
        back = from_detections(found, SIZE)
        np.testing.assert_array_equal(back.label_map, frame.label_map)


def test_supervisions_annotators_draw_the_masks() -> None:
    supervision = pytest.importorskip("supervision")
    track = hard_track(pixels=True)
    frame = next(track.frames())
    drawn = supervision.MaskAnnotator(opacity=1.0).annotate(
        pixels_at(0).copy(), to_detections(frame, track)
    )
    changed = (drawn != pixels_at(0)).any(-1)
    np.testing.assert_array_equal(changed, frame.label_map > 0)


def test_detections_without_masks_are_refused() -> None:
    supervision = pytest.importorskip("supervision")
    boxes = supervision.Detections(xyxy=np.array([[0, 0, 2, 2]], np.float32))
    with pytest.raises(HodorError, match="boxes but no masks"):
        from_detections(boxes, SIZE)


def test_detections_without_ids_are_numbered_and_lie_on_one_another() -> None:
    supervision = pytest.importorskip("supervision")
    masks: NDArray[np.bool_] = np.zeros((2, 4, 5), bool)
    masks[0, :3], masks[1, 2:] = True, True
    found = supervision.Detections(xyxy=np.zeros((2, 4), np.float32), mask=masks)
    labelled: Labelled = from_detections(found, (4, 5))
    assert labelled.label_map[:, 0].tolist() == [1, 1, 2, 2]


TASK = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><size>4</size><mode>interpolation</mode>
<original_size><width>12</width><height>8</height></original_size></task></meta>
<track id="0" label="cat" source="manual">
  <polygon frame="1" keyframe="1" outside="0" occluded="0" points="1.00,1.00;6.00,1.00;6.00,5.00;
1.00,5.00" z_order="1"></polygon>
  <polygon frame="2" keyframe="1" outside="1" occluded="0" points="1.00,1.00;6.00,1.00;6.00,5.00"
 z_order="1"></polygon>
</track>
<track id="1" label="dog" source="manual">
  <mask frame="1" keyframe="1" outside="0" occluded="0" rle="0, 16" left="4" top="3" width="4"
 height="4" z_order="0"><attribute name="fur">long</attribute></mask>
</track>
<track id="2" label="tree"><box frame="0" outside="0" occluded="0" keyframe="1" xtl="0" ytl="0"
 xbr="3" ybr="3"></box></track>
</annotations>
"""


def test_a_task_annotated_in_cvat_is_read(tmp_path: Path) -> None:
    (tmp_path / "task.xml").write_text(TASK)
    track = read_track(tmp_path / "task.xml")
    maps = [frame.label_map for frame in track.frames()]
    assert len(maps) == 4
    wanted = np.zeros((8, 12), np.uint8)
    wanted[3:7, 4:8] = 2
    wanted[1:5, 1:6] = 1  # It lies on top, although it comes first: its z_order is higher.
    np.testing.assert_array_equal(maps[1], wanted)
    assert not maps[0].any()
    assert not maps[2].any()
    assert {1: "cat", 2: "dog"}.items() <= track.names.items()
    assert any("shapes of kind box were left out (1)" in warning for warning in track.warnings)
    assert any("overlap in 1 frame (4 pixels" in warning for warning in track.warnings)


IMAGES = """<annotations><version>1.1</version><meta></meta>
<image id="0" name="shots/a 1.jpg" width="12" height="8">
<mask label="cat" source="manual" occluded="0" rle="1, 2, 1" left="2" top="1" width="2" height="2"
 z_order="0"></mask>
<polygon label="dog" occluded="0" points="6,0;9,0;9,4;6,4" z_order="0"></polygon></image>
<image id="1" name="shots/a 2.jpg" width="12" height="8"></image></annotations>
"""


def test_images_annotated_in_cvat_are_read(tmp_path: Path) -> None:
    (tmp_path / "images.xml").write_text(IMAGES)
    track = read_track(tmp_path / "images.xml")
    first, second = track.frames()
    assert (first.name, second.name) == ("a 1", "a 2")
    wanted = np.zeros((8, 12), np.uint8)
    wanted[1, 3] = wanted[2, 2] = 1
    wanted[:4, 6:9] = 2
    np.testing.assert_array_equal(first.label_map, wanted)
    assert not second.label_map.any()
    assert "no groups" in track.warnings[0]


def instances(**changes: Any) -> dict[str, Any]:
    one = {"id": 5, "image_id": 9, "category_id": 2, "iscrowd": 0}
    return {
        "images": [{"id": 9, "file_name": "a\\b/frame.1.jpg", "height": 8, "width": 12}],
        "categories": [{"id": 2, "name": "cat"}],
        "annotations": [
            one | {"segmentation": [[1, 1, 5, 1, 5, 4, 1, 4]]} | changes,
            one | {"id": 6, "segmentation": {"size": [8, 12], "counts": [60, 4, 32]}} | changes,
            one | {"id": 7, "segmentation": {"size": [8, 12], "counts": [0, 96]}, "iscrowd": 1},
        ],
    }


def test_coco_of_others_is_numbered_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "coco.json").write_text(json.dumps(instances()))
    track = read_track(tmp_path / "coco.json")
    (frame,) = track.frames()
    wanted = np.zeros((8, 12), np.uint8)
    wanted[1:4, 1:5] = 1
    wanted[4:8, 7] = 2
    np.testing.assert_array_equal(frame.label_map, wanted)
    assert frame.name == "frame.1"
    assert "no track ids" in track.warnings[0]


def test_track_ids_of_datumaro_and_of_text_are_understood(tmp_path: Path) -> None:
    (tmp_path / "coco.json").write_text(json.dumps(instances(attributes={"track_id": 40})))
    (frame,) = read_track(tmp_path / "coco.json").frames()
    assert np.unique(frame.label_map).tolist() == [0, 40]
    (tmp_path / "coco.json").write_text(json.dumps(instances(track_id="left paw")))
    track = read_track(tmp_path / "coco.json")
    (frame,) = track.frames()
    assert np.unique(frame.label_map).tolist() == [0, 1]
    assert "numbered anew" in track.warnings[0]


def test_one_of_several_videos_is_chosen_by_name(tmp_path: Path) -> None:
    content = write("youtube-vis", tmp_path / "vis.json")
    other = content["videos"][0] | {"id": 2, "name": "other"}
    content["videos"].append(other)
    (tmp_path / "vis.json").write_text(json.dumps(content))
    with pytest.raises(MaskError, match=r"2 videos \(clip ü, other\); name one by --video"):
        read_track(tmp_path / "vis.json")
    chosen = read_track(tmp_path / "vis.json", options=ReadOptions(video="other"))
    assert not any(frame.label_map.any() for frame in chosen.frames())


@pytest.mark.parametrize("name", ["mots", "rle", "coco", "youtube-vis"])
@pytest.mark.parametrize("left", [0.5, 0.9])
def test_run_lengths_that_are_cut_off_are_no_mask(name: str, left: float, tmp_path: Path) -> None:
    path = tmp_path / FORMATS[name].file
    write_track(hard_track(), path, name)
    text = path.read_text(encoding="utf-8")
    found = re.search(r'"counts": ?"(.+?)"|^0 3001 3 40 57 (.+)$', text, re.MULTILINE)
    assert found
    counts = found[1] or found[2]
    cut = text.replace(counts, counts[: int(len(counts) * left)], 1)
    path.write_text(cut, encoding="utf-8")
    with pytest.raises(MaskError, match="run lengths of a mask") as told:
        list(read_track(path).frames())
    assert str(path) in str(told.value)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (300, 400)])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 1.0])
def test_run_lengths_are_read_as_by_pycocotools(size: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(0).random(size) < share
    np.testing.assert_array_equal(decode_rle(encode_rle(mask)), mask)
    runs = runs_of(mask.T)  # Uncompressed, as COCO has crowds: a list, column by column.
    np.testing.assert_array_equal(decode_rle({"size": size, "counts": runs}), mask)
    with pytest.raises(ValueError, match="run lengths"):
        decode_rle({"size": size, "counts": [*runs, 1]})


def test_a_mask_of_another_size_than_its_frame_is_told(tmp_path: Path) -> None:
    write("coco", tmp_path / "coco.json")
    text = (tmp_path / "coco.json").read_text(encoding="utf-8")
    (tmp_path / "coco.json").write_text(text.replace('"height":40', '"height":41'), "utf-8")
    with pytest.raises(MaskError, match="is 57 x 41 pixels, but the mask of object 1 is 57 x 40"):
        list(read_track(tmp_path / "coco.json").frames())


@pytest.mark.parametrize("file", ["data.yaml", "mine.yml"])
def test_yolo_may_be_named_by_its_yaml(file: str, tmp_path: Path) -> None:
    write_track(hard_track(pixels=True), tmp_path / "yolo", "yolo")
    (tmp_path / "yolo/data.yaml").rename(tmp_path / "yolo" / file)
    assert len(list(read_track(tmp_path / "yolo" / file).frames())) == COUNT


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("a.json", "{", "a.json cannot be read as JSON"),
        ("a.json", '{"images": [], "annotations": []}', "is no file of COCO instances"),
        ("a.json", '{"words": 1}', "is of no known format"),
        ("a.xml", "<annotations><track>", "is no CVAT 1.1 XML"),
        ("a.xml", "<annotations/>", "does not state its video's size"),
        ("a.txt", "0 1 2 3", "is no file of MOTS"),
        ("a.npz", "nothing", "is no NPZ file"),
        ("a.doc", "words", "is of no known format"),
    ],
)
def test_a_file_that_is_not_what_it_seems_is_told_in_one_line(
    file: str, text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(MaskError, match=message) as told:
        list(read_track(tmp_path / file).frames())
    assert "\n" not in str(told.value)
    assert file in str(told.value)


def test_a_box_of_yolo_is_not_taken_for_a_polygon(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("names: [cat]")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(MaskError, match="four numbers is a box"):
        read_track(tmp_path)


def test_ids_that_mots_has_no_room_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match="up to 999; found 1000"):
        write_track(track_of([np.full((2, 2), 1000, np.uint16)]), tmp_path / "a.txt", "mots")


@pytest.mark.parametrize("name", ["cvat", "cvat-polygons", "label-studio-video"])
def test_frames_that_were_left_out_stay_in_their_places(name: str, tmp_path: Path) -> None:
    whole = hard_track()
    few = replace(whole, frames=lambda: (f for f in whole.frames() if f.index in (1, 4)))
    path = tmp_path / "few"
    write_track(few, path, name, WriteOptions(tolerance=0.0))
    maps = [frame.label_map for frame in read_track(path, name).frames()]
    assert [index for index, found in enumerate(maps) if found.any()] == [1, 4]
    if name != "label-studio-video":
        np.testing.assert_array_equal(maps[4], label_map_at(4))
