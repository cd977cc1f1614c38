"""The tracker's step on onnxruntime against PyTorch's, in turns, with as many threads each.

    python benchmarks/onnx_step.py --threads 1 --save

Frames are the bundled clip's, resized; labels of both are compared on the way.
"""

import statistics
import tempfile
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from common import parser, show

from hodor import Tracker, load_model
from hodor.onnx import OnnxNetwork, export
from hodor.profiling import clip, grid_of_boxes, medians
from hodor.tracking import TrackerOptions, network_fingerprint
from hodor.tracking.onnx.runtime import OnnxRuntime

HEIGHT, WIDTH = 480, 854
FRAMES = 4  # that are stepped through, again and again


def trackers(model: str, size: int | None, threads: int) -> dict[str, Tracker]:
    """A tracker on each runtime, with the model's options."""
    network = load_model(model)
    chosen = TrackerOptions.stated_by(network.metadata).changed({"size": size})
    with tempfile.TemporaryDirectory() as folder:
        export(network, Path(folder), network_fingerprint(network))
        opened = OnnxNetwork.open(Path(folder), threads=threads)
    return {
        "torch": Tracker(network, chosen, device="cpu", precision="fp32"),
        "onnx": Tracker(OnnxRuntime(opened), chosen),
    }


def main() -> None:
    """Measure and print."""
    options = parser(__doc__, repeats=9)
    options.add_argument("--model", default="small")
    options.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    options.add_argument("--objects", type=int, nargs="+", default=[1, 3, 10])
    options.add_argument("--threads", type=int, default=1)
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    frames = list(clip(HEIGHT, WIDTH, FRAMES))
    rows = []
    for size in given.sizes:
        made = trackers(given.model, size, given.threads)
        for objects in given.objects:
            differ = []
            for tracker in made.values():
                tracker.reset()
            labels = grid_of_boxes(HEIGHT, WIDTH, objects)
            for t in range(2 + made["torch"].options.window):
                masks = labels if t == 0 else None
                a, b = (one.step(frames[t % FRAMES], masks).label_map for one in made.values())
                differ.append(float((np.asarray(a) != b).mean()))
            turns = {name: cycle(frames) for name in made}
            seconds = medians(
                {
                    name: lambda one=one, turn=turns[name]: one.step(next(turn))
                    for name, one in made.items()
                },
                given.repeats,
            )
            rows.append(
                {
                    "size": size,
                    "objects": objects,
                    "torch_seconds": seconds["torch"],
                    "onnx_seconds": seconds["onnx"],
                    "ratio": seconds["onnx"] / seconds["torch"],
                    "pixels_that_differ": statistics.mean(differ),
                }
            )
    name = f"onnx-{given.model}-fp32-cpu"
    show(name, rows, torch.device("cpu"), save=given.save, threads=given.threads)


if __name__ == "__main__":
    main()
