"""Scores for people: a table on the screen and CSV files."""

import csv
from collections.abc import Iterable
from pathlib import Path

from rich.table import Table

from hodor.evaluation.scores import ObjectScores, Scores, as_columns, average

_COLUMNS = ("J&F", "J", "J-Recall", "J-Decay", "F", "F-Recall", "F-Decay")


def score_table(scores: Scores, *, objects: bool = False) -> Table:
    """Table of all sequences and their mean, values x 100 with one decimal.

    objects: also a row for each object of a sequence with several.
    """
    count = sum(len(found) for found in scores.sequences.values())
    table = Table(title=f"J and F x 100, {count} objects")
    table.add_column("sequence", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column.replace("-", "\n"), justify="right")
    for name, found in scores.sequences.items():
        table.add_row(name, *_cells(average(list(found.values()))))
        if objects and len(found) > 1:
            for object_id, one in found.items():
                table.add_row(f"  object {object_id}", *_cells(one))
    table.add_section()
    table.add_row("mean of objects", *_cells(scores.mean), style="bold")
    return table


def write_csv(scores: Scores, folder: Path) -> tuple[Path, Path]:
    """Write ``global_results.csv`` and ``per_object_results.csv``, fractions of 1, to a folder.

    The folder is made where it is missing. Returns both paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    overall, per_object = folder / "global_results.csv", folder / "per_object_results.csv"
    _write_rows(overall, [_COLUMNS, _numbers(scores.mean)])
    rows: list[Iterable[object]] = [("Sequence", "Object", *_COLUMNS)]
    for name, found in scores.sequences.items():
        rows += [(name, object_id, *_numbers(one)) for object_id, one in found.items()]
    _write_rows(per_object, rows)
    return overall, per_object


def _numbers(scores: ObjectScores) -> list[float]:
    columns = as_columns(scores)
    return [columns[name] for name in _COLUMNS]


def _cells(scores: ObjectScores) -> list[str]:
    return [f"{100 * number:.1f}" for number in _numbers(scores)]


def _write_rows(path: Path, rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
