"""How fast the tracker is on this machine, and how fast the machine itself is."""

from hodor.bench.flops import FlopMeter
from hodor.bench.machine import PRECISIONS, Yardstick, describe_machine, peak_memory, yardsticks
from hodor.bench.measure import BenchOptions, Measurement, Stepper, measure
from hodor.bench.report import bench_table
from hodor.bench.scenes import clip, grid_of_boxes, write_video
from hodor.bench.timing import STAGES, by_stage, medians, seconds_meter

__all__ = [
    "PRECISIONS",
    "STAGES",
    "BenchOptions",
    "FlopMeter",
    "Measurement",
    "Stepper",
    "Yardstick",
    "bench_table",
    "by_stage",
    "clip",
    "describe_machine",
    "grid_of_boxes",
    "measure",
    "medians",
    "peak_memory",
    "seconds_meter",
    "write_video",
    "yardsticks",
]
