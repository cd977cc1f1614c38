"""Benchmarks on disk: what is read, and what is said of everything that is wrong."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hodor.errors import DataError
from hodor.evaluation import DavisDataset, read_label_map
from hodor.video import write_label_map

LabelMaps = NDArray[np.uint8]
Benchmark = Callable[..., Path]


def as_2016(root: Path) -> Path:
    (root / "ImageSets" / "2017").rename(root / "ImageSets" / "2016")
    return root


def test_a_written_benchmark_is_read_back(benchmark: Benchmark, squares: LabelMaps) -> None:
    dataset = DavisDataset(benchmark(crossing=squares, again=squares[:4]))
    crossing, again = dataset.sequences
    assert (crossing.name, crossing.size, crossing.object_ids) == ("crossing", (24, 32), (1, 2))
    assert again.names == ("00000", "00001", "00002", "00003")
    np.testing.assert_array_equal(np.stack(list(crossing.label_maps())), squares)
    frames = list(crossing.frames())
    assert len(frames) == 5
    assert frames[0].shape == (24, 32, 3)
    assert abs(int(frames[0].mean()) - 90) <= 1


def test_a_palette_mask_is_read_as_indices_not_as_greys_of_its_colours(tmp_path: Path) -> None:
    label_map = np.array([[0, 1], [2, 254]], np.uint8)
    write_label_map(tmp_path / "map.png", label_map)
    with Image.open(tmp_path / "map.png") as picture:
        assert np.asarray(picture.convert("L"))[0, 1] == 38
        assert picture.convert("RGB").getpixel((0, 1)) == (0, 128, 0)
    np.testing.assert_array_equal(read_label_map(tmp_path / "map.png"), label_map)


def test_a_palette_of_few_colours_and_few_bits_is_read_as_indices(tmp_path: Path) -> None:
    picture = Image.frombytes("P", (2, 1), bytes([3, 1]))
    picture.putpalette([0, 0, 0, 9, 9, 9, 200, 0, 0, 0, 0, 99])
    picture.save(tmp_path / "map.png", bits=2)
    assert read_label_map(tmp_path / "map.png").tolist() == [[3, 1]]


def test_in_2016_all_that_is_not_0_is_the_one_object(
    benchmark: Benchmark, squares: LabelMaps
) -> None:
    (sequence,) = DavisDataset(as_2016(benchmark(a=squares * np.uint8(127))), 2016).sequences
    assert sequence.object_ids == (1,)
    np.testing.assert_array_equal(np.stack(list(sequence.label_maps())), squares > 0)


def test_in_2017_void_pixels_are_background(benchmark: Benchmark, squares: LabelMaps) -> None:
    with_void = np.where(squares == 2, np.uint8(255), squares)
    (sequence,) = DavisDataset(benchmark(a=with_void)).sequences
    assert sequence.object_ids == (1,)
    np.testing.assert_array_equal(np.stack(list(sequence.label_maps())), squares == 1)


def test_scoring_needs_no_frames(benchmark: Benchmark, squares: LabelMaps) -> None:
    root = benchmark(a=squares)
    (root / "JPEGImages").rename(root / "elsewhere")
    (sequence,) = DavisDataset(root, with_frames=False).sequences
    assert sequence.frame_paths == ()
    with pytest.raises(DataError, match=r"a: .*JPEGImages.* is missing"):
        DavisDataset(root)


def test_hidden_files_beside_the_frames_are_passed_over(
    benchmark: Benchmark, squares: LabelMaps
) -> None:
    root = benchmark(a=squares)
    (root / "Annotations/480p/a/._00000.png").write_bytes(b"from a Mac")
    assert len(DavisDataset(root).sequences[0].names) == 5


def test_a_dataset_travels_to_another_process(benchmark: Benchmark, squares: LabelMaps) -> None:
    dataset = DavisDataset(benchmark(a=squares))
    assert pickle.loads(pickle.dumps(dataset)) == dataset


def test_all_problems_are_told_at_once(benchmark: Benchmark, squares: LabelMaps) -> None:
    root = benchmark(
        gone=squares,
        gaps=squares,
        cut=squares,
        sizes=squares,
        rgb=squares,
        void=squares,
        ok=squares,
    )
    maps, frames = root / "Annotations/480p", root / "JPEGImages/480p"
    for path in (maps / "gone").iterdir():
        path.unlink()
    (maps / "gone").rmdir()
    (maps / "gaps/00002.png").unlink()
    (frames / "gaps/00004.jpg").unlink()
    whole = (maps / "cut/00003.png").read_bytes()
    (maps / "cut/00003.png").write_bytes(whole[: len(whole) // 2])
    write_label_map(maps / "sizes/00001.png", squares[0][:, :20])
    Image.new("RGB", (32, 24)).save(maps / "rgb/00000.png")
    write_label_map(maps / "void/00000.png", np.zeros((24, 32), np.uint8))
    with pytest.raises(DataError) as caught:
        DavisDataset(root)
    head, *lines = str(caught.value).splitlines()
    assert "7 problems" in head
    expected = [
        ("gone: ", "is missing"),
        ("gaps: no label map for frame 00002",),
        ("gaps: no frame for label map 00004",),
        ("00003.png cannot be read",),
        ("sizes: 00000.png is 32 x 24", "00001.png (20 x 24)"),
        ("rgb", "00000.png", "mode RGB", "palette"),
        ("void: ", "00000.png, has no object"),
    ]
    assert len(lines) == len(expected)
    for line, parts in zip(lines, expected, strict=True):
        assert all(part in line for part in parts), line


def test_an_unreadable_frame_is_named(benchmark: Benchmark, squares: LabelMaps) -> None:
    root = benchmark(a=squares)
    (root / "JPEGImages/480p/a/00002.jpg").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"00002\.jpg cannot be read"):
        DavisDataset(root)


def test_a_frame_of_another_size_than_its_label_map_is_named(
    benchmark: Benchmark, squares: LabelMaps
) -> None:
    root = benchmark(a=squares)
    Image.new("RGB", (64, 48)).save(root / "JPEGImages/480p/a/00002.jpg")
    with pytest.raises(DataError, match=r"JPEGImages/00002\.jpg \(64 x 48\)"):
        DavisDataset(root)


def test_a_wrong_split_is_answered_with_those_there_are(
    benchmark: Benchmark, squares: LabelMaps
) -> None:
    root = benchmark(a=squares)
    with pytest.raises(DataError, match=r"test\.txt is missing; found ImageSets/2017/val\.txt"):
        DavisDataset(root, split="test")
    with pytest.raises(DataError, match="no DAVIS 2018"):
        DavisDataset(root, 2018)


def test_an_empty_list_of_sequences_is_an_error(benchmark: Benchmark, squares: LabelMaps) -> None:
    root = benchmark(a=squares)
    (root / "ImageSets/2017/val.txt").write_text("\n\n")
    with pytest.raises(DataError, match="names no sequence"):
        DavisDataset(root)
