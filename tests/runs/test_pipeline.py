"""Whole videos: every frame is written, failures keep what was done, runs go on after a stop."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video.tiny_videos import write_video

from hodor.errors import HodorError, MaskError
from hodor.runs import Progress, Summary, pipeline, resume, track_video, write_summary
from hodor.tracking import Tracker
from hodor.video import (
    Frame,
    LabelMapSink,
    OverlaySink,
    RleSink,
    open_reference_masks,
    open_source,
    read_label_map,
    write_label_map,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

MakeTracker = Callable[..., Tracker]

MEMORY = """
import re
import sys
from pathlib import Path
import numpy as np
from hodor.runs import track_video
from hodor.tracking import Tracker, TrackerOptions
from hodor.video import Frame, LabelMapSink
from hodor.weights import load_model

SIZE = (240, 320)
CHECKED = (200, 2000)


class Long:
    name, length, estimated_length, fps, live, warnings = "long", None, None, 25.0, False, []
    timed = True

    def frames(self, start=0):
        for t in range(start, CHECKED[1]):
            yield Frame(t, "frame", np.full((*SIZE, 3), t % 256, np.uint8), t / 25)


class FirstMask:
    def for_frame(self, frame):
        labels = np.zeros(SIZE, np.uint8)
        labels[10:90, 10:90], labels[100:200, 40:300] = 1, 2
        return labels if frame.index == 0 else None

    def unused(self):
        return []


def peak():
    # The peak that getrusage tells of a child begins with its parent's.
    return re.search("VmHWM: *([0-9]+)", Path("/proc/self/status").read_text().expandtabs())[1]


def report(step):
    if step.done in CHECKED:
        print(peak())


network = load_model(sys.argv[1])
tracker = Tracker(network, TrackerOptions(size=32), device="cpu", precision="fp32")
track_video(tracker, Long(), FirstMask(), [LabelMapSink(sys.argv[2])], progress=report)
"""


class Failing:
    """A sink that fails when it has to: at a frame, or at the end."""

    def __init__(self, *, at: int | None = None, error: type[BaseException] = HodorError) -> None:
        self.at, self.error = at, error
        self.calls: list[str] = []

    def write(self, frame: Frame, label_map: Any, ids: Any) -> None:
        self.calls.append(frame.name)
        if frame.index == self.at:
            raise self.error("the disk is full")

    def commit(self) -> None:
        self.calls.append("commit")

    def close(self) -> None:
        self.calls.append("close")
        if self.at is None:
            raise self.error("the disk is full")

    def abandon(self) -> None:
        self.calls.append("abandon")


@pytest.fixture
def video(tmp_path: Path, scene: Any) -> Path:
    """An MP4 of twelve frames of 60 x 90 pixels, and first.png beside it."""
    write_label_map(tmp_path / "first.png", scene.labels[0])
    return write_video(tmp_path / "video.mp4", scene.frames)


def decoded(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24", threads=1) for frame in container.decode(video=0)]


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_frame_of_a_video_is_tracked_and_written(
    make_tracker: MakeTracker, video: Path, scene: Any, tmp_path: Path
) -> None:
    tracker, steps = make_tracker(), list[Progress]()
    with open_source(video) as source:
        masks = open_reference_masks(tmp_path / "first.png")
        sinks = [
            LabelMapSink(tmp_path / "labels"),
            RleSink(tmp_path / "masks.json", video=source.name),
            OverlaySink(tmp_path / "overlay.mp4", source.fps),
        ]
        summary = track_video(tracker, source, masks, sinks, progress=steps.append)
        pixels = [frame.pixels for frame in source.frames()]
    assert [path.name for path in sorted((tmp_path / "labels").iterdir())] == [
        f"{t:05d}.png" for t in range(12)
    ]
    alone = make_tracker()
    for t, frame in enumerate(pixels):
        expected = alone.step(frame, scene.labels[0] if t == 0 else None).label_map
        np.testing.assert_array_equal(read_label_map(tmp_path / f"labels/{t:05d}.png"), expected)
    rle = json.loads((tmp_path / "masks.json").read_text())
    assert [frame["index"] for frame in rle["frames"]] == list(range(12))
    assert len(decoded(tmp_path / "overlay.mp4")) == 12
    assert [step.done for step in steps] == list(range(1, 13))
    assert summary.frames == summary.tracked == 12


def test_frames_are_announced_before_they_are_stepped_and_few_at_a_time(
    make_tracker: MakeTracker, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, order = make_tracker(), list[tuple[str, int]]()
    step = tracker.step
    monkeypatch.setattr(
        tracker.runtime, "expect", lambda pixels: order.append(("expected", id(pixels)))
    )

    def noted(pixels: Any, masks: Any = None) -> Any:
        order.append(("stepped", id(pixels)))
        return step(pixels, masks)

    monkeypatch.setattr(tracker, "step", noted)
    with open_source(video) as source:
        track_video(tracker, source, open_reference_masks(tmp_path / "first.png"), [])
    ahead = 0
    for n, (what, pixels) in enumerate(order):
        ahead += 1 if what == "expected" else -1
        assert 0 <= ahead <= pipeline.AHEAD + 2
        assert what == "expected" or ("expected", pixels) in order[:n]
    assert [what for what, _ in order].count("stepped") == 12


def test_masks_of_later_frames_are_given_in_their_frames(
    make_tracker: MakeTracker, video: Path, scene: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    for t, number in ((2, 3), (5, 7), (40, 9)):
        write_label_map(
            folder / f"{t:05d}.png", np.where(scene.labels[t % 12] > 0, number, 0).astype(np.uint8)
        )
    tracker = make_tracker()
    with open_source(video) as source:
        masks = open_reference_masks(folder)
        summary = track_video(tracker, source, masks, [LabelMapSink(tmp_path / "labels")])
    values = summary.to_dict()
    assert values["objects"] == [3, 7]
    assert values["confidence"]["3"][:3] == [None, None, 1.0]
    assert values["confidence"]["7"][:6] == [None] * 5 + [1.0]
    assert len(values["confidence"]["7"]) == 12
    assert None not in values["confidence"]["7"][5:]
    assert summary.warnings == ["masks that belong to no frame: 00040.png"]
    assert not read_label_map(tmp_path / "labels/00001.png").any()
    assert set(np.unique(read_label_map(tmp_path / "labels/00002.png"))) == {0, 3}


def test_the_summary_tells_what_was_done_and_how(
    tiny_model: Path, video: Path, tmp_path: Path
) -> None:
    tracker = Tracker.from_pretrained(str(tiny_model), device="cpu", precision="fp32")
    with open_source(video) as source:
        masks = open_reference_masks(tmp_path / "first.png")
        summary = track_video(tracker, source, masks, [])
    path = tmp_path / "summary.json"
    write_summary(path, summary.to_dict())
    values = json.loads(path.read_text())
    assert values["frames"] == 12
    assert values["objects"] == [3, 7]
    assert values["frames_per_second"] == pytest.approx(12 / values["seconds"], rel=0.05)
    assert values["model"] == {"name": "tiny", "backbone": "mobilenetv2_035"}
    assert values["options"]["size"] == 64
    assert values["options"]["window"] == 3
    assert (values["device"], values["precision"]) == ("cpu", "float32")
    assert values["warnings"] == []
    for numbers in values["confidence"].values():
        assert len(numbers) == 12
        assert numbers[0] == 1.0
        assert all(0 <= number <= 1 for number in numbers)


def test_warnings_of_a_frame_are_in_the_summary(make_tracker: MakeTracker, tmp_path: Path) -> None:
    frames = np.full((3, 360, 640, 3), 90, np.uint8)
    labels = np.zeros((360, 640), np.uint8)
    labels[200:202, 300:302] = 5
    write_label_map(tmp_path / "first.png", labels)
    with open_source(frames) as source:
        masks = open_reference_masks(tmp_path / "first.png")
        summary = track_video(make_tracker(), source, masks, [])
    assert len(summary.warnings) == 1
    assert summary.warnings[0].startswith("frame 0: object 5 covers 4 px")


def test_references_need_no_masks(
    make_tracker: MakeTracker, video: Path, scene: Any, tmp_path: Path
) -> None:
    teacher, tracker = make_tracker(), make_tracker()
    teacher.step(scene.frames[3], scene.labels[3])
    tracker.add_references(teacher.references())
    with open_source(video) as source:
        summary = track_video(tracker, source, None, [LabelMapSink(tmp_path / "labels")])
    assert summary.to_dict()["objects"] == [3, 7]
    assert len(list((tmp_path / "labels").iterdir())) == 12


def test_when_nothing_is_given_there_is_nothing_to_follow(
    make_tracker: MakeTracker, video: Path
) -> None:
    with open_source(video) as source, pytest.raises(MaskError, match="no object was followed"):
        track_video(make_tracker(), source, None, [])


def test_a_source_without_frames_is_an_error(make_tracker: MakeTracker, video: Path) -> None:
    tracker = make_tracker()
    with open_source(video) as source:
        for frame in source.frames():
            tracker.step(frame.pixels)
        with pytest.raises(HodorError, match=r"no frame to track: .*at frame 12, .* reset\(\) it"):
            track_video(tracker, source, None, [])


def test_a_bad_mask_in_the_middle_is_told_and_the_frames_before_it_are_written(
    make_tracker: MakeTracker, video: Path, scene: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    write_label_map(folder / "00000.png", scene.labels[0])
    write_label_map(folder / "00004.png", scene.labels[0].T.copy())
    masks, sinks = open_reference_masks(folder), [LabelMapSink(tmp_path / "labels")]
    with open_source(video) as source, pytest.raises(MaskError, match=r"00004\.png is 60 x 90"):
        track_video(make_tracker(), source, masks, sinks)
    assert list(written(tmp_path / "labels")) == [f"{t:05d}.png" for t in range(4)]


def test_a_mask_without_an_object_says_nothing_and_is_told(
    make_tracker: MakeTracker, video: Path, scene: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    write_label_map(folder / "00000.png", scene.labels[0])
    write_label_map(folder / "00004.png", np.zeros((60, 90), np.uint8))
    tracker = make_tracker()
    with open_source(video) as source:
        summary = track_video(tracker, source, open_reference_masks(folder), [])
    assert summary.warnings == ["frame 00004: its mask holds no object and says nothing"]
    assert (summary.frames, tracker.ids) == (12, (3, 7))


def test_a_run_on_a_camera_is_finished_by_stopping_it(
    make_tracker: MakeTracker, scene: Any, tmp_path: Path
) -> None:
    class Camera:
        name, length, estimated_length, fps, live = "camera", None, None, 25.0, True
        timed = True
        warnings = ()

        def frames(self, start: int = 0) -> Iterator[Frame]:
            for t in range(start, 1000):
                yield Frame(t, f"{t:05d}", scene.frames[t % 12], t / 25, time.monotonic())

    latencies: list[Any] = []

    def report(step: Progress) -> None:
        latencies.append(step.latency)
        if step.done == 5:
            raise KeyboardInterrupt

    write_label_map(tmp_path / "first.png", scene.labels[0])
    masks = open_reference_masks(tmp_path / "first.png")
    sink = RleSink(tmp_path / "masks.json", video="camera")
    summary = track_video(make_tracker(), Camera(), masks, [sink], progress=report)  # type: ignore[arg-type]
    assert summary.frames == 5
    assert len(json.loads((tmp_path / "masks.json").read_text())["frames"]) == 5
    assert all(0 < latency < 60 for latency in latencies)


def test_a_sink_that_fails_ends_the_run_with_its_error(
    make_tracker: MakeTracker, video: Path, tmp_path: Path
) -> None:
    sink, labels = Failing(at=3), LabelMapSink(tmp_path / "labels")
    masks = open_reference_masks(tmp_path / "first.png")
    with open_source(video) as source, pytest.raises(HodorError, match="the disk is full"):
        track_video(make_tracker(), source, masks, [labels, sink])
    assert sink.calls == [f"{t:05d}" for t in range(4)] + ["abandon"]
    assert list(written(tmp_path / "labels")) == [f"{t:05d}.png" for t in range(4)]


@pytest.mark.parametrize("stop", [3, 5, 8, None], ids=lambda at: f"at {at or 'the end'}")
def test_a_stopped_run_that_goes_on_gives_the_files_of_one_that_was_not(
    make_tracker: MakeTracker,
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop: int | None,
) -> None:
    """Stopped before the first commit, right at one, between two, and while files are closed."""
    monkeypatch.setattr(pipeline, "COMMIT_EVERY", 5)
    state = tmp_path / "state"

    def run(out: Path, *more: Any) -> Summary:
        tracker, before = make_tracker(window=3, keep_reference=True), None
        if state.exists():
            before = resume(tracker, state)
        start = tracker.next_index
        with open_source(video) as source:
            masks = open_reference_masks(tmp_path / "first.png")
            sinks = [
                LabelMapSink(out / "labels", resume_from=start),
                RleSink(out / "masks.json", video=source.name, resume_from=start),
                OverlaySink(out / "overlay.mp4", source.fps, resume_from=start),
                *more,
            ]
            return track_video(tracker, source, masks, sinks, state=state, summary=before)

    whole = run(tmp_path / "whole")
    assert not state.exists()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", Failing(at=stop, error=KeyboardInterrupt))
    assert state.exists() == (stop != 3)
    resumed = run(tmp_path / "stopped")
    assert not state.exists()
    assert resumed.tracked == {3: 12, 5: 7, 8: 7, None: 0}[stop]
    for name in ("frames", "confidence", "warnings"):
        values = [getattr(summary, name) for summary in (resumed, whole)]
        if name == "confidence":
            values = [{i: np.round(v, 4).tolist() for i, v in one.items()} for one in values]
        assert values[0] == values[1], name
    a, b = tmp_path / "whole", tmp_path / "stopped"
    assert written(a / "labels") == written(b / "labels")
    assert (a / "masks.json").read_bytes() == (b / "masks.json").read_bytes()
    np.testing.assert_array_equal(decoded(a / "overlay.mp4"), decoded(b / "overlay.mp4"))
    assert sorted(path.name for path in b.iterdir()) == ["labels", "masks.json", "overlay.mp4"]


def test_a_state_of_another_model_cannot_be_resumed(
    make_tracker: MakeTracker,
    make_network: Any,
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "COMMIT_EVERY", 4)
    state = tmp_path / "state"
    masks = open_reference_masks(tmp_path / "first.png")
    with open_source(video) as source, pytest.raises(HodorError, match="disk is full"):
        track_video(make_tracker(), source, masks, [Failing(at=9)], state=state)
    with pytest.raises(HodorError, match="saved with another model"):
        resume(make_tracker(make_network(seed=1)), state)
    assert resume(make_tracker(), state).frames == 8


def test_reading_stays_only_a_few_frames_ahead(
    make_tracker: MakeTracker, scene: Any, tmp_path: Path
) -> None:
    handed: list[int] = []
    most = 0

    class Counting:
        name, length, estimated_length, fps, live = "counting", None, None, 25.0, False
        timed = True
        warnings = ()

        def frames(self, start: int = 0) -> Iterator[Frame]:
            for t in range(start, 40):
                handed.append(t)
                yield Frame(t, f"{t:05d}", scene.frames[t % 12], t / 25)

    def report(step: Progress) -> None:
        nonlocal most
        most = max(most, len(handed) - step.done)

    tracker = make_tracker()
    tracker.step(scene.frames[0], scene.labels[0])
    summary = track_video(tracker, Counting(), None, [], progress=report)  # type: ignore[arg-type]
    assert summary.frames == 39
    assert 1 <= most <= 8


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.slow
def test_memory_does_not_grow_with_the_video(
    tiny_model: Path, run_python: Callable[..., Any], tmp_path: Path
) -> None:
    """Peak memory after 200 and after 2000 frames; a frame has 230 kB, its label map 77 kB."""
    done = run_python(MEMORY, tiny_model, tmp_path / "labels")
    assert done.returncode == 0, done.stderr
    early, late = map(int, done.stdout.split())
    assert late / early < 1.05, f"{early} kB, then {late} kB"
