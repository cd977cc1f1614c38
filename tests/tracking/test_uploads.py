"""Frames that are announced: taken where they are there, and nothing else changes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.tracking import Tracker
from hodor.tracking.torch.uploads import MOST, Uploads

pytestmark = pytest.mark.usefixtures("one_thread")

Frame = NDArray[np.uint8]


class Pretended(Uploads):
    """As on CUDA, but that the copy is made at once, in this machine's memory."""

    def __init__(self) -> None:
        super().__init__(torch.device("cuda"))
        self.taken: list[int] = []

    def _copied(self, frame: Frame) -> Any:
        copy = torch.from_numpy(frame.copy())

        class There:
            def here(_) -> Tensor:
                self.taken.append(id(frame))
                return copy

        return There()


def frames(count: int) -> list[Frame]:
    return [np.full((4, 6, 3), n, np.uint8) for n in range(count)]


def test_a_frame_is_taken_once_and_only_by_its_own_array() -> None:
    uploads, (first, second) = Pretended(), frames(2)
    uploads.begin(first)
    assert uploads.take(second) is None
    assert uploads.take(first.copy()) is None
    found = uploads.take(first)
    assert found is not None
    assert torch.equal(found, torch.from_numpy(first))
    assert uploads.take(first) is None


def test_frames_that_nobody_takes_do_not_pile_up() -> None:
    uploads, announced = Pretended(), frames(3 * MOST)
    for frame in announced:
        uploads.begin(frame)
    assert [uploads.take(frame) is not None for frame in announced] == (
        [False] * (2 * MOST) + [True] * MOST
    )


def test_without_cuda_nothing_is_copied() -> None:
    uploads, (frame,) = Uploads(torch.device("cpu")), frames(1)
    uploads.begin(frame)
    assert uploads.take(frame) is None


@pytest.mark.parametrize("step", ["plain", "fixed"])
def test_announced_frames_give_what_others_give_also_where_the_network_looks_closer(
    make_tracker: Callable[..., Tracker], tiny_network: Any, scene: Any, step: str
) -> None:
    found = []
    for announces in (False, True):
        tracker = Tracker(
            tiny_network, make_tracker(crop_margin=0.1).options, device="cpu", step=step
        )
        pretended = Pretended()
        if announces:
            tracker.runtime._uploads = pretended
            for frame in scene.frames[:MOST]:
                tracker.runtime.expect(frame)
        found.append(
            [
                tracker.step(frame, scene.labels[0] if n == 0 else None).label_map
                for n, frame in enumerate(scene.frames)
            ]
        )
        assert len(pretended.taken) == (MOST if announces else 0)
    np.testing.assert_array_equal(*found)
