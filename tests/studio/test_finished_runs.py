"""A finished run of hodor track in the studio: what it found is there, and can be corrected."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hodor.errors import HodorError
from hodor.runs import Outputs, track_to_folder
from hodor.studio.finished_runs import find_run, take_over
from hodor.studio.folder import SessionFolder
from hodor.studio.opening import Studio, TrackerSettings, open_studio, to_open_again
from hodor.studio.settings import Video
from hodor.tracking import Tracker
from hodor.video import hex_colour, object_colour, read_label_map, write_label_map

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

FRAMES = 12


@pytest.fixture
def clip(scene: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "shots"
    folder.mkdir()
    for t, frame in enumerate(scene.frames):
        Image.fromarray(frame).save(folder / f"shot {t + 3}.png")  # 10 comes after 9, not before 3
    write_label_map(tmp_path / "first.png", scene.labels[0])
    return folder


@pytest.fixture
def run(clip: Path, tiny_model: Path, tmp_path: Path) -> Path:
    """A folder of results, object 3 called camel."""
    _track(clip, tmp_path / "out", tiny_model, masks=tmp_path / "first.png")
    return tmp_path / "out"


def _track(clip: Path, out: Path, model: Path, **inputs: Any) -> None:
    tracker = Tracker.from_pretrained(str(model), device="cpu", size=96)
    outputs = Outputs(
        names={3: "camel"}, colours={3: (255, 136, 0)},
        save_references=out.with_name("objects.safetensors"),
    )  # fmt: skip
    masks = inputs.pop("masks", None)
    track_to_folder(
        clip, masks, out, tracker=tracker, outputs=outputs, model=str(model), **inputs
    )  # fmt: skip


@pytest.fixture
def opened() -> Iterator[Callable[..., Studio]]:
    """Opens the studio; closes it after the test."""
    studios: list[Studio] = []

    def make(what: Path, session: Path | None = None) -> Studio:
        studios.append(open_studio(str(what), session, TrackerSettings(device="cpu")))
        return studios[-1]

    yield make
    for studio in studios:
        studio.close()


def test_a_finished_run_opens_with_its_masks_names_and_confidence_and_nothing_to_do(
    run: Path, opened: Callable[..., Studio], tiny_model: Path
) -> None:
    session = opened(run).session
    files = [run / f"labels/shot {t + 3}.png" for t in range(FRAMES)]
    for t, file in enumerate(files):
        np.testing.assert_array_equal(session.labels(t), read_label_map(file))
    assert {o.id: (o.name, o.colour) for o in session.objects} == {
        3: ("camel", "#ff8800"),
        7: ("Object 7", hex_colour(object_colour(7))),
    }
    assert session.state()["given"] == {3: [0], 7: [0]}
    noted = json.loads((run / "summary.json").read_text())["confidence"]
    for number, curve in session.curves().items():
        assert curve == pytest.approx(noted[str(number)], abs=1e-3)
    assert not any(need.stale.any() for need in session.needs().values())
    assert session.model == str(tiny_model.absolute())


def test_a_run_is_corrected_and_tracked_on_with_its_own_model_and_size(
    run: Path, opened: Callable[..., Studio], finish: Any, scene: Any
) -> None:
    before = {path: path.read_bytes() for path in run.glob("labels/*.png")}
    studio = opened(run)
    studio.session.give(8, 3, scene.labels[8] == 3)
    stale = np.flatnonzero(studio.session.needs()[3].stale).tolist()
    assert stale == [5, 6, 7, 9, 10, 11]  # what is nearer to the correction than to frame 0
    studio.track("both", 8)
    assert finish(studio)["state"] == "done"
    assert studio._ready().options.size == 96
    assert not studio.session.needs()[3].stale.any()
    assert {path: path.read_bytes() for path in run.glob("labels/*.png")} == before


def test_what_was_corrected_is_there_when_the_run_is_opened_again(
    run: Path, opened: Callable[..., Studio], scene: Any
) -> None:
    studio = opened(run)
    studio.session.give(8, 3, scene.labels[8] == 3)
    studio.close()
    assert to_open_again(studio.session.folder.root) == run
    assert opened(run).session.state()["given"][3] == [0, 8]


def test_an_object_from_references_begins_where_it_is_surest(
    run: Path, clip: Path, tiny_model: Path, opened: Callable[..., Studio], tmp_path: Path
) -> None:
    _track(clip, tmp_path / "again", tiny_model, references=tmp_path / "objects.safetensors")
    session = opened(tmp_path / "again").session
    noted = json.loads((tmp_path / "again/summary.json").read_text())["confidence"]
    for number, frames in session.state()["given"].items():
        series = noted[str(number)]
        assert [series[t] for t in frames] == [max(series)]


def test_a_video_that_was_moved_is_named_beside_the_run(
    run: Path, clip: Path, opened: Callable[..., Studio], tmp_path: Path
) -> None:
    moved = Path(shutil.move(clip, tmp_path / "elsewhere"))
    with pytest.raises(HodorError, match=f"hodor studio VIDEO --session {run}"):
        opened(run)
    assert not (run / "studio").exists()
    assert opened(moved, run).session.folder.root == run / "studio"


def test_what_cannot_be_opened_says_why(
    run: Path, opened: Callable[..., Studio], tmp_path: Path
) -> None:
    summary = json.loads((run / "summary.json").read_text())

    def noting(**changes: Any) -> None:
        (run / "summary.json").write_text(json.dumps(summary | changes))

    noting(inputs={**summary["inputs"], "source": "rtsp://camera/1"})
    with pytest.raises(HodorError, match=r"followed rtsp://camera/1 .* give it: hodor studio"):
        opened(run)
    noting(objects=[3, 300])
    with pytest.raises(HodorError, match="ids up to 255, and this run has object 300"):
        opened(run)
    noting(frames=99)
    with pytest.raises(HodorError, match="a video of 99 frames"):
        opened(run)
    noting(inputs={**summary["inputs"], "model": "hub:somebody/model"})
    with pytest.raises(HodorError, match="name it again with --model"):
        opened(run)
    noting()
    (run / "labels/shot 5.png").unlink()
    with pytest.raises(HodorError, match="holds 11 label maps, and the run had 12 frames"):
        opened(run)
    (run / ".run.json").write_text("{}")
    with pytest.raises(HodorError, match="not finished; go on with it first"):
        opened(run)


@pytest.mark.parametrize(
    "change",
    [
        {"frames": 1e400},
        {"frames": "some"},
        {"objects": [0]},
        {"objects": ["cat"]},
        {"confidence": 3},
        {"confidence": {"1": [0.5, "high", None]}},
        {"given": {"1": [-1]}},
        {"given": {"1": [1e400]}},
        {"options": {}},
    ],
    ids=str,
)
def test_a_summary_whose_numbers_are_none_is_told(change: dict[str, Any], tmp_path: Path) -> None:
    path, summary = a_summary(tmp_path)
    found = find_run(tmp_path)
    assert found is not None
    assert found.confidence == {1: [0.5, None, 1.0]}
    path.write_text(json.dumps(summary | change))
    with pytest.raises(HodorError, match=r"summary\.json: cannot be read"):
        find_run(tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"confidence": {}}, {"confidence": {"1": [0.5]}}, {"given": {"1": [3]}}],
    ids=str,
)
def test_a_summary_that_does_not_fit_its_run_is_told_before_a_session_is_made(
    change: dict[str, Any], tmp_path: Path
) -> None:
    path, summary = a_summary(tmp_path)
    path.write_text(json.dumps(summary | change))
    found = find_run(tmp_path)
    assert found is not None
    folder = SessionFolder(tmp_path / "session")
    with pytest.raises(HodorError, match=r"summary\.json: does not fit its run"):
        take_over(found, folder, Video("/x/v.mp4", "v", 3, (48, 64), 25.0), None)
    folder.close()
    assert not (tmp_path / "session/session.json").exists()


def a_summary(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The summary of a run of three frames, in its folder, and what is in it."""
    (folder / "labels").mkdir()
    summary = {
        "source": "v", "frames": 3, "objects": [1], "confidence": {"1": [0.5, None, 1.0]},
        "given": {"1": [0]}, "options": {"size": 480}, "model": {"name": "small"},
    }  # fmt: skip
    path = folder / "summary.json"
    path.write_text(json.dumps(summary))
    return path, summary
