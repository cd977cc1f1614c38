"""What other tools write that looks like something else: read as they mean it, or refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.inputs import (
    SIZE,
    areas,
    coco,
    indices,
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
from numpy.typing import NDArray
from tifffile import TiffWriter

from hodor.errors import MaskError, SourceError
from hodor.formats import read_track
from hodor.video import encode_rle, open_source

Window = tuple[tuple[int, int], tuple[int, int]]
"""First and last column and row"""


def told_of(path: Path, name: str | None = None) -> str:
    """The error of a file."""
    with pytest.raises(MaskError) as caught:
        areas(read_track(path, name))
    return str(caught.value)


# COCO


def cocovid(path: Path, frames: list[tuple[int, str, int]], ids: list[int]) -> Path:
    """As MMTracking has it: (video, file, frame) of each image, with one annotation each."""
    images = [
        {"id": at, "video_id": video, "file_name": file, "frame_id": frame,
         "height": SIZE[0], "width": SIZE[1]}
        for at, (video, file, frame) in enumerate(frames, 1)
    ]  # fmt: skip
    annotations = [
        outlined((5 * number, 5)) | {
            "id": at, "image_id": at, "video_id": frames[at - 1][0], "category_id": 1,
            "instance_id": number,
        }
        for at, number in enumerate(ids, 1)
    ]  # fmt: skip
    content = {
        "videos": [{"id": one, "name": f"shot{one}"} for one in {frame[0] for frame in frames}],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "dog"}],
    }
    return write_json(path, content)


def test_cocovid_has_ids_of_instances_and_one_video_is_chosen(tmp_path: Path) -> None:
    frames = [(1, "a_0000.jpg", 0), (1, "a_0005.jpg", 5), (2, "b_0000.jpg", 0)]
    path = cocovid(tmp_path / "a.json", frames, [7, 7, 3])
    assert "holds 2 videos (shot1, shot2); name one by --video" in told_of(path)
    track, found = read(path, video="shot1")
    assert (track.video, found) == ("shot1", {"a_0000": {7: 100}, "a_0005": {7: 100}})
    assert indices(track) == [0, 5]
    assert read(path, video="2")[1] == {"b_0000": {3: 100}}


def test_frames_of_cocovid_without_numbers_in_their_names_have_those_of_the_file(
    tmp_path: Path,
) -> None:
    path = cocovid(tmp_path / "a.json", [(1, "late.jpg", 8), (1, "early.jpg", 2)], [1, 2])
    track, found = read(path)
    assert list(zip(indices(track), found, strict=True)) == [(2, "early"), (8, "late")]
    assert track.warnings == []


def test_panoptic_coco_is_not_taken_for_boxes(tmp_path: Path) -> None:
    segments = {"file_name": "00000.png", "segments_info": [{"id": 3, "category_id": 1}]}
    assert "it is panoptic" in told_of(coco(tmp_path / "a.json", [segments]))


def test_images_of_one_id_are_not_given_each_others_masks(tmp_path: Path) -> None:
    path = coco(tmp_path / "a.json", [outlined((5, 5), track_id=1)], ["0.jpg", "1.jpg"])
    path.write_text(path.read_text().replace('"id": 2, "file_name"', '"id": 1, "file_name"'))
    assert "two images have one id" in told_of(path)


def test_the_signature_of_an_address_is_no_folder(tmp_path: Path) -> None:
    files = [f"https://cloud/shots/{name}.jpg?X-Sig=a/{name}b" for name in ("00000", "00007")]
    path = coco(tmp_path / "a.json", [outlined((5, 5), track_id=1)], files)
    assert read(path)[1] == {"00000": {1: 100}, "00007": {}}


# YouTube-VIS


def youtube_vis(path: Path, *annotations: dict[str, Any]) -> Path:
    video = {"id": 1, "width": SIZE[1], "height": SIZE[0], "file_names": ["v/0.jpg", "v/5.jpg"]}
    numbered = [
        {"id": at, "video_id": 1, "category_id": 1, **one} for at, one in enumerate(annotations, 1)
    ]
    categories = [{"id": 1, "name": "dog"}]
    content = {"videos": [video], "annotations": numbered or None, "categories": categories}
    return write_json(path, content)


def test_as_many_masks_as_frames_or_none(tmp_path: Path) -> None:
    mask = outlined((5, 5))["segmentation"]
    for count in (1, 3):
        path = youtube_vis(tmp_path / f"{count}.json", {"segmentations": [mask] * count})
        assert f"annotation 1 has {count} masks, but its video has 2 frames" in told_of(path)
    boxes = {"bboxes": [[5, 5, 10, 10], None]}
    track, found = read(youtube_vis(tmp_path / "b.json", {"segmentations": [mask, None]}, boxes))
    assert found == {"0": {1: 100}, "5": {}}
    assert "annotations without a mask (a box only) were left out (1)" in track.warnings[0]


def test_a_test_split_without_annotations_is_told(tmp_path: Path) -> None:
    assert "lists videos and no annotations" in told_of(youtube_vis(tmp_path / "a.json"))


# YOLO and MOTS

LINE = "0 0.25 0.25 0.5 0.25 0.5 0.5 0.25 0.5\n"


def test_lists_and_hidden_files_beside_labels_are_no_frames(tmp_path: Path) -> None:
    path = yolo(tmp_path / "Y", {"00000": "\ufeff" + LINE})
    (path / "labels/train/classes.txt").write_text("dog\ncat\n")
    (path / "labels/train/._00000.txt").write_bytes(b"\x00\x05\x16\x07")
    track, found = read(path)
    assert found == {"00000": {1: 192}}
    assert "lists beside the labels (classes.txt) were left out (1)" in track.warnings[0]


def test_keypoints_are_no_outlines(tmp_path: Path) -> None:
    pose = "0 0.5 0.5 0.4 0.4" + " 0.4 0.4 2 0.6 0.4 1 0 0 0\n"
    assert "holds keypoints" in told_of(yolo(tmp_path / "Y", {"00000": pose}))
    names = "names: [person]\nkpt_shape: [3, 3]\n"
    assert "kpt_shape" in told_of(yolo(tmp_path / "Z", {"00000": LINE}, names=names))
    # Five corners, two of them at borders, are an outline.
    corners = "0 0.5 0.5 0.4 0.4 0.2 0.2 0 0.3 0.5 1\n"
    assert read(yolo(tmp_path / "C", {"00000": corners}))[1]["00000"]


def test_a_mark_of_utf_8_is_no_part_of_the_first_number(tmp_path: Path) -> None:
    counts = encode_rle(square((5, 5)))["counts"]
    (tmp_path / "a.txt").write_text(f"\ufeff0 1001 1 48 64 {counts}\n", encoding="utf-8")
    assert read(tmp_path / "a.txt")[1] == {"00000": {1: 100}}


# labelme and Label Studio


def test_what_macos_writes_beside_files_is_none_of_labelme(tmp_path: Path) -> None:
    path = labelme(tmp_path / "L", {"00000": [shape("dog", (5, 5), 1)]})
    (path / "._00000.json").write_bytes(b"\x00\x05\x16\x07")
    track, found = read(path)
    assert (found, track.warnings) == ({"00000": {1: 100}}, [])


def test_a_project_of_label_studio_calls_its_image_as_it_likes(tmp_path: Path) -> None:
    tasks = [
        {"data": {"photo": f"/data/upload/1/0a1b2c3d-{number:05d}.jpg", "by": "Ann"},
         "annotations": [{"result": [region((5, 5))]}]}
        for number in (0, 5)
    ]  # fmt: skip
    track, found = read(write_json(tmp_path / "a.json", tasks))
    assert (indices(track), found) == ([0, 5], {"00000": {1: 100}, "00005": {1: 100}})
    for one in tasks:
        one["data"] = {"picture": "base64"}
    track, found = read(write_json(tmp_path / "b.json", tasks))
    assert list(found.values()) == [{1: 100}] * 2
    assert any("tasks name no image file: 2 frames were numbered" in one for one in track.warnings)


def test_a_label_that_another_tag_of_label_studio_gave_is_the_regions(tmp_path: Path) -> None:
    drawn = region((5, 5))
    labels = drawn["value"].pop("brushlabels")
    named = drawn | {"type": "labels", "value": drawn["value"] | {"labels": labels}}
    chosen = drawn | {"type": "choices", "value": {"choices": ["blurred"]}}
    results = [drawn | {"type": "brush"}, named, chosen]
    track, found = read(write_json(tmp_path / "a.json", [task("00000.jpg", results)]))
    assert (found, track.names) == ({"00000": {1: 100}}, {1: "dog"})
    assert not any("left out" in one for one in track.warnings)


def test_rectangles_alone_are_counted_and_their_frame_is_empty(tmp_path: Path) -> None:
    box = {"x": 10, "y": 10, "width": 20, "height": 20, "rectanglelabels": ["dog"]}
    one = region((5, 5)) | {"type": "rectanglelabels", "value": box}
    track, found = read(write_json(tmp_path / "a.json", [task("00000.jpg", [one])]))
    assert found == {"00000": {}}
    assert "regions of kind rectangle were left out (1)" in track.warnings[0]


def test_what_label_studio_puts_before_uploaded_files_is_no_part_of_their_numbers(
    tmp_path: Path,
) -> None:
    files = ["images/f0000000-00000.jpg", "images/0a1b2c3d-00010.jpg"]
    annotations = [outlined((5, 5), track_id=1), outlined((9, 5), track_id=1, image_id=2)]
    track, found = read(coco(tmp_path / "a.json", annotations, files))
    assert list(zip(indices(track), found, strict=True)) == [
        (0, "f0000000-00000"), (10, "0a1b2c3d-00010"),
    ]  # fmt: skip
    assert track.warnings == []
    path = yolo(tmp_path / "Y", {"f0000000-00004": LINE, "0a1b2c3d-00002": LINE})
    assert indices(read(path)[0]) == [2, 4]


def test_brush_masks_of_one_label_each_are_no_frames(tmp_path: Path) -> None:
    for name in ("task-1-annotation-1-by-1-tag-dog-0", "task-1-annotation-1-by-1-tag-cat-0"):
        white(tmp_path / f"P/{name}.png", (5, 5))
    assert "exported label by label" in told_of(tmp_path / "P")


# OpenEXR


def exr_frame(path: Path, channels: dict[str, NDArray[Any]], data: Window, display: Window) -> None:
    """A file whose planes are of the first window, and whose picture is of the second."""
    exr = pytest.importorskip("OpenEXR", reason="needs the extra [exr]")
    path.parent.mkdir(exist_ok=True)
    windows = {"dataWindow": data, "displayWindow": display}
    head = {name: tuple(np.array(c, np.int32) for c in w) for name, w in windows.items()}
    head |= {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    planes = {name: exr.Channel(name, plane) for name, plane in channels.items()}
    with exr.File(head, planes) as file:
        file.write(str(path))


FRAME = ((0, 0), (63, 47))


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (((10, 5), (19, 14)), (10, 5, 19, 14)),  # as Nuke stores what is not 0
        (((-5, -9), (70, 60)), (0, 0, 63, 47)),  # overscan
        (((60, 40), (99, 99)), (60, 40, 63, 47)),
        (((100, 5), (109, 14)), None),
    ],
)
def test_a_plane_lies_where_its_data_window_says(
    data: Window, where: tuple[int, ...] | None, tmp_path: Path
) -> None:
    (left, top), (right, bottom) = data
    plane = np.ones((bottom + 1 - top, right + 1 - left), np.float16)
    exr_frame(tmp_path / "E/0000.exr", {"cat": plane}, data, FRAME)
    (frame,) = read_track(tmp_path / "E").frames()
    rows, columns = np.nonzero(frame.label_map)
    assert frame.label_map.shape == SIZE
    found = (columns.min(), rows.min(), columns.max(), rows.max()) if len(rows) else None
    assert found == where


def test_a_picture_in_exr_is_not_taken_for_mattes(tmp_path: Path) -> None:
    plane = np.ones(SIZE, np.float16)
    exr_frame(tmp_path / "E/0000.exr", dict.fromkeys("ABGR", plane), FRAME, FRAME)
    assert "its channels are a picture (R, G, B)" in told_of(tmp_path / "E")


# NumPy


@pytest.mark.parametrize("kind", ["<i8", ">u2", "?"])
def test_whole_numbers_of_any_width_are_ids(kind: str, tmp_path: Path) -> None:
    maps = np.stack([square((5, 5)), square((9, 5))]).astype(kind)
    np.savez(tmp_path / "a.npz", label_maps=maps)
    assert list(read(tmp_path / "a.npz")[1].values()) == [{1: 100}] * 2


def test_arrays_that_are_no_label_maps_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", masks=np.zeros((2, *SIZE), bool))
    assert "it holds masks, and no label_maps" in told_of(tmp_path / "a.npz")
    for number in (-1, 70000):
        np.savez(tmp_path / "b.npz", label_maps=np.full((1, *SIZE), number, np.int32))
        assert "ids are 1 to 65535" in told_of(tmp_path / "b.npz")


# TIFF


def tiff(path: Path, pages: list[NDArray[Any]], **about: Any) -> Path:
    """A page for each array; about: of all, or lists with a value for each page."""
    with TiffWriter(path, bigtiff=False) as file:
        for number, page in enumerate(pages):
            own = {k: v[number] if isinstance(v, list) else v for k, v in about.items()}
            file.write(page, contiguous=False, metadata=None, **own)
    return path


IMAGEJ = "ImageJ=1.54f\nimages=6\nchannels=2\nframes=3\nhyperstack=true\n"
OME = '<?xml version="1.0"?><OME><Image><Pixels SizeC="2" SizeT="3" SizeZ="1"/></Image></OME>'


@pytest.mark.parametrize("description", [IMAGEJ, OME])
def test_channels_of_a_stack_are_not_taken_for_frames(description: str, tmp_path: Path) -> None:
    pages = [square((5, 5)).astype(np.uint8)] * 6
    path = tiff(tmp_path / "a.tif", pages, description=[description, *[None] * 5])
    assert "its 6 pages are 2 channels x 3 frames" in told_of(path)
    with pytest.raises(SourceError, match="its 6 pages are 2 channels x 3 frames"):
        open_source(path)
    # With one side only, whatever it is called, pages are frames.
    plain = description.replace("channels=2", "channels=1").replace('SizeC="2"', 'SizeC="1"')
    path = tiff(tmp_path / "b.tif", pages, description=[plain, *[None] * 5])
    assert len(read(path)[1]) == 6


def test_smaller_copies_in_a_tiff_are_no_frames(tmp_path: Path) -> None:
    page = square((5, 5)).astype(np.uint8) * np.uint8(3)
    pages = [page, page[::2, ::2], page, page[::2, ::2]]
    path = tiff(tmp_path / "a.tif", pages, subfiletype=[0, 1, 0, 1])
    assert list(read(path)[1].values()) == [{3: 100}] * 2
    with open_source(path) as source:
        assert [frame.pixels.shape for frame in source.frames()] == [(*SIZE, 3)] * 2


def test_a_mask_with_its_own_thumbnail_is_one_mask(tmp_path: Path) -> None:
    white(tmp_path / "P/1.png", (5, 5))
    page = square((5, 5)).astype(np.uint8) * np.uint8(255)
    tiff(tmp_path / "P/0.tif", [page, page[::4, ::4]], subfiletype=[0, 1])
    assert read(tmp_path / "P")[1] == {"0": {1: 100}, "1": {1: 100}}


def test_floating_point_ids_are_ids_where_they_are_whole(tmp_path: Path) -> None:
    page = square((5, 5)).astype(np.float32) * np.float32(300)
    assert list(read(tiff(tmp_path / "a.tif", [page] * 2))[1].values()) == [{300: 100}] * 2
    for number in (0.5, np.nan, np.inf):
        page[0, 0] = number
        assert "holds fractions" in told_of(tiff(tmp_path / "b.tif", [page] * 2))


@pytest.mark.parametrize("kind", ["?", "u1"])
def test_ids_are_the_numbers_of_a_file_whose_0_is_white(kind: str, tmp_path: Path) -> None:
    """As ImageJ saves masks with an inverted table of colours."""
    page = square((5, 5)).astype(kind)
    path = tiff(tmp_path / "a.tif", [page] * 2, photometric="miniswhite")
    assert list(read(path)[1].values()) == [{1: 100}] * 2


def test_pixels_are_not_taken_for_shares_of_yolo(tmp_path: Path) -> None:
    for number, text in enumerate(("0 5 5 20 5 20 20 5 20", "0 5 5 20 5 20 20 5 20 4 9")):
        told = told_of(yolo(tmp_path / str(number), {"00000": text}))
        assert "shares of the sides, 0 to 1; if these are pixels" in told
    slightly = "0 -0.1 0.1 1.3 0.1 1.3 0.5 -0.1 0.5"
    assert read(yolo(tmp_path / "Y", {"00000": slightly}))[1]["00000"] == {1: 64 * 19}


def test_crowds_of_youtube_vis_are_told(tmp_path: Path) -> None:
    one = {"video_id": 1, "category_id": 1, "segmentations": [encode_rle(square((5, 5)))]}
    about = {
        "videos": [{"id": 1, "width": 64, "height": 48, "file_names": ["v/00000.jpg"]}],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [one | {"id": 1, "iscrowd": 1}, one | {"id": 2, "iscrowd": 0}],
    }
    track, found = read(write_json(tmp_path / "a.json", about))
    assert found == {"00000": {2: 100}}
    assert track.warnings == ["a.json: masks of crowds (iscrowd) were left out (1)"]
    del about["annotations"][1]
    track, found = read(write_json(tmp_path / "a.json", about))
    assert found == {"00000": {1: 100}}
    assert "marked as crowds, and were read as objects" in track.warnings[0]


def test_coco_without_sizes_takes_that_of_the_video(tmp_path: Path) -> None:
    path = coco(tmp_path / "a.json", [outlined((5, 5), track_id=1)])
    about = json.loads(path.read_text())
    del about["images"][0]["height"], about["images"][0]["width"]
    write_json(path, about)
    assert read(path, size=SIZE)[1] == {"frame_000000": {1: 100}}
    assert "has no size (height, width); name the video by --source" in told_of(path)


def test_turned_rectangles_beside_labelme_are_read_and_a_shape_may_have_no_label(
    tmp_path: Path,
) -> None:
    turned = shape("dog", (5, 5)) | {"shape_type": "rotation", "direction": 0.5}
    nameless = shape("", (30, 5)) | {"label": None}
    track, found = read(labelme(tmp_path / "L", {"0": [turned, nameless]}))
    assert found == {"0": {1: 100, 2: 100}}
    assert track.names == {1: "dog", 2: "object"}


@pytest.mark.parametrize("line", ["0,1001,1,48,64,x", "1,1,10,10,20,20,1,-1,-1,-1"])
def test_a_line_that_is_none_of_mots_is_told_by_what_one_is(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.txt").write_text(line + "\n")
    assert "a line is frame, id, class, height, width and run lengths" in told_of(
        tmp_path / "a.txt"
    )
