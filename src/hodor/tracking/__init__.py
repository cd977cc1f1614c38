"""One frame at a time: the tracker, its memory, and a whole video's run.

What needs PyTorch is loaded when first used: a tracker with exported files does without.
"""

from typing import TYPE_CHECKING

from hodor.lazy import names_of
from hodor.tracking.geometry import Geometry
from hodor.tracking.history import Described
from hodor.tracking.options import EVERYWHERE, Choices, TrackerOptions
from hodor.tracking.pipeline import Progress, Summary, resume, track_video, write_summary
from hodor.tracking.result import Result
from hodor.tracking.runtime import Runtime
from hodor.tracking.state import References, load_state, save_state
from hodor.tracking.tracker import Tracker

if TYPE_CHECKING:
    from hodor.tracking.devices import choose_device, choose_precision
    from hodor.tracking.torch_images import image_of, mask_of
    from hodor.tracking.torch_runtime import network_print

__all__ = [
    "EVERYWHERE",
    "Choices",
    "Described",
    "Geometry",
    "Progress",
    "References",
    "Result",
    "Runtime",
    "Summary",
    "Tracker",
    "TrackerOptions",
    "choose_device",
    "choose_precision",
    "image_of",
    "load_state",
    "mask_of",
    "network_print",
    "resume",
    "save_state",
    "track_video",
    "write_summary",
]

_WITH_TORCH = {
    "choose_device": "devices",
    "choose_precision": "devices",
    "image_of": "torch_images",
    "mask_of": "torch_images",
    "network_print": "torch_runtime",
}

__getattr__ = names_of(__name__, _WITH_TORCH)
