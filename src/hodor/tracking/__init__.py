"""One frame at a time: the tracker and its memory.

What needs PyTorch is loaded when first used: a tracker with exported files does without.
"""

from typing import TYPE_CHECKING

from hodor.lazy import names_of
from hodor.tracking.descriptors import FrameDescriptors
from hodor.tracking.geometry import Geometry
from hodor.tracking.logits import Logits
from hodor.tracking.options import OFF, OptionChanges, TrackerOptions, TrackerOverrides
from hodor.tracking.result import Result
from hodor.tracking.runtime import Runtime
from hodor.tracking.stages import Stages
from hodor.tracking.state import References, TrackerState, load_state, save_state, told_of_assumed
from hodor.tracking.tracker import Tracker

if TYPE_CHECKING:
    from hodor.tracking.torch.devices import choose_device, choose_precision
    from hodor.tracking.torch.images import image_of, mask_of
    from hodor.tracking.torch.runtime import network_fingerprint
    from hodor.tracking.torch.together import Together

__all__ = [
    "OFF",
    "FrameDescriptors",
    "Geometry",
    "Logits",
    "OptionChanges",
    "References",
    "Result",
    "Runtime",
    "Stages",
    "Together",
    "Tracker",
    "TrackerOptions",
    "TrackerOverrides",
    "TrackerState",
    "choose_device",
    "choose_precision",
    "image_of",
    "load_state",
    "mask_of",
    "network_fingerprint",
    "save_state",
    "told_of_assumed",
]

_WITH_TORCH = {
    "Together": "torch.together",
    "choose_device": "torch.devices",
    "choose_precision": "torch.devices",
    "image_of": "torch.images",
    "mask_of": "torch.images",
    "network_fingerprint": "torch.runtime",
}

__getattr__ = names_of(__name__, _WITH_TORCH)
