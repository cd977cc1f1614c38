"""Numbers over time: area, place, shape, speed of every object, as tables and curves."""

from hodor.measuring.curves import curves_figure
from hodor.measuring.measurement import Measurement, Units, as_written, measure
from hodor.measuring.table import write_measurements

__all__ = ["Measurement", "Units", "as_written", "curves_figure", "measure", "write_measurements"]
