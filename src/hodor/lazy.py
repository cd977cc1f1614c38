"""A package's names, loaded when they are first used."""

from collections.abc import Callable, Mapping
from importlib import import_module


def names_of(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """What a package takes as its ``__getattr__``.

    Args:
        package: its full name.
        homes: name -> the module or package in it that the name is taken from.
    """

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return load
