"""Numbers of boxes and points that stand with spaces between them are put together."""

import re
from collections.abc import Iterable, Sequence

from hodor.errors import HodorError

LENGTHS = {"--box": 4, "--point": 2, "--not": 2, "--pixel": 2}
"""Numbers that each option takes."""

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
FIRST = re.compile(rf"(\d+=)?{NUMBER}(?:,{NUMBER})*,?")
"""A word that may begin a box: ``10``, ``10,``, ``10,20``, ``2=10``"""
NEXT = re.compile(rf",?{NUMBER}(?:,{NUMBER})*,?")


def joined_numbers(args: Sequence[str], options: Iterable[str]) -> list[str]:
    """Words in which ``--box 10 20 300 400`` is ``--box 10,20,300,400``.

    Args:
        args: of a command.
        options: the command's; only those are looked at.

    Raises:
        HodorError: what follows an option is too many or too few numbers, or has decimal commas.
    """
    lengths = {name: length for name, length in LENGTHS.items() if name in options}
    done: list[str] = []
    at = 0
    while at < len(args):
        word, at = args[at], at + 1
        done.append(word)
        if word in lengths and at < len(args) and FIRST.fullmatch(args[at]):
            words = _numbers_from(args, at)
            taken = _taken(word, words, lengths[word])
            done.append(",".join(one.strip(",") for one in words[:taken]))
            at += taken
    return done


def _numbers_from(args: Sequence[str], at: int) -> list[str]:
    words = [args[at]]
    while at + len(words) < len(args) and NEXT.fullmatch(args[at + len(words)]):
        words.append(args[at + len(words)])
    return words


def _taken(option: str, words: Sequence[str], length: int) -> int:
    """How many words are one box or point. Raises HodorError where that is in doubt."""
    counts = [word.strip(",").count(",") + 1 for word in words]
    alone = all(count == 1 for count in counts)
    if counts[0] == length and all(count == 1 for count in counts[1:]):
        return 1  # what follows is no number of it, such as camera 0
    if alone and len(words) >= length:
        return length
    if sum(counts) == length or len(words) == 1:
        return len(words)
    number, equals, first = words[0].rpartition("=")
    plain = [first.strip(","), *(word.strip(",") for word in words[1:])]
    given = f"{option} {' '.join(words)}"
    if len(words) == length and all(count == 2 for count in counts):
        points = ",".join(one.replace(",", ".") for one in plain)
        raise HodorError(
            f"{given}: commas stand between numbers, not within them: write {option} "
            f"{number}{equals}{points}"
        )
    form = "x0,y0,x1,y1" if length == 4 else "x,y"
    raise HodorError(
        f"{given}: give {length} numbers {form} without spaces between them, and {option} again "
        "for another one"
    )
