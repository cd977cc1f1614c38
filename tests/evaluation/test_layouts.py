"""Official layouts: what is given, what is scored and what the servers want."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation import layouts

from hodor.errors import DataError
from hodor.evaluation import (
    DavisDataset,
    LvosDataset,
    MoseDataset,
    YouTubeVosDataset,
    check_submission,
    is_scored,
    score_folder,
    write_submission,
)
from hodor.video import write_label_map


def perfect(root: Path, dataset: Any, out: Path) -> Path:
    """Results that are the annotation, in every frame that has one; copies of it elsewhere."""
    for sequence in dataset.sequences:
        (out / sequence.name).mkdir(parents=True)
        before = np.zeros(sequence.size, np.uint8)
        for name in sequence.names:
            if name in sequence.label_map_paths:
                before = sequence.label_map(name)
            write_label_map(out / sequence.name / f"{name}.png", before)
    return out


def test_youtube_vos_objects_are_given_where_they_appear(tmp_path: Path) -> None:
    first, second = YouTubeVosDataset(layouts.youtube_vos(tmp_path)).sequences
    assert first.given == {"00000": (1,), "00010": (2,)}
    assert first.object_ids == (1, 2)
    assert first.names == ("00000", "00005", "00010", "00015", "00020")
    masks = first.given_masks("00010")
    assert masks is not None
    assert set(np.unique(masks)) == {0, 2}  # object 1 is in that file too, but was given before
    assert first.given_masks("00005") is None
    assert (first.size, second.size) == ((24, 32), (36, 48))


def test_youtube_vos_wants_only_the_frames_of_its_meta_file(tmp_path: Path) -> None:
    dataset = YouTubeVosDataset(layouts.youtube_vos(tmp_path), all_frames=True)
    first, second = dataset.sequences
    assert len(first.names) == 25
    assert second.wanted == ("00000", "00005", "00010", "00015")
    zipped = tmp_path / "mine.zip"
    results = perfect(tmp_path, dataset, tmp_path / "out")
    assert write_submission(results, dataset, zipped) == 9
    names = zipfile.ZipFile(zipped).namelist()
    assert "Annotations/0062f687f1/00020.png" in names
    assert not any("00020" in name for name in names if "00f88c4f0a" in name)
    check_submission(zipped, YouTubeVosDataset(tmp_path))


def test_youtube_vos_without_annotation_is_not_scored_and_says_so(tmp_path: Path) -> None:
    dataset = YouTubeVosDataset(layouts.youtube_vos(tmp_path / "ytvos"))
    assert not is_scored(dataset)
    with pytest.raises(DataError, match="nothing can be scored"):
        score_folder(tmp_path, dataset)


def test_youtube_vos_scores_an_object_after_the_frame_in_which_it_is_given(tmp_path: Path) -> None:
    dataset = YouTubeVosDataset(layouts.youtube_vos(tmp_path / "ytvos", annotated=True))
    first = dataset.sequences[0]
    assert first.scored == {1: ("00005", "00010", "00015", "00020"), 2: ("00015", "00020")}
    scores = score_folder(perfect(tmp_path, dataset, tmp_path / "out"), dataset)
    assert scores.mean.j_and_f == 1
    assert [one.name for one in scores.sequences["0062f687f1"][2].frames] == ["00015", "00020"]


def test_seen_and_unseen_classes_are_averaged_apart(tmp_path: Path) -> None:
    root = layouts.youtube_vos(tmp_path / "ytvos", annotated=True)
    layouts.youtube_vos_train(root)
    dataset = YouTubeVosDataset(root)
    results = perfect(tmp_path, dataset, tmp_path / "out")
    for path in (results / "0062f687f1").iterdir():  # object 2, the unseen dune buggy, gets lost
        write_label_map(path, layouts.labels(int(path.stem) // 5, (1,)))
    scores = score_folder(results, dataset)
    found: Any = scores.to_json()
    assert found["groups"]["seen"]["J&F"] == 1
    assert found["groups"]["unseen"]["J&F"] == 0
    assert found["overall"] == 0.5  # the mean of both groups, not of the three objects
    assert scores.mean.j_and_f == pytest.approx(2 / 3)


def test_what_youtube_vos_lacks_is_told_at_once(tmp_path: Path) -> None:
    root = layouts.youtube_vos(tmp_path)
    (root / "valid/Annotations/0062f687f1/00010.png").unlink()
    (root / "valid/JPEGImages/00f88c4f0a/00015.jpg").unlink()
    write_label_map(root / "valid/Annotations/00f88c4f0a/00000.png", np.zeros((36, 48), np.uint8))
    with pytest.raises(DataError) as caught:
        YouTubeVosDataset(root)
    text = str(caught.value)
    assert "3 problems" in text
    assert "0062f687f1: no label map for frame 00010, where (2,) appear" in text
    assert "meta.json lists frame 00015, which is missing" in text
    assert "object 1 should appear in frame 00000, but its label map has no object" in text


def test_a_meta_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    root = layouts.youtube_vos(tmp_path)
    (root / "valid/meta.json").write_text(json.dumps({"videos": {"a": []}}))
    with pytest.raises(DataError, match=r"meta\.json does not list objects"):
        YouTubeVosDataset(root)
    (root / "valid/meta.json").unlink()
    with pytest.raises(DataError, match=r"meta\.json is missing"):
        YouTubeVosDataset(root)


def test_mose_gives_the_first_frame_and_wants_all(tmp_path: Path) -> None:
    dataset = MoseDataset(layouts.mose(tmp_path))
    assert [s.name for s in dataset.sequences] == ["0a1b2c3d", "1f2e3d4c"]
    sequence = dataset.sequences[0]
    assert sequence.given == {"00000": (1, 2)}
    assert sequence.wanted == sequence.names == ("00000", "00001", "00002", "00003")
    assert not is_scored(dataset)
    write_submission(perfect(tmp_path, dataset, tmp_path / "o"), dataset, tmp_path / "m.zip")
    assert "0a1b2c3d/00003.png" in zipfile.ZipFile(tmp_path / "m.zip").namelist()
    check_submission(tmp_path / "m.zip", dataset)


def test_mose_with_annotation_is_scored_as_davis_is(tmp_path: Path) -> None:
    dataset = MoseDataset(layouts.mose(tmp_path, annotated=True))
    assert dataset.sequences[0].scored[2] == ("00001", "00002")
    assert score_folder(perfect(tmp_path, dataset, tmp_path / "o"), dataset).mean.j_and_f == 1


@pytest.mark.parametrize(("split", "v2", "first"), [("valid", False, 1), ("val", True, 6)])
def test_lvos_gives_late_objects_and_scores_every_fifth_frame(
    tmp_path: Path, split: str, v2: bool, first: int
) -> None:
    dataset = LvosDataset(layouts.lvos(tmp_path, split=split, v2=v2))
    (sequence,) = dataset.sequences
    assert sequence.given == {f"{first:08d}": (1,), f"{first + 10:08d}": (2,)}
    assert sequence.scored[2] == tuple(f"{first + t:08d}" for t in (10, 15, 20))
    assert len(sequence.names) == len(sequence.wanted) == 26
    scores = score_folder(perfect(tmp_path, dataset, tmp_path / "out"), dataset)
    assert scores.mean.j_and_f == 1
    assert scores.by_group == {}
    (tmp_path / "unseen_videos.txt").write_text("abc\n")
    assert LvosDataset(tmp_path).sequences[0].groups == {1: "unseen", 2: "unseen"}


def test_lvos_without_later_annotation_is_not_scored(tmp_path: Path) -> None:
    root = layouts.lvos(tmp_path)
    for path in (root / "valid/Annotations/abc").iterdir():
        if path.stem not in ("00000001", "00000011"):
            path.unlink()
    assert not is_scored(LvosDataset(root))
    (root / "valid/Annotations/abc/00000001.png").unlink()
    with pytest.raises(DataError, match="no label map for frame 00000001"):
        LvosDataset(root)


@pytest.mark.parametrize(
    "objects",
    [
        {"1": 3},
        {"1": {"frames": 3}},
        {"1": {"frames": [["00000"]]}},
        {"1": {"frames": [1, "00000"]}},
        {"first": {"frames": ["00000"]}},
        {"1": {}},
    ],
    ids=str,
)
def test_objects_of_another_form_in_a_meta_file_are_one_error(
    tmp_path: Path, objects: dict[str, Any]
) -> None:
    path = layouts.youtube_vos(tmp_path) / "valid/meta.json"
    meta = json.loads(path.read_text())
    meta["videos"]["0062f687f1"]["objects"] = objects
    path.write_text(json.dumps(meta))
    with pytest.raises(DataError, match=r"meta\.json: what it says of 0062f687f1 cannot be used"):
        YouTubeVosDataset(tmp_path)


@pytest.mark.parametrize(
    "span", [{"start": "first", "end": "9"}, {"start": "1"}, [1, 9], {"start": 1, "end": 1e400}]
)
def test_spans_of_another_form_in_lvos_are_one_error(tmp_path: Path, span: object) -> None:
    path = layouts.lvos(tmp_path) / "valid/valid_meta.json"
    meta = {"videos": {"abc": {"objects": {"1": {"frame_range": span}}}}}
    path.write_text(json.dumps(meta))
    with pytest.raises(DataError, match="what it says of abc cannot be used"):
        LvosDataset(tmp_path)


def test_a_span_of_a_thousand_years_is_as_long_as_the_video(tmp_path: Path) -> None:
    path = layouts.lvos(tmp_path) / "valid/valid_meta.json"
    span = {"start": 11, "end": 10**15}
    path.write_text(json.dumps({"videos": {"abc": {"objects": {"1": {"frame_range": span}}}}}))
    (sequence,) = LvosDataset(tmp_path).sequences
    assert sequence.scored[1] == ("00000011", "00000016", "00000021", "00000026")


def test_davis_test_dev_has_the_first_frame_only(tmp_path: Path) -> None:
    dataset = DavisDataset(layouts.davis_test_dev(tmp_path), 2017, "test-dev")
    (sequence,) = dataset.sequences
    assert len(sequence.wanted) == 4
    assert not is_scored(dataset)


def test_davis_2016_as_first_published_lists_pairs_of_paths(
    benchmark: Callable[..., Path], squares: Any
) -> None:
    root = benchmark(blackswan=squares)
    shutil.rmtree(root / "ImageSets")
    (root / "ImageSets/480p").mkdir(parents=True)
    pairs = "/JPEGImages/480p/blackswan/{0:05d}.jpg /Annotations/480p/blackswan/{0:05d}.png\n"
    (root / "ImageSets/480p/val.txt").write_text("".join(pairs.format(t) for t in range(5)))
    (sequence,) = DavisDataset(root, 2016).sequences
    assert (sequence.name, len(sequence.names), sequence.object_ids) == ("blackswan", 5, (1,))


def test_a_jpeg_that_breaks_off_is_found_before_anything_is_run(
    benchmark: Callable[..., Path], squares: Any
) -> None:
    root = benchmark(a=squares)
    path = root / "JPEGImages/480p/a/00002.jpg"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match=r"00002\.jpg cannot be read .*breaks off"):
        DavisDataset(root)


def test_a_zip_is_checked_down_to_its_pixels(tmp_path: Path) -> None:
    dataset = DavisDataset(layouts.davis_test_dev(tmp_path), 2017, "test-dev")
    results = perfect(tmp_path, dataset, tmp_path / "out") / "aerobatics"
    write_label_map(results / "00001.png", layouts.labels(1, (1, 2), (24, 40)))
    write_label_map(results / "00002.png", layouts.labels(1, (1,)) * np.uint8(9))
    (results / "00003.png").write_bytes(b"no picture")
    zipped = tmp_path / "z.zip"
    write_submission(results.parent, dataset, zipped)
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.writestr("__MACOSX/._00000.png", b"x")
    with pytest.raises(DataError) as caught:
        check_submission(zipped, dataset)
    head, *lines = str(caught.value).splitlines()
    assert "4 problems" in head
    for line, parts in zip(
        lines,
        [
            ("not wanted: __MACOSX/._00000.png",),
            ("no 8-bit PNG of ids: 00003.png",),
            ("frames are 32 x 24", "00001.png (40 x 24)"),
            ("not given up to there: 00002.png (9)",),
        ],
        strict=True,
    ):
        assert all(part in line for part in parts), line


@pytest.mark.parametrize("wrong", ["results/aerobatics/00000.png", "00000.png"])
def test_a_zip_one_folder_off_says_where_the_server_looks(tmp_path: Path, wrong: str) -> None:
    dataset = DavisDataset(layouts.davis_test_dev(tmp_path), 2017, "test-dev")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr(wrong, b"")
    with pytest.raises(DataError) as caught:
        check_submission(tmp_path / "z.zip", dataset)
    assert "as in aerobatics/00000.png; found " + wrong in str(caught.value)


def test_missing_frames_keep_a_zip_from_being_written(tmp_path: Path) -> None:
    dataset = DavisDataset(layouts.davis_test_dev(tmp_path), 2017, "test-dev")
    results = perfect(tmp_path, dataset, tmp_path / "out")
    (results / "aerobatics/00003.png").unlink()
    with pytest.raises(DataError, match=r"aerobatics: missing 00003\.png"):
        write_submission(results, dataset, tmp_path / "z.zip")
    assert not (tmp_path / "z.zip").exists()


def test_a_file_that_is_no_zip_is_one_error(tmp_path: Path) -> None:
    dataset = DavisDataset(layouts.davis_test_dev(tmp_path), 2017, "test-dev")
    (tmp_path / "z.zip").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read as a zip"):
        check_submission(tmp_path / "z.zip", dataset)
