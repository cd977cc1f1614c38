"""Parts that are narrower than a cell of the network: ropes, strings, straps.

A line that is thinner than a cell at stride 4 fills a part of each cell that it passes and wins
none: it is gone in the first frame after its mask was given. Such parts are followed here by
themselves, pixel by pixel. Of a given mask they are what a disc of a cell's width does not fit
into. A logistic regression on colour, contrast and ridges learns their pixels from those around
them, in that frame; in later ones it is asked near the place that they had last, moved as the
object moved. Where it does not tell even the given pixels from those around, or there are few,
or the network finds some of them by itself, nothing is done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.tracking.geometry import STRIDE, Geometry
from hodor.types import IdMap

CELL = 9.0  # pixels of a cell, at most: larger pictures are made smaller, for time and state
LONG, STILL_LONG = 4.0, 3.0  # cells that a part spans where it is given, and where it is found
REACH = 2.0  # cells that a part may move from frame to frame beside what its object moves
AROUND = 4.0  # cells around a given part that it is learned from
SHARE = 0.02  # of what else a given mask has: fewer thin pixels are not worth the time
FOUND_ANYWAY = 0.25  # share of them that the network may find itself: of bicycles it finds a third
TOLD_APART = 0.6  # F1 of the given pixels and those around, below which nothing is followed
DOUBT = 1.0  # how far below the threshold a pixel may be that touches one above it, in logits
LEAST, MOST = 0.25, 2.2  # times the given share: less or more is something else that looks alike
SEEN = 32.0  # pixels around a place that its features are made of: four of the widest sigma
LEAST_SHARE = 0.3  # of a pixel that is in a mask at another size: what is thin must not vanish
FEATURES = 13  # of a pixel
HIDDEN = 4  # frames that a piece is remembered without being found
FARTHEST = 5.0  # deviations from the mean that a feature counts
RIDGE = 3.0  # of the regression, in pixels
STEPS = 12  # of Newton's method: it has converged by then
SAMPLES = 20_000  # pixels that are learned from at most

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Places = NDArray[np.uint8]


@dataclass(frozen=True)
class ThinParts:
    """The thin parts of one object: how they look, and where they were last."""

    place: Places
    """(h, w), at the size at which they are looked for: for how many more frames each pixel is
    remembered without being found; 0 elsewhere"""
    middle: tuple[float, float]
    """Of what else there was of the object, down and across, in shares of the frame"""
    cell: float
    """Side of one of the network's cells in its pixels, where the mask was given"""
    share: float
    """How many pixels they had where the mask was given, in those of what else it had"""
    first: Places
    """(h, w), their place there"""
    first_middle: tuple[float, float]
    scale: NDArray[np.float64]
    """(2, F): mean and deviation of ``FEATURES``"""
    weights: NDArray[np.float64]
    """(2 F + 1,) of the features, their squares and 1"""
    threshold: float
    """A pixel's logit from which it is taken for thin"""
    lost: bool = False
    """Whether the network was seen to lose them"""

    @classmethod
    def of(cls, frame: Picture, mask: Mask, geometry: Geometry) -> Self | None:
        """Of a given mask; None where it has none that can be told from what is around them.

        Args:
            frame: (H, W, 3) RGB.
            mask: (H, W).
            geometry: of the frame, by which the network sees it.
        """
        cell = STRIDE * max(
            side / inner for side, inner in zip(geometry.crop_size, geometry.inner, strict=True)
        )
        times = min(1.0, CELL / cell)
        size = tuple(max(1, round(side * times)) for side in mask.shape)
        whole, cell = _resized(mask, size), cell * times
        body = _opened(whole, cell)
        thin = _long(whole & ~_wider(body, 1), LONG * cell)
        around = _wider(thin, AROUND * cell) & ~_wider(whole, 1)
        share = float(thin.sum() / max(1, body.sum()))
        if share < SHARE or not body.any() or not around.any():
            return None
        here = _features(_picture(frame, size))
        values = np.concatenate([here[thin], here[around]])
        true = np.arange(len(values)) < thin.sum()
        if len(values) > SAMPLES:
            some = np.random.default_rng(0).choice(len(values), SAMPLES, replace=False)
            values, true = values[some], true[some]
        scale = np.stack([values.mean(0), values.std(0) + 1e-3])
        weights = _regression(_terms(values, scale), true)
        threshold, told_apart = _best_threshold(_terms(values, scale) @ weights, true)
        if told_apart < TOLD_APART:
            return None
        middle, place = _middle(body), thin.astype(np.uint8) * np.uint8(HIDDEN)
        return cls(place, middle, cell, share, place, middle, scale, weights, threshold)

    def _patience(self, place: Places, found: Mask) -> Places:
        """Where they are from now on: as found, and what may be hidden, for a while.

        Args:
            place: (h, w), as ``expected``.
            found: (h, w).
        """
        hidden = (place > 0) & ~_wider(found, REACH * self.cell)
        return np.where(found, HIDDEN, np.where(hidden, place - 1, 0)).astype(np.uint8)

    def expected(self, body: Mask) -> Places:
        """Where they should be, (h, w), if they moved as what else there is of the object.

        As they were last; where that is out of the frame, as they were given.

        Args:
            body: (h, w), not empty.
        """
        middle = _middle(body)
        moved = _moved(self.place, self.middle, middle)
        return moved if moved.any() else _moved(self.first, self.first_middle, middle)

    def followed(
        self, frame: Picture, mask: Mask, others: Mask, rivals: Sequence[Mask] = ()
    ) -> "tuple[ThinParts | None, Mask]":
        """The parts in another frame: as they are from then on, and their pixels (H, W).

        None of the parts are left if the network itself finds some of them in the first frame after
        that in which they were given: then they are not too thin for it.

        Args:
            frame: (H, W, 3) RGB, of any size.
            mask: (H, W) of what the network found of the object there.
            others: (H, W) of what it found of other objects.
            rivals: (H, W) each, where thin parts of other objects are expected: what is nearer to
                those is not looked at.
        """
        size = self.place.shape
        body = _resized(mask, size)
        nothing = np.zeros(mask.shape, np.bool_)
        if not body.any():
            return self, nothing
        place = self.expected(body)
        there = place > 0
        if not self.lost and (there & _wider(body, 1)).sum() > FOUND_ANYWAY * there.sum():
            return None, nothing
        searched = _wider(there, REACH * self.cell) & ~_resized(others, size)
        for rival in rivals:
            searched &= _distance(there) <= _distance(_resized(rival, size))
        found = self._found(_picture(frame, size), searched, body)
        told = LEAST <= found.sum() / (self.share * body.sum()) <= MOST
        last = self._patience(place, found if told else np.zeros_like(found))
        parts = replace(self, place=last, middle=_middle(body), lost=True)
        return parts, _resized(found, mask.shape) if told else nothing

    def _found(self, picture: Picture, searched: Mask, body: Mask) -> Mask:
        """What looks like them, (h, w), where it is searched for: in thin, long pieces."""
        found = np.zeros_like(searched)
        if not searched.any():
            return found
        y, x = _box(searched, SEEN)
        inside = searched[y, x]
        logits = np.full(inside.shape, -np.inf)
        logits[inside] = _terms(_features(picture[y, x])[inside], self.scale) @ self.weights
        sure = logits >= self.threshold
        pieces = _touching(logits >= self.threshold - DOUBT, sure) & _wider(sure, 1)
        thick = _opened(pieces | _narrower(body[y, x], 2), self.cell)
        found[y, x] = _long(pieces & ~_wider(thick, 1), STILL_LONG * self.cell)
        return found & ~body


def followed_together(
    known: Mapping[int, ThinParts], frame: Picture, labels: IdMap
) -> tuple[dict[int, ThinParts], dict[int, Mask]]:
    """The thin parts of all objects that have some in another frame; see ``ThinParts.followed``.

    Args:
        known: by id.
        frame: (H, W, 3) RGB.
        labels: (H, W), what the network found.
    """
    masks = {i: np.asarray(labels == i) for i in known}
    expected = {
        i: _resized(one.expected(body) > 0, masks[i].shape)
        for i, one in known.items()
        if len(known) > 1 and (body := _resized(masks[i], one.place.shape)).any()
    }
    parts: dict[int, ThinParts] = {}
    found: dict[int, Mask] = {}
    for i, one in known.items():
        rivals = [place for j, place in expected.items() if j != i]
        others = np.asarray((labels != 0) & ~masks[i])
        left, found[i] = one.followed(frame, masks[i], others, rivals)
        if left is not None:
            parts[i] = left
    return parts, found


def _features(picture: Picture) -> NDArray[np.float32]:
    """What pixels (h, w, 3) are told by: colour, contrast to what is around, ridges; (h, w, F)."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32) / 32
    near, wide, wider = (cv2.GaussianBlur(lab, (0, 0), sigma) for sigma in (0.7, 3.0, 8.0))
    planes = [lab, near - wide, near - wider]
    for sigma in (1.0, 2.0):
        light = cv2.GaussianBlur(lab[..., 0], (0, 0), sigma)
        across = cv2.Sobel(light, cv2.CV_32F, 2, 0)
        down = cv2.Sobel(light, cv2.CV_32F, 0, 2)
        both = cv2.Sobel(light, cv2.CV_32F, 1, 1)
        mean, apart = (across + down) / 2, np.hypot((across - down) / 2, both)
        eigenvalues = np.stack([mean + apart, mean - apart], -1)  # of the Hessian
        planes.append(sigma**2 * eigenvalues)
    return np.concatenate(planes, -1)


def _terms(values: NDArray[np.float32], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the regression adds up for each of n pixels, (n, 2 F + 1), from features (n, F)."""
    even = ((values - scale[0]) / scale[1]).clip(-FARTHEST, FARTHEST)
    return np.concatenate([even, even**2, np.ones_like(even[:, :1])], 1)


def _regression(terms: NDArray[np.float64], true: Mask) -> NDArray[np.float64]:
    """Weights of a logistic regression in which both kinds of pixels count the same."""
    counts = len(true) * np.where(true, 0.5 / max(1, true.sum()), 0.5 / max(1, (~true).sum()))
    weights = np.zeros(terms.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(terms @ weights, -30, 30)))
        curvature = (terms * (counts * p * (1 - p))[:, None]).T @ terms
        slope = terms.T @ (counts * (true - p)) - RIDGE * weights
        weights = weights + np.linalg.solve(curvature + RIDGE * np.eye(len(weights)), slope)
    return weights


def _best_threshold(logits: NDArray[np.float64], true: Mask) -> tuple[float, float]:
    """The threshold with the greatest F1, and that F1."""
    order = np.argsort(-logits, kind="stable")
    right = np.cumsum(true[order])
    f1 = 2 * right / (np.arange(1, len(true) + 1) + true.sum())
    falling = logits[order]
    last = np.append(falling[:-1] > falling[1:], True)  # of those that are equal
    best = int(np.where(last, f1, 0).argmax())
    return float(falling[best]), float(f1[best])


def _picture(frame: Picture, size: tuple[int, ...]) -> Picture:
    """A frame (H, W, 3) at another size (h, w)."""
    if frame.shape[:2] == size:
        return frame
    return np.asarray(cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _resized(mask: Mask, size: tuple[int, ...]) -> Mask:
    """A mask at another size."""
    if mask.shape == size:
        return mask
    how = cv2.INTER_AREA if size[0] < mask.shape[0] else cv2.INTER_LINEAR
    shares = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=how)
    return np.asarray(shares > LEAST_SHARE)


def _disc(radius: float) -> NDArray[np.uint8]:
    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _wider(mask: Mask, radius: float) -> Mask:
    return np.asarray(cv2.dilate(mask.view(np.uint8), _disc(radius))).view(np.bool_)


def _narrower(mask: Mask, radius: float) -> Mask:
    return np.asarray(cv2.erode(mask.view(np.uint8), _disc(radius))).view(np.bool_)


def _opened(mask: Mask, cell: float) -> Mask:
    """What of a mask a disc of a cell's width fits into; the mask goes on beyond the frame."""
    disc = _disc(cell / 2)
    edge = len(disc) // 2
    larger = np.pad(mask.view(np.uint8), edge, "edge")
    opened = np.asarray(cv2.morphologyEx(larger, cv2.MORPH_OPEN, disc))[edge:-edge, edge:-edge]
    return opened.astype(np.bool_)


def _long(mask: Mask, least: float) -> Mask:
    """The pieces of a mask whose boxes have a diagonal of ``least`` or more."""
    _, pieces, boxes, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    kept = np.hypot(boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT]) >= least
    kept[0] = False
    return np.asarray(kept[pieces])


def _touching(mask: Mask, sure: Mask) -> Mask:
    """The pieces of a mask that hold a pixel of ``sure``."""
    count, pieces = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    kept = np.zeros(count, np.bool_)
    kept[pieces[sure]] = True
    kept[0] = False
    return np.asarray(kept[pieces])


def _middle(mask: Mask) -> tuple[float, float]:
    """Centre of a mask (h, w) that is not empty, down and across, in shares of the sides."""
    m = cv2.moments(mask.view(np.uint8), binaryImage=True)
    return m["m01"] / m["m00"] / mask.shape[0], m["m10"] / m["m00"] / mask.shape[1]


def _moved(mask: Places, start: tuple[float, float], end: tuple[float, float]) -> Places:
    """Places (h, w) moved as a place moves, in shares of its sides."""
    h, w = mask.shape
    shift = np.array([[1, 0, (end[1] - start[1]) * w], [0, 1, (end[0] - start[0]) * h]])
    moved = cv2.warpAffine(mask, shift, (w, h), flags=cv2.INTER_NEAREST)
    return np.asarray(moved, np.uint8)


def _distance(mask: Mask) -> NDArray[np.float32]:
    """How far each pixel (h, w) is from a mask; far from an empty one."""
    nowhere = np.ones(mask.shape, np.uint8)
    nowhere[mask] = 0
    return np.asarray(cv2.distanceTransform(nowhere, cv2.DIST_L2, 3), np.float32)


def _box(mask: Mask, margin: float) -> tuple[slice, slice]:
    """Rows and columns that hold a mask, which is not empty, and a margin around it."""
    edge = round(margin)
    y, x = (
        slice(max(0, int(places[0]) - edge), int(places[-1]) + 1 + edge)
        for places in (np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0)))
    )
    return y, x
