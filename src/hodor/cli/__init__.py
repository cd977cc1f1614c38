"""The command ``hodor``: parse, call one function, print."""

from hodor.cli.main import main

__all__ = ["main"]
