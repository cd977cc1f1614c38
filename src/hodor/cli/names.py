"""What objects are called, and their colours, as ``--name`` and ``--colors`` say it."""

from collections.abc import Sequence

from hodor.errors import HodorError
from hodor.video import Colour, parse_colour


def names_of(given: Sequence[str]) -> dict[int, str]:
    """Names by object id, of words such as "1=cat". Raises HodorError for others."""
    names = {}
    for one in given:
        number, _, name = one.partition("=")
        if not (number.isascii() and number.isdecimal()) or not name:
            raise HodorError(f"--name {one}: give an object's id and its name, such as 1=cat")
        names[int(number)] = name
    return names


def colours_of(given: Sequence[str]) -> dict[int, Colour]:
    """Colours (RGB) by object id, of words such as "1=orange,2=#3ea6ff". Raises HodorError."""
    colours = {}
    for one in (part for words in given for part in words.split(",")):
        number, _, colour = one.partition("=")
        if not (number.strip().isascii() and number.strip().isdecimal()) or not colour:
            raise HodorError(f"--colors {one}: give ids and colours, such as 1=orange,2=#3ea6ff")
        colours[int(number)] = parse_colour(colour.strip())
    return colours
