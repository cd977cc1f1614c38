"""Refining each object where it may be, on CPUs: the time goes with what it covers.

A correction matters where something says that an object may be there: what the decoder found, its
last mask carried along, or matching. So each object is refined by itself, in a window about these
places, wider by as many cells as a correction looks around itself. At the places it is then the
same as in the whole map, between them and the window's edge nearly so, and beyond there is none.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.model.matching import Matched
from hodor.model.refiner import DILATIONS, Prior, Refiner

LIKELY = 0.02  # of a probability, above which an object may be there
AROUND = sum(DILATIONS) + 2  # cells that a correction looks around itself
FEWEST = 4  # objects: with fewer, what is saved is spent on doing it one by one
STEP = 8  # cells; few sizes of windows are many sizes less for oneDNN to prepare for


class WindowedRefiner(Refiner):
    """A refiner that is quick on CPUs without gradients, and else as it was: see the module.

    Args:
        refiner: a trained one; the weights are its own.
    """

    def __init__(self, refiner: Refiner) -> None:
        torch.nn.Module.__init__(self)
        self.__dict__.update(refiner.__dict__)

    def forward(
        self,
        images: Tensor,
        f4: Tensor,
        logits: Tensor,
        prior: Prior,
        matched: Sequence[Matched] = (),
    ) -> Tensor:
        """See ``Refiner``."""
        o = prior.masks.shape[1]
        if o < FEWEST or torch.is_grad_enabled() or logits.device.type != "cpu":
            return super().forward(images, f4, logits, prior, matched)
        planes, found = self.seen(logits, prior, matched)
        shared = self.shared_maps(images, f4)
        refined = logits.clone()
        objects = refined[:, logits.shape[1] - o :]
        for b, clip in enumerate(windows(logits, prior, matched)):
            for i, window in enumerate(clip):
                if window is None:
                    continue
                rows, columns = window
                seen = (slice(b, b + 1), slice(i, i + 1), slice(None), rows, columns)
                here = shared[b : b + 1, :, rows, columns]
                matches = None if found is None else found[seen]
                objects[b, i, rows, columns] += self.correction(here, planes[seen], matches)[0, 0]
        return refined


def windows(
    logits: Tensor, prior: Prior, matched: Sequence[Matched]
) -> list[list[tuple[slice, slice] | None]]:
    """Rows and columns of B clips' O objects in which they are refined; None: nowhere.

    Args:
        logits: (B, K + O, y, x).
        prior, matched: of the O objects.
    """
    o = prior.masks.shape[1]
    found = logits.softmax(1)[:, logits.shape[1] - o :]
    likely = torch.maximum(found, prior.masks * prior.known[..., None, None]) > LIKELY
    for one in matched:
        there = one.masks * one.known[..., None, None] > LIKELY  # (B, O, y / 2, x / 2)
        likely |= there.repeat_interleave(2, 2).repeat_interleave(2, 3)
    rows, columns = likely.any(3).numpy(), likely.any(2).numpy()  # (B, O, y) and (B, O, x)
    return [
        [_window(*one) for one in zip(*clip, strict=True)]
        for clip in zip(rows, columns, strict=True)
    ]


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
