"""The paper's figures from a table, by one command each; retrieval against a slow reference."""

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hodor import Tracker
from hodor.analysis import (
    Descriptor,
    DescriptorTable,
    attention,
    find_in_table,
    heatmaps,
    pca,
    retrieval,
    tsne,
)
from hodor.analysis.retrieval import precision_curve
from hodor.cli.analysed import as_video
from hodor.errors import DataError, HodorError
from hodor.evaluation import DavisDataset
from hodor.tracking import References

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def made(vectors: Sequence[Sequence[float]], objects: Sequence[int]) -> DescriptorTable:
    rows = [
        Descriptor("v", "s", f"{n:05d}", n, i, -1, (0, 0, 4, 4), 0.9, 16, n == 0,
                   np.array(vector, np.float32))
        for n, (vector, i) in enumerate(zip(vectors, objects, strict=True))
    ]  # fmt: skip
    return DescriptorTable(tuple(rows), "print", {})


def slow_average_precision(vectors: NDArray[Any], objects: Sequence[int]) -> float:
    averages = []
    for query in range(len(vectors)):
        order = sorted(
            (n for n in range(len(vectors)) if n != query),
            key=lambda n: float(((vectors[n] - vectors[query]) ** 2).sum()),
        )
        hits = [objects[n] == objects[query] for n in order]
        if any(hits):
            precisions = [sum(hits[: k + 1]) / (k + 1) for k in range(len(hits)) if hits[k]]
            averages.append(sum(precisions) / len(precisions))
    return float(np.mean(averages))


def test_retrieval_equals_a_slow_reference() -> None:
    rng = np.random.default_rng(3)
    objects = rng.integers(1, 5, 40).tolist()
    vectors = rng.normal(size=(40, 6)) + np.eye(6)[objects] * 1.5
    found = retrieval(made(vectors.tolist(), objects))
    assert found.average_precision == pytest.approx(slow_average_precision(vectors, objects))
    assert found.chance < found.average_precision < 1
    assert (np.diff(found.precision) <= 1e-12).all()
    assert found.instances == 4


def test_a_ranking_by_hand_has_its_precision() -> None:
    curve, average = precision_curve(np.array([True, False, True, False]))
    assert average == pytest.approx((1 + 2 / 3) / 2)
    assert curve[0] == curve[50] == 1  # up to recall 0.5 the first hit is enough
    assert curve[51] == curve[100] == pytest.approx(2 / 3)


def test_objects_that_are_apart_are_retrieved_perfectly_and_lone_ones_left_out() -> None:
    found = retrieval(made([[0, 0], [0, 0.1], [9, 9], [9, 9.1], [50, 50]], [1, 1, 2, 2, 3]))
    assert (found.average_precision, found.descriptors) == (1, 4)
    with pytest.raises(DataError, match="no object has two"):
        retrieval(made([[0, 0], [1, 1]], [1, 2]))


def test_projections_keep_groups_apart_and_repeat() -> None:
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(size=(12, 8)), rng.normal(size=(12, 8)) + 12])
    vectors = vectors.astype(np.float32)
    for project in (tsne, lambda v: pca(v)[0]):
        points = project(vectors)
        assert points.shape == (24, 2)
        np.testing.assert_array_equal(points, project(vectors))
        middles = points[:12].mean(0), points[12:].mean(0)
        spread = max(points[:12].std(), points[12:].std())
        assert np.linalg.norm(middles[0] - middles[1]) > 2 * spread
    assert pca(vectors)[1][0] > 0.8
    with pytest.raises(DataError, match="too few"):
        tsne(vectors[:3])


def picture(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        found = np.asarray(image.convert("RGB"))
    assert found.std() > 5, "an empty picture"
    return found


def test_retrieval_is_drawn_and_written(
    hodor: Callable[..., Any], table: Path, tmp_path: Path
) -> None:
    words = ["--out", tmp_path / "s1.png", "--json", tmp_path / "s1.json"]
    ran = hodor("analyze", "retrieval", table, *words)
    assert ran.code == 0, ran.err
    picture(tmp_path / "s1.png")
    found = json.loads((tmp_path / "s1.json").read_text())
    assert len(found["precision"]) == len(found["recall"]) == 101
    assert f"mAP {found['average_precision']:.3f}" in ran.out


@pytest.mark.parametrize(("out", "found"), [("s9", "no ending"), ("s9.jpg", ".jpg")])
@pytest.mark.parametrize("way", ["retrieval none", "tsne none", "pca none", "grid none", "window"])
def test_a_kind_of_picture_that_is_not_written_is_refused_before_anything_is_read(
    hodor: Callable[..., Any], way: str, out: str, found: str
) -> None:
    ran = hodor("analyze", *way.split(), "--out", out)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert (
        f"--out {out}: the name of a picture ends in .png, .pdf or .svg; found {found}" in ran.err
    )


@pytest.mark.parametrize("way", ["tsne", "pca"])
def test_projections_are_drawn_with_crops_and_as_a_page(
    hodor: Callable[..., Any], table: Path, tmp_path: Path, way: str
) -> None:
    page = tmp_path / "p.html"
    ran = hodor("analyze", way, table, "--out", tmp_path / "p.png", "--page", page)
    assert ran.code == 0, ran.err
    picture(tmp_path / "p.png")
    text = page.read_text()
    crops = json.loads(re.search(r"const crops = (\[.*?\]);", text).group(1))  # type: ignore[union-attr]
    (points,) = re.findall(r"(\d+) descriptors", ran.out)
    assert len(crops) == int(points)
    assert "one, frame 00003, object 1" in text
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.?https?:", text)


def test_heat_maps_are_the_channels_of_the_tracker(davis: Path, tiny_model: Path) -> None:
    tracker = Tracker.from_pretrained(str(tiny_model))
    video = as_video(DavisDataset(davis).sequences[0])
    maps = heatmaps(tracker, video, "00002")
    assert maps.cells.shape == (3, 3, 60, 90)
    assert maps.catch_all is not None
    total = maps.catch_all + maps.cells.sum((0, 1))
    objects = tracker_objects(tracker, davis)
    np.testing.assert_allclose(total + objects, 1, atol=1e-4)
    with pytest.raises(DataError, match="no object is known before frame 00000"):
        heatmaps(tracker, video, "00000")
    with pytest.raises(DataError, match="no frame x"):
        heatmaps(tracker, video, "x")


def tracker_objects(tracker: Tracker, davis: Path) -> NDArray[np.float32]:
    sequence = DavisDataset(davis).sequences[0]
    tracker.reset()
    for name, frame in zip(sequence.names[:3], sequence.frames(), strict=False):
        result = tracker.step(frame, sequence.given_masks(name))
    return np.asarray(result.channel_probabilities()[-2:].sum(0))


def test_heat_maps_and_grid_are_drawn(
    hodor: Callable[..., Any], davis: Path, tiny_model: Path, tmp_path: Path
) -> None:
    of = ["--davis", davis]
    ran = hodor("analyze", "heatmaps", *of, "--model", tiny_model, "--sequences", "two",
                "--out", tmp_path / "h")  # fmt: skip
    assert ran.code == 0, ran.err
    assert [p.name for p in (tmp_path / "h").iterdir()] == ["two.png"]
    picture(tmp_path / "h/two.png")
    truth = davis / "Annotations/480p"
    ran = hodor("analyze", "grid", truth, *of, "--frames", 3, "--out", tmp_path / "g.png")
    assert ran.code == 0, ran.err
    red = picture(tmp_path / "g.png").astype(int)
    assert ((red[..., 0] - red[..., 2]) > 80).any()  # the veil of object 1
    ran = hodor("analyze", "grid", truth, *of, "--sequences", "nine", "--out", tmp_path / "g.png")
    assert (ran.code, "has no sequence nine" in ran.err) == (1, True)


def test_windows_are_compared(
    hodor: Callable[..., Any], davis: Path, tiny_model: Path, tmp_path: Path
) -> None:
    ran = hodor("analyze", "window", "--davis", davis, "--model", tiny_model, "--windows", "1,3",
                "--out", tmp_path / "w.png", "--json", tmp_path / "w.json")  # fmt: skip
    assert ran.code == 0, ran.err
    picture(tmp_path / "w.png")
    rows = json.loads((tmp_path / "w.json").read_text())
    assert [row["window"] for row in rows] == [1, 3]
    assert rows[0]["J&F"] != rows[1]["J&F"]
    ran = hodor("analyze", "window", "--davis", davis, "--windows", "0", "--out", "w.png")
    assert (ran.code, "write numbers from 1" in ran.err) == (1, True)


@pytest.fixture
def references(davis: Path, tiny_model: Path, tmp_path: Path) -> Path:
    """Object 1 of the first sequence, from its first frame."""
    sequence = DavisDataset(davis).sequences[0]
    tracker = Tracker.from_pretrained(str(tiny_model))
    tracker.step(next(sequence.frames()), sequence.given_masks("00000"))
    tracker.references([1]).save(tmp_path / "red.safetensors")
    return tmp_path / "red.safetensors"


def test_an_object_is_found_in_a_table_nearest_first(
    hodor: Callable[..., Any], table: Path, references: Path, tmp_path: Path
) -> None:
    ran = hodor("analyze", "find", table, "--references", references, "--json", tmp_path / "f.json",
                "--out", tmp_path / "f.html")  # fmt: skip
    assert ran.code == 0, ran.err
    found = json.loads((tmp_path / "f.json").read_text())
    # The very frame that it was described in is at no distance.
    assert (found[0]["video"], found[0]["index"], found[0]["distance"]) == ("one", 0, 0)
    assert [row["distance"] for row in found] == sorted(row["distance"] for row in found)
    assert "videos by their nearest frame: one 0.00" in ran.out
    assert (tmp_path / "f.html").read_text().count("data:image/jpeg") == len(found)


def test_an_object_is_looked_for_in_videos_without_masks(
    hodor: Callable[..., Any], davis: Path, references: Path, tiny_model: Path, tmp_path: Path
) -> None:
    folders = [davis / f"JPEGImages/480p/{name}" for name in ("one", "two")]
    words = ["--references", references, "--model", tiny_model, "--every", 2]
    ran = hodor("analyze", "find", *folders, *words, "--json", tmp_path / "f.json")
    assert ran.code == 0, ran.err
    found = json.loads((tmp_path / "f.json").read_text())
    assert found
    assert {row["index"] for row in found} <= {0, 2, 4}


def test_references_of_another_model_are_refused(table: Path, references: Path) -> None:
    loaded = References.load(references)
    other = DescriptorTable(made([[0.0] * 32], [1]).rows, "another", {})
    with pytest.raises(HodorError, match="another model"):
        find_in_table(loaded, other)


def test_a_missing_package_is_named(
    hodor: Callable[..., Any], table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    ran = hodor("analyze", "retrieval", table, "--out", "x.png")
    assert ran.code == 1
    assert "pip install 'hodor-vos[analysis]'" in ran.err


def test_attention_is_that_of_the_network(davis: Path, tiny_model: Path) -> None:
    tracker = Tracker.from_pretrained(str(tiny_model), precision="fp32", device="cpu")
    found = attention(tracker, as_video(DavisDataset(davis).sequences[0]), "00003")
    assert found.past == ("00000", "00001", "00002")
    assert found.listens.shape == (3, 9 + 2, *found.inner)
    np.testing.assert_allclose(found.listens.sum((0, 1)), 1, atol=1e-4)
    for values in found.looks.values():
        assert values.shape == found.inner
        assert 0.5 < values.sum() <= 1 + 1e-4  # a part may lie in the padding
        # Masks steer it: within the object a pixel weighs more than elsewhere.
    (i, *_) = found.looks
    inside = found.label_map[4::8, 4::8] == i
    values = found.looks[i][: inside.shape[0], : inside.shape[1]]
    assert values[inside].mean() > 2 * values[~inside].mean()


def test_attention_is_drawn(
    hodor: Callable[..., Any], davis: Path, tiny_model: Path, tmp_path: Path
) -> None:
    words = ["--davis", davis, "--model", tiny_model, "--sequences", "one", "--out", tmp_path]
    ran = hodor("analyze", "attention", *words, "--pixel", "18,6")
    assert ran.code == 0, ran.err
    picture(tmp_path / "one.png")
    first = (tmp_path / "one.png").read_bytes()
    ran = hodor("analyze", "attention", *words, "--pixel", 80, 50)  # as boxes and points may stand
    assert ran.code == 0, ran.err
    assert (tmp_path / "one.png").read_bytes() != first


@pytest.mark.parametrize(
    ("pixel", "said"),
    [
        ("91,6", "pixel 91,6 is outside of the frames of one, which have 90 x 60 pixels"),
        ("0.2,0.1", "--pixel 0.2,0.1: give two numbers x,y in pixels of the frame"),
        ("nan,1", "--pixel nan,1: give two numbers x,y in pixels of the frame"),
        ("left", "--pixel left: give two numbers x,y in pixels of the frame"),
    ],
)
def test_a_pixel_that_the_frame_does_not_have_is_told_before_anything_is_tracked(
    hodor: Callable[..., Any],
    davis: Path,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pixel: str,
    said: str,
) -> None:
    monkeypatch.setattr(Tracker, "step", None)
    words = ["--davis", davis, "--model", tiny_model, "--sequences", "one", "--out", tmp_path]
    ran = hodor("analyze", "attention", *words, "--pixel", pixel)
    assert (ran.code, said in ran.err) == (1, True), ran.err
    assert not list(tmp_path.glob("*.png"))
