"""The step at fixed shapes finds what the plain one finds, whatever happens to the objects."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread, current_thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hodor.errors import HodorError
from hodor.model import Hodor, HodorConfig
from hodor.profiling import read_meter, upload_meter
from hodor.tracking import Result, Tracker, TrackerOptions, doubts
from hodor.tracking.descriptors import Recalled
from hodor.tracking.doubts import judged as judged_plainly
from hodor.tracking.stages import Stages
from hodor.tracking.torch.fixed import passage, replay, step
from hodor.tracking.torch.fixed.passage import along
from hodor.tracking.torch.fixed.ring import Ring
from hodor.tracking.torch.fixed.shapes import room_for_frames, room_for_objects, room_for_places

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

MakeNetwork = Callable[..., Hodor]
Frame = NDArray[np.uint8]

PLAIN: dict[str, Any] = {}
REFINED = {"refiner_channels": 8}
MATCHED = {"refiner_channels": 8, "match_channels": 8}
CLOSER = {
    "crop_margin": 0.1,
    "search_radius": 0.2,
    "min_similarity": 0.3,
    "min_confidence": 0.3,
    "min_matched": 0.1,
    "min_confidence_ratio": 0.3,
    "object_bias": -0.1,
    "merge": "logsumexp",
    "keep_reference": True,
    "keep_every": 2,
    "skip_lost": True,
}


def video(count: int) -> Iterator[Frame]:
    """Frames (72, 100, 3): bright squares that wander over noise, and a smaller part each time."""
    noise = np.random.default_rng(3).integers(0, 90, (120, 160, 3), dtype=np.uint8)
    for t in range(count):
        frame = noise[t : t + 72, t : t + 100].copy()
        for number, colour in enumerate(((250, 30, 30), (30, 240, 60), (60, 60, 250))):
            top, left = 8 + 18 * number + t, 10 + 22 * number + 2 * t
            frame[top : top + 14, left : left + 16] = colour
        yield frame


def labelled(frame: Frame, *ids: int) -> NDArray[np.uint16]:
    """The squares as a label map, in turn under these ids; 0 leaves one out."""
    labels = np.zeros(frame.shape[:2], np.uint16)
    for number, i in enumerate(ids):
        labels[frame[..., number] > 200] = i
    return labels


def eventful(tracker: Tracker) -> list[Result]:
    """Objects come, are corrected, are taken away, come back, and one has a large number."""
    found = []
    for t, frame in enumerate(video(14)):
        masks = None
        if t == 0:
            masks = labelled(frame, 3, 0, 0)
        if t == 3:
            masks = labelled(frame, 0, 7, 300)
        if t == 6:
            masks = labelled(frame, 3, 0, 0)
        if t == 8:
            tracker.remove(7)
        if t == 10:
            masks = labelled(frame, 0, 9, 0)
        found.append(tracker.step(frame, masks))
    return found


def tracker_of(network: Hodor, step: str, **options: Any) -> Tracker:
    chosen = TrackerOptions(**({"size": 64, "window": 3} | options))
    return Tracker(network, chosen, device="cpu", precision="fp32", step=step)


@pytest.mark.parametrize("config", [PLAIN, REFINED, MATCHED])
@pytest.mark.parametrize(
    "options", [{}, CLOSER, CLOSER | {"fit": "stretch"}, CLOSER | {"keep_apart": True}]
)
def test_labels_confidence_and_soft_masks_are_the_plain_ones(
    make_network: MakeNetwork, config: dict[str, Any], options: dict[str, Any]
) -> None:
    network = make_network(**config)
    plain, fixed = (eventful(tracker_of(network, step, **options)) for step in ("plain", "fixed"))
    for ours, theirs in zip(fixed, plain, strict=True):
        assert (ours.index, ours.ids, ours.visible) == (theirs.index, theirs.ids, theirs.visible)
        assert ours.confidence == pytest.approx(theirs.confidence, abs=1e-4)
        assert ours.label_map.dtype == theirs.label_map.dtype
        np.testing.assert_array_equal(ours.label_map, theirs.label_map)
        np.testing.assert_allclose(ours.soft_masks(), theirs.soft_masks(), atol=1e-3)


def test_what_the_network_is_sure_of_is_not_doubted_for_its_looks_either(
    make_network: MakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, found = make_network(**PLAIN), {}
    for sure in (0.0, 1.1):
        for module in (doubts, passage):
            monkeypatch.setattr(module, "SURE", sure)
        for way in ("plain", "fixed"):
            results = eventful(tracker_of(network, way, min_similarity=0.999))
            found[sure, way] = [result.visible for result in results]
    assert found[0.0, "fixed"] == found[0.0, "plain"]
    assert found[1.1, "fixed"] == found[1.1, "plain"]
    visible = {sure: sum(sum(v.values()) for v in found[sure, "fixed"]) for sure in (0.0, 1.1)}
    assert visible[0.0] > visible[1.1] > 0


def test_frames_without_masks_do_go_at_fixed_shapes_and_wait_once(
    make_network: MakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A frame that is kept is written once more, when it is matched for the first time.
    options = CLOSER | {"keep_every": 0}
    tracker = tracker_of(make_network(**MATCHED), "fixed", **options)
    first, *others = video(6)
    tracker.step(first, labelled(first, 1, 2, 3))
    rooms = []
    answer = step.FixedStep.answer

    def noted(self: step.FixedStep, *args: Any) -> Any:
        found = answer(self, *args)
        rooms.append(found is not None)
        return found

    monkeypatch.setattr(step.FixedStep, "answer", noted)
    for frame in others[:3]:
        tracker.step(frame)
    assert rooms == [True] * 3
    with read_meter() as reads:
        tracker.step(others[3])
    assert reads() == 1
    with upload_meter() as (count, _):
        tracker.step(others[4])
    assert count() == 2  # the frame, and all else


def test_what_is_kept_is_sent_once_when_it_is_matched_for_the_first_time(
    make_network: MakeNetwork,
) -> None:
    tracker = tracker_of(make_network(**MATCHED), "fixed", **CLOSER | {"keep_every": 3})
    first, *others = video(11)
    tracker.step(first, labelled(first, 1, 2, 3))
    sent = []
    for frame in others:
        with upload_meter() as (count, _):
            tracker.step(frame)
        sent.append(count())
    # Frame 6 is kept, so that frame 3 is matched from frame 7 on; frame 9 likewise.
    assert sent[4:] == [2, 2, 3, 2, 2, 3]


def test_two_trackers_of_one_runtime_do_not_mix(make_network: MakeNetwork) -> None:
    network = make_network(**MATCHED)
    shared = tracker_of(network, "fixed").runtime
    options = TrackerOptions(size=64, window=3)
    ours = [Tracker(shared, options), Tracker(shared, options)]
    alone = [tracker_of(network, "plain"), tracker_of(network, "plain")]
    for t, frame in enumerate(video(6)):
        for number, (one, other) in enumerate(zip(ours, alone, strict=True)):
            picture = np.ascontiguousarray(frame[:, ::-1]) if number else frame
            masks = None if t else labelled(picture, 1, 2, 0)
            found, truth = one.step(picture, masks), other.step(picture, masks)
            np.testing.assert_array_equal(found.label_map, truth.label_map)


def test_a_history_is_written_once_and_in_place() -> None:
    ring = Ring(8, 4, 2, 3, torch.device("cpu"))
    address = ring.objects.data_ptr()

    def row(*values: float) -> list[torch.Tensor | None]:
        return [torch.full((3,), v) for v in values]

    a, b, c = row(1, 2), row(3, 4), [torch.full((3,), 5.0), None]
    scenes = [torch.full((2, 3), v) for v in (1.0, 2.0, 3.0)]

    def recalled(*numbers: int) -> Recalled[torch.Tensor]:
        rows = [(a, b, c)[n] for n in numbers]
        return Recalled(rows, [[scenes[n]] for n in numbers], np.ones(len(numbers), bool))

    ring.write(recalled(0, 1))
    ring.objects[0] += 10  # would be lost if it were written again
    described, known = ring.write(recalled(1, 2, 0))
    assert ring.objects[0, :2, 0].tolist() == [11, 12]
    assert ring.objects[2, 0, 0] == 5
    assert described[2].tolist() == [True, False, False, False]
    assert described.sum() == 5
    assert known.tolist() == [True] * 3 + [False] * 5
    ring.write(recalled(2))
    assert ring.objects.data_ptr() == address


def test_confidence_is_calibrated_as_elsewhere() -> None:
    curve = [(0.5, 0.2), (0.7, 0.6), (0.9, 0.8)]
    values = [0.1, 0.5, 0.55, 0.7, 0.83, 0.95]
    ours = along(torch.tensor(values), curve)
    truth = judged_plainly(values, curve, [0.0] * 6, [False] * 6)
    np.testing.assert_allclose(ours.numpy(), truth, atol=1e-6)


def test_rooms_are_few_and_hold_what_they_must() -> None:
    assert [room_for_objects(n) for n in (1, 2, 3, 5, 64, 65)] == [1, 2, 4, 8, 64, 128]
    assert [room_for_frames(n) for n in (1, 8, 9)] == [8, 8, 16]
    assert [room_for_places(n, 100) for n in (0, 100, 101, 400)] == [100, 100, 200, 400]


def test_what_cannot_be_captured_goes_on_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def refuses(*_args: object, **_options: object) -> object:
        raise RuntimeError("operation not permitted\nand more")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: None)
    monkeypatch.setattr(torch.cuda, "graph", refuses)
    work = replay.Replay(lambda: calls.append(1), captures=True)
    for _ in range(replay.WARM):
        work()
    with pytest.warns(UserWarning, match="could not be captured.*not permitted.*goes on without"):
        work()
    work()
    assert len(calls) == replay.WARM + 3  # one more before the capture, see below


def test_the_thread_that_captures_has_done_the_work_once_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[tuple[str, bool]] = []
    capturing = False

    @contextmanager
    def capture(*_args: object, **_options: object) -> Iterator[None]:
        nonlocal capturing
        capturing = True
        yield
        capturing = False

    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: None))
    monkeypatch.setattr(torch.cuda, "graph", capture)

    def note() -> int:
        threads.append((current_thread().name, capturing))
        return len(threads)

    work = replay.Replay(note, captures=True)
    for name in "abcd":  # a tracker in each: they share the passage
        thread = Thread(target=work, name=name)
        thread.start()
        thread.join()
    assert work.captured
    assert threads[-2:] == [("d", False), ("d", True)]


@pytest.mark.parametrize(
    ("word", "config", "message"),
    [
        ("fast", {}, "step 'fast': it must be plain, fixed or captured"),
        ("captured", {}, "step captured: CUDA has graphs, cpu has none; take fixed"),
        ("fixed", {"joint_objects": False}, "one at a time; take plain"),
    ],
)
def test_steps_that_are_not_to_be_had_are_refused(
    word: str, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(HodorError, match=message):
        step.check_step(word, torch.device("cpu"), HodorConfig(**config))


def test_a_frame_in_which_look_alikes_may_be_confused_goes_by_stages(
    make_network: MakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    confused, refined = [], []
    may_be_confused, kept_apart = Stages._may_be_confused, Stages.kept_apart

    def asked(self: Any, *args: Any) -> bool:
        confused.append(may_be_confused(self, *args))
        return confused[-1]

    def by_stages(self: Any, *args: Any) -> Any:
        refined.append(True)
        return kept_apart(self, *args)

    monkeypatch.setattr(Stages, "_may_be_confused", asked)
    monkeypatch.setattr(Stages, "kept_apart", by_stages)
    network = make_network(**MATCHED)
    eventful(tracker_of(network, "fixed", **CLOSER | {"keep_apart": True, "min_matched": 0.3}))
    assert 0 < sum(confused) < len(confused)
    # Those, and frames with given masks of which some object is known.
    assert len(refined) == sum(confused) + 3


@pytest.mark.parametrize("step", ["plain", "fixed"])
def test_the_next_frame_is_told_the_networks_own_confidence_whatever_results_tell(
    make_network: MakeNetwork, step: str
) -> None:
    network = make_network(**REFINED)
    first, *others = video(4)
    told, kept, maps = [], [], []
    for curve in ([], [[0.0, 0.25], [1.0, 0.25]]):
        network.metadata["calibration"] = curve
        tracker = tracker_of(network, step)
        tracker.step(first, labelled(first, 1, 2, 0))
        results = [tracker.step(frame) for frame in others]
        assert tracker._memory.last is not None
        told.append(results[-1].confidence)
        kept.append(tracker._memory.last.confidence)
        maps.append(np.stack([result.label_map for result in results]))
        assert results[-1].own_confidence == kept[-1]
    assert kept[0] == kept[1] == told[0]
    assert {i: value for i, value in told[1].items() if value} == {
        i: 0.25 for i, value in told[0].items() if value
    }
    assert max(told[0].values()) > 0
    np.testing.assert_array_equal(*maps)
