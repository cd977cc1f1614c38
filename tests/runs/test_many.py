"""Lists of videos: what their lines may hold, and an end before theirs."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from hodor.errors import HodorError
from hodor.runs import ListedVideo, Outputs, many, track_many
from hodor.runs.many import read_list
from hodor.tracking import Tracker


def a_list(folder: Path, text: str) -> Path:
    for name in ("a.mp4", "m.png"):
        (folder / name).write_bytes(b"?")
    (folder / "list.csv").write_text(text)
    return folder / "list.csv"


def test_a_space_after_a_comma_is_no_part_of_a_name(tmp_path: Path) -> None:
    (one,) = read_list(a_list(tmp_path, "source, masks, name\na.mp4, m.png, x\n"))
    assert (one.name, one.source, one.masks) == ("x", str(tmp_path / "a.mp4"), tmp_path / "m.png")


@pytest.mark.parametrize("name", ["../../victim", "/var/victim", "a/b", ".."])
def test_the_name_of_a_video_never_leaves_the_folder(name: str, tmp_path: Path) -> None:
    path = a_list(tmp_path, f"source,masks,name\na.mp4,m.png,{name}\n")
    with pytest.raises(HodorError, match=r"line 2: the name .* cannot become the name of a file"):
        read_list(path)


@pytest.mark.parametrize(
    "text",
    ["x" * 9000, "a\x00b,source\n", '"a\nb",masks\n', ""],
    ids=["long", "zeros", "two lines", "nothing"],
)
def test_a_first_line_that_names_no_columns_is_told_in_a_short_one(
    text: str, tmp_path: Path
) -> None:
    with pytest.raises(HodorError, match=r"with source; found|cannot be read as CSV") as told:
        read_list(a_list(tmp_path, text))
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 700


@pytest.mark.usefixtures("one_thread")
def test_who_stops_a_batch_stops_its_threads(
    make_tracker: Callable[..., Tracker], scene: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    follows, interrupted = Event(), Event()

    def endless(job: Any) -> Any:
        if job.video.name == "a":
            assert follows.wait(60)
            return "the end"
        tracker = job.tracker()
        try:
            with tracker.runtime.following():
                while True:
                    tracker.step(scene.frames[0], scene.labels[0])
                    follows.set()
        except KeyboardInterrupt:
            interrupted.set()
            raise

    monkeypatch.setattr(many, "_track", endless)
    videos = [ListedVideo(name, name, None, None) for name in ("a", "b", "c", "d")]
    outcomes = track_many(videos, tmp_path, tracker=make_tracker, outputs=Outputs(), batch=2)
    assert next(outcomes).value == "the end"
    outcomes.close()  # type: ignore[attr-defined]
    assert interrupted.is_set()
