"""What all commands share: help that shows whole names, in groups, as plain text."""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from hodor.errors import HodorError

OTHERS = "Options"


class Command(TyperCommand):
    """A command whose help has a section for each group of options (``rich_help_panel``).

    Names stand whole, on a line of their own where they are long; a table of many columns cuts
    them off at 80 characters.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Without one, lists of commands cut the first sentence off.
        first = (kwargs.get("help") or "").split("\n\n")[0]
        brief = kwargs.get("short_help") or " ".join(first.split())
        super().__init__(*args, **(kwargs | {"rich_markup_mode": None, "short_help": brief}))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer's. Raises HodorError for an empty word: as a path it would mean this folder."""
        rest = super().parse_args(ctx, args)
        for parameter in self.get_params(ctx):
            given = ctx.params.get(parameter.name)
            if "" in (given if isinstance(given, list | tuple) else [given]):
                argument = parameter.param_type_name == "argument"
                name = str(parameter.name).upper() if argument else parameter.opts[0]
                raise HodorError(f"{name} is empty: give it a value, or leave it out")
        return rest

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """The docstring; lines of a program are left as they are."""
        parts = (self.help or "").split("\n\n")
        self.help = "\n\n".join(f"\b\n{part}" if _verbatim(part) else part for part in parts)
        super().format_help_text(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, options without a group, then the groups."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], OTHERS: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                groups["Arguments"].append(record)
                continue
            panel = getattr(parameter, "rich_help_panel", None) or OTHERS
            groups.setdefault(panel, []).append(record)
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


class App(typer.Typer):
    """A Typer application of such commands."""

    def __init__(self, **more: Any) -> None:
        super().__init__(
            add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, **more
        )

    def command(self, name: str | None = None, **more: Any) -> Callable[[Any], Any]:
        """As Typer's, with the help of ``Command``."""
        more.setdefault("cls", Command)
        return super().command(name, **more)


def _verbatim(part: str) -> bool:
    lines = part.strip("\n").splitlines()
    return bool(lines) and all(line.startswith(("  ", "hodor ", "\b")) for line in lines)
