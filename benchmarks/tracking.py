"""Time and memory of the tracker, as ratios measured in one run.

    python benchmarks/tracking.py --model small --size 256 --json tracking.json

Frames are random and decoded already; what is timed is ``Tracker.step`` alone. The machine's own
peak is measured in the same run, in the same precision: the better of a large matrix product and
a large 3x3 convolution. Absolute times drift on shared machines; ratios and shares do so less.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from hodor.tracking import Tracker, TrackerOptions

HEIGHT, WIDTH = 480, 854


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """Median time of ``work``, after one run that does not count."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def peak_gflops(dtype: torch.dtype) -> float:
    """The machine's peak in GFLOP/s."""
    a = torch.randn(2048, 2048, dtype=dtype)
    product = 2 * 2048**3 / seconds(lambda: a @ a, 3)
    convolution = torch.nn.Conv2d(256, 256, 3, padding=1).to(dtype)
    convolution = convolution.to(memory_format=torch.channels_last)
    x = torch.randn(1, 256, 128, 232, dtype=dtype).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        conv = 2 * 256 * 256 * 9 * 128 * 232 / seconds(lambda: convolution(x), 3)
    return max(product, conv) / 1e9


def masks_of(objects: int) -> np.ndarray:
    """A label map of ``objects`` boxes on a grid."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    columns = int(np.ceil(np.sqrt(objects)))
    for i in range(objects):
        y, x = divmod(i, columns)
        h, w = HEIGHT // columns, WIDTH // columns
        labels[y * h + 2 : y * h + h // 2, x * w + 2 : x * w + w // 2] = i + 1
    return labels


def step_time(model: str, size: int, objects: int, window: int, repeats: int) -> float:
    """Median seconds of one step with a full window."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(4)]
    base = Tracker.from_pretrained(model, device="cpu")
    options = TrackerOptions(size=size, window=window, keep_reference=base.options.keep_reference)
    tracker = Tracker(base.network, options, device="cpu")
    tracker.step(frames[0], masks_of(objects))
    for i in range(window):
        tracker.step(frames[i % 4])
    turn = iter(range(10**9))
    return seconds(lambda: tracker.step(frames[next(turn) % 4]), repeats)


def gflop(model: str, size: int) -> float:
    """GFLOP of one step with one object (convolutions and matrix products)."""
    tracker = Tracker.from_pretrained(model, size=size, device="cpu")
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    tracker.step(frame, masks_of(1))
    with FlopCounterMode(display=False) as counter:
        tracker.step(frame)
    return counter.get_total_flops() / 1e9


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--size", type=int)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json")
    given = parser.parse_args()
    tracker = Tracker.from_pretrained(given.model, size=given.size, device="cpu")
    size = tracker.options.size
    window = tracker.options.window

    def step(objects: int, frames: int) -> float:
        return step_time(given.model, size, objects, frames, given.repeats)

    one = step(1, window)
    work = gflop(given.model, size)
    peak = peak_gflops(tracker.dtype)
    result = {
        "model": given.model,
        "size": size,
        "precision": str(tracker.dtype).removeprefix("torch."),
        "seconds_per_frame": one,
        "gflop_per_frame": work,
        "peak_gflops": peak,
        "share_of_peak": work / one / peak,
        "8_objects_against_1": step(8, window) / one,
        "64_objects_against_1": step(64, window) / one,
        "window_10_against_1": step(1, 10) / step(1, 1),
    }
    for name, value in result.items():
        print(f"{name}: {value:.3g}" if isinstance(value, float) else f"{name}: {value}")
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
