"""How long a step takes with other options: variants in turns on real frames, by means.

    python benchmarks/in_turns.py --davis PATH --split train --whole-views --save
    python benchmarks/in_turns.py --davis PATH --options "size=288" --options "keep_every=off"
    python benchmarks/in_turns.py --davis PATH --model base --tokens-in-each

The first variant is the model as it is; ratios are against it. All are timed on the same frame,
one after another, each in turn first, so that what else the machine does falls on all alike.
Means, not medians: what comes only every few frames, as remembering does, is part of the time.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import yaml
from common import parser, show

from hodor.evaluation import BenchmarkSequence, DavisDataset
from hodor.profiling import PRECISIONS
from hodor.tracking import Tracker
from hodor.tracking.torch.runtime import TorchRuntime

WHOLE = "whole views"
TOKENS = "tokens in each frame"
FIRST = 2  # frames that are not counted: the given one, and one in which weights are laid out


@contextmanager
def views(variant: str) -> Iterator[None]:
    """Within it the network looks at frames in a variant's way.

    With whole views nothing is cut off that is far from the objects; with tokens in each frame none
    are carried along.
    """
    changes = {WHOLE: ("time_grows_with_size", False), TOKENS: ("tokens_every", 1)}
    if variant not in changes:
        yield
        return
    name, value = changes[variant]
    with patch.object(TorchRuntime, name, new=value):
        yield


def frames(sequence: BenchmarkSequence, count: int) -> Iterator[Any]:
    """So many frames; a short video goes to and fro."""
    all_of_it = list(sequence.frames())
    there_and_back = all_of_it + all_of_it[-2:0:-1]
    return (there_and_back[i % len(there_and_back)] for i in range(count))


def seconds(
    sequence: BenchmarkSequence, trackers: dict[str, Tracker], count: int
) -> dict[str, float]:
    """Mean seconds of a step of each tracker."""
    times: dict[str, list[float]] = {name: [] for name in trackers}
    names = list(trackers)
    given = sequence.given_masks(sequence.names[0])
    for index, frame in enumerate(frames(sequence, count)):
        turn = index % len(names)
        for name in names[turn:] + names[:turn]:
            with views(name):
                began = time.perf_counter()
                trackers[name].step(frame, given if index == 0 else None)
                times[name].append(time.perf_counter() - began)
    for tracker in trackers.values():
        tracker.reset()
    return {name: statistics.fmean(values[FIRST:]) for name, values in times.items()}


def main() -> None:
    """Measure and print."""
    options = parser(__doc__, repeats=1)
    options.add_argument("--davis", type=Path, required=True, help="as for hodor evaluate")
    options.add_argument("--year", type=int, default=2016)
    options.add_argument("--split", default="val")
    options.add_argument("--resolution", default="480p")
    options.add_argument("--sequences", default="", help="names with commas; else all")
    options.add_argument("--frames", type=int, default=60, help="of each sequence")
    options.add_argument("--model", default="small", help="as for hodor track")
    options.add_argument("--device", default="auto")
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    options.add_argument("--whole-views", action="store_true", help="also views of a frame's shape")
    options.add_argument(
        "--tokens-in-each", action="store_true", help="also tokens worked out in each frame"
    )
    options.add_argument(
        "--options",
        action="append",
        default=[],
        metavar="NAME=VALUE ...",
        help="a variant, by fields of TrackerOptions; may be given several times",
    )
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    only = tuple(filter(None, asked.sequences.split(",")))
    dataset = DavisDataset(
        asked.davis, asked.year, asked.split, resolution=asked.resolution, only=only
    )
    first = Tracker.from_pretrained(asked.model, device=asked.device)
    trackers = {"as it is": first}
    for variant, wanted in ((WHOLE, asked.whole_views), (TOKENS, asked.tokens_in_each)):
        if wanted:
            trackers[variant] = Tracker.from_pretrained(asked.model, device=asked.device)
    for changes in asked.options:
        fields = dict(one.split("=", 1) for one in changes.split())
        # "off" is a word of the options, and false in YAML.
        read = {k: v if v == "off" else yaml.safe_load(v) for k, v in fields.items()}
        trackers[changes] = Tracker.from_pretrained(asked.model, device=asked.device, **read)
    rows: list[dict[str, Any]] = []
    for sequence in dataset.sequences:
        rounds = [seconds(sequence, trackers, asked.frames) for _ in range(asked.repeats)]
        taken = {name: statistics.median(one[name] for one in rounds) for name in trackers}
        rows.append(_row(sequence.name, taken))
    means = {name: statistics.fmean(row[f"{name}, ms"] / 1e3 for row in rows) for name in trackers}
    ratios = {
        f"{name}, ratio": statistics.fmean(row[f"{name}, ratio"] for row in rows)
        for name in list(trackers)[1:]
    }
    rows.append(_row("mean; of ratios", means) | ratios)
    about = {"precision": PRECISIONS[first.dtype], "threads": asked.threads}
    name = f"in_turns-{asked.model}-{first.device.type}"
    show(name, rows, first.device, save=asked.save, model=asked.model, **about)


def _row(sequence: str, taken: dict[str, float]) -> dict[str, Any]:
    """Milliseconds, and ratios against the first."""
    first = next(iter(taken.values()))
    row: dict[str, Any] = {"sequence": sequence}
    for index, (name, value) in enumerate(taken.items()):
        row[f"{name}, ms"] = value * 1e3
        if index:
            row[f"{name}, ratio"] = value / first
    return row


if __name__ == "__main__":
    main()
