"""Descriptors of all patches of all frames of videos."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.analysis.table import Descriptor
from hodor.tracking import FrameDescriptors, Result, Tracker
from hodor.types import Untyped
from hodor.video import LabelMap

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class AnalysedVideo:
    """A video to look at, wherever it comes from.

    name: unique among the videos. source: what ``open_source`` opens. frames: gives names and
    pixels (H, W, 3) uint8 RGB of all frames in order. given: the label map (H, W) of objects whose
    masks are given in a frame, by its name, or None.
    """

    name: str
    source: str
    frames: Callable[[], Iterator[tuple[str, NDArray[np.uint8]]]]
    given: Callable[[str], LabelMap | None]


def describe_videos(
    tracker: Tracker,
    videos: Iterable[AnalysedVideo],
    report: Callable[[str], None] = lambda _: None,
) -> Iterator[Descriptor]:
    """Track videos from their given masks, and give the descriptors of each frame as they come.

    A frame's descriptors are those that it leaves for later frames: made from its own masks,
    given or predicted. An object of which the tracker takes none, such as a lost one, has none.

    Args:
        tracker: its memory is cleared before each video.
        videos: with given masks.
        report: called with a video's name after each frame.
    """
    for video in videos:
        tracker.reset()
        for index, (name, pixels) in enumerate(video.frames()):
            given = video.given(name)
            result = tracker.step(pixels, given)
            described = tracker.descriptors
            if described is not None and described.index == index:
                yield from _rows(video, name, result, described, given)
            report(video.name)


def _rows(
    video: AnalysedVideo,
    name: str,
    result: Result,
    described: FrameDescriptors[Untyped],
    given: LabelMap | None,
) -> Iterator[Descriptor]:
    where = (video.source, video.name, name, result.index)
    present = set() if given is None else {int(i) for i in np.unique(given)}
    for i, vector in described.objects.items():
        mask = result.label_map == i
        yield Descriptor(
            *where,
            i,
            -1,
            box_of(mask),
            result.confidence[i],
            int(np.count_nonzero(mask)),
            i in present,
            vector.float().cpu().numpy(),
        )
    if described.background is None:
        return
    grid = _grid(len(described.background), result.label_map.shape)
    free = result.label_map == 0
    for cell, (vector, box) in enumerate(zip(described.background, grid, strict=True)):
        left, top, right, bottom = box
        area = int(np.count_nonzero(free[top:bottom, left:right]))
        yield Descriptor(
            *where, 0, cell, box, None, area, given is not None, vector.float().cpu().numpy()
        )


def box_of(mask: NDArray[np.bool_]) -> Box | None:
    """Left, top, right, bottom of a mask (H, W), ends exclusive; None for an empty one."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (left, top, left + width, top + height) if width else None


def _grid(cells: int, size: tuple[int, ...]) -> list[Box]:
    """Boxes of the background's cells in the frame, row by row.

    The network cuts its padded image; here the frame is cut, which differs by a few pixels.
    """
    rows = max(r for r in range(1, int(cells**0.5) + 1) if cells % r == 0)
    columns = cells // rows
    y, x = (
        np.linspace(0, side, parts + 1).round().astype(int).tolist()
        for side, parts in zip(size, (rows, columns), strict=True)
    )
    return [(x[c], y[r], x[c + 1], y[r + 1]) for r in range(rows) for c in range(columns)]
