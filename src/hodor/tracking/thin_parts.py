"""Parts that are narrower than a cell of the network: ropes, strings, straps.

A line that is thinner than a cell at stride 4 fills a part of each cell that it passes and wins
none: it is gone in the first frame after its mask was given. Such parts are followed here by
themselves, pixel by pixel. Of a given mask they are what a disc of a cell's width does not fit
into. A logistic regression on colour, contrast and ridges learns their pixels from those around
them, in that frame; in later ones it is asked near the place that they had last, moved as the
object moved. Where it does not tell even the given pixels from those around, or there are few,
nothing is done.
"""

from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.tracking.geometry import STRIDE, Geometry

CELL = 9.0  # pixels of a cell, at most: larger pictures are made smaller, for time and state
LONG, STILL_LONG = 4.0, 3.0  # cells that a part spans where it is given, and where it is found
REACH = 2.0  # cells that a part may move from frame to frame beside what its object moves
AROUND = 4.0  # cells around a given part that it is learned from
SHARE = 0.02  # of a given mask: fewer thin pixels are not worth the time
TOLD_APART = 0.6  # F1 of the given pixels and those around, below which nothing is followed
DOUBT = 1.0  # how far below the threshold a pixel may be that touches one above it, in logits
MOST = 2.0  # times the given share of the object's mask: more is something else that looks alike
LEAST_SHARE = 0.3  # of a pixel that is in a mask at another size: what is thin must not vanish
FEATURES = 13  # of a pixel
RIDGE = 3.0  # of the regression, in pixels
STEPS = 12  # of Newton's method: it has converged by then
SAMPLES = 20_000  # pixels that are learned from at most

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ThinParts:
    """The thin parts of one object: how they look, and where they were last."""

    place: Mask
    """(h, w), at the size at which they are looked for"""
    middle: tuple[float, float]
    """Of what else there was of the object, down and across, in shares of the frame"""
    cell: float
    """Side of one of the network's cells in its pixels, where the mask was given"""
    share: float
    """Of the given mask's pixels"""
    scale: NDArray[np.float64]
    """(2, F): mean and deviation of ``FEATURES``"""
    weights: NDArray[np.float64]
    """(2 F + 1,) of the features, their squares and 1"""
    threshold: float
    """A pixel's logit from which it is taken for thin"""

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
        share = float(thin.sum() / max(1, whole.sum()))
        around = _wider(thin, AROUND * cell) & ~_wider(whole, 1)
        if share < SHARE or not around.any():
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
        return cls(thin, _middle(body), cell, share, scale, weights, threshold)

    def followed(self, frame: Picture, mask: Mask) -> "tuple[ThinParts, Mask]":
        """The parts in another frame: as they are from then on, and their pixels (H, W).

        Args:
            frame: (H, W, 3) RGB, of any size.
            mask: (H, W) of what the network found of the object there.
        """
        size = self.place.shape
        body = _resized(mask, size)
        if not body.any():
            return self, np.zeros(mask.shape, np.bool_)
        middle = _middle(body)
        expected = _moved(self.place, self.middle, middle)
        searched = _wider(expected, REACH * self.cell)
        found = self._found(_picture(frame, size), searched, body)
        if found.sum() > MOST * self.share * (body.sum() + found.sum()):
            return replace(self, place=expected, middle=middle), np.zeros(mask.shape, np.bool_)
        # With nothing there they may be hidden: they are looked for where they would be.
        place = found if found.any() else expected
        return replace(self, place=place, middle=middle), _resized(found, mask.shape)

    def _found(self, picture: Picture, searched: Mask, body: Mask) -> Mask:
        """What looks like them, (h, w), where it is searched for: in thin, long pieces."""
        found = np.zeros_like(searched)
        if not searched.any():
            return found
        y, x = _box(searched, AROUND * self.cell)
        inside = searched[y, x]
        logits = np.full(inside.shape, -np.inf)
        logits[inside] = _terms(_features(picture[y, x])[inside], self.scale) @ self.weights
        sure = logits > self.threshold
        pieces = _touching(logits > self.threshold - DOUBT, sure) & _wider(sure, 1)
        thick = _opened(pieces | _narrower(body[y, x], 2), self.cell)
        found[y, x] = _long(pieces & ~_wider(thick, 1), STILL_LONG * self.cell)
        return found & ~_narrower(body, 1)


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
    even = (values - scale[0]) / scale[1]
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
    best = int(f1.argmax())
    return float(logits[order[best]]), float(f1[best])


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
    """Centre of a mask (h, w), down and across, in shares of the sides; the picture's of none."""
    m = cv2.moments(mask.view(np.uint8), binaryImage=True)
    if not m["m00"]:
        return 0.5, 0.5
    return m["m01"] / m["m00"] / mask.shape[0], m["m10"] / m["m00"] / mask.shape[1]


def _moved(mask: Mask, start: tuple[float, float], end: tuple[float, float]) -> Mask:
    """A mask (h, w) moved as a place moves, in shares of its sides."""
    h, w = mask.shape
    shift = np.array([[1, 0, (end[1] - start[1]) * w], [0, 1, (end[0] - start[0]) * h]])
    moved = cv2.warpAffine(mask.view(np.uint8), shift, (w, h), flags=cv2.INTER_NEAREST)
    return np.asarray(moved, np.uint8).view(np.bool_)


def _box(mask: Mask, margin: float) -> tuple[slice, slice]:
    """Rows and columns that hold a mask, which is not empty, and a margin around it."""
    edge = round(margin)
    y, x = (
        slice(max(0, int(places[0]) - edge), int(places[-1]) + 1 + edge)
        for places in (np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0)))
    )
    return y, x
