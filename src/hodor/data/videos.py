"""Annotated videos as training data: one annotated frame for each video is enough."""

from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hodor.data.clips import Clip, ClipSettings, flip, place, sample
from hodor.data.colour import blur_some, change_colours, compress_some
from hodor.data.stills import image_files, read_rgb, shrunk, some, usable_ids
from hodor.data.warp import sampling_map
from hodor.errors import DataError, HodorError
from hodor.video import read_label_map

Annotated = Literal["one", "all"]


class VideoClip(NamedTuple):
    """Frames of a video in the order of a training clip; the first is annotated."""

    images: tuple[NDArray[np.uint8], ...]
    """T of (H, W, 3) RGB"""
    labels: tuple[NDArray[np.uint8], ...]
    """T of (H, W), the video's own ids; zeros where a frame is not annotated"""


class Videos:
    """Folders of frames, with label maps for all or some of the frames.

    Args:
        images: has a folder of frames for each video.
        masks: has a folder of label maps for each video, with the stems of the frames.
        annotated: ``one``: of each video only the annotated frame nearest to its middle is used,
            as if there were no other (section 3.4); ``all``: any annotated frame may come first,
            and the labels of all frames supervise.
        listed: text file that names the videos to use, one in a line; None: all folders.
        span: the other frames of a clip are at most this many frames from the first.
        short_side: frames are shrunk so that the shorter side is at most this many pixels.

    Raises:
        DataError: a folder is missing, or videos have no annotated frame (all are named).
    """

    def __init__(
        self,
        images: Path,
        masks: Path,
        *,
        annotated: Annotated = "one",
        listed: Path | None = None,
        span: int = 8,
        short_side: int = 512,
    ) -> None:
        self.annotated = annotated
        self.span = span
        self.short_side = short_side
        names = _names(images, listed)
        self.videos = [_Video(image_files(images / n), _by_stem(masks / n)) for n in names]
        without = [n for n, v in zip(names, self.videos, strict=True) if not v.annotated()]
        if without:
            raise DataError(
                f"{masks}: {len(without)} of {len(names)} videos have no label map with the name "
                f"of a frame: {some(without)}"
            )

    def __len__(self) -> int:
        """Number of videos."""
        return len(self.videos)

    def read(self, index: int, count: int, g: torch.Generator) -> VideoClip:
        """``count`` frames of video ``index``: an annotated one, then others near it in time.

        The others lie all before or all after it where there are enough, and go away from it.

        Raises:
            DataError: a file cannot be read, or the first frame shows no usable object.
        """
        video = self.videos[index]
        known = video.annotated()
        first = min(known, key=lambda i: abs(i - len(video.frames) // 2))
        if self.annotated == "all":
            first = known[int(torch.randint(0, len(known), (1,), generator=g))]
        order = [first, *self._others(first, len(video.frames), count - 1, g)]
        pairs = [self._frame(video, n, labelled=n == first) for n in order]
        clip = VideoClip(*zip(*pairs, strict=True))
        if not len(usable_ids(clip.labels[0])):
            raise DataError(f"{video.frames[first]}: no object that is large enough to learn from")
        if len({labels.shape for labels in clip.labels}) > 1:
            raise DataError(f"{video.frames[first].parent}: frames of several sizes")
        return clip

    def _others(self, first: int, length: int, count: int, g: torch.Generator) -> list[int]:
        after = list(range(first + 1, min(length, first + self.span + 1)))
        before = list(range(first - 1, max(-1, first - self.span - 1), -1))
        sides = [side for side in (after, before) if len(side) >= count]
        if not sides:
            # A video shorter than the clip stays at its last frame.
            side = max(after, before, key=len) or [first]
            return (side + [side[-1]] * count)[:count]
        side = sides[int(torch.randint(0, len(sides), (1,), generator=g))]
        return [side[i] for i in torch.randperm(len(side), generator=g)[:count].sort().values]

    def _frame(
        self, video: "_Video", number: int, *, labelled: bool
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        path = video.frames[number]
        image = read_rgb(path)
        labels = np.zeros(image.shape[:2], np.uint8)
        if path.stem in video.masks and (labelled or self.annotated == "all"):
            try:
                labels = read_label_map(video.masks[path.stem]).astype(np.uint8)
            except HodorError as error:
                raise DataError(str(error)) from error
        if labels.shape != image.shape[:2]:
            raise DataError(f"{path}: image is {image.shape[:2]}, its label map {labels.shape}")
        return shrunk(image, labels, self.short_side)


class _Video(NamedTuple):
    frames: list[Path]
    masks: dict[str, Path]

    def annotated(self) -> list[int]:
        return [i for i, path in enumerate(self.frames) if path.stem in self.masks]


def _names(images: Path, listed: Path | None) -> list[str]:
    if not images.is_dir():
        raise DataError(f"{images}: no such folder")
    if listed is None:
        names = sorted(path.name for path in images.iterdir() if path.is_dir())
    elif listed.is_file():
        names = listed.read_text(encoding="utf-8").split()
    else:
        raise DataError(f"{listed}: no such file; it names the videos to use, one in a line")
    missing = [name for name in names if not (images / name).is_dir()]
    if missing or not names:
        raise DataError(
            f"{images}: {len(missing)} of {len(names)} videos are not there: {some(missing)}"
        )
    return names


def _by_stem(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in image_files(folder)} if folder.is_dir() else {}


def make_video_clip(
    video: VideoClip, followed: int, settings: ClipSettings, g: torch.Generator
) -> Clip:
    """A clip of real frames: one crop, zoom and flip for all of them, colours for each.

    Args:
        video: frames of one size.
        followed: objects to follow; where the first frame shows fewer, the rest have no mask.
        settings: its size, zoom and colour are used; motion is the video's own.
        g: all randomness.
    """
    usable = usable_ids(video.labels[0])
    ids = usable[torch.randperm(len(usable), generator=g)[:followed].numpy()].tolist()
    centre, zoom = place(video.labels[0], ids, settings, g)
    at = flip(sampling_map(settings.size, torch.eye(2, 3)[None], None, centre, zoom), g)
    numbers = np.zeros(256, np.uint8)
    numbers[ids] = np.arange(1, len(ids) + 1)
    layers = [
        sample(image, numbers[labels], at, cv2.BORDER_REFLECT)
        for image, labels in zip(video.images, video.labels, strict=True)
    ]
    image = change_colours(torch.cat([layer.image for layer in layers]), settings.colour, g)
    image = blur_some(image, settings.colour, g).round().to(torch.uint8)
    labels = torch.cat([layer.ids for layer in layers]).to(torch.uint8)
    return Clip(compress_some(image, settings.colour, g), labels)
