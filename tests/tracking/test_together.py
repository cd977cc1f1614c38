"""Several videos through one network find what each finds alone."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from hodor.errors import HodorError, MaskError
from hodor.model import Hodor
from hodor.tracking import Result, Together, Tracker
from hodor.tracking.torch import together as room

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

PATIENCE = 120  # seconds, after which a test that hangs fails


class Video(NamedTuple):
    frames: list[NDArray[np.uint8]]
    masks: dict[int, NDArray[np.uint8]]
    """By frame"""


@pytest.fixture
def videos(make_scene: Callable[..., Any]) -> list[Video]:
    """Of several lengths and sizes, with one object or two, begun and corrected at any frame."""
    long, short = make_scene(9), make_scene(5)
    upright = make_scene(6, (90, 60))
    one = np.where(long.labels[0] == 3, 3, 0).astype(np.uint8)
    return [
        Video(long.frames, {0: long.labels[0]}),
        Video(short.frames, {0: short.labels[0]}),
        Video(long.frames[::-1], {2: long.labels[6], 5: long.labels[3]}),
        Video(long.frames, {0: one}),
        Video(upright.frames, {0: upright.labels[0]}),
    ]


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What the network is asked, and of how many videos at a time."""
    noted: list[tuple[str, int]] = []
    answer = room._answer

    def note(batch: list[Any]) -> None:
        noted.append((batch[0].work.__name__, len(batch)))
        answer(batch)

    monkeypatch.setattr(room, "_answer", note)
    return noted


def followed(tracker: Tracker, video: Video) -> list[Result]:
    return [tracker.step(frame, video.masks.get(n)) for n, frame in enumerate(video.frames)]


def in_common(together: Together, videos: list[Video]) -> list[list[Result]]:
    """All videos, each in a thread, none of which goes on before all have begun."""
    begun = Barrier(len(videos))

    def follow(video: Video) -> list[Result]:
        tracker = together.tracker()
        with tracker.runtime.following():
            begun.wait(PATIENCE)
            return followed(tracker, video)

    with ThreadPoolExecutor(len(videos)) as pool:
        return list(pool.map(follow, videos, timeout=PATIENCE))


@pytest.mark.parametrize(
    "config",
    [{}, {"refiner_channels": 8, "match_channels": 8}, {"joint_objects": False}],
    ids=["plain", "refined and matched", "objects one at a time"],
)
def test_videos_in_common_give_what_each_gives_alone(
    make_network: Callable[..., Hodor],
    make_tracker: Callable[..., Tracker],
    videos: list[Video],
    batches: list[tuple[str, int]],
    config: dict[str, Any],
) -> None:
    first = make_tracker(make_network(**config), keep_reference=True)
    alone = [followed(Tracker(first.runtime, first.options), video) for video in videos]
    assert not batches
    common = in_common(Together(first), videos)
    for truth, found in zip(alone, common, strict=True):
        for ours, theirs in zip(found, truth, strict=True):
            assert ours.ids == theirs.ids
            assert (ours.label_map == theirs.label_map).mean() >= 0.999
            assert ours.confidence == pytest.approx(theirs.confidence, abs=1e-3)
            np.testing.assert_allclose(ours.soft_masks(), theirs.soft_masks(), atol=1e-2)
    most = {work: max(n for name, n in batches if name == work) for work, _ in batches}
    assert most["extract"] == 4  # so many are of one size
    assert most["segment"] >= 2
    assert most["describe"] >= 2
    if "refiner_channels" in config:
        assert most["refine"] >= 2
        assert most["keys"] >= 3


def test_who_fails_or_ends_keeps_nobody_waiting(
    make_tracker: Callable[..., Tracker], videos: list[Video]
) -> None:
    together = Together(make_tracker())
    wrong = Video(videos[0].frames, {0: videos[0].masks[0], 2: np.ones((3, 3), np.uint8)})

    def follow(video: Video) -> int:
        tracker = together.tracker()
        with tracker.runtime.following():
            return len(followed(tracker, video))

    with ThreadPoolExecutor(3) as pool:
        good = [pool.submit(follow, video) for video in videos[:2]]
        bad = pool.submit(follow, wrong)
        assert [one.result(PATIENCE) for one in good] == [9, 5]
        with pytest.raises(MaskError, match="3 x 3"):
            bad.result(PATIENCE)


def test_a_batch_that_fails_is_computed_one_by_one(
    make_network: Callable[..., Hodor],
    make_tracker: Callable[..., Tracker],
    videos: list[Video],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = make_tracker(make_network())
    extract = first.runtime._ready.extract

    def little_memory(images: Any) -> Any:
        if len(images) > 1:
            raise RuntimeError("out of memory")
        return extract(images)

    monkeypatch.setattr(first.runtime._ready, "extract", little_memory)
    found = in_common(Together(first), videos[:2])
    assert [len(results) for results in found] == [9, 5]


def test_a_stop_reaches_threads_that_wait(
    make_tracker: Callable[..., Tracker], videos: list[Video]
) -> None:
    together = Together(make_tracker())
    inside, leave = Barrier(2), Barrier(2)

    def idle() -> None:
        with together.tracker().runtime.following():
            inside.wait(PATIENCE)
            leave.wait(PATIENCE)

    def follow() -> None:
        tracker = together.tracker()
        with tracker.runtime.following():
            inside.wait(PATIENCE)
            followed(tracker, videos[0])  # waits for the other, which asks for nothing

    with ThreadPoolExecutor(2) as pool:
        pool.submit(idle)
        waits = pool.submit(follow)
        together.stop()
        with pytest.raises(KeyboardInterrupt):
            waits.result(PATIENCE)
        leave.wait(PATIENCE)


def test_steps_that_take_one_frame_at_a_time_are_refused(
    tiny_network: Hodor, make_tracker: Callable[..., Tracker]
) -> None:
    options = make_tracker().options
    with pytest.raises(HodorError, match="the step fixed takes one frame at a time"):
        Together(Tracker(tiny_network, options, device="cpu", step="fixed"))
