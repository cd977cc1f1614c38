"""What all commands share: help that shows whole names, in groups, as plain text."""

import re
from collections.abc import Callable
from typing import TypeVar

import typer
from typer.core import TyperCommand

from hodor.cli.number_words import joined_numbers
from hodor.errors import HodorError
from hodor.types import Untyped

CommandT = TypeVar("CommandT", bound=Callable[..., None])

OTHERS = "Options"
EMPTY = re.compile(r"--[\w-]+=")
"""An option with nothing behind its sign"""

TYPE = re.compile(r"<(?:list\[)?(\w+)(?: range)?\]?>")
"""What Typer says of an option's value, such as ``<list[str]>``"""

PLAIN = {"str": "text", "int": "number", "float": "number"}
"""Words for them that are not Python's"""


class Command(TyperCommand):
    """A command whose help has a section for each group of options (``rich_help_panel``).

    Names stand whole, on a line of their own where they are long; a table of many columns cuts
    them off at 80 characters.
    """

    def __init__(self, *args: Untyped, **kwargs: Untyped) -> None:
        # Without one, lists of commands cut the first sentence off.
        first = (kwargs.get("help") or "").split("\n\n")[0]
        brief = kwargs.get("short_help") or " ".join(first.split())
        super().__init__(*args, **(kwargs | {"rich_markup_mode": None, "short_help": brief}))

    def parse_args(self, ctx: Untyped, args: list[str]) -> list[str]:
        """As Typer's, with numbers that spaces part put together.

        Raises HodorError for an empty word: as a path it would mean this folder.
        """
        for before, word in zip(["", *args], args, strict=False):
            if word == "" or EMPTY.fullmatch(word):
                name = word.removesuffix("=") or (before if before.startswith("-") else "a word")
                raise HodorError(f"{name} is empty: give it a value, or leave it out")
        options = [name for parameter in self.get_params(ctx) for name in parameter.opts]
        return super().parse_args(ctx, joined_numbers(args, options))

    def format_usage(self, ctx: Untyped, formatter: Untyped) -> None:
        """As Typer's, without a name that the group before it puts in where it is left out."""
        left_out = ctx.parent is not None and ctx.info_name == getattr(
            ctx.parent.command, "left_out", None
        )
        path = ctx.parent.command_path if left_out else ctx.command_path
        formatter.write_usage(path, " ".join(self.collect_usage_pieces(ctx)))

    def format_help_text(self, ctx: Untyped, formatter: Untyped) -> None:
        """The docstring; lines of a program are left as they are."""
        parts = (self.help or "").split("\n\n")
        self.help = "\n\n".join(f"\b\n{part}" if _verbatim(part) else part for part in parts)
        super().format_help_text(ctx, formatter)

    def format_options(self, ctx: Untyped, formatter: Untyped) -> None:
        """Arguments, options without a group, then the groups."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], OTHERS: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            record = (TYPE.sub(_plain_type, record[0]), record[1])
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

    def __init__(self, **more: Untyped) -> None:
        super().__init__(
            add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, **more
        )

    def command(self, name: str | None = None, **more: Untyped) -> Callable[[CommandT], CommandT]:
        """As Typer's, with the help of ``Command``."""
        more.setdefault("cls", Command)
        return super().command(name, **more)


def _plain_type(found: re.Match[str]) -> str:
    return f"<{PLAIN.get(found[1], found[1])}>"


def _verbatim(part: str) -> bool:
    lines = part.strip("\n").splitlines()
    return bool(lines) and all(line.startswith(("  ", "hodor ", "\b")) for line in lines)
