"""A frame without given masks, asked for in one go: for runtimes that compute it in one passage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from hodor.tracking.apart import Winners
from hodor.tracking.descriptors import FrameDescriptors, Recalled
from hodor.tracking.doubts import Area
from hodor.tracking.key_frames import KeyFrame
from hodor.tracking.logits import ArrayT, Logits
from hodor.tracking.options import TrackerOptions
from hodor.tracking.prior import CarriedMasks
from hodor.tracking.runtime import FeaturesT


@dataclass(frozen=True)
class Asked(Generic[ArrayT]):
    """All that the network is told of a frame beside its pixels."""

    ids: tuple[int, ...]
    """The O objects, sorted"""
    recalled: Recalled[ArrayT]
    areas: Sequence[Area | None]
    """Where each object is expected; None: everywhere"""
    carried: CarriedMasks | None
    """None: the network has no refiner"""
    matched_maps: Sequence[KeyFrame[ArrayT]]
    """Matched wherever a place lies; the last one only nearby"""
    last_map: KeyFrame[ArrayT] | None
    references: Sequence[Sequence[ArrayT]]
    """Descriptors (C,) of each object's given masks; none where nobody asks"""
    least: Sequence[float]
    """Confidence below which each object is lost"""
    options: TrackerOptions


@dataclass(frozen=True)
class Answer(Generic[ArrayT, FeaturesT]):
    """What the stages would have found, one after the other."""

    features: FeaturesT
    shown: Logits[ArrayT]
    """(K + O, h/4, w/4), as ``Stages.judge`` gives them"""
    descriptors: FrameDescriptors[ArrayT]
    """Under frame number 0"""
    confidence: dict[int, float]
    own: dict[int, float]
    """The network's own confidence; 0 of a lost object"""
    winners: Winners
    """(h/4, w/4), before any object was taken to be lost"""
    labels: NDArray[np.uint8] | NDArray[np.uint16]
    """(H', W') of the crop"""
    carried: NDArray[np.uint8] | NDArray[np.uint16] | None
    """What the next frame looks back at in place of it; see ``TrackerOptions.merge``"""
