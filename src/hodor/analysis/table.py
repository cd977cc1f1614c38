"""Descriptors as a Parquet file with documented, stable columns.

docs/guides/analyze.md lists the columns; ``FORMAT`` changes when their meaning does.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hodor.errors import MALFORMED, DataError, one_line
from hodor.extras import needed
from hodor.files import whole_file
from hodor.types import Json, Untyped

FORMAT = "hodor-descriptors-1"
BOX = ("box_left", "box_top", "box_right", "box_bottom")


@dataclass(frozen=True, eq=False)
class Descriptor:
    """One row: one patch of one frame."""

    source: str
    """The video, or the folder of its frames"""
    sequence: str
    frame: str
    """Name of the frame, as in its file"""
    index: int
    """Number of the frame, from 0"""
    object: int
    """Id, or 0 for a cell of the background"""
    cell: int
    """Cell of the background grid, row by row from 0; -1 for an object"""
    box: tuple[int, int, int, int] | None
    """Left, top, right, bottom in pixels of the frame, ends exclusive; None for nothing visible"""
    confidence: float | None
    """Of an object, in [0, 1]; None for a cell"""
    area: int
    """Pixels of the frame that the patch has in the label map"""
    given: bool
    """Whether the masks came from the user, not from the network"""
    descriptor: NDArray[np.float32]
    """(C,)"""


@dataclass(frozen=True)
class DescriptorTable:
    """Rows and what all of them have in common."""

    rows: tuple[Descriptor, ...]
    model: str
    """Print of the network that made them"""
    about: Mapping[str, Json]
    """Model's name, options, version of hodor"""

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(N, C)"""
        return np.stack([row.descriptor for row in self.rows])

    @property
    def objects(self) -> Self:
        """The rows of objects that are visible; cells of the background are left out."""
        kept = tuple(row for row in self.rows if row.object and row.box is not None)
        return type(self)(kept, self.model, self.about)

    @property
    def instances(self) -> list[tuple[str, int]]:
        """Sequence and object of each row."""
        return [(row.sequence, row.object) for row in self.rows]


def write_table(
    path: Path, rows: Iterable[Descriptor], *, model: str, about: Mapping[str, Json]
) -> int:
    """Write rows as Parquet, whole or not at all; returns their number.

    Raises DataError where there is none, HodorError where pyarrow is missing or the disk is full.
    """
    pa, parquet = needed("pyarrow", "analysis"), needed("pyarrow.parquet", "analysis")
    kept = list(rows)
    if not kept:
        raise DataError(
            f"{path}: there are no descriptors to write, for no object was followed; give the "
            "masks of the first frame (--masks)"
        )
    schema = _schema(pa, len(kept[0].descriptor)).with_metadata(
        {"format": FORMAT, "model": model, "about": json.dumps(dict(about))}
    )
    columns: dict[str, list[Json]] = {name: [] for name in schema.names}
    for row in kept:
        values = vars(row) | {"model": model, "descriptor": row.descriptor.tolist()}
        values |= dict(zip(BOX, row.box or [None] * 4, strict=True))
        for name, column in columns.items():
            column.append(values[name])
    with whole_file(path) as fresh:
        parquet.write_table(pa.table(columns, schema), fresh, compression="zstd")
    return len(kept)


def _schema(pa: ModuleType, channels: int) -> Untyped:
    repeated = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("source", repeated),
            ("sequence", repeated),
            ("frame", pa.string()),
            ("index", pa.int32()),
            ("object", pa.int32()),
            ("cell", pa.int16()),
            *((name, pa.int32()) for name in BOX),
            ("confidence", pa.float32()),
            ("area", pa.int32()),
            ("given", pa.bool_()),
            ("model", repeated),
            ("descriptor", pa.list_(pa.float32(), channels)),
        ]
    )


def read_table(path: Path) -> DescriptorTable:
    """Read what ``write_table`` wrote. Raises DataError for any other file."""
    parquet = needed("pyarrow.parquet", "analysis")
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as Parquet ({error}); make it by hodor analyze export"
        ) from error
    metadata = {
        k.decode(errors="replace"): v.decode(errors="replace")
        for k, v in (table.schema.metadata or {}).items()
    }
    if metadata.get("format") != FORMAT:
        raise DataError(
            f"{path} holds {metadata.get('format', 'no descriptors')}, expected {FORMAT}; make it "
            "by hodor analyze export"
        )
    try:
        return _as_descriptors(table, metadata)
    except MALFORMED as error:
        raise DataError(
            f"{path} is damaged ({one_line(error)}); make it anew by hodor analyze export"
        ) from error


def _as_descriptors(table: Untyped, metadata: Mapping[str, str]) -> DescriptorTable:
    vectors = table["descriptor"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    plain: Sequence[Mapping[str, Json]] = table.drop(["descriptor"]).to_pylist()
    names = [f.name for f in fields(Descriptor) if f.name not in ("box", "descriptor")]
    rows = [
        Descriptor(
            **{name: values[name] for name in names},
            box=_box(values),
            descriptor=vector,
        )
        for values, vector in zip(plain, vectors, strict=True)
    ]
    return DescriptorTable(tuple(rows), metadata["model"], json.loads(metadata["about"]))


def _box(values: Mapping[str, Json]) -> tuple[int, int, int, int] | None:
    left, top, right, bottom = (values[name] for name in BOX)
    return None if left is None else (left, top, right, bottom)
