"""From a video file to PNGs, as ``hodor track`` does it, against each of its stages alone.

    python benchmarks/end_to_end.py --model small --save

Decoding, network and writing run at the same time: the whole should take as long as the slowest.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from common import parser, show

from hodor.assets import sample_masks
from hodor.profiling import PRECISIONS, clip, write_video
from hodor.runs import track_video
from hodor.tracking import Result, Tracker
from hodor.video import (
    Frame,
    LabelMapSink,
    open_reference_masks,
    open_source,
    read_label_map,
    write_label_map,
)

HEIGHT, WIDTH, FRAMES = 480, 854, 72


def scene(folder: Path) -> tuple[Path, Path]:
    """The sample clip and its masks at the size of the benchmark."""
    import cv2

    video, masks = folder / "video.mp4", folder / "00000.png"
    write_video(video, clip(HEIGHT, WIDTH, FRAMES))
    labels = read_label_map(sample_masks())
    labels = cv2.resize(labels, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    write_label_map(masks, labels)
    return video, masks


def decode(video: Path) -> list[Frame]:
    """Read all frames."""
    with open_source(video) as source:
        return list(source.frames())


def step(tracker: Tracker, frames: list[Frame], masks: Path) -> list[Result]:
    """Follow the objects through frames in memory."""
    tracker.reset()
    given = open_reference_masks(masks)
    return [tracker.step(frame.pixels, given.for_frame(frame)) for frame in frames]


def write(folder: Path, frames: list[Frame], results: list[Result]) -> None:
    """Write label maps that are in memory."""
    with LabelMapSink(folder) as sink:
        for frame, result in zip(frames, results, strict=True):
            sink.write(frame, result.label_map, result.ids)


def whole(tracker: Tracker, video: Path, masks: Path, folder: Path) -> None:
    """All of it, but for loading the model."""
    tracker.reset()
    with open_source(video) as source:
        track_video(tracker, source, open_reference_masks(masks), [LabelMapSink(folder)])


def timed(times: dict[str, list[float]], name: str, work: Callable[[], object]) -> None:
    """Note how long a piece of work takes."""
    began = time.perf_counter()
    work()
    times.setdefault(name, []).append(time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__, repeats=3)
    options.add_argument("--model", default="small", help="as for hodor track")
    options.add_argument("--size", type=int)
    options.add_argument("--precision", default="auto")
    options.add_argument("--device", default="auto")
    given = options.parse_args()
    tracker = Tracker.from_pretrained(
        given.model, size=given.size, precision=given.precision, device=given.device
    )
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        video, masks = scene(folder)
        frames = decode(video)
        results = step(tracker, frames, masks)
        for _ in range(given.repeats):
            timed(times, "decode", partial(decode, video))
            timed(times, "step", partial(step, tracker, frames, masks))
            timed(times, "write", partial(write, folder / "alone", frames, results))
            timed(times, "file to PNGs", partial(whole, tracker, video, masks, folder / "out"))
    seconds = {name: statistics.median(values) / len(frames) for name, values in times.items()}
    slowest = max(seconds[name] for name in ("decode", "step", "write"))
    rows = [
        {
            "stage": name,
            "seconds_per_frame": value,
            "frames_per_second": 1 / value,
            "against_slowest_stage": value / slowest,
        }
        for name, value in seconds.items()
    ]
    about = {"precision": PRECISIONS[tracker.dtype], "size": tracker.options.size}
    name = f"end_to_end-{given.model}-{about['precision']}-{tracker.device.type}"
    show(name, rows, tracker.device, save=given.save, model=given.model, **about)


if __name__ == "__main__":
    main()
