"""Settings as plain values and back, and limits that a reader of recipes checks.

Settings are frozen dataclasses, so that a run needs no more than the standard library for them.
What people write is checked by pydantic (see ``recipe``); what a run has written down, and a
machine without pydantic reads, is only turned back into objects here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from hodor.types import Json, JsonObject, Untyped

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


@dataclass(frozen=True)
class Limit:
    """Bounds of a number, as metadata of ``Annotated``; pydantic asks it for its check."""

    over: float = float("-inf")
    least: float = float("-inf")
    under: float = float("inf")

    def check(self, value: float | None) -> float | None:
        """The value, if it is within bounds. Raises ValueError."""
        if value is None:
            return None
        if value <= self.over:
            raise ValueError(f"must be over {self.over:g}")
        if value < self.least:
            raise ValueError(f"must be at least {self.least:g}")
        if value >= self.under:
            raise ValueError(f"must be under {self.under:g}")
        return value

    def __get_pydantic_core_schema__(self, source: Untyped, handler: Untyped) -> Untyped:
        """What pydantic calls for this metadata."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.check, handler(source))


def to_plain(settings: "DataclassInstance") -> JsonObject:
    """A dataclass, nested ones included, as values that JSON and YAML can hold."""
    return cast(JsonObject, _plain(asdict(settings)))


def _plain(value: object) -> Json:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def from_plain(kind: type[T], values: Mapping[str, Json]) -> T:
    """The dataclass that ``to_plain`` wrote; what is missing takes its default.

    Keys that are not known are left out: they are of a newer version's file.
    """
    hints = get_type_hints(kind)
    known = {f.name for f in fields(cast("type[DataclassInstance]", kind))}
    return kind(**{k: _as(hints[k], v) for k, v in values.items() if k in known})


def _as(hint: type, value: Json) -> Untyped:
    """A plain value as the type of a field."""
    if value is None:
        return None
    if get_origin(hint) in (Union, UnionType):
        choices = [choice for choice in get_args(hint) if choice is not NoneType]
        return _as(_matching(choices, value), value)
    if is_dataclass(hint):
        return from_plain(hint, value)
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        return tuple(_as(inner, one) for one in value)
    return Path(value) if hint is Path else value


def _matching(choices: list[type], value: Json) -> type:
    """Of several dataclasses the one whose ``making`` the value names."""
    named = value.get("making") if isinstance(value, Mapping) else None
    for choice in filter(is_dataclass, choices if named is not None else []):
        if named in get_args(get_type_hints(choice).get("making")):
            return choice
    return choices[0]


def flat(values: Mapping[str, Json], before: str = "") -> JsonObject:
    """Nested mappings as one, with keys such as ``optimisation.batch``; lists stay whole."""
    found: JsonObject = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found
