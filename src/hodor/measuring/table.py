"""Measurements as files: CSV for any spreadsheet, Parquet for notebooks."""

import csv
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from hodor.errors import HodorError
from hodor.extras import needed
from hodor.files import whole_file
from hodor.measuring.measurement import Measurement, Units

SUFFIXES = (".csv", ".parquet")
LENGTHS = ("centroid_x", "centroid_y", "perimeter", "major_axis", "minor_axis")
DECIMALS = 4
"""Of numbers in CSV: a ten-thousandth of a pixel is less than any mask is good for."""


def columns(units: Units) -> list[str]:
    """Names of the columns, in the order of the fields, with their units."""
    measured = dict.fromkeys(LENGTHS, units.length)
    measured |= {"area": units.area, "speed": units.speed, "time": "s", "orientation": "deg"}
    measured |= {f"box_{side}": "px" for side in ("left", "top", "right", "bottom")}
    names = [field.name for field in fields(Measurement)]
    return [f"{name}_{measured[name]}" if name in measured else name for name in names]


def check_table(path: Path) -> None:
    """Whether a table can be written under a name, before minutes of work.

    Raises:
        HodorError: its suffix is none of ``SUFFIXES``, or the extra for it is missing.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise HodorError(f"{path}: a table is written as .csv or .parquet; name it so")
    if path.suffix.lower() == ".parquet":
        needed("pyarrow.parquet", "analysis")


def write_measurements(rows: Sequence[Measurement], path: str | Path, units: Units) -> None:
    """Write a table as its name says, whole or not at all.

    Args:
        rows: from ``measure``.
        path: ``.csv`` or ``.parquet``; a file that is there is replaced.
        units: those that the rows were measured in; they are in the columns' names.

    Raises:
        HodorError: another suffix, pyarrow is missing, or the file cannot be written.
    """
    path = Path(path)
    check_table(path)
    write = _write_csv if path.suffix.lower() == ".csv" else _write_parquet
    with whole_file(path) as fresh:
        write(rows, fresh, units)


def _write_csv(rows: Sequence[Measurement], path: Path, units: Units) -> None:
    names = [field.name for field in fields(Measurement)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns(units))
        for row in rows:
            writer.writerow([_word(getattr(row, name)) for name in names])


def _word(value: object) -> object:
    """A value in CSV: nothing for None, true and false as most readers know them."""
    if isinstance(value, bool):
        return str(value).lower()
    return round(value, DECIMALS) if isinstance(value, float) else value


def _write_parquet(rows: Sequence[Measurement], path: Path, units: Units) -> None:
    pa, parquet = needed("pyarrow", "analysis"), needed("pyarrow.parquet", "analysis")
    kinds: dict[object, object] = {str: pa.string(), int: pa.int32(), bool: pa.bool_()}
    names = [(field.name, field.type) for field in fields(Measurement)]
    stored = [kinds.get(_plain(kind), pa.float64()) for _, kind in names]
    values = [[getattr(row, name) for row in rows] for name, _ in names]
    arrays = [pa.array(column, kind) for column, kind in zip(values, stored, strict=True)]
    parquet.write_table(pa.table(arrays, columns(units)), path, compression="zstd")


def _plain(kind: object) -> object:
    """``int`` of ``int | None``."""
    return int if kind == (int | None) else kind
