"""Packages of an extra: loaded when needed, and named when missing."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from hodor.errors import HodorError


def needed(module: str, extra: str) -> ModuleType:
    """A module that comes with an extra of this package.

    Args:
        module: its full name, such as ``pyarrow.parquet``.
        extra: the extra's name, such as ``analysis``.

    Raises:
        HodorError: it is not installed; says what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise HodorError(missing(str(error.name), extra)) from error


def check(extra: str, *modules: str) -> None:
    """Find out before minutes of work whether an extra is there, without loading it.

    Raises:
        HodorError: a module is not installed; says what to install.
    """
    for module in modules:
        if _absent(module):
            raise HodorError(missing(module, extra))


def check_any(extra: str, *modules: str) -> None:
    """As ``check``, where one of several modules is enough; the first is named when missing."""
    if all(_absent(module) for module in modules):
        raise HodorError(missing(modules[0], extra))


def _absent(module: str) -> bool:
    try:
        return find_spec(module) is None
    except ValueError:  # it was taken out of this process
        return True


def missing(module: str, extra: str) -> str:
    """What to tell somebody who lacks a module."""
    return (
        f"this needs {module}, which is not installed: pip install 'hodor-vos[{extra}]', or in a "
        f"checkout pip install '.[{extra}]'"
    )
