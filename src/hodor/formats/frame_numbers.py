"""Which frame of the video a name belongs to: its number, never its place in a list."""

import re
from collections.abc import Sequence

from hodor.formats.reading import ReadOptions
from hodor.video.limits import MOST_FRAMES, some

NUMBERED = re.compile(r"(.*?)([0-9]{1,18})\D{0,8}\Z", re.DOTALL)
"""A name and the number that it ends with; a few letters may follow, as in 0007_mask."""

DEFAULT_NAME = re.compile(r"frame_([0-9]{6})\Z")
"""What CVAT calls the frames of a video that it cut into pictures itself, counted from 0."""

UPLOAD = re.compile(r"\A[0-9a-f]{8}-")
"""What Label Studio puts before the names of files that were uploaded"""

DIGITS = re.compile(r"([0-9]+)")


def number_in(name: str) -> int | None:
    """The frame's number that a name ends with: 7 of "00007", "frame_000007" and "shot 3.0007"."""
    match = NUMBERED.match(name)
    return None if match is None else int(match[2])


def numbers_in(names: Sequence[str], options: ReadOptions) -> list[int] | None:
    """The number of each frame, from 0: of the video's frames, or else the one in its name.

    None where names do not say them: without a number, of several kinds, or with one number twice.
    """
    known = {name: at for at, name in enumerate(options.frames or ())}
    if names and all(name in known for name in names):
        return [known[name] for name in names]
    own = [UPLOAD.sub("", name) for name in names] if all(map(UPLOAD.match, names)) else names
    heads = {match[1] for match in map(NUMBERED.match, own) if match}
    numbers = [number for name in own if (number := number_in(name)) is not None]
    unlike = len(numbers) < len(names) or len(heads) > 1 or len(set(numbers)) < len(set(names))
    return None if unlike or max(numbers, default=0) >= MOST_FRAMES else numbers


def numbers_of(names: Sequence[str], options: ReadOptions, warnings: list[str]) -> list[int]:
    """As `numbers_in`; where names say no number, frames are numbered in the order of their names,
    as files of a folder are, which a warning tells.
    """
    numbers = numbers_in(names, options)
    if numbers is not None:
        if options.frames is None and len(numbers) > 1 and min(numbers) == 1:
            warnings.append(
                f"the lowest frame is {names[numbers.index(1)]}, which was taken for number 1 of a "
                "video that begins at 0; where names count from 1, name the frames by --source"
            )
        return numbers
    in_order = sorted(set(names), key=lambda name: (natural_key(name), name))
    place = {name: at for at, name in enumerate(in_order)}
    if len(place) > 1:
        warnings.append(
            f"names of frames ({some(in_order)}) do not say their numbers: {len(place)} frames "
            "were numbered from 0 in the order of their names"
        )
    return [place[name] for name in names]


def natural_key(name: str) -> list[tuple[bool, int, str]]:
    """For sorting as people count: "a2" before "a10"."""
    parts = [part for part in DIGITS.split(name.casefold()) if part]
    return [(False, int(p), "") if p.isascii() and p.isdecimal() else (True, 0, p) for p in parts]


def same_frame(name: str, of_video: str, index: int) -> bool:
    """Whether a name of a file's frame means the video's frame of a name and an index.

    It does if the names are equal, or the video's is a number that the other ends with; the names
    that CVAT makes itself mean the index.
    """
    if name == of_video:
        return True
    if of_video.isascii() and of_video.isdecimal():
        return number_in(name) == int(of_video)
    default = DEFAULT_NAME.match(name)
    return default is not None and int(default[1]) == index
