"""Follow any objects through any video, given their masks in one frame.

The public names are loaded when first used, so that ``import hodor`` stays fast.
"""

from typing import TYPE_CHECKING

from hodor.lazy import names_of

if TYPE_CHECKING:
    from hodor.allocator import keep_freed_memory
    from hodor.errors import HodorError
    from hodor.model import Hodor, HodorConfig
    from hodor.runs import track_to_folder
    from hodor.tracking import Result, Tracker
    from hodor.weights import load_model

__version__ = "0.1.0"
__all__ = [
    "Hodor",
    "HodorConfig",
    "HodorError",
    "Result",
    "Tracker",
    "keep_freed_memory",
    "load_model",
    "track_to_folder",
]

_ROOM = {
    "Hodor": "model",
    "HodorConfig": "model",
    "HodorError": "errors",
    "Result": "tracking",
    "Tracker": "tracking",
    "keep_freed_memory": "allocator",
    "load_model": "weights",
    "track_to_folder": "runs",
}

__getattr__ = names_of(__name__, _ROOM)
