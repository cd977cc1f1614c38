"""Scores for people: tables on the screen, CSV files, and rows as in Table 2 of the paper."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.table import Table

from hodor.errors import counted
from hodor.evaluation.comparison import Paired, sequence_means
from hodor.evaluation.scores import ObjectScores, Scores, as_columns, average
from hodor.files import whole_file

_COLUMNS = ("J&F", "J", "J-Recall", "J-Decay", "F", "F-Recall", "F-Decay")


def score_table(scores: Scores, *, objects: bool = False, title: str = "") -> Table:
    """Table of all sequences and their mean, values x 100 with one decimal.

    objects: also a row for each object of a sequence with several.
    """
    count = sum(len(found) for found in scores.sequences.values())
    table = Table(title=f"{title and title + ': '}J and F x 100, {counted(count, 'object')}")
    table.add_column("sequence", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column.replace("-", "\n"), justify="right")
    for name, found in scores.sequences.items():
        if not found:
            continue
        table.add_row(name, *_cells(average(list(found.values()))))
        if objects and len(found) > 1:
            for object_id, one in found.items():
                table.add_row(f"  object {object_id}", *_cells(one))
    table.add_section()
    for group, mean in scores.by_group.items():
        table.add_row(f"{group} classes", *_cells(mean))
    table.add_row("mean of objects", *_cells(scores.mean), style="bold")
    if scores.by_group:
        table.add_row("seen and unseen", f"{100 * scores.overall:.1f}", style="bold")
    return table


def comparison_table(scores: Mapping[str, Scores], paired: Mapping[str, Paired]) -> Table:
    """J&F x 100 of several methods by sequence, and the first one's lead over each other.

    scores: by method, at least two. paired: by the other method's name.
    """
    names = list(scores)
    table = Table(
        title="J&F x 100, side by side",
        caption=f"lead: {names[0]} minus the other, mean over sequences, with the interval that "
        "95 % of resampled sets of sequences give; wins: sequences above and below, and how "
        "likely a split as uneven is by tossing a coin. Neither knows of other training seeds.",
    )
    table.add_column("sequence", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")
    means = {name: sequence_means(found) for name, found in scores.items()}
    for sequence in means[names[0]]:
        table.add_row(sequence, *(f"{100 * means[name][sequence]:.1f}" for name in names))
    table.add_section()
    table.add_row("overall", *(f"{100 * scores[name].overall:.1f}" for name in names), style="bold")
    leads = [paired[name] for name in names[1:]]
    table.add_row("lead", "", *(f"{100 * one.mean:+.1f}" for one in leads))
    table.add_row("  95 %", "", *(_interval(one) for one in leads))
    table.add_row("wins", "", *(f"{one.better}:{one.worse}" for one in leads))
    table.add_row("  by chance", "", *(f"{one.sign_test:.3f}" for one in leads))
    return table


def _interval(paired: Paired) -> str:
    if len(paired.differences) == 1:
        return "one sequence"  # of which no other can be drawn
    low, high = (100 * edge for edge in paired.interval)
    return f"{low:+.1f} to {high:+.1f}"


def table_2(title: str, scores: Mapping[str, Scores]) -> str:
    """Rows in the form of the paper's Table 2, as Markdown, values x 100.

    title: of the benchmark, with its number of sequences: a part of a benchmark is not the
    benchmark. Where seen and unseen classes are told apart the columns are those of YouTube-VOS.
    """
    split = any(found.by_group for found in scores.values())
    columns = ["J&F", *(("J us", "F us", "J s", "F s") if split else ("J", "F"))]
    lines = [
        f"{title}; as Table 2 of the paper, x 100.",
        "",
        f"| | {' | '.join(columns)} |",
        f"| --- |{' --- |' * len(columns)}",
    ]
    for name, found in scores.items():
        values = [found.overall]
        if split:
            groups = [found.by_group.get(group) for group in ("unseen", "seen")]
            values += [v for one in groups if one for v in (one.j.mean, one.f.mean)]
        else:
            values += [found.mean.j.mean, found.mean.f.mean]
        lines.append(f"| {name} | {' | '.join(f'{100 * value:.1f}' for value in values)} |")
    return "\n".join(lines) + "\n"


def write_csv(scores: Scores, folder: Path) -> tuple[Path, Path]:
    """Write ``global_results.csv`` and ``per_object_results.csv``, fractions of 1, to a folder.

    The folder is made where it is missing; each file appears whole or not at all. Returns both
    paths. Raises HodorError where one cannot be written.
    """
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
    with whole_file(path) as fresh, fresh.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
