"""Every number and figure of docs/reproduction.md that depends on the model, made anew.

    python benchmarks/reproduction.py --shared ../shared --out runs/reproduction --docs

--docs puts the numbers between the marks in docs/reproduction.md. A run that was stopped goes on
with what is in --out. Half an hour on two cores for the bundled model.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hodor.tracking import Tracker

DOCS = Path(__file__).parents[1] / "docs" / "reproduction.md"
BEGIN, END = "<!-- numbers: begin -->", "<!-- numbers: end -->"
WINDOWS = "1,2,4,7,10"
SHOWN = "camel,car-shadow,dance-twirl,horsejump-high,soapbox"


def hodor(*words: object) -> None:
    """Run the command line; its errors end this script."""
    command = [sys.executable, "-c", "from hodor.cli import main; main()", *map(str, words)]
    subprocess.run(command, check=True)


def benchmark(shared: Path) -> list[object]:
    """The ten sequences, as options."""
    return ["--davis", shared / "data/davis2016", "--year", 2016]


def scores(shared: Path, out: Path, model: str, workers: int) -> None:
    """Side by side: the model, other results, the baselines; then two clips with more objects."""
    ten = benchmark(shared)
    theirs = f"OSVOS={shared}/metrics/single/results"
    each = [w for name in ("flow", "copy", "features") for w in ("--baseline", name)]
    common = ["--workers", workers, "--out", out / "methods", "--resume"]
    hodor(
        "evaluate", theirs, "--model", f"ours={model}", *each, *ten, *common,
        "--json", out / "scores.json", "--report", out / "report.html", "--table2", out / "t2.md",
    )  # fmt: skip
    multi = ["--davis", shared / "data/multi", "--year", 2017, "--workers", workers]
    hodor(
        "evaluate", "--model", f"ours={model}", *each[:4], *multi, "--out", out / "multi",
        "--resume", "--json", out / "multi.json",
    )  # fmt: skip


def figures(shared: Path, out: Path, model: str, workers: int) -> None:
    """Figures 4, 5, S1 to S5."""
    ten, table = benchmark(shared), out / "descriptors.parquet"
    if not table.exists():
        hodor("analyze", "export", *ten, "--model", model, "--out", table)
    hodor("analyze", "retrieval", table, "--out", out / "s1.png", "--json", out / "s1.json")
    for name, figure in (("tsne", "s2"), ("pca", "s3")):
        page = ["--page", out / f"{figure}.html"]
        hodor("analyze", name, table, "--out", out / f"{figure}.png", *page)
    chosen = ["--sequences", SHOWN]
    hodor("analyze", "heatmaps", *ten, *chosen, "--model", model, "--out", out / "s4")
    hodor("analyze", "attention", *ten, *chosen, "--model", model, "--out", out / "attention")
    hodor("analyze", "grid", out / "methods/ours", *ten, *chosen, "--out", out / "fig4.png")
    hodor(
        "analyze", "window", *ten, "--model", model, "--windows", WINDOWS, "--workers", workers,
        "--out", out / "fig5.png", "--json", out / "fig5.json", "--keep", out / "windows",
    )  # fmt: skip


def finding(shared: Path, out: Path, model: str) -> dict[str, Any]:
    """Each sequence's object, from its first frame, looked for in all ten sequences."""
    from hodor.evaluation import DavisDataset

    dataset = DavisDataset(shared / "data/davis2016", 2016)
    folders = [sequence.frame_paths[0].parent for sequence in dataset.sequences]
    tracker = Tracker.from_pretrained(model)
    ranks, precision = [], []
    for sequence in dataset.sequences:
        wanted, ranking = (
            out / f"find/{sequence.name}.safetensors",
            out / f"find/{sequence.name}.json",
        )
        tracker.reset()
        tracker.step(next(sequence.frames()), sequence.given_masks(sequence.names[0]))
        tracker.references().save(wanted)
        if not ranking.exists():
            words = ["--references", wanted, "--model", model, "--every", 10]
            page = ["--out", out / f"find/{sequence.name}.html", "--json", ranking]
            hodor("analyze", "find", *folders, *words, *page)
        # The frame that the reference was made in says nothing.
        found = [row for row in json.loads(ranking.read_text()) if row["index"] > 0]
        videos = list(dict.fromkeys(row["video"] for row in found))
        ranks.append(videos.index(sequence.name) + 1 if sequence.name in videos else len(folders))
        nearest = [row["video"] == sequence.name for row in found][:5]
        precision.append(sum(nearest) / max(1, len(nearest)))
    result = {
        "first": sum(rank == 1 for rank in ranks) / len(ranks),
        "precision_at_5": sum(precision) / len(precision),
        "ranks": dict(zip([s.name for s in dataset.sequences], ranks, strict=True)),
    }
    (out / "find.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


def numbers(out: Path, model: str) -> str:
    """The part of the page that depends on the model, as Markdown."""
    found = json.loads((out / "scores.json").read_text())
    methods, paired = found["methods"], found["paired"]
    rows = [
        [name, *(f"{100 * each['mean'][k]:.1f}" for k in ("J&F", "J", "F")), lead(paired.get(name))]
        for name, each in methods.items()
    ]
    s1 = json.loads((out / "s1.json").read_text())
    at = {level: s1["precision"][round(100 * level)] for level in (0.1, 0.5, 0.8, 1.0)}
    windows = json.loads((out / "fig5.json").read_text())
    multi = json.loads((out / "multi.json").read_text())["methods"]
    several = [
        [name, *(f"{100 * one['J&F']:.1f}" for one in each["sequences"].values())]
        for name, each in multi.items()
    ]
    search = json.loads((out / "find.json").read_text())
    trust = methods["ours"]["confidence"]["calibration_error"]
    return "\n\n".join(
        [
            f"Model `{model}`. **Ten sequences of DAVIS 2016 val**, one object each; J, F × 100.",
            markdown(
                ["method", "J&F", "J", "F", "lead of ours, J&F (95 % of resampled sets)"], rows
            ),
            f"Calibration error of the confidence: {100 * trust:.1f} points.",
            "Several objects, two clips (no benchmark), J&F × 100:",
            markdown(["method", *next(iter(multi.values()))["sequences"]], several),
            "Window (Fig. 5). Speeds: one run each, processes side by side, files included; "
            "[Performance](performance.md) has what a window costs:",
            markdown(
                ["window", "J&F", "frames/s"],
                [
                    [str(r["window"]), f"{100 * r['J&F']:.1f}", f"{r['frames_per_second']:.1f}"]
                    for r in windows
                ],
            ),
            f"Retrieval (Fig. S1), {s1['descriptors']} descriptors of {s1['instances']} objects: "
            f"mAP {s1['average_precision']:.3f}; guessing gives {s1['chance']:.2f}.",
            markdown(
                ["recall", *(f"{level:.1f}" for level in at)],
                [["precision", *(f"{value:.2f}" for value in at.values())]],
            ),
            "Finding (`hodor analyze find`): each object, described in its first frame, is looked "
            "for in every tenth later frame of all ten sequences. Its own sequence comes first for "
            f"{round(10 * search['first'])} of 10; of the five nearest frames "
            f"{100 * search['precision_at_5']:.0f} % are of its sequence.",
        ]
    )


def lead(paired: dict[str, Any] | None) -> str:
    """A difference with its interval."""
    if paired is None:
        return ""
    low, high = paired["interval_95"]
    return f"{100 * paired['mean']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [" | ".join(line) for line in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    """Run all of it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shared", type=Path, required=True, help="folder with data and metrics")
    options.add_argument("--out", type=Path, required=True, help="folder for what is made")
    options.add_argument("--model", default="small")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--docs", action="store_true", help="put the numbers into the page")
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    scores(given.shared, given.out, given.model, given.workers)
    figures(given.shared, given.out, given.model, given.workers)
    finding(given.shared, given.out, given.model)
    text = numbers(given.out, given.model)
    (given.out / "numbers.md").write_text(text + "\n")
    if given.docs:
        page = DOCS.read_text()
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        DOCS.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


if __name__ == "__main__":
    main()
