"""The tracker's step against objects, window and resolution, as ratios measured in one run.

    python benchmarks/tracker.py objects --model small --save

Trackers of one table take turns, so that what slows the machine for a while slows all of them.
"""

from dataclasses import replace

from common import parser, show

from hodor.profiling import PRECISIONS, BenchOptions, Stepper, medians, seconds_meter, yardsticks

RESOLUTIONS = {"480p": (480, 854), "720p": (720, 1280), "1080p": (1080, 1920)}
SIZES = (256, 384, 512)


def variants(table: str, base: BenchOptions) -> dict[str, BenchOptions]:
    """What is compared, by the name of its row; the first is what the others are held against."""
    if table == "objects":
        return {str(n): replace(base, objects=n) for n in (1, 3, 10, 64)}
    if table == "window":
        return {str(n): replace(base, window=n) for n in (1, 7, 10)}
    return {
        f"{name} at {size}": replace(base, height=h, width=w, size=size)
        for name, (h, w) in RESOLUTIONS.items()
        for size in SIZES
    }


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("table", choices=("objects", "window", "resolution"))
    options.add_argument("--model", default="small", help="as for hodor bench")
    options.add_argument("--size", type=int)
    options.add_argument("--precision", default="auto")
    options.add_argument("--device", default="auto")
    given = options.parse_args()
    base = BenchOptions(
        given.model, size=given.size, precision=given.precision, device=given.device
    )
    steppers = {name: Stepper(each) for name, each in variants(given.table, base).items()}
    first = next(iter(steppers.values()))
    device, dtype = first.tracker.device, first.tracker.dtype
    rulers = yardsticks(device, dtype)
    works = {f"peak {name}": ruler.work for name, ruler in rulers.items()}
    works |= {name: stepper.some for name, stepper in steppers.items()}
    seconds = medians(works, given.repeats, seconds_meter(device))
    seconds |= {name: seconds[name] / stepper.turns for name, stepper in steppers.items()}
    peak = max(ruler.flop / seconds[f"peak {name}"] / 1e9 for name, ruler in rulers.items())
    one = seconds[next(iter(steppers))]
    rows = []
    for name, stepper in steppers.items():
        gflop = sum(stepper.gflop().values())
        rows.append(
            {
                given.table: name,
                "image": "{} x {}".format(*stepper.image),
                "seconds_per_frame": seconds[name],
                "ratio": seconds[name] / one,
                "gflop_per_frame": gflop,
                "share_of_peak": gflop / seconds[name] / peak,
            }
        )
    precision = PRECISIONS[dtype]
    name = f"{given.table}-{given.model}-{precision}-{device.type}"
    show(name, rows, device, save=given.save, model=given.model, precision=precision)


if __name__ == "__main__":
    main()
