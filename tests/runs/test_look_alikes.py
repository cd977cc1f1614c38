"""Look-alikes are told once, when they touch."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hodor.runs.look_alikes import LookAlikes

Look = Callable[..., list[str]]


def label_map(gap: int) -> np.ndarray:
    """Two squares that many pixels apart."""
    made = np.zeros((20, 40), np.uint8)
    made[5:15, 5:15] = 1
    made[5:15, 15 + gap : 25 + gap] = 2
    return made


@pytest.fixture
def look() -> Callable[..., Look]:
    """Makes something that looks at a frame, given two descriptors."""

    def make(*descriptors: list[float]) -> Look:
        objects = {i: np.array(d, np.float32) for i, d in enumerate(descriptors, 1)}
        described = SimpleNamespace(frames=(SimpleNamespace(objects=objects),))
        tracker: Any = SimpleNamespace(references=lambda: described)
        watch = LookAlikes()

        def at(name: str, gap: int) -> list[str]:
            frame: Any = SimpleNamespace(name=name)
            result: Any = SimpleNamespace(ids=(1, 2), label_map=label_map(gap))
            return watch.look(tracker, frame, result, masks_came=name == "0")

        return at

    return make


def test_objects_that_look_alike_are_told_when_they_touch_and_once(look: Any) -> None:
    at = look([1, 0.1], [1, 0])
    assert at("0", 5) == []
    (told,) = at("1", 0)
    assert "objects 1 and 2 look alike (cosine 1.00) and touch in frame 1" in told
    assert "--search-radius" in told
    assert at("2", 0) == []


def test_objects_that_look_different_may_touch(look: Any) -> None:
    at = look([1, 0.1], [0, 1])
    assert at("0", 0) == []
