"""What reads each kind of seed: as a user's command would, to its end."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np

from hodor.formats import ReadOptions, read_track, write_track

FRAMES = 40
"""At most so many frames are read."""


def masks_of_a_format(path: Path) -> None:
    track = read_track(path, options=ReadOptions(size=(48, 64)))
    few = 0
    for frame in islice(track.frames(), FRAMES):
        few += frame.label_map.size < 10_000
        if frame.label_map.dtype not in (np.uint8, np.uint16) or frame.label_map.ndim != 2:
            raise TypeError(f"a label map is {frame.label_map.dtype} {frame.label_map.shape}")
    if 0 < few < FRAMES:
        write_track(track, path.parent / "out", "png")


def video(path: Path) -> None:
    from hodor.video import open_source

    with open_source(path) as source:
        for frame in islice(source.frames(), FRAMES):
            if frame.pixels.dtype != np.uint8 or frame.pixels.shape[2:] != (3,):
                raise TypeError(f"a frame is {frame.pixels.dtype} {frame.pixels.shape}")


def reference_masks(path: Path) -> None:
    from hodor.video import open_reference_masks

    assert open_reference_masks(path, size=(48, 64), numbered=True).ids is not None


def list_of_videos(path: Path) -> None:
    from hodor.runs.many import read_list

    read_list(path / "list.csv")


def parts_of_a_run(path: Path) -> None:
    from hodor.video import RleSink

    RleSink(path / "masks.json", video="v", resume_from=2).close()


def finished_run(path: Path) -> None:
    from hodor.measuring import measure
    from hodor.studio.finished_runs import find_run

    find_run(path)
    list(measure(read_track(path)))


def session(path: Path) -> None:
    from hodor.studio.folder import SessionFolder
    from hodor.studio.session import Session
    from hodor.studio.settings import Video

    folder = SessionFolder(path)
    try:
        opened = Session(folder, Video("/x/clip.mp4", "clip", 3, (48, 64), 25.0))
        opened.state(), opened.curves(), opened.said()
        for frame in range(3):
            opened.labels(frame), opened.confidences(frame)
    finally:
        folder.close()


def tracker_state(path: Path) -> None:
    from hodor.tracking import load_state

    load_state(path)


def references(path: Path) -> None:
    from hodor.tracking import References

    assert References.load(path).ids is not None


def model(path: Path) -> None:
    from hodor.weights.files import read_model

    read_model(path)


def recipe(path: Path) -> None:
    from hodor.training.recipe import load_recipe

    load_recipe(path)


def stills(path: Path) -> None:
    from hodor.data import MaskFolder

    found = MaskFolder(path / "images", path / "masks")
    found.index()
    for number in range(len(found)):
        found.read(number)


def coco_stills(path: Path) -> None:
    from hodor.data import CocoInstances

    found = CocoInstances(path, path / "instances.json")
    found.index()
    for number in range(len(found)):
        found.read(number)


def davis(path: Path) -> None:
    from hodor.evaluation import DavisDataset

    DavisDataset(path)


def youtube_vos(path: Path) -> None:
    from hodor.data import VideoRules, youtube_vos
    from hodor.evaluation import YouTubeVosDataset

    YouTubeVosDataset(path)
    youtube_vos(path, "valid", VideoRules())


READERS: dict[str, Callable[[Path], None]] = {
    "ours": masks_of_a_format,
    "theirs": masks_of_a_format,
    "video": video,
    "masks": reference_masks,
    "list": list_of_videos,
    "parts": parts_of_a_run,
    "run": finished_run,
    "session": session,
    "state": tracker_state,
    "references": references,
    "model": model,
    "recipe": recipe,
    "stills": stills,
    "coco": coco_stills,
    "davis": davis,
    "vos": youtube_vos,
}
"""By what the name of a seed begins with."""
