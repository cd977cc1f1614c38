"""One measurement: a tracker's step on this machine, its stages, its work, the machine's peak."""

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

import torch

from hodor.model import Hodor, HodorConfig
from hodor.profiling.flops import FlopMeter
from hodor.profiling.machine import PRECISIONS, describe_machine, peak_memory, versions, yardsticks
from hodor.profiling.operations import Counts, OperationMeter, read_meter, upload_meter
from hodor.profiling.scenes import clip, grid_of_boxes, write_video
from hodor.profiling.timing import Meter, by_stage, medians, seconds_meter
from hodor.tracking import Tracker, TrackerOptions
from hodor.types import JsonObject, PlainValues
from hodor.video import open_source
from hodor.weights import DEFAULT, load_model

PAPER = "swin_tiny"  # the paper's configuration with random weights
FRAMES = 4  # that are stepped through, again and again
DECODED = 24  # frames of the video that is decoded


@dataclass(frozen=True)
class BenchOptions:
    """What is measured.

    Raises:
        HodorError: when a ``Stepper`` is made: no such model, device or precision.
    """

    model: str = DEFAULT
    """As for ``load_model``, or ``swin_tiny``: the paper's configuration with random weights"""
    height: int = 480
    """Of a frame, in pixels"""
    width: int = 854
    size: int | None = None
    """Shorter side at which the network sees it, in pixels; None: the model's"""
    objects: int = 3
    window: int | None = None
    """Frames remembered; None: the model's"""
    precision: str = "auto"
    device: str = "auto"
    repeats: int = 5
    step: str = "plain"
    """As for ``Tracker``"""


@dataclass(frozen=True)
class Measurement:
    """What was found. Stages add up to a step but for ``decode``, which comes before it."""

    seconds_per_frame: float
    """Of a whole ``Tracker.step`` with a full window; decoding and writing are not in it"""
    stages: dict[str, float]
    """Seconds by stage, decoding included; measured in other steps than ``seconds_per_frame``"""
    gflop_per_frame: float
    stage_gflop: dict[str, float]
    peak_gflops: float
    """The better of a large product and a large convolution, in GFLOP/s"""
    share_of_peak: float
    peak_memory_bytes: int | None
    memory_of: str
    settings: JsonObject
    machine: dict[str, str | int]
    versions: dict[str, str]

    def to_json(self) -> PlainValues:
        """Plain values."""
        return asdict(self)


class Stepper:
    """A tracker with a full window; a call makes one step more.

    Raises:
        HodorError: no such model, device or precision, or too many objects.
    """

    def __init__(self, options: BenchOptions) -> None:
        self.options = options
        self.tracker = _tracker(options)
        labels = grid_of_boxes(options.height, options.width, options.objects)
        self.frames = list(clip(options.height, options.width, FRAMES))
        self._turn = cycle(self.frames)
        self.tracker.step(next(self._turn), labels)
        # One more than the window, so that the given masks' frame has left it.
        for _ in range(self.tracker.options.window + 1):
            self()

    def __call__(self) -> None:
        """Make one step."""
        self.tracker.step(next(self._turn))

    @property
    def image(self) -> tuple[int, int]:
        """Height and width of what the network sees in the next step, padding included."""
        source = (self.options.height, self.options.width)
        return self.tracker.stages.geometry(source, None).padded

    @property
    def turns(self) -> int:
        """After how many steps the same work comes again: tokens are not made in each frame."""
        return self.tracker.runtime.tokens_every

    def some(self) -> None:
        """Make ``turns`` steps."""
        for _ in range(self.turns):
            self()

    def by_stage(self, meter: Meter) -> dict[str, float]:
        """What ``meter`` goes up by in each stage of a step, the mean of ``turns``."""
        return by_stage(self.tracker, self, meter, self.turns)

    def gflop(self) -> dict[str, float]:
        """Operations of one step by stage, in units of 1e9."""
        with FlopMeter() as meter:
            return {k: v / 1e9 for k, v in self.by_stage(meter).items()}

    def operations(self) -> dict[str, Counts]:
        """What each stage of one step asks of the device."""
        with OperationMeter() as meter:
            asked = self.by_stage(meter)
        with read_meter() as reads:
            read = self.by_stage(reads)
        with upload_meter() as (count, _):
            uploads = self.by_stage(count)
        with upload_meter() as (_, size):
            sent = self.by_stage(size)
        columns = (asked, read, uploads, sent)
        return {stage: Counts(*(round(each[stage]) for each in columns)) for stage in asked}


def measure(options: BenchOptions) -> Measurement:
    """Measure a tracker on this machine.

    Raises:
        HodorError: no such model, device or precision, or too many objects.
    """
    stepper = Stepper(options)
    tracker = stepper.tracker
    meter = seconds_meter(tracker.device)
    # Read before anything else takes memory.
    memory, memory_of = peak_memory(tracker.device)
    split: list[dict[str, float]] = []
    rulers = yardsticks(tracker.device, tracker.dtype)
    works: dict[str, Callable[[], object]] = {name: ruler.work for name, ruler in rulers.items()}
    works["step"] = stepper.some
    works["stages"] = lambda: split.append(stepper.by_stage(meter))
    seconds = medians(works, options.repeats, meter)
    step = seconds["step"] / stepper.turns
    peak = max(ruler.flop / seconds[name] / 1e9 for name, ruler in rulers.items())
    work = stepper.gflop()
    decode, codec = _decode(options, meter)
    total = sum(work.values())
    return Measurement(
        seconds_per_frame=step,
        stages={"decode": decode}
        | {name: statistics.median(s[name] for s in split[1:]) for name in split[0]},
        gflop_per_frame=total,
        stage_gflop=work,
        peak_gflops=peak,
        share_of_peak=total / step / peak,
        peak_memory_bytes=memory,
        memory_of=memory_of,
        settings=_settings(stepper, codec),
        machine=describe_machine(tracker.device),
        versions=versions(),
    )


def _tracker(options: BenchOptions) -> Tracker:
    changes = {"size": options.size, "window": options.window}
    network = _paper() if options.model == PAPER else load_model(options.model)
    chosen = TrackerOptions.stated_by(network.metadata).changed(changes)
    return Tracker(
        network, chosen, device=options.device, precision=options.precision, step=options.step
    )


def _paper() -> Hodor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Hodor(HodorConfig())


def _settings(stepper: Stepper, codec: str) -> JsonObject:
    tracker = stepper.tracker
    return asdict(stepper.options) | {
        "size": tracker.options.size,
        "window": tracker.options.window,
        "precision": PRECISIONS[tracker.dtype],
        "device": tracker.device.type,
        "image": list(stepper.image),
        "codec": codec,
        "tracker": asdict(tracker.options),
    }


def _decode(options: BenchOptions, meter: Meter) -> tuple[float, str]:
    """Seconds to read a frame of an encoded video of this size, as ``hodor track`` reads it."""
    even = options.height + options.height % 2, options.width + options.width % 2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        codec = write_video(path, clip(*even, DECODED))

        def read() -> None:
            with open_source(path) as source:
                for _ in source.frames():
                    pass

        return medians({"decode": read}, min(options.repeats, 3), meter)["decode"] / DECODED, codec
