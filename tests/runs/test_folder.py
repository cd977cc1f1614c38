"""One call from a video to a folder of results: what ``hodor track`` does, from Python."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video.tiny_videos import write_video

import hodor
from hodor.errors import HodorError, MaskError
from hodor.runs import Outputs, Progress, pipeline
from hodor.tracking import Tracker
from hodor.video import read_label_map, write_label_map

pytestmark = pytest.mark.usefixtures("one_thread")

MakeTracker = Callable[..., Tracker]


@pytest.fixture
def inputs(tmp_path: Path, scene: Any) -> tuple[Path, Path]:
    """A video of twelve frames and its first frame's label map."""
    write_video(tmp_path / "video.mp4", scene.frames)
    write_label_map(tmp_path / "first.png", scene.labels[0])
    return tmp_path / "video.mp4", tmp_path / "first.png"


def labels_of(out: Path) -> list[np.ndarray[Any, Any]]:
    return [read_label_map(path) for path in sorted((out / "labels").iterdir())]


def test_one_call_writes_all_that_is_asked_for_and_tells_each_frame(
    inputs: tuple[Path, Path], make_tracker: MakeTracker, tmp_path: Path
) -> None:
    steps: list[Progress] = []
    outputs = Outputs(
        overlay=True, rle=True, formats=("coco",), names={3: "cat"},
        save_references=tmp_path / "objects.safetensors",
    )  # fmt: skip
    summary = hodor.track_to_folder(
        *inputs, tmp_path / "out", tracker=make_tracker, outputs=outputs, progress=steps.append
    )
    assert (summary.frames, summary.source) == (12, "video")
    assert [(step.frame.index, step.done, step.total) for step in steps] == [
        (t, t + 1, 12) for t in range(12)
    ]
    for step, labels in zip(steps, labels_of(tmp_path / "out"), strict=True):
        np.testing.assert_array_equal(step.result.label_map, labels)
    kept = json.loads((tmp_path / "out/summary.json").read_text())
    assert kept == json.loads(json.dumps(summary.to_dict()))
    assert (tmp_path / "out/overlay.mp4").is_file()
    assert (tmp_path / "objects.safetensors").is_file()
    names = json.loads((tmp_path / "out/coco.json").read_text())["categories"]
    assert "cat" in [one["name"] for one in names]


def test_a_call_that_was_stopped_goes_on_and_gives_the_same_label_maps(
    inputs: tuple[Path, Path],
    make_tracker: MakeTracker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "COMMIT_EVERY", 4)
    hodor.track_to_folder(*inputs, tmp_path / "whole", tracker=make_tracker())

    def stop(step: Progress) -> None:
        if step.frame.index == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hodor.track_to_folder(*inputs, tmp_path / "out", tracker=make_tracker(), progress=stop)
    with pytest.raises(HodorError, match="holds results already"):
        hodor.track_to_folder(*inputs, tmp_path / "out", tracker=make_tracker())
    other = make_tracker(window=2)
    with pytest.raises(HodorError, match="other settings"):
        hodor.track_to_folder(*inputs, tmp_path / "out", tracker=other, resume=True)
    steps: list[Progress] = []
    summary = hodor.track_to_folder(
        *inputs, tmp_path / "out", tracker=make_tracker(), resume=True, progress=steps.append
    )
    assert [step.frame.index for step in steps] == list(range(4, 12))
    assert (summary.frames, summary.tracked) == (12, 8)
    for ours, theirs in zip(
        labels_of(tmp_path / "out"), labels_of(tmp_path / "whole"), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_no_tracker_is_made_for_inputs_that_cannot_be_used(
    inputs: tuple[Path, Path], tmp_path: Path
) -> None:
    def never() -> Tracker:
        raise AssertionError("made in vain")

    video, first = inputs
    with pytest.raises(MaskError, match="nothing to follow"):
        hodor.track_to_folder(video, None, tmp_path / "out", tracker=never)
    with pytest.raises(HodorError, match=r"no\.mp4"):
        hodor.track_to_folder(tmp_path / "no.mp4", first, tmp_path / "out", tracker=never)
    with pytest.raises(HodorError, match="nothing"):
        hodor.track_to_folder(
            video, first, tmp_path / "out", tracker=never, outputs=Outputs(formats=("nothing",))
        )
    assert not (tmp_path / "out").exists()
