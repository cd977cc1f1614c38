"""One frame at a time: the tracker, its memory, and a whole video's run."""

from hodor.tracking.geometry import Geometry
from hodor.tracking.history import Described
from hodor.tracking.options import TrackerOptions, choose_device, choose_precision
from hodor.tracking.pipeline import Progress, Summary, resume, track_video, write_summary
from hodor.tracking.result import Result
from hodor.tracking.state import References, load_state, save_state
from hodor.tracking.tracker import Tracker

__all__ = [
    "Described",
    "Geometry",
    "Progress",
    "References",
    "Result",
    "Summary",
    "Tracker",
    "TrackerOptions",
    "choose_device",
    "choose_precision",
    "load_state",
    "resume",
    "save_state",
    "track_video",
    "write_summary",
]
