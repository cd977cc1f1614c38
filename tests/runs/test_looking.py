"""Where to look first when a run has ended."""

import pytest

from hodor.runs import most_doubtful

NAN = float("nan")


def test_the_object_and_stretch_that_fall_furthest_below_the_usual_are_named() -> None:
    found = most_doubtful(
        {
            1: [1.0, 0.9, 0.8, 0.7, 0.8, 0.9, 0.9],
            2: [1.0, 0.6, 0.6, 0.3, 0.2, 0.35, 0.6],
        }
    )
    assert found is not None
    assert (found.object, found.first, found.worst, found.last) == (2, 3, 4, 5)
    assert (found.confidence, found.usual) == (0.2, 0.6)


def test_an_object_of_little_confidence_throughout_is_as_usual() -> None:
    assert most_doubtful({1: [0.3, 0.29, 0.31], 2: [1.0, 0.95, 0.9]}) is None


def test_what_is_seen_but_doubtful_goes_before_what_is_out_of_sight() -> None:
    found = most_doubtful({1: [1.0, 0.9, 0.0, 0.0], 2: [1.0, 0.9, 0.9, 0.5]})
    assert found is not None
    assert (found.object, found.worst) == (2, 3)
    lost = most_doubtful({1: [1.0, 0.9, 0.0, 0.0, 0.9]})
    assert lost is not None
    assert (lost.first, lost.last, lost.confidence) == (2, 3, 0)


@pytest.mark.parametrize("confidence", [{}, {1: []}, {1: [NAN, NAN]}])
def test_where_nothing_is_known_nothing_is_named(confidence: dict[int, list[float]]) -> None:
    assert most_doubtful(confidence) is None


def test_frames_before_an_object_was_known_do_not_count() -> None:
    found = most_doubtful({4: [NAN, NAN, 1.0, 0.9, 0.2]})
    assert found is not None
    assert (found.first, found.last) == (4, 4)
