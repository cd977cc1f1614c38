"""Label maps for videos of which one frame is annotated, as far as following comes back to it.

    python tools/label_videos.py small davis2016/JPEGImages/256p davis2016/Annotations/256p \
        labels/all --near labels/near --listed labels/listed.txt

From the annotated frame that is nearest to the middle the model follows the objects to both ends.
Then from every sixth of these frames, with nothing but what was found there, back again: as long as
what comes back has a J of 0.7 or more with the annotation, the label maps up to there are written.
So no other annotation is looked at. What is near to the annotated frame is written once more on its
own, for clips that have that frame among theirs. Why what comes back was likely right on its way:
section 3.4 of the paper.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hodor import Tracker, keep_freed_memory
from hodor.data import Videos
from hodor.data.stills import read_rgb
from hodor.data.videos import Video, VideoRules
from hodor.evaluation.metrics import region_similarity
from hodor.video import LabelMap, write_label_map
from hodor.weights import load_model

Picture = NDArray[np.uint8]

EVERY = 6  # frames from one attempt to come back to the next
NEAR = 5  # frames to each side of the annotated one
LEAST = 0.7  # J of the worst object that has come back


def follow(tracker: Tracker, frames: Sequence[Picture], first: LabelMap) -> list[LabelMap]:
    """Label maps (H, W) of frames (H, W, 3), of which the first has a given one."""
    fresh = Tracker(tracker.runtime, tracker.options)
    return [
        fresh.step(frame, first if number == 0 else None).label_map
        for number, frame in enumerate(frames)
    ]


def trusted(
    tracker: Tracker, frames: Sequence[Picture], first: LabelMap
) -> tuple[list[LabelMap], list[float]]:
    """Label maps of the frames after the first as far as they come back, and J of each attempt."""
    found = follow(tracker, frames, first)
    last, attempts = len(frames) - 1, []
    reached = 0
    for turn in sorted({*range(EVERY, last, EVERY), last} - {0}):
        if not found[turn].any():
            break
        back = follow(tracker, frames[turn::-1], found[turn])[-1]
        ids = [int(i) for i in np.unique(first) if i]
        attempts.append(min(_j(back == i, first == i) for i in ids))
        if attempts[-1] < LEAST:
            break
        reached = turn
    return found[1 : reached + 1], attempts


def _j(back: NDArray[np.bool_], first: NDArray[np.bool_]) -> float:
    """J of one mask (H, W)."""
    return float(region_similarity(first[None], back[None])[0])


def label(tracker: Tracker, videos: Videos, video: Video, out: Path, near: Path | None) -> str:
    """Write the label maps of one video, and say how far it went."""
    middle = videos.first_of(video)
    first = videos.labels(video.masks[video.frames[middle].stem])
    frames = [read_rgb(path) for path in video.frames]
    after, forth = trusted(tracker, frames[middle:], first)
    before, back = trusted(tracker, frames[middle::-1], first)
    maps = [*reversed(before), first, *after]
    paths = video.frames[middle - len(before) : middle + len(after) + 1]
    folders = [(out, len(video.frames)), *([] if near is None else [(near, NEAR)])]
    for folder, far in folders:
        (folder / video.name).mkdir(parents=True, exist_ok=True)
        for number, (path, one) in enumerate(zip(paths, maps, strict=True)):
            if abs(number - len(before)) <= far:
                write_label_map(folder / video.name / f"{path.stem}.png", one)
    tries = ["; ".join(f"{j:.2f}" for j in side) for side in (back, forth)]
    return f"{video.name}: {len(maps)} of {len(frames)} frames; back {tries[0]}, forth {tries[1]}"


def main() -> None:
    """Parse and label."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    for name in ("images", "masks", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--near", type=Path, help="folder for what is near to the annotated frame")
    parser.add_argument("--listed", type=Path, help="names of the videos, one in a line")
    given = parser.parse_args()
    keep_freed_memory()
    tracker = Tracker(load_model(given.model))
    videos = Videos(given.images, given.masks, VideoRules(short_side=None), listed=given.listed)
    for video in videos.videos:
        print(label(tracker, videos, video, given.out, given.near), flush=True)


if __name__ == "__main__":
    main()
