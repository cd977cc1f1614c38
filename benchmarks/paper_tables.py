"""Train and score the rows of Table 1 and Table 3 at a scale that can be paid for.

Every row is a bundled recipe, shrunk by --scale and trained once for each seed; rows 4 to 6 of
Table 1 go on from row 3 of the same seed. Everything is kept under --out: what was trained is not
trained again, a run that was stopped goes on, and the table is made anew from what is there.

    python benchmarks/paper_tables.py --table 3 --scale 0.004 --seeds 3 --out runs/tables \\
        --root DATA --davis DATA/DAVIS --year 2017 --backbone BACKBONE:FILE.safetensors
"""

import argparse
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table

from hodor.evaluation import davis_scores
from hodor.profiling import describe_machine
from hodor.tracking import choose_device
from hodor.training import MODEL, Listener, Progress, load_recipe, to_plain, train

VIDEO_ROWS = ("video-frames", "cyclic", "dense")


class Row(NamedTuple):
    """A row of a table of the paper."""

    number: str
    recipe: str
    """Without the form's name"""
    paper: float
    """J&F on DAVIS 2017 val"""


TABLES = {
    1: (
        Row("1", "single-image", 61.6),
        Row("2", "duplicated", 69.4),
        Row("3", "static", 77.5),
        Row("4", "video-frames", 79.0),
        Row("5", "cyclic", 80.6),
        Row("6", "dense", 81.3),
    ),
    3: (
        Row("1", "ablations/one-object", 71.5),
        Row("2", "ablations/no-masking", 74.4),
        Row("3", "ablations/hard-masking", 74.5),
        Row("4", "ablations/no-encoder-layers", 72.8),
        Row("5", "ablations/three-encoder-layers", 76.6),
        Row("6", "ablations/no-decoder-layers", 74.4),
        Row("7", "ablations/three-decoder-layers", 76.4),
        Row("8", "ablations/barebones", 70.6),
        Row("9", "ablations/plain-convolution", 75.1),
        Row("10", "ablations/one-background", 76.2),
        Row("HODOR", "static", 77.5),
    ),
}
# Rows that the released code has a form of its own for; it has none for the others of Table 1.
RELEASED = {"cyclic": "sparse-video", "dense": "dense-video"}


def name_of(row: Row, form: str) -> str:
    """The bundled recipe of a row, in a form."""
    if form == "paper":
        return f"paper/{row.recipe}"
    if row.recipe in ("single-image", "duplicated", "video-frames"):
        raise SystemExit(f"row {row.number} has no released form: leave it out with --rows")
    return f"released/{RELEASED.get(row.recipe, row.recipe)}"


def changes_for(row: Row, seed: int, folder: Path, given: argparse.Namespace) -> list[str]:
    """What is changed in a row's recipe besides its scale."""
    changes = [f"root={given.root}", f"seed={seed}", *given.changes]
    if given.backbone is not None:
        name, _, file = given.backbone.partition(":")
        changes += [f"model.backbone={name}", "model.backbone_norms=folded"]
        changes += ["model.pixel_mean=[127.5,127.5,127.5]", "model.pixel_std=[127.5,127.5,127.5]"]
        changes += [f"initial.backbone={file}"]
    if row.recipe in VIDEO_ROWS:
        changes += ["initial.backbone=null", f"initial.weights={folder / 'static' / MODEL}"]
        if given.videos is not None:
            changes += [f"data={json.dumps([_video(row, given)])}"]
    elif given.stills is not None:
        changes += [f"data={given.stills}"]
    return changes


def _video(row: Row, given: argparse.Namespace) -> dict[str, Any]:
    """The row's DAVIS dataset, in another folder."""
    folder, _, year = given.videos.rpartition(":")
    recipe = load_recipe(name_of(row, given.form))
    davis = next(to_plain(one) for one in recipe.data if one.kind == "davis")
    return davis | {"images": folder, "year": int(year)}


def result(row: Row, seed: int, given: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Train and score one row with one seed, as far as that is not done."""
    folder = given.out / f"seed-{seed}"
    if row.recipe in VIDEO_ROWS and not (folder / "static" / "scores.json").is_file():
        result(TABLES[1][2], seed, given, console)
    out = folder / row.recipe.replace("ablations/", "")
    scores = out / "scores.json"
    if scores.is_file():
        return dict(json.loads(scores.read_text()))
    changes = changes_for(row, seed, folder, given)
    recipe = load_recipe(name_of(row, given.form), changes, scale=given.scale)
    device = choose_device(given.device)
    score = davis_scores(given.davis, given.year, given.split, given.device)
    console.print(f"{recipe.name}, seed {seed}: {recipe.optimisation.iterations} steps")

    def report(at: Progress) -> None:
        if at.step % max(1, at.of // 20) == 0:
            console.print(f"  {at.step}/{at.of} loss {at.loss:.3f}, {at.seconds:.1f} s a step")

    model = train(recipe, out, device=device, resume=True, listener=Listener(report=report))
    found = {"recipe": recipe.name, "seed": seed, "machine": describe_machine(device)}
    found |= score(model)
    scores.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def table_of(rows: Sequence[Row], values: dict[str, list[float]], title: str) -> Table:
    """Means and spreads beside the paper's numbers."""
    table = Table(title=title)
    for column in ("row", "recipe", "J&F, mean", "spread", "seeds", "paper"):
        table.add_column(column, justify="left" if column == "recipe" else "right")
    for row in rows:
        found = [100 * value for value in values[row.number]]
        mean = f"{statistics.mean(found):.1f}" if found else "-"
        spread = f"{statistics.stdev(found):.1f}" if len(found) > 1 else "-"
        table.add_row(row.number, row.recipe, mean, spread, str(len(found)), f"{row.paper:.1f}")
    return table


def orderings(rows: Sequence[Row], values: dict[str, list[float]]) -> list[str]:
    """For each pair of rows, whether the paper's order is found beyond the spread."""
    lines = []
    for i, a in enumerate(rows):
        for b in rows[i + 1 :]:
            ours = values[a.number], values[b.number]
            if a.paper == b.paper or min(map(len, ours)) < 2:
                continue
            if a.paper < b.paper:
                worse, better, below, above = a, b, *ours
            else:
                better, worse, above, below = a, b, *ours
            gain = statistics.mean(above) - statistics.mean(below)
            noise = math.sqrt(sum(statistics.variance(v) / len(v) for v in ours))
            said = "holds" if gain > 2 * noise else "reversed" if gain < -2 * noise else "open"
            lines.append(
                f"{better.number} over {worse.number}: {said} ({100 * gain:+.1f}, standard error "
                f"{100 * noise:.1f}; paper {better.paper - worse.paper:+.1f})"
            )
    return lines


def main() -> None:
    """Do what is left to do, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=int, choices=(1, 3), required=True)
    parser.add_argument("--rows", nargs="*", help="numbers of rows; all if left out")
    parser.add_argument("--form", choices=("paper", "released"), default="paper")
    parser.add_argument("--scale", type=float, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True, help="folder of the training data")
    parser.add_argument("--davis", type=Path, required=True, help="what is scored on")
    parser.add_argument("--year", type=int, default=2017)
    parser.add_argument("--split", default="val")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--backbone", help="NAME:FILE in the place of the paper's Swin-T")
    parser.add_argument("--stills", help="YAML list of datasets, in the place of COCO")
    parser.add_argument("--videos", help="FOLDER:YEAR in DAVIS layout, in the place of all videos")
    parser.add_argument("--set", dest="changes", action="append", default=[])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    console = Console(width=110)
    rows = [r for r in TABLES[given.table] if not given.rows or r.number in given.rows]
    values: dict[str, list[float]] = {row.number: [] for row in rows}
    for seed in range(given.seeds):
        for row in rows:
            values[row.number].append(result(row, seed, given, console)["J&F"])
    title = f"Table {given.table} at scale {given.scale:g}, form {given.form}"
    console.print(table_of(rows, values, title))
    for line in orderings(rows, values):
        console.print(line)


if __name__ == "__main__":
    main()
