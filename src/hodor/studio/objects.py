"""The objects of a session: a number for label maps, a name and a colour for people."""

import re
import unicodedata
from dataclasses import asdict, dataclass, replace

from hodor.errors import HodorError
from hodor.studio.runs import HIGHEST
from hodor.types import Json, JsonObject, PlainValues
from hodor.video.limits import whole

COLOURS = (
    "#3ea6ff", "#ff6b5e", "#5fd38d", "#ffc247", "#b78bff",
    "#ff7ac6", "#35d0d0", "#ff9a3d", "#a3d94a", "#8aa4ff",
)  # fmt: skip
"""For new objects in turn: as far apart as ten can be, on dark and on light pictures."""

COLOUR = re.compile("#[0-9a-fA-F]{6}")

LONGEST_NAME = 60


@dataclass(frozen=True)
class Object:
    """One object. A removed one keeps its number and its files, so that removing can be undone."""

    id: int
    name: str
    colour: str
    removed: bool = False

    @classmethod
    def from_dict(cls, values: JsonObject) -> "Object":
        """What ``to_dict`` wrote. Raises ValueError or another of MALFORMED for anything else."""
        number, name, colour = whole(values["id"], "an id"), values["name"], values["colour"]
        if not 0 < number <= HIGHEST:
            raise ValueError(f"an object has the id {number}")
        if not isinstance(name, str) or not COLOUR.fullmatch(colour):
            raise ValueError(f"object {number} has no name or no colour")
        name.encode()  # halves of characters are none that a page could show
        return cls(number, name, colour, bool(values.get("removed", False)))

    def changed(self, name: str | None, colour: str | None) -> "Object":
        """With another name or colour (``#rrggbb``); None leaves it.

        Raises:
            HodorError: no such colour, or an empty or overlong name.
        """
        if colour is not None and not COLOUR.fullmatch(colour):
            raise HodorError(f"colour {colour!r}: it must be written #rrggbb")
        if name is not None and not 0 < len(name.strip()) <= LONGEST_NAME:
            raise HodorError(f"an object's name has 1 to {LONGEST_NAME} letters")
        if name is not None and any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name):
            raise HodorError("an object's name has a control character, or one that is none, in it")
        return replace(self, name=(name or self.name).strip(), colour=colour or self.colour)

    def to_dict(self) -> PlainValues:
        """Plain values for JSON."""
        return asdict(self)


def objects_from(noted: Json) -> tuple[Object, ...]:
    """Those of a session's file. Raises one of MALFORMED if they are none, or two have one id."""
    objects = tuple(Object.from_dict(one) for one in noted)
    if len({one.id for one in objects}) < len(objects):
        raise ValueError("two objects have one id")
    return objects


def default_name(number: int) -> str:
    """What an object is called until somebody names it."""
    return f"Object {number}"


def new_object(objects: tuple[Object, ...]) -> Object:
    """The next object: numbers are never used twice.

    Raises:
        HodorError: there are as many as a label map can hold.
    """
    number = max((o.id for o in objects), default=0) + 1
    if number > HIGHEST:
        raise HodorError(f"{HIGHEST} objects are as many as a session can hold")
    return Object(number, default_name(number), COLOURS[(number - 1) % len(COLOURS)])
