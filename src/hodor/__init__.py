"""Follow any objects through any video, given their masks in one frame.

The public names are loaded when first used, so that ``import hodor`` stays fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hodor.allocator import keep_freed_memory
    from hodor.errors import HodorError
    from hodor.model import Hodor, HodorConfig
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
]

_ROOM = {
    "Hodor": "hodor.model",
    "HodorConfig": "hodor.model",
    "HodorError": "hodor.errors",
    "Result": "hodor.tracking",
    "Tracker": "hodor.tracking",
    "keep_freed_memory": "hodor.allocator",
    "load_model": "hodor.weights",
}


def __getattr__(name: str) -> object:
    if name not in _ROOM:
        raise AttributeError(f"module 'hodor' has no attribute {name!r}")
    return getattr(import_module(_ROOM[name]), name)
