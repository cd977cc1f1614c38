"""Batches of clips: step number in, tensors out, whatever happened before."""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from hodor.data.clips import Clip, ClipSettings, make_clip
from hodor.data.image_clips import (
    NOWHERE,
    Frames,
    WholeClips,
    make_whole_clip,
    make_whole_video_clip,
)
from hodor.data.motion import ClipMotion, clip_motion
from hodor.data.negatives import Absent, absent_object
from hodor.data.objects import Index, usable_ids
from hodor.data.stills import Still, Stills
from hodor.data.video_clips import make_video_clip
from hodor.data.videos import VideoClip, Videos
from hodor.errors import DataError

T = TypeVar("T")
MAX_UNREADABLE = 50  # files in a row, after which a run stops instead of going on without them
MAX_POORER = 5  # draws of an image that turns out to show fewer objects than its index says
SPARSE = ("one", "any")  # kinds of clips of which frame 0 alone is annotated
ALIKE = 0.1  # largest difference in height over width within a group (published_behaviour 6.3)


class Batch(NamedTuple):
    """Clips that go through the network together."""

    frames: Tensor
    """(B, T, 3, h, w) uint8 RGB"""
    labels: Tensor
    """(B, T, h, w) uint8: 0 is background, 1..n the followed objects, ``NOWHERE`` no picture"""
    objects: int
    """n, the same for all clips"""
    sparse: bool = False
    """Only frame 0 is annotated: the labels of the others are zeros and mean nothing."""
    absent: Absent | None = None
    """An object for each clip that is nowhere in it."""
    motion: ClipMotion | None = None
    """Optical flow between neighbouring frames, where the network makes use of it."""


class Planned(NamedTuple):
    """An item that a group of clips was planned with."""

    chosen: int
    """Which dataset"""
    item: int


class ClipBatches:
    """Makes the clips of any step from the seed alone, so that runs resume and repeat exactly.

    Args:
        sets: datasets, of stills or of videos.
        weights: how often each is drawn from.
        settings: how clips are made.
        batch: clips for each step.
        seed: of everything random.
        group: clips that share the number of objects and the size; None: all of a batch.
        motion: whether batches tell the motion between frames.
    """

    def __init__(
        self,
        sets: Sequence[Stills | Videos],
        weights: Sequence[float],
        settings: ClipSettings | WholeClips,
        batch: int,
        seed: int,
        group: int | None = None,
        *,
        motion: bool = False,
    ) -> None:
        self.motion = motion
        self.sets = sets
        self.weights = torch.tensor(weights, dtype=torch.float32)
        self.kinds = [s.annotated if isinstance(s, Videos) else "stills" for s in sets]
        self.settings = settings
        self.batch = batch
        self.group = group or batch
        self.seed = seed
        self.unreadable: dict[str, int] = {}
        whole = isinstance(settings, WholeClips)
        self.indexes: list[Index] = [s.index() for s in sets] if whole else []
        beyond = settings.beyond if isinstance(settings, WholeClips) else settings
        self.absent = beyond.absent

    def make(self, step: int, first: int = 0, count: int | None = None) -> Batch:
        """Clips ``first`` to ``first + count`` of a step, all of one group; None: a whole group.

        Raises:
            DataError: many files in a row cannot be read.
        """
        number = first // self.group
        count = min(self.group, self.batch) if count is None else count
        shares = torch.tensor(self.settings.objects)
        g = self._generator(step, _key(-1, number))
        objects = int(torch.multinomial(shares, 1, generator=g)) + 1
        kind = self._kind(step, number)
        indices = range(first, first + count)
        if isinstance(self.settings, WholeClips):
            batch = self._whole(step, number, indices, objects, kind, self.settings)
        else:
            settings = self.settings.of_step(step)
            clips = [self._layered(step, index, objects, kind, settings) for index in indices]
            frames = torch.stack([clip.frames for clip in clips])
            labels = torch.stack([clip.labels for clip in clips])
            batch = Batch(frames, labels, objects, sparse=kind in SPARSE)
        if self.motion:
            g = self._generator(step, f"motion/{first}")
            batch = batch._replace(motion=clip_motion(batch.frames, g))
        asked = torch.rand(1, generator=self._generator(step, _key(-3, number)))
        if float(asked) >= self.absent:
            return batch
        size = (batch.labels.shape[2], batch.labels.shape[3])
        generators = [self._generator(step, f"absent/{index}") for index in indices]
        found = [absent_object(self._any_still(g), size, g) for g in generators]
        return batch._replace(absent=Absent(*(torch.stack(x) for x in zip(*found, strict=True))))

    def _kind(self, step: int, number: int) -> str:
        """What the clips of a group are made of: they are supervised in the same way."""
        if len(set(self.kinds)) == 1:
            return self.kinds[0]
        g = self._generator(step, _key(-2, number))
        return self.kinds[int(torch.multinomial(self.weights, 1, generator=g))]

    def _layered(
        self, step: int, index: int, objects: int, kind: str, settings: ClipSettings
    ) -> Clip:
        g = self._generator(step, index)
        if kind == "stills":
            main = self._still(g)
            others = [self._still(g) for _ in range(objects + 1)]
            return make_clip(main, others, objects, settings, g)
        return make_video_clip(self._video(kind, g), objects, settings, g)

    def _whole(
        self,
        step: int,
        number: int,
        indices: range,
        objects: int,
        kind: str,
        settings: WholeClips,
    ) -> Batch:
        size = min(self.group, self.batch - number * self.group)
        g = self._generator(step, f"plan/{number}")
        objects, plan = self._plan(kind, objects, size, g)
        shapes = [settings.size(self.indexes[p.chosen].ratios[p.item]) for p in plan]
        h, w = (-(-max(side) // 32) * 32 for side in zip(*shapes, strict=True))
        offset = number * self.group
        t = settings.frames
        frames = np.zeros((len(indices), t, h, w, 3), np.uint8)
        labels = np.full((len(indices), t, h, w), NOWHERE, np.uint8)
        for row, index in enumerate(indices):
            g = self._generator(step, index)
            clip = self._whole_clip(plan[index - offset], objects, (h, w), kind, settings, g)
            down, across = clip.labels.shape[1:]
            frames[row, :, :down, :across] = clip.images
            labels[row, :, :down, :across] = clip.labels
        # Channels stay last in memory, where the network wants them.
        images = torch.from_numpy(frames).permute(0, 1, 4, 2, 3)
        return Batch(images, torch.from_numpy(labels), objects, sparse=kind in SPARSE)

    def _plan(
        self, kind: str, objects: int, size: int, g: torch.Generator
    ) -> tuple[int, list[Planned]]:
        """What a group is made of: items with as many objects, and shapes alike."""
        most = max(
            int(index.objects.max(initial=0))
            for index, k in zip(self.indexes, self.kinds, strict=True)
            if k == kind
        )
        objects = min(objects, most)
        if objects < 1:
            raise DataError(
                "no image has an object of the size that the recipe asks for; lower clips.min_area"
            )
        first = self._pick(kind, objects, None, g)
        ratio = float(self.indexes[first.chosen].ratios[first.item])
        return objects, [first, *(self._pick(kind, objects, ratio, g) for _ in range(size - 1))]

    def _pick(self, kind: str, objects: int, ratio: float | None, g: torch.Generator) -> Planned:
        candidates = []
        for index, k in zip(self.indexes, self.kinds, strict=True):
            fits = index.objects >= objects if k == kind else np.zeros(len(index.objects), bool)
            if ratio is not None:
                fits = fits & (np.abs(index.ratios - ratio) <= ALIKE)
            candidates.append(np.flatnonzero(fits))
        weights = self.weights * torch.tensor([len(c) > 0 for c in candidates])
        chosen = int(torch.multinomial(weights, 1, generator=g))
        found = candidates[chosen]
        return Planned(chosen, int(found[int(torch.randint(0, len(found), (1,), generator=g))]))

    def _whole_clip(
        self,
        planned: Planned,
        objects: int,
        limit: tuple[int, int],
        kind: str,
        settings: WholeClips,
        g: torch.Generator,
    ) -> Frames:
        def size_of(labels: np.ndarray) -> tuple[int, int]:
            h, w = settings.size(labels.shape[0] / labels.shape[1])
            return min(h, limit[0]), min(w, limit[1])

        if kind == "stills":
            still = self._planned(
                planned,
                kind,
                objects,
                g,
                lambda p: cast(Stills, self.sets[p.chosen]).read(p.item),
                lambda found: int(found.labels.max()),
            )
            wanted = float(torch.rand(1, generator=g)) < settings.beyond.pasted
            other = self._still(g) if wanted else None
            return make_whole_clip(still, other, objects, size_of(still.labels), settings, g)
        video = self._planned(
            planned,
            kind,
            objects,
            g,
            lambda p: cast(Videos, self.sets[p.chosen]).read(p.item, settings.frames, g),
            lambda found: len(usable_ids(found.labels[0], settings.rules())),
        )
        return make_whole_video_clip(video, objects, size_of(video.labels[0]), settings, g)

    def _planned(
        self,
        planned: Planned,
        kind: str,
        objects: int,
        g: torch.Generator,
        read: Callable[[Planned], T],
        count: Callable[[T], int],
    ) -> T:
        """The planned item; in the place of a broken or a poorer one another of its shape."""
        ratio = float(self.indexes[planned.chosen].ratios[planned.item])
        poorer = 0
        for _ in range(MAX_UNREADABLE):
            try:
                found = read(planned)
                if count(found) >= objects or poorer >= MAX_POORER:
                    return found
                poorer += 1
            except DataError as error:
                self._note(error)
            planned = self._pick(kind, objects, ratio, g)
        raise self._too_many()

    def _still(self, g: torch.Generator) -> Still:
        return self._draw("stills", g, lambda chosen, i: cast(Stills, chosen).read(i))

    def _video(self, kind: str, g: torch.Generator) -> VideoClip:
        frames = self.settings.frames
        return self._draw(kind, g, lambda chosen, i: cast(Videos, chosen).read(i, frames, g))

    def _any_still(self, g: torch.Generator) -> Still:
        """An annotated picture of any dataset."""
        if "stills" in self.kinds:
            return self._still(g)

        def read(chosen: Stills | Videos, item: int) -> Still:
            clip = cast(Videos, chosen).read(item, 1, g)
            return Still(clip.images[0], clip.labels[0])

        return self._draw(self.kinds[0], g, read)

    def _draw(self, kind: str, g: torch.Generator, read: Callable[[Stills | Videos, int], T]) -> T:
        """A random item of one kind; a broken file is counted and another one drawn."""
        of_kind = torch.tensor([k == kind for k in self.kinds])
        for _ in range(MAX_UNREADABLE):
            weights = self.weights * of_kind
            chosen = self.sets[int(torch.multinomial(weights, 1, generator=g))]
            try:
                return read(chosen, int(torch.randint(0, len(chosen), (1,), generator=g)))
            except DataError as error:
                self._note(error)
        raise self._too_many()

    def _note(self, error: DataError) -> None:
        self.unreadable[str(error)] = self.unreadable.get(str(error), 0) + 1

    def _too_many(self) -> DataError:
        last = next(reversed(self.unreadable), "all show too few objects")
        return DataError(f"{MAX_UNREADABLE} files in a row could not be used; the last: {last}")

    def _generator(self, step: int, key: int | str) -> torch.Generator:
        digest = hashlib.sha256(f"{self.seed}/{step}/{key}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _key(what: int, number: int) -> str:
    """The name of a group's randomness; that of a batch in one group is as it always was."""
    return f"{what}/{number}" if number else f"{what}"
