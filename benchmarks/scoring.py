"""Seconds that scoring takes, beside those that the official DAVIS toolkit took.

    python benchmarks/scoring.py --shared ../shared --workers 2 --save

The toolkit's seconds, on one core and for both measures, are in the recordings (metrics/
expected.json). Ours include looking through the benchmark, reading every PNG and, with several
workers, starting the processes; the interpreter and imports of the main process come on top in
the last column, which is the time of the whole command.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from common import parser, show

SETS = {"single": ("data/davis2016", 2016), "multi": ("metrics/multi/reference", 2017)}


PROGRAM = """
import resource, sys, time
from pathlib import Path
from hodor.evaluation import DavisDataset, score_folder
root, year, results, workers = sys.argv[1:]
began = time.perf_counter()
dataset = DavisDataset(Path(root), int(year), with_frames=False)
scores = score_folder(Path(results), dataset, workers=int(workers))
who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
busy = sum(resource.getrusage(each).ru_utime + resource.getrusage(each).ru_stime for each in who)
print(time.perf_counter() - began, busy, scores.mean.j_and_f)
"""


def scoring(shared: Path, name: str, workers: int) -> tuple[float, float]:
    """Seconds from nothing but paths to scores, and of all processors, with the imports."""
    root, year = SETS[name]
    words = [shared / root, year, shared / "metrics" / name / "results", workers]
    command = [sys.executable, "-c", PROGRAM, *map(str, words)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, busy, found = map(float, ran.stdout.split())
    expected = json.loads((shared / "metrics/expected.json").read_text())[name]["mean"]["J&F"]
    if abs(found - expected) > 1e-6:
        raise SystemExit(f"{name}: J&F is {found}, the toolkit's {expected}")
    return seconds, busy


def whole_command(shared: Path, name: str, workers: int) -> float:
    """Seconds of ``hodor evaluate``, from its start to its end."""
    root, year = SETS[name]
    words = ["evaluate", shared / "metrics" / name / "results", "--davis", shared / root]
    words += ["--year", year, "--workers", workers]
    program = "from hodor.cli import main; main()"
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--shared", type=Path, required=True, help="folder with the recordings")
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    recorded = json.loads((given.shared / "metrics/expected.json").read_text())
    rows = []
    for name in SETS:
        theirs = recorded[name]["toolkit_seconds"]
        runs = [scoring(given.shared, name, given.workers) for _ in range(given.repeats)]
        commands = [whole_command(given.shared, name, given.workers) for _ in range(given.repeats)]
        (ours, busy), command = sorted(runs)[len(runs) // 2], sorted(commands)[len(commands) // 2]
        rows.append(
            {
                "set": name,
                "toolkit_seconds": theirs,
                "our_seconds": ours,
                "times_as_fast": theirs / ours,
                "processor_seconds": busy,
                "whole_command": command,
                "command_times_as_fast": theirs / command,
            }
        )
    show("scoring", rows, torch.device("cpu"), save=given.save, workers=given.workers)


if __name__ == "__main__":
    main()
