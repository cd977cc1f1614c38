"""One GPU in at most eight minutes: are its labels right, and how fast is it?

    python benchmarks/gpu.py                       # writes results/gpu-CARD.md
    python benchmarks/gpu.py --tiny --device cpu --out /tmp/gpu.md      # does it run at all?

First every step (plain, fixed, captured) in bf16 and fp32 is held against the CPU's plain one in
float32; the speed of one whose labels are wrong is measured, and said to be of wrong labels. Rows
for which no time is left say so.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier

import end_to_end
import numpy as np
import torch
from common import RESULTS
from numpy.typing import NDArray
from tables import table

from hodor import keep_freed_memory
from hodor.assets import sample_clip, sample_truth
from hodor.evaluation.metrics import measure_frame
from hodor.profiling import BenchOptions, Stepper, describe_machine, seconds_meter
from hodor.profiling.machine import versions
from hodor.tracking import Together, Tracker
from hodor.tracking.torch.fixed.step import STEPS
from hodor.video import open_source

SEQUENCE = 12  # frames
STARTS = (0, 12, 24, 36, 48)  # of sequences in the sample clip; each also mirrored: ten
BARS = {"bf16": 0.995, "fp32": 0.999}  # share of pixels with the CPU's labels
SCORE_BAR = 0.2  # points of J&F
STREAMS = 8
LIMIT = 470.0  # seconds unless asked otherwise; the last row may take some more


@dataclass
class Session:
    """What is measured, and what was found."""

    device: str
    tiny: bool
    """Small pictures, one round: only to see whether it runs"""
    limit: float = LIMIT
    """Seconds after which no other row begins"""
    began: float = field(default_factory=time.perf_counter)
    wrong: set[tuple[str, str]] = field(default_factory=set)
    """Step and precision whose labels are not the CPU's"""

    @property
    def steps(self) -> tuple[str, ...]:
        """Those that this device has."""
        return STEPS if self.device.startswith("cuda") else STEPS[:-1]

    @property
    def model(self) -> str:
        """What stands for ``small``."""
        return "tiny" if self.tiny else "small"

    @property
    def options(self) -> dict[str, int]:
        """Of its tracker, beside its own."""
        return {"size": 64} if self.tiny else {}

    @property
    def late(self) -> bool:
        """Whether no time is left for another row."""
        return time.perf_counter() - self.began > self.limit


def sequences(tiny: bool) -> Iterator[tuple[list[NDArray[np.uint8]], NDArray[np.uint8]]]:
    """Frames (H, W, 3) and the truth (T, H, W) of ten sequences."""
    with open_source(sample_clip()) as source:
        frames = [frame.pixels for frame in source.frames()]
    truth = sample_truth()
    count = 3 if tiny else SEQUENCE
    for start in STARTS[:1] if tiny else STARTS:
        part = slice(start, start + count)
        yield frames[part], truth[part]
        mirrored = [np.ascontiguousarray(frame[:, ::-1]) for frame in frames[part]]
        yield mirrored, np.ascontiguousarray(truth[part][..., ::-1])


def labels_of(tracker: Tracker, tiny: bool) -> list[NDArray[np.uint8]]:
    """Label maps (T, H, W) of each sequence."""
    found = []
    for frames, truth in sequences(tiny):
        tracker.reset()
        results = [
            tracker.step(frame, truth[0] if t == 0 else None) for t, frame in enumerate(frames)
        ]
        found.append(np.stack([np.asarray(result.label_map, np.uint8) for result in results]))
    return found


def score(labels: list[NDArray[np.uint8]], tiny: bool) -> float:
    """J&F in points, of frames after the first."""
    values = []
    for found, (_, truth) in zip(labels, sequences(tiny), strict=True):
        for ours, theirs in zip(found[1:], truth[1:], strict=True):
            values += measure_frame(theirs, ours, [int(i) for i in np.unique(truth[0])[1:]])
    return 100 * float(np.mean(values))


def tracker_of(session: Session, device: str, precision: str, step: str) -> Tracker:
    """A tracker of ``small`` with its own options."""
    return Tracker.from_pretrained(
        session.model, device=device, precision=precision, step=step, **session.options
    )


def correctness(session: Session) -> str:
    """Labels against the CPU's, for each step and precision."""
    truth = labels_of(tracker_of(session, "cpu", "fp32", "plain"), session.tiny)
    best = score(truth, session.tiny)
    rows = [["CPU, plain, fp32", "", "", f"{best:.2f}", ""]]
    for step in session.steps:
        for precision, bar in BARS.items():
            tracker = tracker_of(session, session.device, precision, step)
            found = labels_of(tracker, session.tiny)
            same = np.mean([np.mean(a[1:] == b[1:]) for a, b in zip(found, truth, strict=True)])
            points = score(found, session.tiny)
            right = bool(same >= bar and abs(points - best) <= SCORE_BAR)
            if not right:
                session.wrong.add((step, precision))
            verdict = "right" if right else "**wrong**"
            rows.append(
                [
                    f"{step}, {precision}",
                    f"{100 * same:.3f} %",
                    f"{100 * bar:.1f} %",
                    f"{points:.2f}",
                    verdict,
                ]
            )
    return table(["step", "labels as the CPU's", "at least", "J&F", ""], rows)


def rate(session: Session, work: Callable[[], object], device: object) -> float:
    """Times a second: of three rounds the median."""
    meter = seconds_meter(device)  # type: ignore[arg-type]
    rounds, span = (1, 0.0) if session.tiny else (3, 0.7)
    for _ in range(1 if session.tiny else 6):  # captures, and kernels that are chosen
        work()
    found = []
    for _ in range(rounds):
        calls, before = 0, meter()
        while True:
            work()
            calls += 1
            if time.perf_counter() - before > span and (now := meter()) - before > span:
                break
        found.append(calls / (now - before))
    return sorted(found)[rounds // 2]


def steps_a_second(session: Session, precision: str, step: str, model: str, objects: int) -> float:
    """Of one stream, frames decoded already."""
    # swin_tiny sees 480 x 854 at its size of 512 as 512 x 928
    options = BenchOptions(
        model=model, objects=objects, precision=precision, device=session.device, step=step
    )
    if session.tiny:
        options = BenchOptions(
            "tiny", 64, 96, 64, min(objects, 4), 2, precision, session.device, 1, step
        )
    stepper = Stepper(options)
    return rate(session, stepper, stepper.tracker.device)


def eight_streams(session: Session, precision: str, step: str, *, in_common: bool) -> float:
    """Frames a second of eight trackers of one network, a thread each: they share its passages.

    in_common: batches of all eight, for the step ``plain``.
    """
    first = tracker_of(session, session.device, precision, step)
    trackers = [Tracker(first.runtime, first.options) for _ in range(STREAMS)]
    if in_common:
        together = Together(first)
        trackers = [together.tracker() for _ in range(STREAMS)]
    frames, truth = next(sequences(session.tiny))
    for tracker in trackers:
        tracker.step(frames[0], truth[0])
    turns = [0] * STREAMS
    begun = Barrier(STREAMS)

    def one(number: int) -> None:
        with trackers[number].runtime.following():
            begun.wait()
            for _ in range(1 if session.tiny else 4):
                turns[number] += 1
                trackers[number].step(frames[turns[number] % len(frames)])

    with ThreadPoolExecutor(STREAMS) as pool:
        each = 1 if session.tiny else 4
        return (
            STREAMS
            * each
            * rate(session, lambda: list(pool.map(one, range(STREAMS))), first.device)
        )


def file_to_pngs(session: Session, precision: str, step: str) -> tuple[float, str]:
    """Frames a second from a file to PNGs, and what it waits for."""
    tracker = tracker_of(session, session.device, precision, step)
    if session.tiny:
        end_to_end.HEIGHT, end_to_end.WIDTH, end_to_end.FRAMES = 96, 160, 4
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        video, masks = end_to_end.scene(folder)
        frames = end_to_end.decode(video)
        results = end_to_end.step(tracker, frames, masks)  # warms up, too
        times: dict[str, list[float]] = {}
        works: dict[str, Callable[[], object]] = {
            "decoding": lambda: end_to_end.decode(video),
            "the step": lambda: end_to_end.step(tracker, frames, masks),
            "writing": lambda: end_to_end.write(folder / "alone", frames, results),
        }
        for name, work in works.items():
            end_to_end.timed(times, name, work)
        end_to_end.timed(
            times, "whole", lambda: end_to_end.whole(tracker, video, masks, folder / "out")
        )
    speeds = {name: len(frames) / values[0] for name, values in times.items()}
    slowest = min(works, key=lambda name: speeds[name])
    alone = ", ".join(f"{name} {speeds[name]:.0f}" for name in works)
    return speeds["whole"], f"{slowest} (alone: {alone})"


def speeds(session: Session) -> str:
    """Every row of what is to be reached, for each step."""
    rows: list[list[str]] = []

    def row(what: str, bar: str, precision: str, step: str, work: Callable[[], str]) -> None:
        found = "not measured: no time left" if session.late else work()
        wrong = "labels are wrong" if (step, precision) in session.wrong else ""
        rows.append([what, bar, step, precision, found, wrong])

    def one(precision: str, step: str, model: str, objects: int) -> Callable[[], str]:
        return lambda: f"{steps_a_second(session, precision, step, model, objects):.1f}"

    def many(precision: str, step: str, model: str) -> str:
        few, more = (steps_a_second(session, precision, step, model, n) for n in (1, 64))
        return f"{few / more:.2f} x ({few:.1f} and {more:.1f})"

    for step in reversed(session.steps):  # the fastest first, in case time runs out
        row("small, 480p", "500", "bf16", step, one("bf16", step, "small", 3))
        for precision in ("bf16", "fp32"):
            work = one(precision, step, "swin_tiny", 3)
            row("Swin-T, 512 x 928, 3 objects", "300; bf16 not below fp32", precision, step, work)
        row(
            "small, eight videos", "2,000", "bf16", step,
            lambda step=step: f"{eight_streams(session, 'bf16', step, in_common=False):.1f}",
        )  # fmt: skip
        if step == "plain":
            row(
                "small, eight videos in one go", "2,000", "bf16", step,
                lambda: f"{eight_streams(session, 'bf16', 'plain', in_common=True):.1f}",
            )  # fmt: skip
        row(
            "file to PNGs, small, 480p", "150", "bf16", step,
            lambda step=step: "{:.1f}; slowest is {}".format(*file_to_pngs(session, "bf16", step)),
        )  # fmt: skip
        for model in ("small", "swin_tiny"):
            row(
                f"64 objects against 1, {model}", "1.2 x at most", "bf16", step,
                lambda step=step, model=model: many("bf16", step, model),
            )  # fmt: skip
    return table(["frames/s", "bar", "step", "precision", "found", ""], rows)


def page(session: Session) -> str:
    """All tables, with the card's name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        right, fast = correctness(session), speeds(session)
    said = [f"- {one.message}" for one in caught if issubclass(one.category, UserWarning)]
    about = machine(session)
    took = time.perf_counter() - session.began
    parts = [
        f"# {about['name']}" + (", tiny: these numbers say nothing" if session.tiny else ""),
        f"PyTorch {about['torch']}, Python {about['python']}, {took:.0f} s in all.",
        "## Labels",
        right,
        "## Speed",
        fast,
        "## Warnings",
        "\n".join(dict.fromkeys(said)) or "none",
    ]
    return "\n\n".join(parts) + "\n"


def machine(session: Session) -> dict[str, str | int]:
    """What it is measured on."""
    return describe_machine(torch.device(session.device)) | versions()


def main() -> None:
    """Check, measure, write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--device", default="cuda")
    options.add_argument("--tiny", action="store_true", help="only see whether it runs")
    options.add_argument("--limit", type=float, default=LIMIT, help="seconds; later rows are left")
    options.add_argument("--out", type=Path, help="default: results/gpu-CARD.md")
    given = options.parse_args()
    keep_freed_memory()
    session = Session(given.device, given.tiny, given.limit)
    name = str(machine(session)["name"]).lower().replace(" ", "-")
    text = page(session)
    print(text)
    (given.out or RESULTS / f"gpu-{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
