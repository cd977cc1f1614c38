"""What is computed between a frame's image and its logits, descriptors and confidences.

Nothing here depends on values: shapes are those of the arguments, and nobody waits.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from hodor.model import History, Hodor, Prior, Pyramid, Remembered
from hodor.tracking.doubts import BEYOND_RADIUS, LIKE, LOST, SURE
from hodor.tracking.torch.arithmetic import (
    confidences,
    lowered_outside,
    matched_likelihoods,
    winners,
)

LEAST = 0.01  # confidence of an object that is seen, see ``calibrated``


class Told(NamedTuple):
    """What a passage is told. Objects that only fill the shape are not ``present``."""

    image: Tensor
    """(1, 3, h, w)"""
    objects: Tensor
    """(T, O, C)"""
    background: Tensor
    """(T, G, C)"""
    described: Tensor
    """(T, O) of 0 and 1"""
    scenes: Tensor
    """(T,) of 0 and 1"""
    present: Tensor
    """(O,) of 0 and 1"""
    limits: Tensor
    """(O, 4), see ``lowered_outside``"""
    references: Tensor
    """(O, R, C), given descriptors; R may be 0"""
    compared: Tensor
    """(O, R) of 0 and 1"""
    least: Tensor
    """(O,), confidence below which an object is lost"""
    min_confidence: Tensor
    """()"""
    bias: Tensor
    """(), added to objects' logits as shown"""
    min_similarity: Tensor
    """()"""
    min_matched: Tensor
    """()"""
    lost_get_no_pixel: Tensor
    """() of 0 and 1"""
    prior: Prior | None
    places: Tensor | None
    remembered: tuple[Remembered, ...]


class Found(NamedTuple):
    """What a passage finds."""

    pyramid: Pyramid
    keys: Tensor | None
    shown: Tensor
    """Logits (K + O, h/4, w/4)"""
    objects: Tensor
    """(O, C)"""
    background: Tensor
    """(G, C)"""
    confidence: Tensor
    """(O,)"""
    own: Tensor
    """(O,), the network's own; 0 of a lost object"""
    winners: Tensor
    """(h/4, w/4), before any object was taken to be lost"""


def passage(
    network: Hodor, told: Told, cells: tuple[int, int], curve: Sequence[tuple[float, float]]
) -> Found:
    """From an image to what is known of the objects in it.

    Args:
        network: one that takes objects together.
        told: the image, and what is remembered.
        cells: of the logits, those that hold some of the frame.
        curve: see ``calibrated``.
    """
    pyramid = network.extract(told.image)
    keys = network.keys(told.image, pyramid)
    history = History(
        told.objects[None],
        told.background[None],
        told.described[None] > 0,
        told.scenes[None] > 0,
    )
    values = network.segment(pyramid, history)[0].float()
    k = len(values) - len(told.present)
    present = told.present > 0
    values = _with_objects(values, k, _filled(values[k:], present))
    lowered = lowered_outside(values[k:], told.limits, BEYOND_RADIUS)
    values = _with_objects(values, k, lowered)
    matched: Tensor | None = None
    if told.prior is not None:
        refined = network.refine(
            told.image, pyramid, values[None], told.prior, keys, told.places, told.remembered
        )
        values, matched = refined.logits[0].float(), refined.matched
        values = _with_objects(values, k, _filled(values[k:], present))
    masks = F.avg_pool2d(values.softmax(0)[k:][None], 2)
    described = network.describe(pyramid, masks, present[None])
    found = described.objects[0]
    biased = _with_objects(values, k, values[k:] + told.bias)
    h, w = cells
    seen = biased[:, :h, :w]
    likely = torch.ones_like(told.least)
    if matched is not None:
        likely = matched_likelihoods(seen, matched[0].float(), k)
    sure = confidences(seen.softmax(0), k)
    alike = similarity(found, told)
    looks_right = (alike >= told.min_similarity) & (likely >= told.min_matched)
    like = ((sure >= SURE) | looks_right) & ((alike >= LIKE) | (sure >= told.min_confidence))
    confidence = judged(sure, curve, told.least, like)
    hidden = (confidence <= 0) & (told.lost_get_no_pixel > 0)
    shown = _with_objects(biased, k, biased[k:] + (hidden * LOST)[:, None, None])
    own = torch.where(confidence > 0, sure, 0.0)
    return Found(
        pyramid, keys, shown, found, described.background[0], confidence, own, winners(biased, k)
    )


def similarity(found: Tensor, told: Told) -> Tensor:
    """Of each object (O, C) with the nearest of its given masks: (O,); 1 where there is none."""
    if not told.references.shape[1]:
        return torch.ones_like(told.least)
    cosines = F.cosine_similarity(found.float()[:, None], told.references, dim=2)  # (O, R)
    nearest = torch.where(told.compared > 0, cosines, -1).amax(1)
    return torch.where(told.compared.amax(1) > 0, nearest, 1)


def judged(
    sure: Tensor, curve: Sequence[tuple[float, float]], least: Tensor, like: Tensor
) -> Tensor:
    """As ``hodor.tracking.doubts.judged``: (O,).

    Args:
        sure: the network's own confidences (O,).
        curve: see ``calibrated``.
        least: with less, an object is taken to be lost, (O,).
        like: whether what was found is like the given masks, (O,) bool.
    """
    value = sure if not curve else along(sure, curve).clamp(min=LEAST)
    return torch.where((sure > 0) & (value >= least) & like, value, 0)


def along(values: Tensor, curve: Sequence[tuple[float, float]]) -> Tensor:
    """Values (n,) on a line through points, level beyond both ends."""
    (start, height), *rest = curve
    total = torch.full_like(values, height)
    for x, y in rest:
        if x > start:
            total = total + (values - start).clamp(0, x - start) * ((y - height) / (x - start))
        start, height = x, y
    return total


def _filled(objects: Tensor, present: Tensor) -> Tensor:
    """Planes (O, y, x) with a finite number where there is no object: none wins anything."""
    return torch.where(present[:, None, None], objects, LOST)


def _with_objects(values: Tensor, background: int, objects: Tensor) -> Tensor:
    return torch.cat([values[:background], objects])
