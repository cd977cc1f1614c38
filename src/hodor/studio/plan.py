"""What is to be tracked: every object in every frame comes from its nearest given mask.

A result remembers where it came from: the frame of a given mask and that mask's print. What a
correction affects needs no list of rules, then: it is the results whose origin is not the one that
they should have. Tracking computes these, and nothing else changes.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hodor.video import LabelMap

NOWHERE = -1
"""Origin of a result that was never computed."""

GONE = -1
"""In the place of a mask's print: from this frame on the object is not there."""

Bools = NDArray[np.bool_]


def mask_fingerprint(mask: Bools) -> int:
    """What tells one mask (H, W) from another of the same size."""
    return zlib.crc32(np.packbits(mask).tobytes())


def fingerprints_of(labels: LabelMap | None) -> dict[int, int]:
    """Fingerprints of the masks of a label map (H, W), by object; of None there are none."""
    if labels is None:
        return {}
    return {int(i): mask_fingerprint(labels == i) for i in np.unique(labels) if i}


class Origins:
    """Where one object's results came from, and how sure they are; arrays with a value a frame.

    frame: of the given mask, or -1. print: of that mask. confidence: in [0, 1], NaN if unknown.
    """

    def __init__(self, length: int) -> None:
        self.frame = np.full(length, NOWHERE, np.int64)
        self.print = np.zeros(length, np.int64)
        self.confidence = np.full(length, np.nan, np.float32)

    def curve(self) -> list[float | None]:
        """Confidence of each frame, None where it is not known."""
        numbers = self.confidence.astype(float).round(3).tolist()
        return [None if number != number else number for number in numbers]

    def forget(self, index: int) -> None:
        """Take back one frame's result."""
        self.frame[index], self.print[index], self.confidence[index] = NOWHERE, 0, np.nan


@dataclass(frozen=True, eq=False)
class Wanted:
    """What one object's results should be: for each frame where from, and whether that is amiss."""

    frame: NDArray[np.int64]
    print: NDArray[np.int64]
    stale: Bools


def wanted(given: Mapping[int, int], origins: Origins) -> Wanted:
    """Each frame's nearest given mask; of two as near, the earlier one.

    Where the user said that the object is gone, it is so up to the next given mask, and frames
    before come from the given mask before.

    given: fingerprints of an object's given masks, by frame; at least one.
    """
    anchors = np.array(sorted(given), np.int64)
    fingerprints = np.array([given[int(a)] for a in anchors], np.int64)
    t = np.arange(len(origins.frame))
    after = np.searchsorted(anchors, t).clip(max=len(anchors) - 1)
    before = (after - (anchors[after] > t)).clip(min=0)
    gone = fingerprints == GONE
    early = gone[before] | gone[after] | (abs(t - anchors[before]) <= abs(anchors[after] - t))
    nearest = np.where(early, before, after)
    frame, marks = anchors[nearest], fingerprints[nearest]
    stale = (origins.frame != frame) | (origins.print != marks)
    stale[anchors] = False  # what is given needs no result
    return Wanted(frame, marks, stale)


@dataclass(frozen=True, eq=False)
class Pass:
    """One run of a tracker over neighbouring frames, from a given mask on.

    start, last: frames, both included; last < start for a pass backward. wanted: for each object
    the frames (length of the video,) whose results are to be kept; the others of the pass are only
    passed through.
    """

    start: int
    last: int
    wanted: Mapping[int, Bools]

    @property
    def step(self) -> int:
        """1 forward, -1 backward."""
        return 1 if self.last >= self.start else -1

    def frames(self) -> Iterator[int]:
        """Frames in the order of tracking."""
        return iter(range(self.start, self.last + self.step, self.step))

    def __len__(self) -> int:
        return abs(self.last - self.start) + 1

    def objects(self, frame: int) -> list[int]:
        """Objects whose result in a frame is to be kept."""
        return [i for i, frames in self.wanted.items() if frames[frame]]

    def first_wanted(self) -> int:
        """The first frame, in the order of tracking, of which a result is kept."""
        return next(t for t in self.frames() if self.objects(t))


def passes(needs: Mapping[int, Wanted], first: int, last: int, near: int) -> list[Pass]:
    """The runs that bring results up to date in the frames from ``first`` to ``last``.

    needs: by object. near: the frame from which the user looks on; passes near it come first.
    """
    found = []
    for step in (1, -1):
        kept = {i: _one_way(need, first, last, step) for i, need in needs.items()}
        spans = [span for i, frames in kept.items() for span in _spans(needs[i], frames, step)]
        found += [Pass(*span, kept) for span in _merged(spans, step)]
    return sorted(found, key=lambda p: (abs(p.start - near), -p.step))


def _one_way(need: Wanted, first: int, last: int, step: int) -> Bools:
    t = np.arange(len(need.frame))
    ahead = need.frame < t if step == 1 else need.frame > t
    return np.asarray(need.stale & ahead & (t >= first) & (t <= last))


def _spans(need: Wanted, frames: Bools, step: int) -> list[tuple[int, int]]:
    """From each given mask to the farthest frame that is to come from it."""
    where = np.flatnonzero(frames)
    farthest: dict[int, int] = {}
    for t in where[::step]:
        farthest[int(need.frame[t])] = int(t)
    return list(farthest.items())


def _merged(spans: list[tuple[int, int]], step: int) -> list[tuple[int, int]]:
    """Spans that overlap as one: objects are followed together, so that they compete."""
    merged: list[tuple[int, int]] = []
    for start, last in sorted(spans, key=lambda span: step * span[0]):
        if merged and step * (start - merged[-1][1]) <= 0:
            farther = max(step * merged[-1][1], step * last) * step
            merged[-1] = (merged[-1][0], farther)
        else:
            merged.append((start, last))
    return merged


def runs_of(frames: Bools) -> list[list[int]]:
    """Runs of True as [first, last]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], frames.astype(np.int8), [0]])))
    return [[int(a), int(b) - 1] for a, b in edges.reshape(-1, 2)]
