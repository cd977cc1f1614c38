"""Runs whose model is tuned to the given masks first."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hodor.errors import HodorError
from hodor.model import Hodor
from hodor.runs import track_to_folder
from hodor.runs.adapting import ADAPTED
from hodor.tracking import Tracker
from hodor.training import adapting
from hodor.video import write_label_map
from hodor.weights import load_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def video(scene: Any, tmp_path: Path) -> Path:
    """A folder of six frames, and beside it masks of the first and the fourth."""
    (tmp_path / "frames").mkdir()
    (tmp_path / "masks").mkdir()
    for n, frame in enumerate(scene.frames[:6]):
        Image.fromarray(frame).save(tmp_path / "frames" / f"{n:05d}.png")
    for n in (0, 3):
        write_label_map(tmp_path / "masks" / f"{n:05d}.png", scene.labels[n])
    return tmp_path


@pytest.fixture
def tracker(
    make_tracker: Callable[..., Tracker], make_network: Callable[..., Hodor]
) -> Callable[[], Tracker]:
    return lambda: make_tracker(make_network(dropout=0.0, backbone_norms="folded"), window=3)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapting, "FEWEST", 4)
    monkeypatch.setattr(adapting, "MOST", 4)


def test_a_tuned_model_tracks_and_is_kept(video: Path, tracker: Callable[[], Tracker]) -> None:
    plain = tracker()
    summary = track_to_folder(
        video / "frames", video / "masks", video / "out", tracker=tracker, adapt=1
    )
    assert summary.adaptation is not None
    assert summary.adaptation.steps == 4
    kept = load_model(str(video / "out" / ADAPTED))
    moved = [
        not np.array_equal(value.numpy(), plain.network.state_dict()[name].numpy())
        for name, value in kept.state_dict().items()
    ]
    assert any(moved) == summary.adaptation.better
    written = json.loads((video / "out/summary.json").read_text())
    assert written["adaptation"]["steps"] == 4
    assert len(list((video / "out/labels").iterdir())) == 6


def test_all_given_masks_are_learned_from(
    video: Path, tracker: Callable[[], Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = adapting.adapt

    def look(network: Hodor, given: Any, **options: Any) -> Any:
        seen.append(len(given))
        return real(network, given, **options)

    monkeypatch.setattr("hodor.training.adapt", look)
    track_to_folder(video / "frames", video / "masks", video / "out", tracker=tracker, adapt=1)
    assert seen == [2]


def test_a_killed_run_goes_on_with_the_model_that_was_tuned(
    video: Path, tracker: Callable[[], Tracker]
) -> None:
    def stop(step: Any) -> None:
        if step.frame.index == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track_to_folder(
            video / "frames",
            video / "masks",
            video / "out",
            tracker=tracker,
            adapt=1,
            progress=stop,
        )
    before = (video / "out" / ADAPTED).read_bytes()
    summary = track_to_folder(
        video / "frames", video / "masks", video / "out", tracker=tracker, adapt=1, resume=True
    )
    assert (video / "out" / ADAPTED).read_bytes() == before
    assert summary.adaptation is not None


def test_without_masks_there_is_nothing_to_tune_to(
    video: Path, tracker: Callable[[], Tracker], scene: Any
) -> None:
    first = tracker()
    first.step(scene.frames[0], scene.labels[0])
    first.references().save(video / "objects")
    with pytest.raises(HodorError, match="adapt: a model is tuned to given masks"):
        track_to_folder(
            video / "frames", None, video / "out", tracker=tracker, adapt=1,
            references=video / "objects",
        )  # fmt: skip
