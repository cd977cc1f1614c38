"""What keeping freed memory is worth: the tracker's step with it and without, in turns.

    python benchmarks/allocator.py --model small --save

Each run is a process of its own, since the setting holds for a whole process.
"""

import statistics
import subprocess
import sys

import torch
from common import parser, show

from hodor import keep_freed_memory
from hodor.profiling import BenchOptions, Stepper, medians

WAYS = ("kept", "given back")


def follow(model: str, precision: str, way: str) -> None:
    """Print the seconds of a step."""
    if way == "kept":
        keep_freed_memory()
    stepper = Stepper(BenchOptions(model, precision=precision, device="cpu"))
    print(medians({"step": stepper}, 5)["step"])


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["follow"]:
        follow(*sys.argv[2:])
        return
    options = parser(__doc__, repeats=3)
    options.add_argument("--model", default="small", help="as for hodor bench")
    options.add_argument("--precision", default="auto")
    given = options.parse_args()
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(given.repeats):
        for way in WAYS:
            words = [sys.executable, __file__, "follow", given.model, given.precision, way]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            seconds[way].append(float(done.stdout))
    kept = statistics.median(seconds["kept"])
    rows = [
        {"freed_memory": way, "seconds_per_frame": median, "ratio": median / kept}
        for way, median in ((way, statistics.median(seconds[way])) for way in WAYS)
    ]
    name = f"allocator-{given.model}-{given.precision}-cpu"
    show(name, rows, torch.device("cpu"), save=given.save, model=given.model)


if __name__ == "__main__":
    main()
