"""The options that say how mattes are made, for all commands that write them."""

from collections.abc import Mapping
from dataclasses import dataclass

import typer

from hodor.cli.shared_options import shared_options
from hodor.errors import HodorError
from hodor.formats import Mattes


@dataclass(frozen=True)
class MatteOptions:
    """As ``hodor.formats.Mattes`` has them."""

    grow: float = 0.0
    feather: float = 0.0
    hold_out: list[int] | None = None
    alpha: str = "hard"

    def mattes(self, called: Mapping[int, str]) -> Mattes:
        """As the formats take them. called: what objects are called, by id.

        Raises HodorError for an alpha that is neither hard nor soft.
        """
        if self.alpha not in ("hard", "soft"):
            raise HodorError(f"--alpha {self.alpha}: give hard or soft")
        held = tuple(self.hold_out or ())
        return Mattes(self.grow, self.feather, held, called, self.alpha == "soft")


with_matte_options = shared_options(
    MatteOptions,
    {
        "alpha": typer.Option(
            help="hard: edges as in label maps; soft: the network's own soft masks, which "
            "hodor track also keeps in OUT/soft."
        ),
        "grow": typer.Option(help="Move edges outwards by so many pixels; below 0 inwards."),
        "feather": typer.Option(
            min=0, help="Let alpha rise from 0 to 1 over so many pixels, half of them outside."
        ),
        "hold_out": typer.Option(
            help="Cut this object out of all others' mattes; may be repeated."
        ),
    },
    "Mattes (prores, ffv1, rgba, exr)",
)
"""For a command that takes ``MatteOptions``"""
