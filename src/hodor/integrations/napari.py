"""napari: a reader of masks of videos, and a command that propagates labels through one.

Nothing here imports napari: its types are names that napari resolves.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hodor.errors import HodorError, MaskError, SourceError
from hodor.formats import guess_format, read_track
from hodor.tracking import Tracker
from hodor.types import AnyArray, JsonObject
from hodor.video import LabelMap
from hodor.weights import DEFAULT

if TYPE_CHECKING:
    import napari.types

Layer = tuple[AnyArray, JsonObject, str]


def get_reader(path: str | Sequence[str]) -> Callable[[str | Path], list[Layer]] | None:
    """napari's reader contribution: one for a file or folder that looks like masks, else None."""
    if not isinstance(path, str | Path) or not Path(path).exists():
        return None
    try:
        known = guess_format(Path(path)) is not None
    except MaskError:
        return None  # JSON of something else: another reader may know it.
    return read_layers if known else None


def read_layers(path: str | Path) -> list[Layer]:
    """A labels layer (T, H, W), with what the objects are called and the frames' names.

    All frames are in memory, as napari needs them to draw on. Raises HodorError if the frames
    differ in size, or the file cannot be read.
    """
    track = read_track(path)
    frames = list(track.frames())
    sizes = {frame.label_map.shape for frame in frames}
    if len(sizes) != 1:
        raise MaskError(f"{path} holds frames of {len(sizes)} sizes; napari shows one.")
    labels = np.stack([frame.label_map for frame in frames])
    names = [frame.name for frame in frames]
    about = {"objects": dict(track.names), "frames": names, "fps": track.fps}
    return [(labels, {"name": track.video, "metadata": about}, "labels")]


def propagate(
    video: "napari.types.ImageData",
    labels: "napari.types.LabelsData",
    start: int = 0,
    backward: bool = False,
    model: str = DEFAULT,
) -> "napari.types.LabelsData":
    """Follow the objects that are painted in one frame through the frames after it.

    Args:
        video: (T, H, W, 3) or (T, H, W), uint8; a lazy array is read frame by frame.
        labels: (T, H, W): the masks of frame `start`; other frames' are replaced on that side.
        start: the frame, from 0.
        backward: follow towards the first frame, not the last.
        model: a bundled name, a file or hub:ORG/REPO.

    Returns:
        Labels (T, H, W); frame `start` and those on the other side as they were.

    Raises:
        HodorError: nothing is painted in the frame, or the layers do not fit each other.
    """
    _check(video, labels, start)
    tracker = _tracker(model)
    tracker.reset()
    found = np.array(labels)
    order: Iterable[int] = range(start, -1, -1) if backward else range(start, len(found))
    for index in order:
        frame = _frame(video[index])
        if index == start:
            tracker.step(frame, _label_map(found[index]))
        else:
            found[index] = tracker.step(frame).label_map
    return found


@cache
def _tracker(model: str) -> Tracker:
    """Loading a model takes longer than a frame, so it stays between calls."""
    return Tracker.from_pretrained(model)


def _check(video: "napari.types.ImageData", labels: "napari.types.LabelsData", start: int) -> None:
    shape = tuple(video.shape[:3])
    if len(labels.shape) != 3 or shape != tuple(labels.shape):
        raise HodorError(
            f"the video is {tuple(video.shape)} and the labels are {tuple(labels.shape)}; give a "
            "video (T, H, W, 3) or (T, H, W) and labels (T, H, W) of the same frames"
        )
    if not 0 <= start < shape[0]:
        raise HodorError(f"there is no frame {start}; frames are 0 to {shape[0] - 1}")
    if not np.any(labels[start]):
        raise HodorError(f"nothing is painted in frame {start}; paint there or change start")


def _label_map(labels: AnyArray) -> LabelMap:
    values = np.asarray(labels)
    if values.min() < 0 or values.max() > 65535:
        raise MaskError(f"labels run from {values.min()} to {values.max()}; ids are 1 to 65535")
    return values.astype(np.uint16)


def _frame(pixels: ArrayLike) -> NDArray[np.uint8]:
    frame = np.asarray(pixels)
    if frame.dtype != np.uint8:
        raise SourceError(f"the video is {frame.dtype}; convert it to uint8 (0 to 255) first")
    if frame.ndim == 2:
        frame = np.repeat(frame[..., None], 3, axis=2)
    return np.ascontiguousarray(frame[..., :3])
