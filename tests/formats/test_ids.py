"""Ids of a file stay; what has none is an object of its own, or goes on by label and overlap."""

from pathlib import Path

import numpy as np
import pytest
from formats.inputs import (
    SIZE,
    areas,
    brush,
    coco,
    cvat,
    cvat_mask,
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
from hodor.formats import FORMATS, Labelled, Track, read_track, write_track
from hodor.formats.identity import MOST_GAP, Instance, identify, renumbered
from hodor.video import encode_rle

FRAMES = ["frame_000000.PNG", "frame_000001.PNG", "frame_000002.PNG"]
THREE = ("00000", "00001", "00002")


def test_groups_of_labelme_may_begin_at_0(tmp_path: Path) -> None:
    both = [shape("dog", (5, 5), 0), shape("dog", (40, 20), 1)]
    track, found = read(labelme(tmp_path / "L07", dict.fromkeys(THREE, both)))
    assert found == {name: {1: 100, 2: 100} for name in THREE}
    assert track.names == {1: "dog", 2: "dog"}
    assert track.warnings == [
        "groups are not all numbers from 1 to 65535, and 1 were numbered anew: 0 became 2"
    ]


def test_a_shape_without_a_group_leaves_the_groups_of_others(tmp_path: Path) -> None:
    shapes = [shape("dog", (5, 5), 1), shape("dog", (40, 20), 2), shape("cat", (20, 30))]
    track, found = read(labelme(tmp_path / "L09", dict.fromkeys(THREE, shapes)))
    assert found == {name: {1: 100, 2: 100, 3: 100} for name in THREE}
    assert track.names == {1: "dog", 2: "dog", 3: "cat"}
    assert "3 shapes had no group" in track.warnings[0]


def test_two_shapes_of_one_label_without_groups_are_two_objects(tmp_path: Path) -> None:
    shapes = [shape("dog", (5, 5)), shape("dog", (40, 20)), shape("cat", (20, 30))]
    moved = [shape("dog", (41, 21)), shape("cat", (22, 30)), shape("dog", (6, 6))]
    track, found = read(labelme(tmp_path / "L01", {"00000": shapes, "00001": moved}))
    assert found == {name: {1: 100, 2: 100, 3: 100} for name in THREE[:2]}
    second = list(track.frames())[1].label_map
    assert (second[10, 10], second[25, 45], second[35, 25]) == (1, 2, 3)
    assert "there are no groups" in track.warnings[0]


def test_a_label_that_no_frame_has_twice_is_one_object_wherever_it_goes(tmp_path: Path) -> None:
    frames = {"00000": [shape("dog", (5, 5))], "00001": [shape("dog", (50, 30))]}
    _, found = read(labelme(tmp_path / "a", frames))
    assert found == {name: {1: 100} for name in THREE[:2]}


def test_a_group_of_two_labels_in_a_frame_is_two_objects(tmp_path: Path) -> None:
    shapes = [shape("dog", (5, 5), 1), shape("cat", (40, 20), 1)]
    track, found = read(labelme(tmp_path / "a", {"00000": shapes}))
    assert found == {"00000": {1: 100, 2: 100}}
    assert set(track.names.values()) == {"dog", "cat"}


def test_a_group_on_some_tracks_of_cvat_stays(tmp_path: Path) -> None:
    path = cvat(
        tmp_path / "F09.xml",
        cvat_task("t"),
        cvat_mask("dog", 0, (4, 10), 7),
        cvat_mask("cat", 0, (40, 10)),
        cvat_mask("dog", 3, (7, 10), 7),
        cvat_mask("cat", 3, (43, 10)),
        cvat_mask("cat", 3, (4, 30), 0),
    )
    track, found = read(path)
    nothing: dict[int, int] = {}
    assert list(found.values()) == [
        {1: 100, 7: 100}, nothing, nothing, {1: 100, 2: 100, 7: 100}, nothing,
    ]  # fmt: skip
    assert track.names == {7: "dog", 1: "cat", 2: "cat"}
    assert "3 shapes had no group" in track.warnings[0]


def test_a_track_of_cvat_is_an_object_of_its_own(tmp_path: Path) -> None:
    """Where another one of its label ends and it begins, people drew two tracks for a reason."""
    path = cvat(
        tmp_path / "a.xml",
        cvat_task("t"),
        cvat_polygons("dog", {2: (5, 5), 3: (6, 5)}),
        cvat_polygons("dog", {0: (5, 5), 1: (5, 5)}),
    )
    track, found = read(path)
    assert list(found.values())[:4] == [{2: 100}, {2: 100}, {1: 100}, {1: 100}]
    assert track.warnings == []


@pytest.mark.parametrize(
    ("ids", "objects", "anew"),
    [
        ([0, None], {1, 2}, 1),
        ([None, 7], {1, 7}, 0),
        (["7", 0], {7, 1}, 1),
        ([70000, None], {1, 2}, 1),
        ([1.0, 2.0], {1, 2}, 0),
        ([0, 1], {1, 2}, 1),
    ],
)
def test_track_ids_on_some_annotations_of_coco_stay(
    ids: list[object], objects: set[int], anew: int, tmp_path: Path
) -> None:
    annotations = []
    for image in (1, 2, 3):
        for place, number in enumerate(ids):
            one = outlined((5 + 30 * place, 5), image_id=image)
            annotations.append(one if number is None else one | {"track_id": number})
    track, found = read(coco(tmp_path / "a.json", annotations, FRAMES))
    assert [set(pixels) for pixels in found.values()] == [objects] * 3
    assert sum("numbered anew" in warning for warning in track.warnings) == anew


def test_masks_of_cvat_in_coco_are_objects_though_marked_as_crowds(tmp_path: Path) -> None:
    dogs = [brush((5 + i, 5), image_id=i + 1) for i in range(3)]
    track, found = read(coco(tmp_path / "C06.json", dogs, FRAMES))
    assert list(found.values()) == [{1: 100}] * 3
    assert track.names == {1: "dog"}
    cats = [
        outlined((40, 20), image_id=i + 1, category_id=2, attributes={"track_id": 0, "occluded": 0})
        for i in range(3)
    ]
    track, found = read(coco(tmp_path / "C06b.json", dogs + cats, FRAMES))
    assert list(found.values()) == [{1: 100, 2: 100}] * 3
    assert set(track.names.values()) == {"dog", "cat"}


def test_two_dogs_drawn_in_label_studio_are_two_objects(tmp_path: Path) -> None:
    tasks = [
        task(f"/data/upload/3/1a2b3c4d-{i:05d}.jpg", [region((5 + i, 5)), region((40, 20 + i))])
        for i in range(2)
    ]
    _, found = read(write_json(tmp_path / "a.json", tasks))
    assert found == {"00000": {1: 100, 2: 100}, "00001": {1: 100, 2: 100}}


@pytest.mark.parametrize("names", [["000", "001"], ["0", "7"], ["1", "001"], ["cat", "2"]])
def test_folders_of_objects_are_all_read(names: list[str], tmp_path: Path) -> None:
    for place, name in enumerate(names):
        for index in range(2):
            white(tmp_path / f"P03/{name}/{index:05d}.png", (5 + 20 * place, 5))
    track, found = read(tmp_path / "P03")
    assert {tuple(pixels.values()) for pixels in found.values()} == {(100, 100)}
    assert "folders are not all numbers" in track.warnings[0]
    if "cat" in names:
        assert track.names == {1: "cat"}


def test_confidence_and_track_id_of_ultralytics_are_no_corner(tmp_path: Path) -> None:
    outline = "0 0.1 0.1 0.4 0.1 0.4 0.5 0.1 0.5"
    ways = {
        "both": (" 0.91 3", {3: 380}, {3: 0.91}),
        "confidence": (" 0.91", {1: 380}, {1: 0.91}),
        "track id": (" 3", {3: 380}, {}),
        "neither": ("", {1: 380}, {}),
    }
    for name, (end, pixels, confidence) in ways.items():
        track, found = read(yolo(tmp_path / name, {"00000": outline + end}))
        assert found == {"00000": pixels}, name
        assert next(track.frames()).confidence == confidence
        assert track.names == {next(iter(pixels)): "dog"}


def test_how_lines_of_yolo_end_is_decided_for_the_whole_folder(tmp_path: Path) -> None:
    """The id 1 looks like a corner at the border, and where nothing was tracked there is none."""
    outline = "0 0.1 0.1 0.4 0.1 0.4 0.5 0.1 0.5"
    other = "1 0.6 0.1 0.9 0.1 0.9 0.5 0.6 0.5"
    labels = {
        "00000": f"{outline} 0.9 1\n{other} 0.8 2\n",
        "00001": f"{outline} 0.9 1\n{other} 0.5\n",
    }
    track, found = read(yolo(tmp_path / "a", labels))
    assert found == {"00000": {1: 380, 2: 380}, "00001": {1: 380, 2: 380}}
    assert track.names == {1: "dog", 2: "cat"}
    only_ones = {f"{i:05d}": f"{outline} 0.9 1\n" for i in range(3)}
    _, found = read(yolo(tmp_path / "b", only_ones))
    assert list(found.values()) == [{1: 380}] * 3


def test_yolo_goes_on_by_overlap(tmp_path: Path) -> None:
    here = "0 0.1 0.1 0.4 0.1 0.4 0.5 0.1 0.5\n"
    there = "0 0.6 0.1 0.9 0.1 0.9 0.5 0.6 0.5\n"
    track, _ = read(yolo(tmp_path / "a", {"00000": here + there, "00001": there + here}))
    first, second = (frame.label_map for frame in track.frames())
    np.testing.assert_array_equal(first, second)


# The rules by themselves


def boxes(*places: float) -> list[Instance]:
    return [Instance(None, "dog", (x, 0, x + 10, 10)) for x in places]


def test_the_most_overlap_goes_first() -> None:
    frames = [boxes(0, 20), boxes(4, 21)]
    assert identify(frames, [], what="id").ids == [[1, 2], [1, 2]]
    assert identify([boxes(0), boxes(3, 1)], [], what="id").ids == [[1], [2, 1]]


def test_an_object_that_is_gone_for_long_is_another_one() -> None:
    for gap, second in ((MOST_GAP - 1, 1), (MOST_GAP + 1, 2)):
        frames = [boxes(0), *[[]] * gap, boxes(0)]
        assert identify(frames, [], what="id").ids[-1] == [second]


def test_a_shape_without_an_id_goes_on_as_one_that_has_it() -> None:
    frames = [[Instance(9, "dog", (0, 0, 10, 10))], boxes(1)]
    assert identify(frames, [], what="id").ids == [[9], [9]]
    # But not where that object is there itself.
    both = [[Instance(9, "dog", (0, 0, 10, 10))], [Instance(9, "dog", (9, 0, 19, 10)), *boxes(1)]]
    assert identify(both, [], what="id").ids == [[9], [9, 1]]


def test_more_shapes_than_ids_are_numbered_in_each_frame() -> None:
    warnings: list[str] = []
    frames = [[Instance(None, "x", (20.0 * at, 0, 20.0 * at + 5, 5))] for at in range(65_540)]
    frames[7] = boxes(0, 50)
    objects = identify(frames, warnings, what="id")
    assert objects.ids[7] == [1, 2]
    assert objects.ids[-1] == [1]
    assert "more than 65535 objects" in warnings[-1]


def test_two_names_of_one_number_are_two_objects() -> None:
    warnings: list[str] = []
    assert renumbered(["1", "001", "x"], warnings, what="folder") == {"1": 1, "001": 2, "x": 3}
    assert "001 became 2, x became 3" in warnings[0]


def test_an_object_without_an_id_of_ours_is_told(tmp_path: Path) -> None:
    """Our own files hold ids only from 1 to 65535; one that does not was changed by hand."""
    track = Track(lambda: iter([Labelled(0, "a", 0.0, np.ones(SIZE, np.uint8))]), "clip", 25.0)
    write_track(track, tmp_path / FORMATS["rle"].file, "rle")
    text = (tmp_path / "rle.json").read_text()
    for number in ("0", "70000", '"x"'):
        (tmp_path / "rle.json").write_text(text.replace('"id":1', f'"id":{number}'))
        with pytest.raises(MaskError, match=r"rle\.json is no file of masks per frame"):
            areas(read_track(tmp_path / "rle.json"))


def test_a_number_that_two_classes_of_mots_share_is_two_objects(tmp_path: Path) -> None:
    car, person = encode_rle(square((5, 5)))["counts"], encode_rle(square((30, 5)))["counts"]
    path = tmp_path / "a.txt"
    path.write_text(f"0 1001 1 48 64 {car}\n0 2001 2 48 64 {person}\n1 1002 1 48 64 {car}\n")
    track, found = read(path)
    assert list(found.values()) == [{1001: 100, 2001: 100}, {1002: 100}]
    assert track.names == {1001: "car", 2001: "pedestrian", 1002: "car"}
    (told,) = track.warnings
    assert "different classes have one number" in told
    path.write_text(f"0 1001 1 48 64 {car}\n0 2002 2 48 64 {person}\n")
    assert read(path)[1] == {"00000": {1: 100, 2: 100}}
