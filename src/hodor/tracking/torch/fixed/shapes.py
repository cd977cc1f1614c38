"""Fixed shapes: how many objects, frames and places a passage has room for."""

from typing import NamedTuple

FRAMES = 8  # a window of seven and its reference; rooms are multiples of it
MANY = 64  # objects from which rooms are multiples, not powers of two


class Room(NamedTuple):
    """What a passage has room for. What is not there is marked, and changes nothing."""

    image: tuple[int, int]
    """Height and width of the network's image"""
    objects: int
    frames: int
    references: int
    """Given masks of each object, 0 if similarity is not asked for"""
    given_places: int
    """Of frames with given masks; 0 if the network does not match"""
    last_places: int


def room_for_objects(count: int) -> int:
    """The least power of two, or beyond 64 multiple of 64, that holds ``count`` objects."""
    if count > MANY:
        return -(-count // MANY) * MANY
    return 1 << (count - 1).bit_length() if count else 0


def room_for_frames(count: int) -> int:
    """The least multiple of eight that holds ``count`` frames."""
    return -(-count // FRAMES) * FRAMES


def room_for_places(count: int, frame: int) -> int:
    """The least power of two of whole frames that holds ``count`` places.

    Args:
        count: of several frames together, which may have other sizes.
        frame: places of this frame.
    """
    return frame << max(0, -(-count // frame) - 1).bit_length()
