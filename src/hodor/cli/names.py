"""What objects are called, as ``--name`` says it."""

from collections.abc import Sequence

from hodor.errors import HodorError


def names_of(given: Sequence[str]) -> dict[int, str]:
    """Names by object id, of words such as "1=cat". Raises HodorError for others."""
    names = {}
    for one in given:
        number, _, name = one.partition("=")
        if not (number.isascii() and number.isdecimal()) or not name:
            raise HodorError(f"--name {one}: give an object's id and its name, such as 1=cat")
        names[int(number)] = name
    return names
