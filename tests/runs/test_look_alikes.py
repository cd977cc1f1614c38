"""Look-alikes are told once, when they touch."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hodor.runs.look_alikes import LookAlikes

Look = Callable[..., list[str]]


def label_map(gap: int, second: int = 0) -> np.ndarray:
    """Three squares, so many pixels from the first to the second and from there to the third."""
    made = np.zeros((20, 60), np.uint8)
    made[5:15, 5:15] = 1
    made[5:15, 15 + gap : 25 + gap] = 2
    made[5:15, 25 + gap + second : 35 + gap + second] = 3
    return made


@pytest.fixture
def look() -> Callable[..., Look]:
    """Makes something that looks at a frame, given two descriptors."""

    def make(*descriptors: list[float]) -> Look:
        objects = {i: np.array(d, np.float32) for i, d in enumerate(descriptors, 1)}
        described = SimpleNamespace(frames=(SimpleNamespace(objects=objects),))
        tracker: Any = SimpleNamespace(references=lambda: described)
        watch = LookAlikes()

        def at(name: str, gap: int, second: int = 0) -> list[str]:
            frame: Any = SimpleNamespace(name=name)
            result: Any = SimpleNamespace(ids=tuple(objects), label_map=label_map(gap, second))
            return watch.look(tracker, frame, result, masks_came=name == "0")

        return at

    return make


def test_objects_that_look_alike_are_told_when_they_touch_and_once(look: Any) -> None:
    at = look([1, 0.1], [1, 0])
    assert at("0", 5) == []
    (told,) = at("1", 0)
    assert "objects 1 and 2 (cosine 1.00) look alike and touch in frame 1, from" in told
    assert "--search-radius 0.15" in told
    assert at("2", 0) == []


def test_objects_that_look_different_may_touch(look: Any) -> None:
    at = look([1, 0.1], [0, 1])
    assert at("0", 0) == []


def test_a_frame_has_one_line(look: Any) -> None:
    (told,) = look([1, 0.1], [1, 0], [1, 0])("0", 0)
    assert "objects 1 and 2 (cosine 1.00), 2 and 3 (cosine 1.00) look alike and touch" in told


def test_what_to_do_is_said_once(look: Any) -> None:
    at = look([1, 0.1], [1, 0], [1, 0])
    (first,) = at("0", 0, 5)
    (second,) = at("1", 0, 0)
    assert "--search-radius" in first
    assert second == "objects 2 and 3 (cosine 1.00) look alike and touch in frame 1"
