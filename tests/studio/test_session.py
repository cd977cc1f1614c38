"""Sessions as folders: changes stay, what is given never changes, nothing is half written."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from hodor.errors import HodorError, MaskError
from hodor.studio.folder import SessionFolder
from hodor.studio.plan import GONE
from hodor.studio.runs import decode_runs, encode_runs
from hodor.studio.session import Conflict, Session

SIZE = (60, 90)
Open = Callable[..., Session]


def _keep(session: Session, frame: int, labels: Any, *ids: int) -> bool:
    """Take in a result of the frame's nearest given mask."""
    needs = session.needs()
    origins = {i: (int(needs[i].frame[frame]), int(needs[i].print[frame])) for i in ids}
    return session.keep(frame, labels, dict.fromkeys(ids, 0.8), origins)


@contextmanager
def _full_disk() -> Iterator[None]:
    """No file can grow beyond a few bytes, as on a disk that is full."""
    resource = pytest.importorskip("resource", reason="needs limits on the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_objects_and_masks_are_there_after_reopening(open_session: Open, square: Any) -> None:
    session = open_session()
    session.add_object()
    session.change_object(1, "Goat", "#112233")
    session.give(4, 1, square(10))
    _keep(session, 5, square(12).astype(np.uint8), 1)
    session.folder.close()
    again = open_session()
    assert [(o.id, o.name, o.colour) for o in again.objects] == [(1, "Goat", "#112233")]
    assert np.array_equal(again.labels(4) == 1, square(10))
    assert np.array_equal(again.labels(5) == 1, square(12))
    assert again.confidences(5) == {1: pytest.approx(0.8)}
    assert not again.needs()[1].stale[5]


def test_given_masks_lie_over_results_and_results_never_change_them(
    open_session: Open, square: Any
) -> None:
    session = open_session()
    session.add_object()
    session.add_object()
    session.give(0, 1, square(10))
    session.give(0, 2, square(50))
    session.give(5, 1, square(10))
    found = np.where(square(15), 1, np.where(square(55, 35), 2, 0)).astype(np.uint8)
    assert _keep(session, 5, found, 2)
    assert np.array_equal(session.labels(5) == 1, square(10))
    assert np.array_equal(session.labels(5) == 2, square(55, 35))
    over = np.where(square(10), 2, 0).astype(np.uint8)
    assert _keep(session, 5, over, 2)
    assert np.array_equal(session.labels(5) == 1, square(10))
    assert np.array_equal(session.given(5) == 1, square(10))


def test_a_result_for_one_object_leaves_the_others_pixels_as_they_are(
    open_session: Open, square: Any
) -> None:
    session = open_session()
    for left in (10, 60):
        session.give(0, session.add_object().id, square(left))
    first = np.where(square(10), 1, np.where(square(60), 2, 0)).astype(np.uint8)
    _keep(session, 3, first, 1, 2)
    other = np.where(square(12), 1, np.where(square(40), 2, 0)).astype(np.uint8)
    _keep(session, 3, other, 1)
    assert np.array_equal(session.labels(3) == 2, square(60))
    assert np.array_equal(session.labels(3) == 1, square(12))


def test_a_result_of_a_mask_that_was_changed_since_is_not_kept(
    open_session: Open, square: Any
) -> None:
    session = open_session()
    session.give(0, session.add_object().id, square(10))
    need = session.needs()[1]
    origin = {1: (int(need.frame[3]), int(need.print[3]))}
    session.give(0, 1, square(30))
    assert not session.keep(3, square(10).astype(np.uint8), {1: 0.9}, origin)
    assert not session.labels(3).any()


def test_undo_and_redo_give_back_masks_objects_and_names(open_session: Open, square: Any) -> None:
    session = open_session()
    session.add_object()
    session.give(2, 1, square(10))
    session.give(2, 1, square(30))
    session.remove_object(1)
    assert not session.labels(2).any()
    assert session.undo() is None
    assert np.array_equal(session.labels(2) == 1, square(30))
    assert session.undo() == 2
    assert np.array_equal(session.labels(2) == 1, square(10))
    session.undo()
    assert not session.labels(2).any()
    session.redo()
    session.redo()
    assert np.array_equal(session.labels(2) == 1, square(30))
    session.change_object(1, "B", None)
    with pytest.raises(HodorError, match="nothing to redo"):
        session.redo()


def test_numbers_of_removed_objects_are_not_used_again(open_session: Open) -> None:
    session = open_session()
    session.add_object()
    session.remove_object(1)
    assert session.add_object().id == 2
    with pytest.raises(HodorError, match="not there any more"):
        session.change_object(1, "x", None)


def test_an_empty_mask_says_that_the_object_is_gone_and_that_can_be_taken_back(
    open_session: Open, square: Any
) -> None:
    session = open_session()
    session.give(0, session.add_object().id, square(10))
    _keep(session, 7, square(10).astype(np.uint8), 1)
    session.give(7, 1, np.zeros(SIZE, np.bool_))
    assert session.said()[7] == {1: GONE}
    assert not session.labels(7).any()
    session.folder.close()
    again = open_session()
    assert again.said()[7] == {1: GONE}
    again.take_back(7, 1)
    assert np.array_equal(again.labels(7) == 1, square(10))


def test_a_mask_drawn_on_what_another_page_changed_is_refused(
    open_session: Open, square: Any
) -> None:
    session = open_session()
    session.add_object()
    base = session.edited(3)
    session.give(3, 1, square(10), base=base)
    with pytest.raises(Conflict, match="another tab"):
        session.give(3, 1, square(50), base=base)
    assert np.array_equal(session.labels(3) == 1, square(10))
    session.give(3, 1, square(50), base=session.edited(3))


def test_listeners_hear_of_every_change_with_rising_revisions(
    open_session: Open, square: Any
) -> None:
    session = open_session()
    heard: list[dict[str, Any]] = []
    end = session.listen(heard.append)
    session.give(0, session.add_object().id, square(10))
    _keep(session, 1, square(10).astype(np.uint8), 1)
    end()
    session.undo()
    assert [event["type"] for event in heard] == ["edit", "edit", "result"]
    assert [event["frame"] for event in heard] == [None, 0, 1]
    assert heard[1]["stale"] == {1: [[1, 39]]}
    revisions = [event["revision"] for event in heard]
    assert revisions == sorted(set(revisions))


def test_a_second_server_cannot_open_the_same_session(open_session: Open) -> None:
    session = open_session()
    session.folder.write_server({"address": "http://127.0.0.1:1/x/"})
    with pytest.raises(HodorError, match=r"has this session open at http://127\.0\.0\.1:1/x/"):
        SessionFolder(session.folder.root)


def test_a_session_of_another_video_is_refused(open_session: Open) -> None:
    open_session().folder.close()
    with pytest.raises(HodorError, match="is of a video of 40 frames of 90 x 60"):
        open_session(frames=41)


def test_a_full_disk_changes_nothing_and_later_the_same_change_is_made(
    open_session: Open, square: Any
) -> None:
    session = open_session()
    session.give(0, session.add_object().id, square(10))
    before = {p: p.read_bytes() for p in session.folder.root.rglob("*") if p.is_file()}
    with _full_disk():
        with pytest.raises(HodorError, match="cannot be written"):
            session.give(0, 1, square(40))
        with pytest.raises(HodorError, match="cannot be written"):
            session.change_object(1, "Other", None)
        with pytest.raises(HodorError, match="cannot be written"):
            _keep(session, 1, square(10).astype(np.uint8), 1)
    assert np.array_equal(session.labels(0) == 1, square(10))
    assert session.objects[0].name == "Object 1"
    assert session.needs()[1].stale[1]
    after = {p: p.read_bytes() for p in session.folder.root.rglob("*") if p.is_file()}
    assert {p: after[p] for p in before} == before
    session.give(0, 1, square(40))
    assert np.array_equal(session.labels(0) == 1, square(40))


def test_a_torn_journal_and_a_lost_result_cost_only_their_frames(
    open_session: Open, square: Any
) -> None:
    session = open_session()
    session.give(0, session.add_object().id, square(10))
    for frame in (1, 2, 3):
        _keep(session, frame, square(10).astype(np.uint8), 1)
    session.folder.close()
    root = session.folder.root
    (root / "results" / "00002.png").write_bytes(b"")
    with (root / "confidence.jsonl").open("ab") as file:
        file.write(b'[4, {"1": [0.5, 0')
    again = open_session()
    assert np.flatnonzero(~again.needs()[1].stale).tolist() == [0, 1, 3]
    _keep(again, 4, square(10).astype(np.uint8), 1)
    lines = [json.loads(line) for line in (root / "confidence.jsonl").read_text().splitlines()]
    assert [line[0] for line in lines] == [1, 3, 4]


def test_runs_come_back_as_they_were_and_wrong_ones_are_refused() -> None:
    labels = np.random.default_rng(0).integers(0, 4, SIZE).astype(np.uint8)
    assert np.array_equal(decode_runs(encode_runs(labels), SIZE), labels)
    with pytest.raises(MaskError, match="5400 pixels"):
        decode_runs(encode_runs(labels), (60, 91))
    with pytest.raises(MaskError, match="no runs"):
        decode_runs(b"abc", SIZE)
