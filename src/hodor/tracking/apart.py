"""Objects that look alike are kept apart: a thing is in one place at a time.

Which of two dogs a place shows, a network cannot always tell. From a few wrong cells one dog takes
over the other, and is then in two places at once. So the cells that objects win are parted into
*places*, areas that do not touch. An object is at home in the one that holds most of where it was
a moment ago. What it wins in the home of another, and what looks like that one, is the other's.

And who shares no place with an object is no rival of it: that what was found looks even more like
one that is elsewhere says nothing against it.

Functions of arrays that a runtime hands over; nothing here is computed with its own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Winners = NDArray[np.int32]
"""Who wins each cell, (h/4, w/4): 0 the background, else 1 + the object's index"""

NOWHERE = -1
"""The home of an object that wins no cell"""
ALIKE = 0.1
"""How likely an object must be where another was found, by matching, in likelihoods of what is
likeliest, to be given that: a dog is a tenth as likely as its double or more, a person is not. Half
of it and none at all made no difference where this was tried (docs, Runs)."""
MOSTLY = 0.5
"""Of a mask, or of a piece: what more than half of it says, all of it does"""


class Places(NamedTuple):
    """Areas of cells that objects win and that do not touch, diagonally either."""

    numbers: NDArray[np.int32]
    """(h/4, w/4), 0 where no object wins"""
    cells: NDArray[np.intp]
    """(O, places): how many cells each object wins in each; none in the first, 0"""
    homes: tuple[int, ...]
    """The place of each of O objects, or ``NOWHERE``"""


class Piece(NamedTuple):
    """What an object wins in the home of others."""

    cells: NDArray[np.bool_]
    """(h/4, w/4)"""
    of: int
    """The object's index"""
    others: tuple[int, ...]
    """Indices of those that it may be"""


class HandedOver(NamedTuple):
    """Cells that one object won and another gets."""

    cells: NDArray[np.bool_]
    """(h/4, w/4)"""
    of: int
    to: int
    """The objects' indices"""


def places_of(winners: Winners, objects: int, before: NDArray[np.float32] | None = None) -> Places:
    """Where objects are.

    Args:
        winners: (h/4, w/4).
        objects: how many are followed, O.
        before: (O, h/4, w/4) in [0, 1], where each was a moment ago: it is at home where most of
            that is; None, or nothing of it: where it wins most cells.
    """
    count, found = cv2.connectedComponents((winners > 0).astype(np.uint8), connectivity=8)
    numbers = np.asarray(found, np.int32)
    y, x = np.nonzero(winners)
    shape = (1 + objects, count)
    keys = np.ravel_multi_index((winners[y, x], numbers[y, x]), shape)
    cells = np.bincount(keys, minlength=shape[0] * count).reshape(shape)[1:]
    fullest = cells.argmax(1)
    if before is not None:
        held = before[winners[y, x] - 1, y, x]
        weights = np.bincount(keys, held, shape[0] * count).reshape(shape)[1:]
        fullest = np.where(weights.any(1), weights.argmax(1), fullest)
    homes = np.where(cells.any(1), fullest, NOWHERE)
    return Places(numbers, cells, tuple(homes.tolist()))


def pieces_elsewhere(winners: Winners, carried: NDArray[np.float32]) -> list[Piece]:
    """What objects win where others are at home, and they are not.

    What was a part of its own in the last frame already, such as one of two skis, is none of these.

    Args:
        winners: (h/4, w/4).
        carried: the last masks, carried along, (O, h/4, w/4) in [0, 1].
    """
    objects = len(carried)
    places = places_of(winners, objects, carried)
    if places.cells.shape[1] <= 2:
        return []
    was = np.where(carried.max(0) > MOSTLY, carried.argmax(0) + 1, 0).astype(np.int32)
    last = places_of(was, objects, carried)
    found = []
    for of, place in np.argwhere(places.cells).tolist():
        if place == places.homes[of]:
            continue
        piece = (winners == of + 1) & (places.numbers == place)
        apart = (was == of + 1) & (last.numbers != last.homes[of])
        if apart[piece].mean() >= MOSTLY:
            continue
        here = [i for i, home in enumerate(places.homes) if home == place]
        gone = [i for i, home in enumerate(places.homes) if home == NOWHERE]
        if not here:
            # Or all of one that was here is covered by it.
            gone = [i for i in gone if carried[i][piece].mean() >= MOSTLY]
        if here or gone:
            found.append(Piece(piece, of, (*here, *gone)))
    return found


def handed_over(pieces: Sequence[Piece], matched: NDArray[np.float32] | None) -> list[HandedOver]:
    """Which pieces go to whom: to whose looks are most like what is there, if they are at all.

    Args:
        pieces: from ``pieces_elsewhere``.
        matched: (O, h/8, w/8), see ``hodor.model.Refined``; None: nobody knows what looks alike.
    """
    if matched is None:
        return []
    shares = matched.clip(0)
    background = 1 - shares.sum(0)
    found = []
    for piece in pieces:
        y, x = (axis // 2 for axis in np.nonzero(piece.cells))
        its, theirs = shares[piece.of, y, x], shares[list(piece.others)][:, y, x]
        likeliest = np.maximum(np.maximum(its, theirs), background[y, x])
        alike = (theirs / likeliest.clip(1e-6)).mean(1)
        if alike.max() >= ALIKE:
            found.append(HandedOver(piece.cells, piece.of, piece.others[int(alike.argmax())]))
    return found
