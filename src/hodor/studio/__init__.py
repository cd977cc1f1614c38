"""A page in the browser: draw masks, follow them, correct, export; and the server behind it.

Needs the extra ``[studio]``; without it the names here cannot be loaded, and say what to install.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from hodor.errors import HodorError
from hodor.extras import missing

if TYPE_CHECKING:
    from hodor.studio.opening import Studio, TrackerSettings, open_studio, to_open_again
    from hodor.studio.segmenters import GrabCut, Prompt, Segmenter
    from hodor.studio.serving import serve

__all__ = [
    "GrabCut",
    "Prompt",
    "Segmenter",
    "Studio",
    "TrackerSettings",
    "open_studio",
    "serve",
    "to_open_again",
]

_FILE = {
    "Studio": "opening",
    "TrackerSettings": "opening",
    "open_studio": "opening",
    "to_open_again": "opening",
    "GrabCut": "segmenters",
    "Prompt": "segmenters",
    "Segmenter": "segmenters",
    "serve": "serving",
}


def __getattr__(name: str) -> object:
    if name not in _FILE:
        raise AttributeError(f"module 'hodor.studio' has no attribute {name!r}")
    try:
        return getattr(import_module(f"hodor.studio.{_FILE[name]}"), name)
    except ImportError as error:
        raise HodorError(missing(str(error.name), "studio")) from error
