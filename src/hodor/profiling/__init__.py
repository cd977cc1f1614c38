"""How fast the tracker is on this machine, and how fast the machine itself is."""

from hodor.profiling.flops import FlopMeter
from hodor.profiling.machine import PRECISIONS, Yardstick, describe_machine, peak_memory, yardsticks
from hodor.profiling.measure import BenchOptions, Measurement, Stepper, measure
from hodor.profiling.operations import Counts, OperationMeter, read_meter, upload_meter
from hodor.profiling.report import bench_table, operations_table
from hodor.profiling.scenes import clip, grid_of_boxes, write_video
from hodor.profiling.timing import STAGES, by_stage, medians, seconds_meter

__all__ = [
    "PRECISIONS",
    "STAGES",
    "BenchOptions",
    "Counts",
    "FlopMeter",
    "Measurement",
    "OperationMeter",
    "Stepper",
    "Yardstick",
    "bench_table",
    "by_stage",
    "clip",
    "describe_machine",
    "grid_of_boxes",
    "measure",
    "medians",
    "operations_table",
    "peak_memory",
    "read_meter",
    "seconds_meter",
    "upload_meter",
    "write_video",
    "yardsticks",
]
