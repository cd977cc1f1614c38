"""The options that say how mattes are made, for all commands that write them."""

from dataclasses import dataclass

import typer

from hodor.cli.shared_options import shared_options


@dataclass(frozen=True)
class MatteOptions:
    """As ``hodor.formats.Mattes`` has them."""

    grow: float = 0.0
    feather: float = 0.0
    hold_out: list[int] | None = None


with_matte_options = shared_options(
    MatteOptions,
    {
        "grow": typer.Option(help="Move edges outwards by so many pixels; below 0 inwards."),
        "feather": typer.Option(
            min=0, help="Let alpha rise from 0 to 1 over so many pixels, half of them outside."
        ),
        "hold_out": typer.Option(
            help="Cut this object out of all others' mattes; may be repeated."
        ),
    },
    "Mattes (prores, ffv1, rgba)",
)
"""For a command that takes ``MatteOptions``"""
