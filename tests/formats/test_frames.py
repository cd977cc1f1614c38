"""Which frame a mask belongs to, which video is read, and names that become files."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from formats.inputs import (
    SIZE,
    Square,
    areas,
    coco,
    cvat,
    cvat_polygons,
    cvat_task,
    grey,
    indices,
    labelme,
    outlined,
    read,
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

from hodor.errors import HodorError, MaskError
from hodor.formats import (
    FORMATS,
    Labelled,
    ReadOptions,
    Track,
    as_label_maps,
    read_track,
    with_video,
    write_track,
)
from hodor.formats.frame_numbers import number_in, numbers_of, same_frame
from hodor.formats.reading import stem
from hodor.video import ImagesSource, encode_rle, open_source, read_label_map

RLE = {"size": [4, 4], "counts": [0, 4, 12]}


def own_rle(path: Path, *names: str, **more: Any) -> Path:
    """A file of ours whose frames have names."""
    frames = [
        {"index": i, "name": name, "time": i, "objects": [{"id": 1, "segmentation": RLE}], **more}
        for i, name in enumerate(names)
    ]
    return write_json(path, {"video": "v", "size": [4, 4], "fps": 25, "frames": frames})


# Numbers


@pytest.mark.parametrize(
    ("name", "number"),
    [("00007", 7), ("frame_000007", 7), ("shot 3.0007", 7), ("0007_mask", 7), ("a", None)],
)
def test_the_number_of_a_frame_is_what_its_name_ends_with(name: str, number: int | None) -> None:
    assert number_in(name) == number


@pytest.mark.parametrize(
    ("names", "numbers", "told"),
    [
        (["00000", "00005", "00010"], [0, 5, 10], ""),
        (["a2", "a10", "a1"], [2, 10, 1], "lowest frame is a1"),
        (["a", "b"], [0, 1], "do not say their numbers"),
        (["b", "a"], [1, 0], "do not say their numbers"),
        (["x1", "y1"], [0, 1], "do not say their numbers"),
        (["1", "01"], [1, 0], "do not say their numbers"),
        (["t1700000000123", "t1700000000323"], [0, 1], "do not say their numbers"),
        (["only"], [0], ""),
        ([], [], ""),
    ],
)
def test_frames_are_numbered_by_their_names(
    names: list[str], numbers: list[int], told: str
) -> None:
    warnings: list[str] = []
    assert numbers_of(names, ReadOptions(), warnings) == numbers
    assert [told in warning for warning in warnings] == ([True] if told else [])


def test_names_of_the_video_say_more_than_numbers() -> None:
    warnings: list[str] = []
    options = ReadOptions(frames=["000001", "000002", "000003"])
    assert numbers_of(["000003", "000001"], options, warnings) == [2, 0]
    assert warnings == []


@pytest.mark.parametrize(
    ("name", "of_video", "index", "same"),
    [
        ("frame_000003", "00003", 3, True),
        ("3", "00003", 3, True),
        ("frame_000003", "IMG_9", 3, True),
        ("other_000003", "IMG_9", 3, False),
        ("IMG_9", "IMG_9", 0, True),
        ("a", "00000", 0, False),
    ],
)
def test_a_name_means_a_frame(name: str, of_video: str, index: int, same: bool) -> None:
    assert same_frame(name, of_video, index) is same


@pytest.mark.parametrize("to", ["cvat-polygons", "cvat", "mots", "label-studio-video"])
def test_every_fifth_frame_keeps_its_number(to: str, tmp_path: Path) -> None:
    for index in (0, 5, 10):
        grey(tmp_path / f"P01/{index:05d}.png", square((index, 5)).astype(np.uint8))
    track, found = read(tmp_path / "P01")
    assert indices(track) == [0, 5, 10]
    assert list(found.values()) == [{1: 100}] * 3
    write_track(track, tmp_path / "out", to)
    back = read_track(tmp_path / "out", to, ReadOptions(size=SIZE))
    shown = [frame.index for frame in back.frames() if frame.label_map.any()]
    assert shown == [0, 5, 10]


@pytest.mark.parametrize("head", ["", "frame_0"])
def test_every_tenth_file_of_labelme_keeps_its_number(head: str, tmp_path: Path) -> None:
    frames = {f"{head}{index:05d}": [shape("dog", (5 + index, 5), 1)] for index in (0, 10, 20)}
    track, _ = read(labelme(tmp_path / "L05", frames))
    assert indices(track) == [0, 10, 20]


def test_images_of_coco_may_stand_in_any_order(tmp_path: Path) -> None:
    files = ["frame_000002.PNG", "frame_000000.PNG", "frame_000007.PNG"]
    places = [outlined((10 * image, 5), image_id=image, track_id=1) for image in (1, 2, 3)]
    track, found = read(coco(tmp_path / "a.json", places, files))
    assert indices(track) == [0, 2, 7]
    assert list(found) == ["frame_000000", "frame_000002", "frame_000007"]
    assert next(track.frames()).label_map[10, 25] == 1


def test_tasks_of_label_studio_may_stand_in_any_order(tmp_path: Path) -> None:
    tasks = [task(f"/data/upload/1/0123abcd-{i:05d}.jpg", [region((i, 5))]) for i in (9, 3)]
    track, found = read(write_json(tmp_path / "a.json", tasks))
    assert indices(track) == [3, 9]
    assert list(found) == ["00003", "00009"]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a\\b/frame.1.jpg", "frame.1"),
        ("shot.0001", "shot.0001"),
        ("frame_000010_jpg.rf.0123456789abcdef0123456789abcdef.jpg", "frame_000010"),
        ("x.JPEG", "x"),
        (7, "7"),
    ],
)
def test_the_name_of_a_frame_is_that_of_its_file(name: object, plain: str) -> None:
    assert stem(name) == plain


def mots(path: Path, *frames: int, ignored: bool = False) -> Path:
    lines = []
    for frame in frames:
        counts = encode_rle(square((5 + frame, 5)))["counts"]
        lines.append(f"{frame} 2001 2 48 64 {counts}")
        if ignored:
            lines.append(f"{frame} 10000 10 48 64 {encode_rle(square((40, 30)))['counts']}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_mots_that_counts_from_1_has_no_frame_too_many(tmp_path: Path) -> None:
    track, found = read(mots(tmp_path / "M01.txt", 1, 2, 3, ignored=True))
    assert list(found.values()) == [{1: 100}] * 3
    assert "1 was taken for the first" in track.warnings[0]
    assert "regions to be ignored (class 10) were left out (3)" in track.warnings[1]
    names = ["000001", "000002", "000003"]
    _, found = read(mots(tmp_path / "M02.txt", 1, 2), frames=names)
    assert found == {"000001": {1: 100}, "000002": {1: 100}, "000003": {}}


def test_a_region_to_be_ignored_is_one_by_its_id_too(tmp_path: Path) -> None:
    path = mots(tmp_path / "a.txt", 0, 1)
    counts = encode_rle(square((40, 30)))["counts"]
    path.write_text(path.read_text() + f"1 10000 2 48 64 {counts}\n")
    track, found = read(path)
    assert list(found.values()) == [{1: 100}, {1: 100}]
    assert track.warnings == ["a.txt: regions to be ignored (id 10000) were left out (1)"]


def wide(folder: Path, *frames: dict[int, Square]) -> Path:
    """16-bit PNGs with squares by id, as those of MOTS."""
    for number, squares in enumerate(frames):
        label_map = sum(square(at).astype(np.uint16) * np.uint16(i) for i, at in squares.items())
        grey(folder / f"{number:06d}.png", label_map + np.zeros(SIZE, np.uint16))
    return folder


def test_what_pngs_of_mots_ignore_is_no_object(tmp_path: Path) -> None:
    one, other, crowd = (5, 5), (20, 5), (40, 30)
    folder = wide(tmp_path / "M", {1001: one, 10000: crowd}, {2005: other}, {10000: crowd}, {})
    track, found = read(folder)
    assert list(found.values()) == [{1001: 100}, {2005: 100}, {}, {}]
    assert track.warnings == ["M: regions to be ignored (10000, in MOTS) were left out (2)"]


def test_10000_is_an_id_where_other_ids_are_none_of_mots(tmp_path: Path) -> None:
    folder = wide(tmp_path / "M", {1001: (5, 5), 10000: (40, 30)}, {3: (20, 5)})
    track, found = read(folder)
    assert list(found.values()) == [{1001: 100, 10000: 100}, {3: 100}]
    assert list(read(wide(tmp_path / "N", {10000: (5, 5)}))[1].values()) == [{10000: 100}]
    assert track.warnings == []


def test_mots_of_ours_begins_at_0_even_without_an_object_there(tmp_path: Path) -> None:
    nothing = np.zeros(SIZE, np.uint8)
    maps = [nothing, square((5, 5)).astype(np.uint8), nothing]
    write_track(track_of(maps), tmp_path / "a.txt", "mots")
    track, found = read(tmp_path / "a.txt")
    assert list(found.values()) == [{}, {1: 100}, {}]
    assert track.warnings == []


def test_a_timeline_at_another_rate_is_laid_on_the_video_by_time(tmp_path: Path) -> None:
    box = {"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0}
    sequence = [{"frame": 1, "enabled": True, **box}, {"frame": 7, "enabled": False, **box}]
    value = {"framesCount": 12, "duration": 1.0, "labels": ["dog"], "sequence": sequence}
    annotations = [{"result": [{"type": "videorectangle", "value": value}]}]
    data = {"video": "/data/a.mp4", "height": SIZE[0], "width": SIZE[1]}
    path = write_json(tmp_path / "a.json", [{"data": data, "annotations": annotations}])
    plain, _ = read(path)
    assert (plain.fps, len(indices(plain))) == (12, 12)
    assert [f.index for f in plain.frames() if f.label_map.any()] == list(range(7))
    track, _ = read(path, fps=24.0)
    assert (track.fps, len(indices(track))) == (24, 24)
    assert [f.index for f in track.frames() if f.label_map.any()] == list(range(14))
    assert "laid on its frames by time" in track.warnings[-1]


@pytest.mark.parametrize("to", ["prores", "ffv1", "rgba"])
def test_mattes_of_some_frames_are_as_long_as_the_video(to: str, tmp_path: Path) -> None:
    for index in (3, 4):
        grey(tmp_path / f"L2/{index:05d}.png", square((5, 5)).astype(np.uint8))
    source = open_source(np.zeros((6, *SIZE, 3), np.uint8), fps=10.0)
    track = with_video(read_track(tmp_path / "L2"), source, whole=FORMATS[to].whole)
    write_track(track, tmp_path / to, to)
    back, found = read(tmp_path / to, to)
    assert list(found.values()) == [{}, {}, {}, {1: 100}, {1: 100}, {}]
    if to != "rgba":
        with av.open(str(next((tmp_path / to).iterdir()))) as container:
            times = [frame.time for frame in container.decode(video=0)]
        assert times == pytest.approx([i / 10 for i in range(6)], abs=1e-3)
        # Without the video they begin where it does, so that they lie right in an editor.
        write_track(read_track(tmp_path / "L2"), tmp_path / "alone", to)
        _, found = read(tmp_path / "alone", to)
        assert list(found.values()) == [{}, {}, {}, {1: 100}, {1: 100}]
    assert back.warnings == []


def test_frames_that_change_size_are_read_back(tmp_path: Path) -> None:
    """As ``hodor track --rle`` wrote them before it noted a frame's size."""
    small, large = {"size": [4, 4], "counts": [0, 4, 12]}, {"size": [6, 8], "counts": [0, 6, 42]}
    frames = [
        {"index": i, "name": f"{i}", "time": i, "objects": [{"id": 1, "segmentation": rle}]}
        for i, rle in enumerate([small, large])
    ]
    path = write_json(tmp_path / "a.json", {"video": "v", "size": [4, 4], "frames": frames})
    track, found = read(path)
    assert list(found.values()) == [{1: 4}, {1: 6}]
    assert [frame.label_map.shape for frame in track.frames()] == [(4, 4), (6, 8)]
    for name in ("coco", "labelme", "rle", "png"):
        write_track(track, tmp_path / name, name)
        assert [f.label_map.shape for f in read_track(tmp_path / name, name).frames()] == [
            (4, 4), (6, 8),
        ]  # fmt: skip


# Grey files and stacks


def test_whether_255_is_white_is_decided_once_for_a_folder(tmp_path: Path) -> None:
    both = square((5, 5)).astype(np.uint8)
    both[30:40, 30:40] = 255
    grey(tmp_path / "P02/00000.png", both)
    white(tmp_path / "P02/00002.png", (5, 5))
    assert read(tmp_path / "P02")[1] == {"00000": {1: 100, 255: 100}, "00002": {255: 100}}
    for index in range(2):
        white(tmp_path / f"binary/{index:05d}.png", (5, 5))
    assert list(read(tmp_path / "binary")[1].values()) == [{1: 100}] * 2
    wide = square((5, 5)).astype(np.uint16) * np.uint16(300)
    grey(tmp_path / "wide/0.png", wide)
    grey(tmp_path / "wide/1.png", (wide > 0).astype(np.uint16) * np.uint16(65535))
    assert list(read(tmp_path / "wide")[1].values()) == [{300: 100}, {65535: 100}]


def test_all_pages_of_a_stack_are_read(tmp_path: Path) -> None:
    pages = [square((5 + i, 5)).astype(np.uint16) * np.uint16(1 + i % 2) for i in range(5)]
    alone = stack(tmp_path / "P06/stack.tif", pages)
    for path in (alone, alone.parent):
        assert list(read(path)[1].values()) == [{1: 100}, {2: 100}, {1: 100}, {2: 100}, {1: 100}]
    white(alone.parent / "b.png", (5, 5))
    with pytest.raises(MaskError, match="holds 5 pages, and a mask has one"):
        areas(read_track(alone.parent))


def test_a_page_of_white_in_a_stack_of_ids_is_an_id(tmp_path: Path) -> None:
    pages = [square((5, 5)).astype(np.uint8), square((9, 5)).astype(np.uint8) * np.uint8(255)]
    assert list(read(stack(tmp_path / "a.tif", pages))[1].values()) == [{1: 100}, {255: 100}]


def test_a_stack_that_says_more_pages_than_can_be_found_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    image = Image.fromarray(square((5, 5)).astype(np.uint8))
    image.save(tmp_path / "a.tif", description="ImageJ=1.54\nimages=9\nslices=9\n")
    with pytest.raises(MaskError, match="says that it holds 9 pages"):
        read_track(tmp_path / "a.tif", "tiff")


# Masks to begin with


def a_video(frames: int = 4) -> Any:
    return open_source(np.zeros((frames, *SIZE, 3), np.uint8))


@pytest.mark.parametrize("kind", ["cvat", "coco", "labelme"])
def test_the_names_that_tools_make_themselves_mean_frames_of_the_video(
    kind: str, tmp_path: Path
) -> None:
    if kind == "cvat":
        image = '<image id="{0}" name="frame_00000{0}" width="64" height="48">{1}</image>'
        polygon = '<polygon label="dog" points="5,5;15,5;15,15;5,15" z_order="0"></polygon>'
        images = image.format(0, "") + image.format(2, polygon)
        given = cvat(tmp_path / "cvi.xml", cvat_task("v4.mp4", count=4), images)
    elif kind == "coco":
        files = [f"frame_00000{i}.PNG" for i in range(4)]
        given = coco(tmp_path / "cvc.json", [outlined((5, 5), image_id=3)], files)
    else:
        given = labelme(tmp_path / "L", {"frame_000002": [shape("dog", (5, 5))]})
    found = as_label_maps(given, tmp_path / "given", a_video())
    assert [file.name for file in found.path.iterdir()] == ["00002.png"]
    assert found.names == {1: "dog"}
    assert np.count_nonzero(read_label_map(found.path / "00002.png")) == 100


def test_one_frame_that_says_no_number_is_the_first(tmp_path: Path) -> None:
    given = labelme(tmp_path / "L", {"first": [shape("dog", (5, 5))]}) / "first.json"
    found = as_label_maps(given, tmp_path / "given", a_video())
    assert [file.name for file in found.path.iterdir()] == ["00000.png"]
    assert "first says no frame, so that it was taken for the first frame" in found.warnings[-1]


@pytest.mark.parametrize(
    ("names", "told"),
    [(["a", "b"], "a, b"), (["frame_000009"], "frame_000009"), (["00001", "00004"], "00004")],
)
def test_masks_of_no_frame_are_told_before_the_run(
    names: list[str], told: str, tmp_path: Path
) -> None:
    given = labelme(tmp_path / "L", {name: [shape("dog", (5, 5))] for name in names})
    with pytest.raises(MaskError, match=f"frames that are not in array: {told};"):
        as_label_maps(given, tmp_path / "given", a_video())
    assert not (tmp_path / "given").exists()


def test_names_of_a_folder_are_those_of_its_files(tmp_path: Path) -> None:
    files = [tmp_path / f"IMG_{number}.jpg" for number in (7, 8)]
    source = ImagesSource(files, name="folder")
    source.frames = lambda start=0: iter(())  # type: ignore[method-assign, assignment]
    given = coco(tmp_path / "a.json", [outlined((5, 5))], ["frame_000001.PNG"])
    found = as_label_maps(given, tmp_path / "given", source)
    assert [file.name for file in found.path.iterdir()] == ["IMG_8.png"]


def test_a_stack_of_masks_gives_a_frame_for_each_page_with_an_object(tmp_path: Path) -> None:
    nothing = np.zeros(SIZE, np.uint8)
    pages = [square((5, 5)).astype(np.uint8), nothing, square((9, 9)).astype(np.uint8) * 2, nothing]
    found = as_label_maps(stack(tmp_path / "stack.tif", pages), tmp_path / "given", a_video())
    assert sorted(file.name for file in found.path.iterdir()) == ["00000.png", "00002.png"]


# Several videos


def test_a_project_of_cvat_is_read_video_by_video(tmp_path: Path) -> None:
    meta = f"<project><tasks>{cvat_task('a.mp4', 11)}{cvat_task('b.mp4', 12)}</tasks></project>"
    one = cvat_polygons("dog", {i: (2 + i, 10) for i in range(5)}, task="11")
    other = cvat_polygons("dog", {i: (40 + i, 10) for i in range(5)}, task="12")
    path = cvat(tmp_path / "F01.xml", meta, one, other)
    with pytest.raises(MaskError, match=r"2 videos \(a.mp4, b.mp4\); name one by --video"):
        read_track(path)
    for word in ("b.mp4", "12"):
        track, found = read(path, video=word)
        assert (track.video, list(found.values())) == ("b.mp4", [{1: 100}] * 5)
        assert next(track.frames()).label_map[15, 45] == 1
    with pytest.raises(MaskError, match="none is called zzz"):
        read(path, video="zzz")


def test_the_one_video_of_a_file_may_be_named(tmp_path: Path) -> None:
    path = cvat(tmp_path / "a.xml", cvat_task("b.mp4"), cvat_polygons("dog", {0: (5, 5)}))
    assert read(path, video="b.mp4")[0].warnings == []
    with pytest.raises(MaskError, match="none is called zzz"):
        read(path, video="zzz")
    path = coco(tmp_path / "a.json", [outlined((5, 5))], ["shots/1.jpg"])
    assert read(path, video="shots")[0].video == "shots"
    with pytest.raises(MaskError, match="none is called zzz"):
        read(path, video="zzz")


@pytest.mark.parametrize("by", ["folder", "video", "timeline"])
def test_tasks_of_several_videos_are_told_apart(by: str, tmp_path: Path) -> None:
    if by == "timeline":
        value = {"framesCount": 2, "labels": ["dog"], "sequence": [
            {"frame": 1, "x": 0, "y": 0, "width": 9, "height": 9}]}  # fmt: skip
        result = [{"type": "videorectangle", "value": value}]
        tasks = [
            {"data": {"video": f"/d/{v}.mp4", "height": 48, "width": 64},
             "annotations": [{"result": result}]} for v in "ab"
        ]  # fmt: skip
    elif by == "video":
        tasks = [task("0.jpg", [region((5, 5))], video=v) for v in "ab"]
    else:
        tasks = [task(f"/data/local-files/?d={v}/0.jpg", [region((5, 5))]) for v in "ab"]
    path = write_json(tmp_path / "a.json", tasks)
    with pytest.raises(MaskError, match=r"2 videos \(a, b\); name one by --video"):
        read_track(path)
    track, found = read(path, video="b")
    assert track.video == "b"
    assert len(found) == (2 if by == "timeline" else 1)


# Names


def test_frames_of_one_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    twice = coco(tmp_path / "C10.json", [], ["frame_000000.PNG", "frame_000000.PNG"])
    with pytest.raises(MaskError, match="two frames of one name"):
        read_track(twice)
    folders = coco(tmp_path / "a.json", [], ["x/1.jpg", "y/1.jpg"])
    with pytest.raises(MaskError, match=r"2 videos \(x, y\)"):
        read_track(folders)
    assert read(folders, video="y")[0].video == "y"
    cased = own_rle(tmp_path / "b.json", "a", "A")
    with pytest.raises(MaskError, match=r"two frames of one name \(a and A\)"):
        write_track(read_track(cased), tmp_path / "out", "png")
    splits = yolo(tmp_path / "yolo", {"0": "0 0.1 0.1 0.4 0.1 0.4 0.5"})
    (splits / "labels/val").mkdir()
    (splits / "labels/val/0.txt").write_text("0 0.1 0.1 0.4 0.1 0.4 0.5")
    with pytest.raises(MaskError, match="two frames of one name"):
        write_track(read(splits, size=SIZE)[0], tmp_path / "out", "png")
    assert not (tmp_path / "out").exists()


def test_dotted_names_without_a_suffix_stay_apart(tmp_path: Path) -> None:
    track, found = read(coco(tmp_path / "a.json", [], ["shot.0001", "shot.0002"]))
    assert list(found) == ["shot.0001", "shot.0002"]
    assert indices(track) == [1, 2]


@pytest.mark.parametrize(
    "name",
    ["../../victim", "/var/tmp/victim", "a/b", "..", "", "a\x00b", "C:x", "x\ud800", "n" * 300],
)
@pytest.mark.parametrize("to", sorted(FORMATS))
def test_a_name_never_leaves_the_folder(name: str, to: str, tmp_path: Path) -> None:
    path = own_rle(tmp_path / "in/up.json", name)
    with pytest.raises(MaskError, match="cannot become the name of a file") as told:
        write_track(read_track(path), tmp_path / "in/out", to)
    assert "\n" not in str(told.value)
    assert [file.name for file in tmp_path.rglob("*")] == ["in", "up.json"]
    track = Track(lambda: iter([Labelled(0, name, 0.0, np.ones((4, 4), np.uint8))]), "clip", 25.0)
    with pytest.raises(HodorError, match="cannot become the name of a file"):
        write_track(track, tmp_path / "in/out", to)
    assert [file.name for file in tmp_path.rglob("*")] == ["in", "up.json"]


@pytest.mark.parametrize("to", ["cvat", "coco", "rle", "labelme", "youtube-vis", "label-studio"])
def test_names_of_objects_hold_only_what_files_can(to: str, tmp_path: Path) -> None:
    label_map = np.ones((4, 5), np.uint8)
    track = Track(
        lambda: iter([Labelled(0, "a", 0.0, label_map)]), "v\x01", 25.0, {1: "c\x01a\ud800t"}
    )
    write_track(track, tmp_path / "out", to)
    assert read(tmp_path / "out", to)[0].names == {1: "c\ufffda\ufffdt"}


def test_frames_out_of_order_are_told(tmp_path: Path) -> None:
    path = own_rle(tmp_path / "a.json", "a", "b")
    content = json.loads(path.read_text())
    content["frames"].reverse()
    with pytest.raises(MaskError, match=r"frame a \(0\) comes after frame 1"):
        areas(read_track(write_json(path, content)))
