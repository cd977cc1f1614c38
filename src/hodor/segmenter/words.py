"""Prompts as they are written on a command line: ``10,20,300,400``, ``2=50,60``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from hodor.errors import MaskError
from hodor.segmenter.prompts import Box, Point, Prompts

NUMBER = re.compile(r"[-+]?[0-9]{1,7}(?:\.[0-9]{0,9})?")


@dataclass
class _Shown:
    box: Box | None = None
    points: list[Point] = field(default_factory=list)
    labels: list[bool] = field(default_factory=list)


def prompts_of_words(
    boxes: Sequence[str] = (), points: Sequence[str] = (), not_points: Sequence[str] = ()
) -> dict[int, Prompts]:
    """Prompts by object id.

    Args:
        boxes: ``x0,y0,x1,y1`` in pixels; with ``ID=`` before it for an object of that number,
            else the lowest number that is free.
        points: ``x,y`` or ``ID=x,y``, on the object. Without a number: of object 1.
        not_points: the same, not on the object.

    Raises:
        MaskError: a word cannot be read, a box is given twice for an object, points do not say of
            which of several objects they are, or are shares of the frame.
    """
    shown: dict[int, _Shown] = {}
    read = [(word, *_numbers("--box", word, 4, "x0,y0,x1,y1")) for word in boxes]
    taken = {number for _, number, _ in read}
    free = (number for number in count(1) if number not in taken)
    for word, said, values in read:
        number = next(free) if said is None else said
        if number in shown:
            raise MaskError(f"--box {word}: object {number} has a box already")
        shown[number] = _Shown(box=(values[0], values[1], values[2], values[3]))
    for option, words, on_it in (("--point", points, True), ("--not", not_points, False)):
        for word in words:
            said, values = _numbers(option, word, 2, "x,y")
            if said is None and len(shown) > 1:
                raise MaskError(
                    f"{option} {word}: of which of the {len(shown)} objects? Write it "
                    f"{min(shown)}={word}"
                )
            if all(0 < value < 1 for value in values):
                raise MaskError(
                    f"{option} {word} looks like shares of the frame; give pixels of the frame, "
                    f"from its upper left corner, such as {option} 120,80"
                )
            one = shown.setdefault(said or min(shown, default=1), _Shown())
            one.points.append((values[0], values[1]))
            one.labels.append(on_it)
    return {i: _prompts(i, one) for i, one in sorted(shown.items())}


def _numbers(option: str, word: str, length: int, form: str) -> tuple[int | None, list[float]]:
    """An object's id, if one is said, and the numbers."""
    before, equals, rest = word.rpartition("=")
    parts = rest.split(",") if "," in rest else rest.split()
    try:
        values = [float(part) for part in parts]
        number = int(before) if equals else None
    except ValueError:
        values, number = [], None
    if within := _with_points(rest, parts, length):
        raise MaskError(
            f"{option} {word}: commas stand between numbers, not within them: write {option} "
            f"{before}{equals}{within}"
        )
    if len(values) != length or not all(abs(value) < 1e6 for value in values):
        raise MaskError(
            f"{option} {word}: give {length} numbers {form}, in pixels of the frame, such as "
            f"{option} {'10,20,300,400' if length == 4 else '120,80'}; for one of several objects "
            f"{option} 2={'10,20,300,400' if length == 4 else '120,80'}"
        )
    return number, values


def _with_points(rest: str, parts: list[str], length: int) -> str:
    """Numbers as they are written here, where they have decimal commas; else ""."""
    apart = re.split(r"[;\s]+", rest.strip()) if re.search(r"[;\s]", rest.strip()) else []
    if not apart and len(parts) == 2 * length:
        apart = [f"{whole},{rest}" for whole, rest in zip(parts[::2], parts[1::2], strict=True)]
    apart = [one.replace(",", ".") for one in apart]
    numbers = len(apart) == length and all(NUMBER.fullmatch(one) for one in apart)
    return ",".join(apart) if numbers and len(parts) != length else ""


def _prompts(number: int, one: _Shown) -> Prompts:
    try:
        return Prompts(tuple(one.points), tuple(one.labels), one.box)
    except MaskError as error:
        raise MaskError(f"object {number}: {error}") from None
