"""Descriptors as data: what the Parquet file holds, and that it is what the tracker had."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from hodor import Tracker
from hodor.analysis import read_table
from hodor.errors import DataError
from hodor.evaluation import DavisDataset

COLUMNS = {
    "source": "dictionary<values=string, indices=int32, ordered=0>",
    "sequence": "dictionary<values=string, indices=int32, ordered=0>",
    "frame": "string",
    "index": "int32",
    "object": "int32",
    "cell": "int16",
    "box_left": "int32",
    "box_top": "int32",
    "box_right": "int32",
    "box_bottom": "int32",
    "confidence": "float",
    "area": "int32",
    "given": "bool",
    "model": "dictionary<values=string, indices=int32, ordered=0>",
    "descriptor": "fixed_size_list<element: float>[32]",
}


def test_the_columns_are_the_documented_ones(table: Path) -> None:
    schema = parquet.read_schema(table)
    assert {f.name: str(f.type) for f in schema} == COLUMNS
    guide = Path(__file__).parents[2] / "docs/guides/analyze.md"
    text = guide.read_text()
    for name in COLUMNS:
        assert f"| `{name}` |" in text


def test_rows_are_the_trackers_descriptors(table: Path, davis: Path, tiny_model: Path) -> None:
    rows = parquet.read_table(table).to_pylist()
    assert len(rows) == 2 * 6 * (2 + 9)  # sequences, frames, objects and cells
    sequence = DavisDataset(davis).sequences[0]
    tracker = Tracker.from_pretrained(str(tiny_model))
    for name, frame in zip(sequence.names, sequence.frames(), strict=True):
        result = tracker.step(frame, sequence.given_masks(name))
        own = [r for r in rows if (r["sequence"], r["frame"]) == ("one", name)]
        described = tracker.descriptors
        assert described is not None
        (second,) = (r for r in own if r["object"] == 2)
        np.testing.assert_allclose(
            second["descriptor"], described.objects[2].float().numpy(), atol=1e-5
        )
        assert second["area"] == np.count_nonzero(result.label_map == 2)
        assert second["given"] == (name == "00000")
        assert second["model"] == tracker.fingerprint
        (cell,) = (r for r in own if r["cell"] == 8)
        assert described.background is not None
        np.testing.assert_allclose(
            cell["descriptor"], described.background[8].float().numpy(), atol=1e-5
        )
        assert (cell["box_left"], cell["box_top"], cell["box_right"]) == (60, 40, 90)
        assert cell["confidence"] is None
        if second["area"]:
            columns = np.flatnonzero((result.label_map == 2).any(0))
            assert (second["box_left"], second["box_right"]) == (columns[0], columns[-1] + 1)


def test_a_table_is_read_back(table: Path) -> None:
    found = read_table(table)
    assert len(found.rows) == 132
    assert found.vectors.shape == (132, 32)
    assert found.about["options"]["window"] == 3
    assert {name for name, _ in found.instances} == {"one", "two"}
    assert all(row.object and row.box for row in found.objects.rows)


def test_ones_own_videos_are_described_too(
    hodor: Callable[..., Any], davis: Path, tiny_model: Path, tmp_path: Path
) -> None:
    folders = [davis / f"JPEGImages/480p/{name}" for name in ("one", "two")]
    masks = [davis / f"Annotations/480p/{name}/00000.png" for name in ("one", "two")]
    words = [w for m in masks for w in ("--masks", m)]
    out = tmp_path / "own.parquet"
    ran = hodor("analyze", "export", *folders, *words, "--model", tiny_model, "--out", out)
    assert ran.code == 0, ran.err
    assert len(read_table(out).rows) == 132
    ran = hodor("analyze", "export", *folders, *words[:2], "--model", tiny_model, "--out", out)
    assert (ran.code, "2 videos and 1 masks" in ran.err) == (1, True)


def test_another_file_is_an_error(tmp_path: Path) -> None:
    import pyarrow as pa

    parquet.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="holds no descriptors"):
        read_table(tmp_path / "other.parquet")
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_table(tmp_path / "a.png")


def test_a_table_of_other_columns_is_an_error(table: Path, tmp_path: Path) -> None:
    whole = parquet.read_table(table)
    for number, less in enumerate(
        (
            whole.drop(["descriptor"]),
            whole.drop(["box_left"]),
            whole.replace_schema_metadata({**whole.schema.metadata, b"about": b"["}),
        )
    ):
        parquet.write_table(less, tmp_path / f"{number}.parquet")
        with pytest.raises(DataError, match=rf"{number}\.parquet is damaged"):
            read_table(tmp_path / f"{number}.parquet")
