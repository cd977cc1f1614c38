"""Masks of clicks: the pointer that passes never makes a click wait."""

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hodor.segmenter import Prompts
from hodor.studio.clicking import Clicks

HERE, THERE = Prompts(((1, 1),), (True,)), Prompts(((2, 2),), (True,))


class Network:
    """Notes what it is asked, and answers when it may."""

    def __init__(self) -> None:
        self.asked: list[Prompts] = []
        self.begun, self.may_end = threading.Event(), threading.Event()

    def embed(self, _: Any) -> Any:
        return SimpleNamespace(size=(4, 4))

    def follow(self, _: Any, prompts: Prompts, __: int | None) -> Any:
        self.asked.append(prompts)
        self.begun.set()
        assert self.may_end.wait(60)
        return SimpleNamespace(masks=[np.ones((4, 4), np.bool_)] * 4, best=0)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def clicks(network: Network) -> Clicks:
    pictures: Any = SimpleNamespace(frame=lambda _: SimpleNamespace(pixels=None))
    made = Clicks(pictures)
    made._segmenter = network  # type: ignore[assignment]
    return made


def test_of_places_that_the_pointer_passed_only_the_newest_is_answered(
    clicks: Clicks, network: Network
) -> None:
    clicks.look(0)
    answers: dict[str, Any] = {}

    def ask(name: str, prompts: Prompts) -> threading.Thread:
        thread = threading.Thread(
            target=lambda: answers.setdefault(name, clicks.passing(0, prompts))
        )
        thread.start()
        return thread

    first = ask("first", HERE)
    assert network.begun.wait(60)
    second = ask("second", Prompts(((3, 3),), (True,)))
    while clicks._newest is None or clicks._newest.points != ((3, 3),):
        pass
    clicked = threading.Thread(
        target=lambda: answers.setdefault("click", clicks.masks(0, THERE, None))
    )
    clicked.start()
    while clicks._newest is not THERE:
        pass
    network.may_end.set()
    for thread in (first, second, clicked):
        thread.join()
    assert answers["second"] is None
    assert answers["click"] is not None
    assert network.asked == [HERE, THERE]


def test_a_frame_is_not_looked_at_for_a_pointer_that_passes(
    clicks: Clicks, network: Network
) -> None:
    assert clicks.passing(0, HERE) is None
    assert network.asked == []
