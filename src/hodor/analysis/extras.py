"""Packages of the extra [analysis]: loaded when needed, and named when missing."""

from importlib import import_module
from typing import Any

from hodor.errors import HodorError


def needed(module: str) -> Any:
    """A module of the extra. Raises HodorError that says what to install."""
    try:
        return import_module(module)
    except ImportError as error:
        raise HodorError(
            f"this analysis needs more packages ({error.name} is missing): "
            "pip install 'hodor-vos[analysis]'"
        ) from error
