"""Every format gives back what was written into it, as far as it has room for it."""

import os
from pathlib import Path

import numpy as np
import pytest
from formats.tracks import (
    COUNT,
    FPS,
    NAMES,
    SIZE,
    confidence_at,
    hard_track,
    label_map_at,
    pixels_at,
    track_of,
)
from PIL import Image

from hodor.errors import HodorError, MaskError
from hodor.formats import (
    FORMATS,
    Labelled,
    ReadOptions,
    Track,
    WriteOptions,
    guess_format,
    read_track,
    write_track,
)
from hodor.formats.polygons import outline

ALL = sorted(FORMATS)
POLYGONS = ["coco-polygons", "cvat-polygons", "labelme-polygons"]
BOXES = ["label-studio-video"]
NO_IDS = ["yolo"]
EXACT = [name for name in ALL if name not in POLYGONS + BOXES + NO_IDS]
COUNTED = ["cvat", "cvat-polygons", "mots", "label-studio-video", "prores", "ffv1", "tiff"]
"""They count frames and know no names of them."""
NAMELESS = ["png", "png-per-object", "prores", "ffv1", "rgba", "exr", "tiff"]
"""They know ids of objects and nothing else."""
CONFIDENT = ["rle", "youtube-vis", "coco", "coco-polygons", "label-studio", "labelme", "npz"]


def round_trip(
    track: Track, name: str, folder: Path, **writing: float
) -> tuple[Track, list[Labelled]]:
    path = folder / FORMATS[name].file
    write_track(track, path, name, WriteOptions(**writing))
    back = read_track(path, name, ReadOptions(size=SIZE))
    return back, list(back.frames())


@pytest.mark.parametrize("name", EXACT)
def test_lossless_formats_keep_every_pixel_of_every_frame(name: str, tmp_path: Path) -> None:
    _, frames = round_trip(hard_track(), name, tmp_path)
    assert [frame.index for frame in frames] == list(range(COUNT))
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.label_map, label_map_at(index))


@pytest.mark.parametrize("name", POLYGONS)
def test_polygons_without_tolerance_keep_every_pixel_too(name: str, tmp_path: Path) -> None:
    back, frames = round_trip(hard_track(), name, tmp_path, tolerance=0.0)
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.label_map, label_map_at(index))
    assert back.warnings == []


@pytest.mark.parametrize("name", POLYGONS)
def test_polygons_stay_within_their_tolerance(name: str, tmp_path: Path) -> None:
    """An outline may be off by the tolerance along its length, so that many pixels can differ.

    Neighbours are simplified each on its own: a pixel of one may go to the other.
    """
    yy, xx = np.mgrid[:120, :160]
    blob = ((xx - 80) ** 2 / 3600 + (yy - 60) ** 2 / 1600 < 1).astype(np.uint8)
    blob[(xx - 80) ** 2 + (yy - 60) ** 2 < 200] = 0
    track = track_of([blob])
    path = tmp_path / FORMATS[name].file
    sizes = []
    for tolerance in (1.0, 3.0):
        write_track(track, path / str(tolerance), name, WriteOptions(tolerance=tolerance))
        (frame,) = read_track(path / str(tolerance), name).frames()
        length = np.count_nonzero(np.diff(blob, axis=0)) + np.count_nonzero(np.diff(blob, axis=1))
        wrong = np.count_nonzero(frame.label_map != blob)
        assert 0 < wrong <= tolerance * length
        sizes.append(sum(map(len, outline(blob.astype(bool), tolerance))))
    exact = sum(map(len, outline(blob.astype(bool))))
    assert exact > 3 * sizes[0] > 3 * sizes[1], "simplified outlines have fewer corners"


def test_yolo_keeps_the_shapes_and_classes_but_no_ids(tmp_path: Path) -> None:
    back, frames = round_trip(hard_track(pixels=True), "yolo", tmp_path, tolerance=0.0)
    assert [frame.name for frame in frames] == [f"shot ü {i:03d}" for i in range(COUNT)]
    for index, frame in enumerate(frames):
        wanted = label_map_at(index)
        # In every frame objects are numbered by their place in the file, which is that of ids.
        ids = [0, *np.unique(wanted[wanted > 0])]
        np.testing.assert_array_equal(frame.label_map, np.searchsorted(ids, wanted))
    assert back.names == {1: "Füchs & <co>", 2: "Füchs & <co>", 3: "猫"}
    assert "no ids" in back.warnings[0]
    with Image.open(tmp_path / "yolo/images/train/shot ü 001.jpg") as image:
        assert image.size == (SIZE[1], SIZE[0])
        assert np.abs(np.asarray(image) - pixels_at(1).astype(int)).mean() < 4


def test_the_timeline_of_label_studio_keeps_boxes(tmp_path: Path) -> None:
    back, frames = round_trip(hard_track(), "label-studio-video", tmp_path)
    assert back.names == NAMES
    assert "whole of its box" in back.warnings[0]
    assert len(frames) == COUNT
    for index, frame in enumerate(frames):
        expected = np.zeros(SIZE, np.uint16)
        for number in NAMES:
            rows, columns = np.nonzero(label_map_at(index) == number)
            if len(rows):
                box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
                # Later ones lie on top: in the file's order, which is that of ids.
                expected[box] = np.maximum(expected[box], number)
        if index > 1:
            np.testing.assert_array_equal(frame.label_map == 300, expected == 300)
        np.testing.assert_array_equal(frame.label_map > 0, expected > 0)


@pytest.mark.parametrize("name", ALL)
def test_frames_keep_their_names_or_take_those_of_the_video(name: str, tmp_path: Path) -> None:
    _, frames = round_trip(hard_track(pixels=True), name, tmp_path)
    names = [f"shot ü {index:03d}" for index in range(COUNT)]
    if name not in COUNTED:
        assert [frame.name for frame in frames] == names
        return
    assert [frame.name for frame in frames] == [f"{index:05d}" for index in range(COUNT)]
    path = tmp_path / FORMATS[name].file
    named = read_track(path, name, ReadOptions(frames=names, size=SIZE))
    assert [frame.name for frame in named.frames()] == names


@pytest.mark.parametrize("name", [name for name in ALL if name not in NAMELESS + NO_IDS])
def test_objects_keep_their_names(name: str, tmp_path: Path) -> None:
    back, _ = round_trip(hard_track(), name, tmp_path)
    if name == "mots":  # It has numbers of classes only; the two of KITTI have names.
        assert back.names == {1: "class 3", 7: "class 3", 300: "class 4"}
    else:
        assert back.names == NAMES


@pytest.mark.parametrize("name", CONFIDENT)
def test_confidence_is_kept_where_there_is_room_for_it(name: str, tmp_path: Path) -> None:
    _, frames = round_trip(hard_track(), name, tmp_path)
    assert [frame.confidence for frame in frames] == [confidence_at(i) for i in range(COUNT)]


@pytest.mark.parametrize(
    "name", ["rle", "youtube-vis", "coco", "npz", "prores", "ffv1", "label-studio-video"]
)
def test_the_rate_and_the_times_are_kept(name: str, tmp_path: Path) -> None:
    back, frames = round_trip(hard_track(), name, tmp_path)
    assert back.fps == pytest.approx(FPS, rel=1e-5)
    # Matroska keeps whole milliseconds.
    rough = 6e-4 if name == "ffv1" else 1e-6
    for index, frame in enumerate(frames):
        assert frame.time == pytest.approx(index / FPS, abs=rough)


@pytest.mark.parametrize("name", ALL)
def test_what_was_written_is_recognised(name: str, tmp_path: Path) -> None:
    path = tmp_path / FORMATS[name].file
    write_track(hard_track(), path, name)
    guessed = guess_format(path)
    assert guessed is not None
    assert FORMATS[guessed].read is FORMATS[name].read


@pytest.mark.parametrize("name", ALL)
def test_a_track_without_frames_is_refused_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    empty = Track(lambda: iter(()), "nothing", 25.0)
    with pytest.raises(MaskError, match="nothing holds no frames"):
        write_track(empty, tmp_path / "out", name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ALL)
def test_a_track_without_objects_can_be_written(name: str, tmp_path: Path) -> None:
    track = track_of([np.zeros((4, 5), np.uint8)] * 3)
    path = tmp_path / FORMATS[name].file
    write_track(track, path, name)
    assert path.exists()


@pytest.mark.parametrize("name", ALL)
def test_a_failure_half_way_leaves_what_was_there_before(name: str, tmp_path: Path) -> None:
    path = tmp_path / FORMATS[name].file
    write_track(track_of([np.ones((4, 5), np.uint8)] * 2), path, name)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    passes = 0

    def broken():  # type: ignore[no-untyped-def]
        nonlocal passes
        passes += 1
        yield from track_of([np.ones((4, 5), np.uint8)]).frames()
        # Writers look at a track once or twice, and the disk is full the last time.
        if passes > 1 or name in ("rle", "label-studio", "labelme", "labelme-polygons"):
            raise OSError(28, "No space left on device")
        yield from track_of([np.ones((4, 5), np.uint8)]).frames()

    with pytest.raises(HodorError):
        write_track(Track(broken, "clip", 25.0), path, name)
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert after == before


@pytest.mark.parametrize("name", ["youtube-vis", "cvat", "npz", "prores", "label-studio-video"])
def test_frames_of_two_sizes_are_refused_where_a_video_has_one(name: str, tmp_path: Path) -> None:
    track = track_of([np.ones((4, 5), np.uint8), np.ones((5, 4), np.uint8)])
    with pytest.raises(MaskError, match="frame 00001 is 4 x 5 pixels, the first is 5 x 4"):
        write_track(track, tmp_path / "out", name)


@pytest.mark.parametrize("name", ["png", "coco", "rle", "labelme", "png-per-object"])
def test_frames_of_two_sizes_are_kept_where_each_has_its_own(name: str, tmp_path: Path) -> None:
    maps = [np.ones((4, 5), np.uint8), np.ones((5, 4), np.uint8)]
    path = tmp_path / FORMATS[name].file
    write_track(track_of(maps), path, name)
    for frame, wanted in zip(read_track(path).frames(), maps, strict=True):
        np.testing.assert_array_equal(frame.label_map, wanted)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="reads its own memory from /proc")
def test_a_long_track_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    """10 s of full HD are 500 MB of label maps; the writers hold a frame and compressed masks."""
    import tracemalloc

    label_map = np.zeros((1080, 1920), np.uint8)
    label_map[100:400, 200:900] = 1
    track = track_of([label_map] * 30)
    for name in ("rle", "cvat", "npz", "youtube-vis"):
        tracemalloc.start()
        write_track(track, tmp_path / FORMATS[name].file, name)
        for _ in read_track(tmp_path / FORMATS[name].file, name).frames():
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 12 * label_map.nbytes, name
