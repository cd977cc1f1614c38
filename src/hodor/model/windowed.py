"""Refining each object where it may be, on CPUs: the time goes with what it covers.

A correction matters where something says that an object may be there: what the decoder found, its
last mask carried along, or matching. So each object is refined by itself, in a window about these
places, wider by as many cells as a correction looks around itself. At the places it is then the
same as in the whole map, between them and the window's edge nearly so, and beyond there is none.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.model.refiner import DILATIONS, MARGIN_UNIT, MATCHED_PLANES, Refiner

LIKELY = 0.02  # of a probability, above which an object may be there
AROUND = sum(DILATIONS) + 2  # cells that a correction looks around itself
FEWEST = 4  # objects: with fewer, what is saved is spent on doing it one by one
STEP = 8  # cells, of which sides of windows are multiples: oneDNN prepares for each size anew


class WindowedRefiner(Refiner):
    """A refiner that is quick on CPUs without gradients, and else as it was: see the module.

    Args:
        refiner: a trained one; the weights are its own.
    """

    def __init__(self, refiner: Refiner) -> None:
        torch.nn.Module.__init__(self)
        self.__dict__.update(refiner.__dict__)

    def correction(self, shared: Tensor, planes: Tensor, found: Tensor | None) -> Tensor:
        """See ``Refiner``; beyond an object's window nothing is added."""
        b, o, _planes, y, x = planes.shape
        if o < FEWEST or torch.is_grad_enabled() or planes.device.type != "cpu":
            return super().correction(shared, planes, found)
        corrections = shared.new_zeros(b, o, y, x)
        for clip, its in enumerate(windows(planes, found)):
            for i, window in enumerate(its):
                if window is None:
                    continue
                alone = (slice(clip, clip + 1), slice(i, i + 1), slice(None), *window)
                here = shared[clip, :, window[0], window[1]][None]
                matches = None if found is None else found[alone]
                corrected = super().correction(here, planes[alone], matches)
                corrections[clip, i, window[0], window[1]] = corrected[0, 0]
        return corrections


def windows(planes: Tensor, found: Tensor | None) -> list[list[tuple[slice, slice] | None]]:
    """Rows and columns of B clips' O objects in which they are refined; None: nowhere.

    Args:
        planes, found: as ``Refiner.seen`` gives them, (B, O, 6, y, x) and (B, O, M, y, x).
    """
    likely = planes[:, :, 0] > math.log(LIKELY / (1 - LIKELY)) / MARGIN_UNIT  # (B, O, y, x)
    likely |= _likely(planes[:, :, 1], planes[:, :, 2])
    for kind in () if found is None else torch.split(found, MATCHED_PLANES, 2):
        likely |= _likely(kind[:, :, 0], kind[:, :, 1])
    rows, columns = likely.any(3).numpy(), likely.any(2).numpy()  # (B, O, y) and (B, O, x)
    return [
        [_window(*one) for one in zip(*clip, strict=True)]
        for clip in zip(rows, columns, strict=True)
    ]


def _likely(mask: Tensor, known: Tensor) -> Tensor:
    """Where an object may be by a mask from -1 to 1, if anything is known of it."""
    return (mask > 2 * LIKELY - 1) & (known > 0)


def _window(rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    if not rows.any():
        return None
    return _around(rows), _around(columns)


def _around(likely: NDArray[np.bool_]) -> slice:
    """What is likely along an axis, and what corrections there look at."""
    places = np.flatnonzero(likely)
    first = max(0, int(places[0]) - AROUND) // STEP * STEP
    last = -(-(int(places[-1]) + 1 + AROUND) // STEP) * STEP
    return slice(first, min(len(likely), last))
