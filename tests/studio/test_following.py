"""Tracking in a session: both ways, corrections, pauses, kills in between, exports."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import safetensors
from safetensors.numpy import load_file, save_file

from hodor.errors import HodorError, WeightsError
from hodor.formats import FORMATS, read_track
from hodor.studio.exports import EXPORTS
from hodor.studio.jobs import Control
from hodor.studio.opening import Studio, TrackerSettings, open_studio
from hodor.tracking import Tracker
from hodor.video import read_label_map

pytestmark = pytest.mark.slow

LENGTH = 40
Finish = Callable[[Studio], dict[str, Any]]


def _give_scene(studio: Studio, scene: Any, frame: int) -> None:
    """The scene's two objects as objects 1 and 2."""
    while len(studio.session.objects) < 2:
        studio.session.add_object()
    for number, original in ((1, 3), (2, 7)):
        studio.session.give(frame, number, scene.labels[frame] == original)


@pytest.fixture(scope="module")
def long_scene(make_scene: Any) -> Any:
    return make_scene(LENGTH)


def _all(studio: Studio) -> list[Any]:
    return [studio.session.labels(t) for t in range(LENGTH)]


def test_tracking_gives_the_same_masks_as_the_tracker_itself(
    studio: Studio, long_scene: Any, finish: Finish, tiny_model: Path
) -> None:
    _give_scene(studio, long_scene, 0)
    studio.track("both", 0)
    assert finish(studio)["state"] == "done"
    tracker = Tracker.from_pretrained(str(tiny_model), device="cpu")
    given = studio.session.given(0)
    for t, frame in enumerate(long_scene.frames):
        result = tracker.step(frame, given if t == 0 else None)
        assert np.array_equal(studio.session.labels(t), result.label_map)
    assert not any(need.stale.any() for need in studio.session.needs().values())


def test_tracking_from_the_middle_goes_both_ways(
    studio: Studio, long_scene: Any, finish: Finish
) -> None:
    _give_scene(studio, long_scene, 15)
    studio.track("backward", 15)
    finish(studio)
    curve = studio.session.curves()[1]
    assert [t for t, value in enumerate(curve) if value is not None] == list(range(15))
    studio.track("forward", 15)
    finish(studio)
    assert [t for t, v in enumerate(studio.session.curves()[1]) if v is None] == [15]


def test_a_correction_changes_one_object_in_the_affected_range_alone(
    studio: Studio, long_scene: Any, finish: Finish, square: Any
) -> None:
    _give_scene(studio, long_scene, 0)
    studio.track("both", 0)
    finish(studio)
    before = _all(studio)
    studio.session.give(20, 1, square(40, 5, 12))
    studio.track("both", 20)
    finish(studio)
    after = _all(studio)
    changed = [t for t in range(LENGTH) if not np.array_equal(before[t], after[t])]
    assert min(changed) > 10
    assert {20, 21} <= set(changed)
    for t in range(LENGTH):
        # Object 2 was not corrected: it can only lose pixels to object 1, or get those it left.
        moved = (before[t] == 2) != (after[t] == 2)
        assert not (moved & (before[t] != 1) & (after[t] != 1)).any()
    assert np.array_equal(after[20] == 1, square(40, 5, 12))
    assert np.array_equal(studio.session.given(0), before[0])


def test_an_object_that_is_gone_has_no_masks_until_it_is_given_again(
    studio: Studio, long_scene: Any, finish: Finish
) -> None:
    _give_scene(studio, long_scene, 0)
    studio.session.give(10, 1, np.zeros((60, 90), np.bool_))
    studio.session.give(30, 1, long_scene.labels[30] == 3)
    studio.track("both", 0)
    finish(studio)
    there = [bool((studio.session.labels(t) == 1).any()) for t in range(LENGTH)]
    assert there == [True] * 10 + [False] * 20 + [True] * 10
    assert all((studio.session.labels(t) == 2).any() for t in range(LENGTH))


def test_a_cancelled_run_goes_on_where_it_stopped_with_the_same_masks(
    studio: Studio, long_scene: Any, finish: Finish, clip: Path, tmp_path: Path, tiny_model: Path
) -> None:
    _give_scene(studio, long_scene, 0)
    studio.track("both", 0)
    finish(studio)
    other = open_studio(
        str(clip), tmp_path / "other", TrackerSettings(str(tiny_model), None, "cpu")
    )
    try:
        _give_scene(other, long_scene, 0)
        other.session.listen(
            lambda event: (
                other.jobs.current.cancel()  # type: ignore[union-attr,func-returns-value]
                if event["type"] == "result" and event["frame"] == 17
                else None
            )
        )
        other.track("both", 0)
        assert finish(other)["state"] == "cancelled"
        assert np.flatnonzero(other.session.needs()[1].stale).tolist() == list(range(18, LENGTH))
        other.track("both", 0)
        status = finish(other)
        assert (status["state"], status["done"]) == ("done", LENGTH - 18)
        for one, two in zip(_all(studio), _all(other), strict=True):
            assert np.array_equal(one, two)
    finally:
        other.close()


def _stop_at(studio: Studio, frame: int) -> None:
    """Cancel the job when this frame's result is there."""

    def cancel(event: dict[str, Any]) -> None:
        if event["type"] == "result" and event["frame"] == frame and studio.jobs.current:
            studio.jobs.current.cancel()

    studio.session.listen(cancel)


def test_a_half_done_pass_that_another_version_saved_is_said_to_begin_anew(
    studio: Studio, long_scene: Any, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    studio.jobs.tell_warning = said.append
    _give_scene(studio, long_scene, 0)
    _stop_at(studio, 17)
    with monkeypatch.context() as before:
        before.setattr("hodor.tracking.state.STATE_FORMAT", "hodor-state-2")
        studio.track("both", 0)
        assert finish(studio)["state"] == "cancelled"
    assert said == []
    studio.track("both", 0)
    status = finish(studio)
    assert (status["state"], status["done"]) == ("done", LENGTH)
    assert said == status["warnings"]
    assert len(said) == 1
    assert re.match(r"the pass forward begins anew at its given masks: .*hodor-state-2", said[0])


def test_a_pass_that_lacks_options_of_this_version_is_said_to_begin_anew(
    studio: Studio, long_scene: Any, finish: Finish
) -> None:
    _give_scene(studio, long_scene, 0)
    _stop_at(studio, 17)
    studio.track("both", 0)
    finish(studio)
    file = studio.session.folder.place("tracker", "forward.safetensors")
    with safetensors.safe_open(file, "np") as opened:
        metadata = opened.metadata()
    plain = json.loads(metadata["plain"])
    del plain["options"]["min_matched"]
    plain["extra"]["signature"] = "as that version wrote it"
    save_file(load_file(file), file, metadata | {"plain": json.dumps(plain)})
    studio.track("both", 0)
    status = finish(studio)
    assert status["done"] == LENGTH
    assert len(status["warnings"]) == 1
    assert re.match("the pass forward begins anew .*min_matched", status["warnings"][0])


def test_a_mask_given_while_tracking_is_taken_in(
    studio: Studio, long_scene: Any, finish: Finish, square: Any
) -> None:
    _give_scene(studio, long_scene, 0)
    given = []

    def correct(event: dict[str, Any]) -> None:
        if event["type"] == "result" and event["frame"] == 5 and not given:
            given.append(True)
            studio.session.give(30, 1, square(50, 30))

    studio.session.listen(correct)
    studio.track("both", 0)
    assert finish(studio)["state"] == "done"
    assert not any(need.stale.any() for need in studio.session.needs().values())
    assert studio.session.needs()[1].frame[25] == 30


def test_tracking_with_nothing_to_do_and_a_second_job_are_refused(
    studio: Studio, long_scene: Any, finish: Finish
) -> None:
    with pytest.raises(HodorError, match="draw an object"):
        studio.track("both", 0)
    _give_scene(studio, long_scene, 0)
    studio.track("both", 0)
    assert studio.jobs.current is not None
    studio.jobs.current.pause()
    with pytest.raises(HodorError, match="under way"):
        studio.export(["png"])
    studio.jobs.current.go_on()
    finish(studio)
    with pytest.raises(HodorError, match="up to date"):
        studio.track("both", 0)


def test_a_frame_that_cannot_be_read_is_told_and_what_was_done_stays(
    clip: Path, tmp_path: Path, tiny_model: Path, long_scene: Any, finish: Finish, one_thread: None
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in sorted(clip.iterdir()):
        (broken / file.name).write_bytes(file.read_bytes())
    settings = TrackerSettings(str(tiny_model), None, "cpu")
    studio = open_studio(str(broken), tmp_path / "s", settings)
    try:
        (broken / "00008.png").write_bytes(b"no picture")
        _give_scene(studio, long_scene, 0)
        studio.track("both", 0)
        status = finish(studio)
        assert status["state"] == "failed"
        assert "00008.png" in status["message"]
        assert (studio.session.labels(7) == 1).any()
        (broken / "00008.png").write_bytes((clip / "00008.png").read_bytes())
        studio.track("both", 0)
        assert finish(studio)["state"] == "done"
    finally:
        studio.close()


def test_exports_hold_what_the_session_shows(
    studio: Studio, long_scene: Any, finish: Finish
) -> None:
    _give_scene(studio, long_scene, 0)
    studio.session.change_object(1, "Red", "#ff00ff")
    studio.track("both", 0)
    finish(studio)
    studio.export(["png", "rle", "overlay"])
    assert finish(studio)["state"] == "done"
    root = studio.session.folder.root / "exports"
    for t in range(LENGTH):
        found = read_label_map(root / "labels" / f"{t:05d}.png")
        assert np.array_equal(found, studio.session.labels(t))
    assert len(json.loads((root / "masks.json").read_text())["frames"]) == LENGTH
    with av.open(str(root / "overlay.mp4")) as container:
        drawn = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    veil = drawn[studio.session.labels(0) == 1].mean(0)
    assert min(veil[0], veil[2]) > veil[1] + 40, "object 1 has the colour that was chosen"
    objects = json.loads((root / "objects.json").read_text())["objects"]
    assert [(o["id"], o["name"], o["given"]) for o in objects] == [
        (1, "Red", [0]),
        (2, "Object 2", [0]),
    ]
    with pytest.raises(HodorError, match="choose formats"):
        studio.export(["gif"])
    assert set(EXPORTS) >= {"png", "rle", "overlay"}


def test_time_left_is_speed_times_what_is_left() -> None:
    control = Control("track", lambda _: None)
    control.expect(30)
    for t in range(10):
        control.advance(t)
    status = control.status()
    assert (status["done"], status["total"], status["frame"]) == (10, 30, 9)
    assert status["left"] == pytest.approx(20 / status["speed"], rel=0.05, abs=0.06)


def test_a_session_is_beside_its_video_and_named_after_it(
    clip: Path, tmp_path: Path, tiny_model: Path
) -> None:
    shots = tmp_path / "shots.v2"
    shots.mkdir()
    for file in sorted(clip.iterdir())[:3]:
        (shots / file.name).write_bytes(file.read_bytes())
    for what in (str(shots), str(shots / "*.png")):
        studio = open_studio(what, None, TrackerSettings(str(tiny_model)))
        assert studio.session.folder.root == tmp_path / "shots.v2.studio"
        studio.close()


def test_a_model_that_is_not_there_is_told_before_anything_is_made(
    clip: Path, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="no bundled model of that name"):
        open_studio(str(clip), tmp_path / "session", TrackerSettings("mine"))
    assert not (tmp_path / "session").exists()


def test_no_session_is_made_among_other_files(clip: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("Dear")
    with pytest.raises(HodorError, match=r"home: .*holds other things \(letter\.txt\)"):
        open_studio(str(clip), home, TrackerSettings())
    assert [path.name for path in home.iterdir()] == ["letter.txt"]


def test_other_peoples_formats_are_offered_and_read_back(
    studio: Studio, long_scene: Any, finish: Finish
) -> None:
    assert set(FORMATS) <= set(EXPORTS)
    _give_scene(studio, long_scene, 0)
    studio.session.change_object(1, "Red", None)
    studio.track("both", 0)
    finish(studio)
    for _ in range(2):  # the second export takes the place of the first
        studio.export(["cvat", "npz"])
        assert finish(studio)["state"] == "done"
    for name in ("cvat", "npz"):
        path = studio.session.folder.root / "exports" / EXPORTS[name].file
        track = read_track(path, name)
        assert dict(track.names) == {1: "Red", 2: "Object 2"}
        for one in track.frames():
            assert np.array_equal(one.label_map, studio.session.labels(one.index))
