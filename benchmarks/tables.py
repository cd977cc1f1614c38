"""Writes the tables of docs/performance.md from the results that were saved.

python benchmarks/tables.py
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from common import RESULTS

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- tables: written by benchmarks/tables.py -->", "<!-- end of tables -->"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table whose first column is text."""
    names = list(header)
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def load(pattern: str) -> dict[str, Any]:
    """Results by what the name says after the first dash."""
    files = sorted(RESULTS.glob(pattern))
    return {file.stem.partition("-")[2]: json.loads(file.read_text()) for file in files}


def label(name: str) -> str:
    """``small-bf16-cpu`` for a reader."""
    model, precision, device = name.split("-")
    return f"{model.replace('_without_', ' without ')}, {precision}, {device.upper()}"


def stages() -> str:
    """Milliseconds by stage and the share of the peak: for each machine its runs of hodor bench."""
    machines: dict[str, dict[str, Any]] = {}
    for name, run in load("bench-*.json").items():
        machines.setdefault(described(run), {})[name] = run
    return "\n\n".join(f"{machine}:\n\n{by_stage(runs)}" for machine, runs in machines.items())


def described(run: dict[str, Any]) -> str:
    """The machine of a result and what ran on it."""
    machine, torch = run["machine"], run["versions"]["torch"].partition("+")[0]
    threads = "" if machine["device"] == "cuda" else f", {machine['threads']} threads"
    return f"{machine['name']}{threads}, PyTorch {torch}"


def by_stage(runs: dict[str, Any]) -> str:
    """A column for each run."""
    most = max((run["stages"] for run in runs.values()), key=len)
    stages = [one for one in most if any(run["stages"].get(one) for run in runs.values())]
    rows = [
        [stage, *(milliseconds(run["stages"].get(stage, 0)) for run in runs.values())]
        for stage in stages
    ]
    last: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
        ("**whole step**", lambda run: f"**{1e3 * run['seconds_per_frame']:.1f}**"),
        ("frames/s", lambda run: f"{1 / run['seconds_per_frame']:.1f}"),
        ("GFLOP", lambda run: f"{run['gflop_per_frame']:.1f}"),
        ("peak, GFLOP/s", lambda run: f"{run['peak_gflops']:,.0f}"),
        ("**share of the peak**", lambda run: f"**{100 * run['share_of_peak']:.2g} %**"),
        ("peak memory, MB", lambda run: megabytes(run["peak_memory_bytes"])),
    ]
    rows += [[name, *(cell(run) for run in runs.values())] for name, cell in last]
    return table(["ms", *map(label, runs)], rows)


def milliseconds(seconds: float) -> str:
    """A stage's time; none where it was left out."""
    return f"{1e3 * seconds:.1f}" if seconds else ""


def megabytes(found: int | None) -> str:
    """A peak of memory; none where it was not measured."""
    return f"{found / 1e6:.0f}" if found else ""


def ratios(kind: str) -> str:
    """Time against the first row, a column for each run of ``benchmarks/tracker.py``."""
    runs = load(f"{kind}-*.json")
    keys = [row[kind] for row in next(iter(runs.values()))["rows"]]
    rows = [
        [key, *(f"{run['rows'][i]['ratio']:.3f}" for run in runs.values())]
        for i, key in enumerate(keys)
    ]
    return table([kind, *map(label, runs)], rows)


def deformable() -> str:
    """Ours against torchvision's."""
    rows = [
        [
            f"{run['about']['precision']}, {row['pass']}",
            f"{1e3 * row['ours_seconds']:.1f}",
            f"{1e3 * row['torchvision_seconds']:.1f}",
            f"**{row['times_as_fast']:.1f}**",
        ]
        for run in load("deform-*.json").values()
        for row in run["rows"]
    ]
    return table(["", "ours, ms", "torchvision, ms", "times as fast"], rows)


def end_to_end() -> str:
    """From file to PNGs."""
    rows = [
        [
            f"{label(name)}: {row['stage']}",
            f"{1e3 * row['seconds_per_frame']:.1f}",
            f"{row['frames_per_second']:.1f}",
            f"{row['against_slowest_stage']:.2f}",
        ]
        for name, run in load("end_to_end-*.json").items()
        for row in run["rows"]
    ]
    return table(["", "ms per frame", "frames/s", "against the slowest stage"], rows)


def resolution() -> str:
    """Seconds and shares by resolution."""
    (run,) = load("resolution-*.json").values()
    rows = [
        [
            row["resolution"],
            row["image"],
            f"{1e3 * row['seconds_per_frame']:.0f}",
            f"{row['ratio']:.2f}",
            f"{100 * row['share_of_peak']:.0f} %",
        ]
        for row in run["rows"]
    ]
    return table(["frame at size", "network's image", "ms", "ratio", "share of the peak"], rows)


def onnxruntime() -> str:
    """The step on onnxruntime against PyTorch's."""
    rows = [
        [
            f"{run['about']['threads']}",
            f"{row['size']}",
            f"{row['objects']}",
            f"{1e3 * row['torch_seconds']:.0f}",
            f"{1e3 * row['onnx_seconds']:.0f}",
            f"{row['ratio']:.2f}",
        ]
        for run in load("onnx-*.json").values()
        for row in run["rows"]
    ]
    return table(["threads", "size", "objects", "PyTorch, ms", "onnxruntime, ms", "ratio"], rows)


def small_ones() -> str:
    """Memory against length, the allocator, start."""
    rows = []
    for run in load("memory-*.json").values():
        rows += [
            [
                f"peak memory, {row['frames']} frames",
                f"{row['peak_memory_bytes'] / 1000000.0:.1f} MB",
                f"{row['ratio']:.4f}",
            ]
            for row in run["rows"]
        ]
    for run in load("allocator-*.json").values():
        rows += [
            [
                f"step, freed memory {row['freed_memory']}",
                f"{1000.0 * row['seconds_per_frame']:.1f} ms",
                f"{row['ratio']:.2f}",
            ]
            for row in run["rows"]
        ]
    for row in json.loads((RESULTS / "startup.json").read_text())["rows"]:
        rows.append([row["start"], f"{row['seconds']:.3f} s", ""])
    return table(["", "", "ratio"], rows)


SECTIONS = {
    "A step, by stage": (
        stages,
        "480p, 3 objects, window 7; `swin_tiny` with random weights at 512, others at their own "
        "sizes. AMX: a Xeon with matrix units for bfloat16. There and on the H200 `small` and "
        "`tiny` were measured before they had a refiner and matched, `small` at 256, `tiny` at 192 "
        "and on the H200 at 224.",
    ),
    "Objects": (lambda: ratios("objects"), "Time of a step against that with one object."),
    "Window": (
        lambda: ratios("window"),
        "Time of a step against that with a window of 1; the paper "
        "has 1.036 for a window of 10, on a GPU.",
    ),
    "Deformable convolution": (deformable, "256 channels, 64 x 116."),
    "From file to PNGs": (
        end_to_end,
        "H.264, 480 x 854, 72 frames, three objects; each stage alone, "
        "then all of it as `hodor track` does it.",
    ),
    "Resolution": (resolution, "Three objects, window 7."),
    "onnxruntime": (
        onnxruntime,
        "`small`, 480p, float32, window 7: the tracker's whole step on both, in turns and with as "
        "many threads each.",
    ),
    "Memory and start": (
        small_ones,
        "Whole runs from file to PNGs, at 96 x 160 so that 5,000 frames take a minute.",
    ),
}


def main() -> None:
    """Write the page."""
    parts = [f"### {name}\n\n{about}\n\n{make()}\n" for name, (make, about) in SECTIONS.items()]
    machine = json.loads((RESULTS / "startup.json").read_text())
    about = f"{described(machine)}; a shared machine. Others where they are named.\n"
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    text = "\n".join([BEGIN, "", about, *parts, END])
    PAGE.write_text(before + text + after, encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
