"""Options that many commands share: written once, given to each command as one dataclass."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated

from hodor.types import Json, Untyped

Command = Callable[..., None]


def shared_options(
    kind: type, options: Mapping[str, Json], group: str
) -> Callable[[Command], Command]:
    """Let a command that takes a dataclass ``kind`` have an option for each of its fields.

    The options stand where that parameter stands. options: typer's, by field; their types and
    defaults are the fields'. group: the section of the help that they are in.
    """
    for option in options.values():
        option.rich_help_panel = group
    shared = [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=Annotated[_read_as(field.type), options[field.name]],
        )
        for field in fields(kind)
    ]

    def decorate(command: Command) -> Command:
        own = signature(command).parameters.values()
        name = next(one.name for one in own if one.annotation is kind)

        @wraps(command)
        def gathering(**given: object) -> None:
            values = {field.name: given.pop(field.name) for field in fields(kind)}
            command(**given, **{name: kind(**values)})

        parameters: list[Parameter] = []
        for one in own:
            kept = [one.replace(kind=Parameter.KEYWORD_ONLY)]
            parameters += shared if one.name == name else kept
        # Typer reads both.
        gathering.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
        gathering.__annotations__ = {one.name: one.annotation for one in parameters}
        return gathering

    return decorate


def _read_as(kind: Untyped) -> Untyped:
    """What typer reads for a field; a number or a word is a word, which the field checks."""
    return str | None if kind == float | str | None else kind
