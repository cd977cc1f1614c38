"""One call from a video to a folder of results: what ``hodor track`` does, from Python."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from recordings import SHARED, needs_shared
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from video.tiny_videos import write_video

import hodor
from hodor.errors import HodorError, MaskError
from hodor.formats import Mattes, read_track
from hodor.runs import Outputs, Progress, pipeline
from hodor.tracking import Tracker
from hodor.video import Intensity, read_label_map, read_soft_mask, write_label_map

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

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


def test_one_tracker_follows_video_after_video_each_from_its_first_frame(
    inputs: tuple[Path, Path], make_tracker: MakeTracker, tmp_path: Path, scene: Any
) -> None:
    video, masks = inputs
    write_video(tmp_path / "short.mp4", scene.frames[:5])
    tracker = make_tracker()
    hodor.track_to_folder(tmp_path / "short.mp4", masks, tmp_path / "short", tracker=tracker)
    again = hodor.track_to_folder(video, masks, tmp_path / "again", tracker=tracker)
    assert again.frames == 12
    hodor.track_to_folder(video, masks, tmp_path / "fresh", tracker=make_tracker())
    for found, wanted in zip(
        labels_of(tmp_path / "again"), labels_of(tmp_path / "fresh"), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


def test_soft_masks_of_every_frame_are_kept_and_go_into_mattes(
    inputs: tuple[Path, Path], make_tracker: MakeTracker, tmp_path: Path
) -> None:
    outputs = Outputs(formats=("rgba",), mattes=Mattes(soft=True))
    hodor.track_to_folder(*inputs, tmp_path / "out", tracker=make_tracker(), outputs=outputs)
    shades = 0
    for t, labels in enumerate(labels_of(tmp_path / "out")):
        for number in np.unique(labels[labels > 0]).tolist():
            soft = read_soft_mask(tmp_path / "out/soft", f"{t:05d}", number)
            assert soft is not None
            assert soft.shape == labels.shape
            agree = (soft > 0.5) == (labels == number)
            assert agree.mean() > 0.995  # a half is the label map's edge
            shades += np.count_nonzero((soft > 0.1) & (soft < 0.9)) if t else 0
            with Image.open(tmp_path / f"out/rgba/{number}/{t:05d}.png") as image:
                alpha = np.asarray(image)[..., 3] / 255
            np.testing.assert_allclose(alpha, soft, atol=1 / 255)
    assert shades > 0


def test_soft_masks_without_a_format_that_takes_them_are_refused_before_any_work(
    inputs: tuple[Path, Path], make_tracker: MakeTracker, tmp_path: Path
) -> None:
    outputs = Outputs(formats=("coco",), mattes=Mattes(soft=True))
    with pytest.raises(HodorError, match="formats prores, ffv1, rgba, exr too"):
        hodor.track_to_folder(*inputs, tmp_path / "out", tracker=make_tracker(), outputs=outputs)
    assert not (tmp_path / "out").exists()


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


def stopped(inputs: tuple[Path, Path], out: Path, tracker: Tracker) -> None:
    """A run that was stopped after eight frames."""

    def stop(step: Progress) -> None:
        if step.frame.index == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hodor.track_to_folder(*inputs, out, tracker=tracker, progress=stop)


def test_two_runs_do_not_write_to_one_folder(
    inputs: tuple[Path, Path], make_tracker: MakeTracker, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def another(step: Progress) -> None:
        if step.frame.index == 3:
            for resume in (False, True):
                with pytest.raises(HodorError, match="another run is writing to this folder"):
                    hodor.track_to_folder(*inputs, out, tracker=make_tracker(), resume=resume)

    hodor.track_to_folder(*inputs, out, tracker=make_tracker(), progress=another)
    assert len(labels_of(out)) == 12
    assert not (out / ".lock").exists()


def test_a_run_that_could_not_begin_leaves_no_folder(
    inputs: tuple[Path, Path], make_tracker: MakeTracker, tmp_path: Path
) -> None:
    with pytest.raises(HodorError):
        hodor.track_to_folder(inputs[0], tmp_path / "none.png", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("video", r"the source was replaced: it had [0-9,]+ bytes and has"),
        ("time", r"the source was replaced: its time stamp is another"),
        ("masks", r"the masks were replaced"),
        ("labels", r"2 of the 8 label maps that were written are gone, the first 00003.png"),
        ("note", r"\.run\.json: is damaged .* start anew in another folder"),
        ("state", r"remove the file to begin this run anew"),
    ],
)
def test_a_run_does_not_go_on_with_what_is_not_what_it_was_begun_with(
    inputs: tuple[Path, Path],
    make_tracker: MakeTracker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scene: Any,
    change: str,
    message: str,
) -> None:
    monkeypatch.setattr(pipeline, "COMMIT_EVERY", 4)
    video, masks = inputs
    out = tmp_path / "out"
    stopped(inputs, out, make_tracker())
    if change == "video":
        write_video(video, scene.frames[::-1])
    elif change == "time":
        os.utime(video, ns=(0, 0))
    elif change == "masks":
        write_label_map(masks, np.fliplr(scene.labels[0]).copy())
    elif change == "labels":
        for number in (3, 5):
            (out / f"labels/0000{number}.png").unlink()
    elif change == "note":
        (out / ".run.json").write_text('{"settings": ')
    else:
        (out / ".state.safetensors").write_bytes(b"damaged")
    before = {path: path.read_bytes() for path in (out / "labels").iterdir()}
    with pytest.raises(HodorError, match=message) as caught:
        hodor.track_to_folder(*inputs, out, tracker=make_tracker(), resume=True)
    assert "\n" not in str(caught.value)
    assert before == {path: path.read_bytes() for path in (out / "labels").iterdir()}
    if change in ("state", "labels"):
        (out / ".state.safetensors").unlink()
        summary = hodor.track_to_folder(*inputs, out, tracker=make_tracker(), resume=True)
        assert summary.frames == len(labels_of(out)) == 12


def without_min_matched(out: Path) -> None:
    """Make a stopped run that of a version which had no such option."""
    note, state = out / ".run.json", out / ".state.safetensors"
    text = note.read_text()
    note.write_text(text.replace(", min_matched=0.0", ""))
    assert note.read_text() != text
    arrays = load_file(state)
    with safe_open(state, "np") as file:
        metadata = file.metadata()
    plain = json.loads(metadata["plain"])
    del plain["options"]["min_matched"]
    save_file(arrays, state, metadata | {"plain": json.dumps(plain)})


def test_a_run_of_a_version_without_an_option_goes_on_with_its_default(
    inputs: tuple[Path, Path],
    make_tracker: MakeTracker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "COMMIT_EVERY", 4)
    stopped(inputs, tmp_path / "out", make_tracker())
    without_min_matched(tmp_path / "out")
    doubting = make_tracker(min_matched=0.5)
    with pytest.raises(HodorError, match=r"option min_matched was '0.0' and is '0.5'"):
        hodor.track_to_folder(*inputs, tmp_path / "out", tracker=doubting, resume=True)
    summary = hodor.track_to_folder(*inputs, tmp_path / "out", tracker=make_tracker(), resume=True)
    assert (summary.frames, len(labels_of(tmp_path / "out"))) == (12, 12)
    assert [told for told in summary.warnings if "min_matched 0.0" in told]


def test_confidence_of_a_resumed_run_is_that_of_one_that_was_not_stopped(
    inputs: tuple[Path, Path],
    make_tracker: MakeTracker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "COMMIT_EVERY", 4)
    whole = hodor.track_to_folder(*inputs, tmp_path / "whole", tracker=make_tracker())
    stopped(inputs, tmp_path / "out", make_tracker())
    resumed = hodor.track_to_folder(*inputs, tmp_path / "out", tracker=make_tracker(), resume=True)
    assert resumed.confidence == whole.confidence


def test_deep_greys_become_eight_bits_as_a_run_is_told(
    make_tracker: MakeTracker, tmp_path: Path, scene: Any
) -> None:
    (tmp_path / "deep").mkdir()
    for t, frame in enumerate(scene.frames[:3]):
        Image.fromarray(frame[..., 0].astype(np.uint16) * 8 + 100).save(tmp_path / f"deep/{t}.png")
    write_label_map(tmp_path / "first.png", scene.labels[0])
    seen: dict[str, int] = {}
    for text in ("auto", "full", "100:612"):
        steps: list[Progress] = []
        summary = hodor.track_to_folder(
            tmp_path / "deep", tmp_path / "first.png", tmp_path / text.replace(":", "-"),
            tracker=make_tracker(), intensity=Intensity.parse(text), progress=steps.append,
        )  # fmt: skip
        seen[text] = max(int(step.frame.pixels.max()) for step in steps)
        assert any("were stretched" in told for told in summary.warnings) == (text == "auto")
    assert seen["auto"] == seen["100:612"] == 255
    assert seen["full"] < 10


def _frames_that_change_size(folder: Path, make_scene: Callable[..., Any]) -> tuple[Path, Path]:
    (folder / "ms").mkdir()
    for t, size in enumerate([(48, 64), (48, 64), (96, 128), (60, 90)]):
        Image.fromarray(make_scene(4, size).frames[t]).save(folder / f"ms/{t:05d}.png")
    write_label_map(folder / "m.png", make_scene(1, (48, 64)).labels[0])
    return folder / "ms", folder / "m.png"


@pytest.mark.parametrize("where", ["here", pytest.param("elsewhere", marks=needs_shared)])
def test_frames_that_change_size_are_followed_and_every_format_gives_them_back(
    make_scene: Callable[..., Any], make_tracker: MakeTracker, tmp_path: Path, where: str
) -> None:
    if where == "here":
        video, masks = _frames_that_change_size(tmp_path, make_scene)
    else:
        (case,) = (SHARED / "cases").glob("13*")
        video, masks = case / "ms", case / "m.png"
    out = tmp_path / "out"
    outputs = Outputs(rle=True, formats=("coco", "labelme"))
    hodor.track_to_folder(video, masks, out, tracker=make_tracker, outputs=outputs)
    labels = labels_of(out)
    assert len({one.shape for one in labels}) > 1
    assert all(one.any() for one in labels[:1])
    for name in ("masks.json", "coco.json", "labelme"):
        found = {frame.index: frame.label_map for frame in read_track(out / name).frames()}
        for t, expected in enumerate(labels):
            shown = found.get(t, np.zeros_like(expected))
            assert shown.shape == expected.shape, name
            np.testing.assert_array_equal(shown > 0, expected > 0, err_msg=name)


def test_arrays_are_refused_with_what_follows_them(tmp_path: Path, scene: Any) -> None:
    with pytest.raises(HodorError, match=r"source: .* found ndarray; .*Tracker\.step"):
        hodor.track_to_folder(np.stack(scene.frames), tmp_path / "first.png", tmp_path / "out")
    with pytest.raises(HodorError, match=r"masks: .* found dict"):
        hodor.track_to_folder("video.mp4", {1: scene.labels[0]}, tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
