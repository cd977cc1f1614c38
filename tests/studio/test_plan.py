"""Which frames come from which given mask, and which runs of the tracker that takes."""

import numpy as np

from hodor.studio.plan import GONE, Origins, passes, wanted

LENGTH = 40


def _tracked(given: dict[int, int]) -> Origins:
    """An object whose results are all up to date."""
    origins = Origins(LENGTH)
    need = wanted(given, origins)
    origins.frame[:], origins.print[:] = need.frame, need.print
    return origins


def test_each_frame_comes_from_the_nearest_given_mask() -> None:
    need = wanted({0: 11, 20: 22}, Origins(LENGTH))
    assert need.frame.tolist() == [0] * 11 + [20] * 29
    assert set(need.print[need.frame == 20].tolist()) == {22}


def test_given_frames_need_no_result_and_all_others_do_at_first() -> None:
    need = wanted({3: 1}, Origins(LENGTH))
    assert np.flatnonzero(~need.stale).tolist() == [3]


def test_a_correction_makes_only_the_frames_nearest_to_it_stale() -> None:
    origins = _tracked({0: 11})
    need = wanted({0: 11, 20: 22}, origins)
    assert np.flatnonzero(need.stale).tolist() == [*range(11, 20), *range(21, 40)]


def test_a_correction_between_two_given_masks_reaches_half_way_to_each() -> None:
    need = wanted({0: 1, 20: 2, 30: 3}, _tracked({0: 1, 30: 3}))
    assert np.flatnonzero(need.stale).tolist() == [*range(11, 20), *range(21, 26)]


def test_taking_a_correction_back_leaves_nothing_to_do_where_nothing_was_tracked_since() -> None:
    assert not wanted({0: 11}, _tracked({0: 11})).stale.any()


def test_an_object_that_is_gone_stays_so_up_to_its_next_given_mask() -> None:
    need = wanted({0: 1, 20: GONE, 30: 3}, Origins(LENGTH))
    assert need.frame.tolist() == [0] * 20 + [20] * 10 + [30] * 10


def test_passes_run_both_ways_from_a_correction_and_the_nearest_ones_first() -> None:
    need = wanted({0: 1, 20: 2}, _tracked({0: 1}))
    plan = passes({5: need}, 0, LENGTH - 1, near=20)
    assert [(p.start, p.last) for p in plan] == [(20, 39), (20, 11)]
    assert [p.first_wanted() for p in plan] == [21, 19]


def test_objects_whose_runs_overlap_are_followed_together() -> None:
    needs = {1: wanted({0: 1}, Origins(LENGTH)), 2: wanted({10: 1}, Origins(LENGTH))}
    plan = passes(needs, 0, LENGTH - 1, near=0)
    assert [(p.start, p.last) for p in plan] == [(0, 39), (10, 0)]
    assert plan[0].objects(5) == [1]
    assert plan[0].objects(15) == [1, 2]
    assert plan[1].objects(5) == [2]


def test_only_frames_that_are_asked_for_are_in_a_plan() -> None:
    need = wanted({10: 1}, Origins(LENGTH))
    assert [(p.start, p.last) for p in passes({1: need}, 10, LENGTH - 1, 10)] == [(10, 39)]
    assert [(p.start, p.last) for p in passes({1: need}, 0, 10, 10)] == [(10, 0)]
