"""The methods that need no learning."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from hodor.errors import MaskError
from hodor.evaluation import copy_masks, optical_flow

Baseline = Callable[..., object]


def panning(frames: int, step: int) -> list[NDArray[np.uint8]]:
    """A textured picture (96, 128) that moves right by ``step`` pixels a frame."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 255, (13, 17, 3), dtype=np.uint8)
    picture = np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:96, :128]
    return [np.roll(picture, t * step, axis=1) for t in range(frames)]


def first_map() -> NDArray[np.uint8]:
    label_map = np.zeros((96, 128), np.uint8)
    label_map[30:60, 30:60], label_map[64:90, 40:80] = 3, 7
    return label_map


def given(first: NDArray[np.uint8], frames: int = 3) -> list[NDArray[np.uint8] | None]:
    """The first frame's label map and none for the others."""
    return [first, *[None] * (frames - 1)]


def test_the_first_mask_is_copied_to_every_frame() -> None:
    first = first_map()
    maps = list(copy_masks(panning(3, 2), given(first)))
    assert len(maps) == 3
    assert all((m == first).all() for m in maps)
    maps[0][...] = 0
    assert first.any()


def test_optical_flow_carries_ids_along() -> None:
    first = first_map()
    maps = list(optical_flow(panning(5, 2), given(first, 5)))
    np.testing.assert_array_equal(maps[0], first)
    truth = np.roll(first, 8, axis=1)
    for object_id in (3, 7):
        found, right = maps[4] == object_id, truth == object_id
        assert (found & right).sum() / (found | right).sum() > 0.85
        assert (found & (first == object_id)).sum() / (found | (first == object_id)).sum() < 0.8
    assert set(np.unique(maps[4])) == {0, 3, 7}


@pytest.mark.parametrize("method", [copy_masks, optical_flow])
def test_frames_are_taken_one_at_a_time(method: Baseline) -> None:
    taken = []

    def camera():  # type: ignore[no-untyped-def]
        for index, frame in enumerate(panning(3, 1)):
            taken.append(index)
            yield frame

    maps = method(camera(), given(first_map()))
    next(maps)  # type: ignore[call-overload]
    assert taken == [0]


@pytest.mark.parametrize("method", [copy_masks, optical_flow])
def test_a_label_map_of_another_size_is_an_error(method: Baseline) -> None:
    with pytest.raises(MaskError, match=r"\(96, 128\).*\(48, 64\)"):
        list(method(panning(1, 0), [first_map()[::2, ::2]]))  # type: ignore[call-overload]
