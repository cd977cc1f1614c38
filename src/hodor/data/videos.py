"""Annotated videos as training data: one annotated frame for each video is enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hodor.data.objects import Index, ObjectRules, usable_ids
from hodor.data.stills import Still, image_files, make_still, read_rgb, shape_of, shrunk, some
from hodor.errors import DataError, HodorError, counted
from hodor.video import read_label_map
from hodor.video.layouts import listed_videos

Annotated = Literal["one", "any", "all"]
Reference = Literal["middle", "last"]
Order = Literal["away", "shuffled", "after"]
VOID = 255  # DAVIS 2017 marks pixels that belong to nothing with it


class VideoClip(NamedTuple):
    """Frames of a video in the order of a training clip; the first is annotated."""

    images: tuple[NDArray[np.uint8], ...]
    """T of (H, W, 3) RGB"""
    labels: tuple[NDArray[np.uint8], ...]
    """T of (H, W), the video's own ids; zeros where a frame is not annotated"""


class Video(NamedTuple):
    """Where the files of one video are."""

    name: str
    frames: list[Path]
    masks: dict[str, Path]
    """By stem of the frame."""

    def annotated(self) -> list[int]:
        """Numbers of the frames that have a mask."""
        return [i for i, path in enumerate(self.frames) if path.stem in self.masks]


@dataclass(frozen=True)
class VideoRules:
    """Which frames of videos make clips."""

    annotated: Annotated = "one"
    """``one``: of each video only one annotated frame is used, as if there were no other (section
    3.4); ``any``: any annotated frame may come first, and is the only one of its clip that is
    annotated; ``all``: clips are made of annotated frames only, whose labels all supervise."""
    span: int = 8
    """The other frames of a clip are at most this many frames from the first."""
    reference: Reference = "middle"
    """Which frame ``one`` takes: the annotated one nearest to the ``middle`` (section 4.1), or to
    the end, the ``last`` (released; published_behaviour 6.6)."""
    order: Order = "away"
    """The other frames of a clip lie on one side of the first and go ``away`` from it (all before
    or all after, where there are enough), or come ``shuffled`` (released, sparse), or lie all
    ``after`` it, in order (released, dense)."""
    one_object: bool = False
    """Whatever is not background is one object (DAVIS 2016)."""
    short_side: int | None = 512
    """As for ``MaskFolder``."""
    objects: ObjectRules = field(default_factory=ObjectRules)
    without: tuple[str, ...] = ()
    """Stems of frames whose label maps are left out, as if nobody had drawn them."""


FIRST = VideoRules()


class Videos:
    """Folders of frames, with label maps for all or some of the frames.

    Args:
        images: has a folder of frames for each video, or the frames of one video.
        masks: has the same with label maps, with the stems of the frames.
        rules: which frames make clips.
        listed: text file that names the videos to use, one in a line; None: all folders.

    Raises:
        DataError: a folder is missing, or videos have no annotated frame (all are named).
    """

    def __init__(
        self,
        images: Path,
        masks: Path,
        rules: VideoRules = FIRST,
        *,
        listed: Path | None = None,
    ) -> None:
        self.rules = rules
        self.annotated = rules.annotated
        self.videos = [_video(*folders, rules) for folders in _folders(images, masks, listed)]
        without = [video.name for video in self.videos if not video.annotated()]
        if without:
            raise DataError(
                f"{masks}: {len(without)} of {len(self.videos)} videos have no label map with the "
                f"name of a frame: {some(without)}"
            )

    def __len__(self) -> int:
        """Number of videos."""
        return len(self.videos)

    def read(self, index: int, count: int, g: torch.Generator) -> VideoClip:
        """``count`` frames of video ``index``: an annotated one, then others near it in time.

        Raises:
            DataError: a file cannot be read, or the first frame shows no usable object.
        """
        video = self.videos[index]
        first = self.first_of(video)
        if self.annotated != "one":
            known = video.annotated()
            first = known[int(torch.randint(0, len(known), (1,), generator=g))]
        order = [first, *self._others(first, len(video.frames), count - 1, g)]
        pairs = [self._frame(video, n, labelled=n == first) for n in order]
        clip = VideoClip(*zip(*pairs, strict=True))
        if not len(usable_ids(clip.labels[0], self.rules.objects)):
            raise DataError(f"{video.frames[first]}: no object that is large enough to learn from")
        if len({labels.shape for labels in clip.labels}) > 1:
            raise DataError(f"{video.frames[first].parent}: frames of several sizes")
        return clip

    def read_all(self, index: int) -> None:
        """Read every frame of a video, and every label map that is used.

        Raises:
            DataError: the first that cannot be read.
        """
        video = self.videos[index]
        first = self.first_of(video)
        for number in range(len(video.frames)):
            self._frame(video, number, labelled=number == first)

    def first_of(self, video: Video) -> int:
        """The frame that stands for a video where only one is used."""
        middle = len(video.frames) // 2 if self.rules.reference == "middle" else len(video.frames)
        return min(video.annotated(), key=lambda i: abs(i - middle))

    def _others(self, first: int, length: int, count: int, g: torch.Generator) -> list[int]:
        after = list(range(first + 1, min(length, first + self.rules.span + 1)))
        before = list(range(first - 1, max(-1, first - self.rules.span - 1), -1))
        both = (after, before) if self.rules.order != "after" else (after,)
        sides = [side for side in both if len(side) >= count]
        if not sides:
            # A video shorter than the clip stays at its last frame.
            side = max(both, key=len) or [first]
            return (side + [side[-1]] * count)[:count]
        side = sides[int(torch.randint(0, len(sides), (1,), generator=g))]
        chosen = torch.randperm(len(side), generator=g)[:count]
        return [
            side[i] for i in (chosen if self.rules.order == "shuffled" else chosen.sort().values)
        ]

    def _frame(
        self, video: Video, number: int, *, labelled: bool
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        path = video.frames[number]
        image = read_rgb(path)
        labels = np.zeros(image.shape[:2], np.uint8)
        if path.stem in video.masks and (labelled or self.annotated == "all"):
            labels = self.labels(video.masks[path.stem])
        if labels.shape != image.shape[:2]:
            raise DataError(f"{path}: image is {image.shape[:2]}, its label map {labels.shape}")
        return shrunk(image, labels, self.rules.short_side)

    def labels(self, path: Path) -> NDArray[np.uint8]:
        """A label map (H, W) without pixels that belong to nothing."""
        try:
            found = read_label_map(path)
        except HodorError as error:
            raise DataError(str(error)) from error
        if self.rules.one_object:
            return (found > 0).view(np.uint8)
        labels = found.astype(np.uint8)
        if not np.array_equal(labels, found):
            raise DataError(
                f"{path} has ids up to {found.max()}; those of videos to train on are up to 255"
            )
        if labels.max() == VOID and len(np.unique(labels)) > 2:
            labels = np.where(labels == VOID, np.uint8(0), labels)
        return labels

    def index(self) -> Index:
        """Usable objects and shape of the frame that stands for each video; reads its mask."""
        masks = [video.masks[video.frames[self.first_of(video)].stem] for video in self.videos]
        return _index(masks, self.labels, self.rules)

    def notes(self) -> list[str]:
        """What the set holds besides videos."""
        frames = sum(len(video.frames) for video in self.videos)
        known = sum(len(video.annotated()) for video in self.videos)
        used = len(self) if self.annotated == "one" else known
        return [f"{counted(frames, 'frame')}, {known} annotated, {used} of these used"]

    def stems(self) -> list[str]:
        """File stems of the annotated frames, in order, video after video."""
        return [v.frames[i].stem for v in self.videos for i in v.annotated()]

    def shape(self) -> tuple[int, int]:
        """Height and width of the first frame, as it is on disk."""
        return shape_of(self.videos[0].frames[0])


class VideoStills:
    """Annotated frames of videos as stills: one of each video (Table 1, row 4), or all of them."""

    def __init__(self, videos: Videos) -> None:
        self.rules = videos.rules
        self.labels = videos.labels
        self.frames = [
            (video.frames[number], video.masks[video.frames[number].stem])
            for video in videos.videos
            for number in (
                [videos.first_of(video)] if self.rules.annotated == "one" else video.annotated()
            )
        ]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.frames)

    def read(self, index: int) -> Still:
        """See ``Stills.read``."""
        path, mask = self.frames[index]
        labels = self.labels(mask)
        return make_still(read_rgb(path), labels, self.rules.short_side, path, self.rules.objects)

    def index(self) -> Index:
        """See ``Stills.index``; reads all masks."""
        return _index([mask for _, mask in self.frames], self.labels, self.rules)

    def notes(self) -> list[str]:
        """See ``Stills.notes``."""
        return ["annotated frames of videos, as still images"]

    def stems(self) -> list[str]:
        """See ``Stills.stems``."""
        return [path.stem for path, _ in self.frames]

    def shape(self) -> tuple[int, int]:
        """See ``Stills.shape``."""
        return shape_of(self.frames[0][0])


def _index(
    masks: Sequence[Path], read: Callable[[Path], NDArray[np.uint8]], rules: VideoRules
) -> Index:
    counts, ratios = [], []
    for mask in masks:
        try:
            labels = read(mask)
        except DataError:
            labels = np.zeros((1, 1), np.uint8)  # never drawn; a check of the data names it
        counts.append(len(usable_ids(labels, rules.objects)))
        ratios.append(labels.shape[0] / labels.shape[1])
    return Index(np.array(counts), np.array(ratios))


def _video(frames: Path, masks: Path, rules: VideoRules) -> Video:
    known = {path.stem: path for path in image_files(masks)} if masks.is_dir() else {}
    known = {stem: path for stem, path in known.items() if stem not in rules.without}
    files = image_files(frames)
    if rules.annotated == "all":
        # What nobody annotated cannot supervise: YouTube-VOS has a mask for every fifth frame.
        files = [path for path in files if path.stem in known]
    return Video(frames.name, files, known)


def _folders(images: Path, masks: Path, listed: Path | None) -> list[tuple[Path, Path]]:
    """Folders of frames and of label maps, of each video."""
    if not images.is_dir():
        raise DataError(f"{images}: no such folder")
    if listed is None and image_files(images):
        return [(images, masks)]
    return [(images / name, masks / name) for name in _names(images, listed)]


def _names(images: Path, listed: Path | None) -> Sequence[str]:
    if listed is None:
        names = sorted(path.name for path in images.iterdir() if path.is_dir())
    elif listed.is_file():
        names = listed_videos(listed)
    else:
        raise DataError(f"{listed}: no such file; it names the videos to use, one in a line")
    missing = [name for name in names if not (images / name).is_dir()]
    if missing or not names:
        raise DataError(
            f"{images}: {len(missing)} of {len(names)} videos are not there: {some(missing)}"
        )
    return names
