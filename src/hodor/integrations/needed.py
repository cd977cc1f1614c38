"""Packages of the tools: loaded when a plug is used, and named when missing."""

from importlib import import_module
from types import ModuleType

from hodor.errors import HodorError


def needed(module: str, extra: str) -> ModuleType:
    """A module of an extra. Raises HodorError that says what to install."""
    try:
        return import_module(module)
    except ImportError as error:
        raise HodorError(
            f"this plug needs more packages ({error.name} is missing): "
            f"pip install 'hodor-vos[{extra}]'"
        ) from error
