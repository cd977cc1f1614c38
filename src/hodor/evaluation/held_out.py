"""Scores on annotations that were kept away from training, and pictures of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hodor.data import NOWHERE, Stills, Videos, WholeClips, make_whole_clip
from hodor.errors import DataError
from hodor.evaluation.metrics import boundary_accuracy, region_similarity
from hodor.tracking import Tracker
from hodor.video import draw_overlay, read_image

FRAMES = 6  # of a sequence that is made of one image
AREA = 256 * 384  # of its frames, in pixels
TALL = 240  # rows of a picture
SHOWN = 4  # sequences that are drawn

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class AnnotatedSequence:
    """A sequence whose label maps are known in some frames."""

    name: str
    frames: Callable[[], Iterator[Image]]
    """(H, W, 3) RGB, from the first annotated one on"""
    labels: dict[int, Image]
    """Frame number -> (H, W); that of frame 0 is given to the tracker, the others are scored"""


class HeldOutScores(NamedTuple):
    """Means over all objects in all scored frames, fractions of 1."""

    j: float
    f: float
    counted: int
    """Objects in frames"""

    @property
    def j_and_f(self) -> float:
        """Their mean."""
        return (self.j + self.f) / 2


def still_sequences(stills: Stills, names: Sequence[str]) -> list[AnnotatedSequence]:
    """Each image as a sequence of six views, moved, turned and cropped as in S4 of the paper.

    Args:
        stills: the images that were kept away.
        names: of the images, for pictures.
    """
    settings = WholeClips("paper", frames=FRAMES, area=AREA, min_area=0, min_side=0)
    found = []
    for index, name in enumerate(names):
        try:
            still = stills.read(index)
        except DataError:
            continue  # a check of the data has named it
        size = settings.size(still.labels.shape[0] / still.labels.shape[1])
        g = torch.Generator().manual_seed(index)
        clip = make_whole_clip(still, None, int(still.labels.max()), size, settings, g)
        labels = np.where(clip.labels == NOWHERE, np.uint8(0), clip.labels)
        if labels[0].any():
            found.append(AnnotatedSequence(name, clip.images.__iter__, dict(enumerate(labels))))
    return found


def video_sequences(videos: Videos, without: Sequence[str]) -> list[AnnotatedSequence]:
    """A video from its first annotated frame on; scored are the frames that were kept away.

    Args:
        videos: one video with all its label maps.
        without: stems of the frames to score.
    """
    video = videos.videos[0]
    annotated = video.annotated()
    first = next(i for i in annotated if video.frames[i].stem not in without)
    scored = [i for i in annotated if i > first and video.frames[i].stem in without]
    paths = video.frames[first : max(scored, default=first) + 1]
    labels = {i - first: videos.labels(video.masks[video.frames[i].stem]) for i in (first, *scored)}
    return [AnnotatedSequence(video.name, lambda: (read_image(path) for path in paths), labels)]


def _track(tracker: Tracker, sequence: AnnotatedSequence) -> dict[int, tuple[Image, Image]]:
    """Frame and predicted label map of each annotated frame, the first left out."""
    tracker.reset()
    found = {}
    for number, frame in enumerate(sequence.frames()):
        result = tracker.step(frame, sequence.labels[0] if number == 0 else None)
        if number and number in sequence.labels:
            found[number] = (frame, result.label_map.astype(np.uint8))
    return found


def score_held_out(
    tracker: Tracker, sequences: Sequence[AnnotatedSequence], draw: Path | None
) -> HeldOutScores:
    """Track sequences from their first masks, and compare.

    Args:
        tracker: its memory is cleared before each sequence.
        sequences: at least one annotated frame after the first, in all.
        draw: folder for pictures of the first sequences: truth above, what was found below.
    """
    values: list[tuple[float, float]] = []
    for number, sequence in enumerate(sequences):
        found = _track(tracker, sequence)
        ids = [int(i) for i in np.unique(sequence.labels[0]) if i]
        for at, (_, result) in found.items():
            for i in ids:
                masks = (sequence.labels[at] == i)[None], (result == i)[None]
                values.append(
                    (float(region_similarity(*masks)[0]), float(boundary_accuracy(*masks)[0]))
                )
        if draw is not None and number < SHOWN:
            _write_picture(draw / f"{sequence.name}.png", sequence, found, ids)
    j, f = np.mean(values, 0) if values else (float("nan"), float("nan"))
    return HeldOutScores(float(j), float(f), len(values))


def _write_picture(
    path: Path,
    sequence: AnnotatedSequence,
    found: dict[int, tuple[Image, Image]],
    ids: Sequence[int],
) -> None:
    """Write the truth of up to six frames, and below it what was found."""
    rows: list[list[Image]] = [[], []]
    for at, (frame, result) in list(found.items())[:FRAMES]:
        width = max(1, round(frame.shape[1] * TALL / frame.shape[0]))
        for row, labels in zip(rows, (sequence.labels[at], result), strict=True):
            drawn = draw_overlay(frame, labels, ids)
            small = cv2.resize(drawn, (width, TALL), interpolation=cv2.INTER_AREA)
            row.append(small.astype(np.uint8, copy=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = np.concatenate([np.concatenate(row, 1) for row in rows])
    cv2.imwrite(str(path), np.ascontiguousarray(sheet[..., ::-1]))
