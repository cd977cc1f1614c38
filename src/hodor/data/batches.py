"""Batches of clips: step number in, tensors out, whatever happened before."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, Self, TypeVar, cast

import torch
from torch import Tensor

from hodor.data.clips import Clip, ClipSettings, make_clip
from hodor.data.stills import Still, Stills
from hodor.data.videos import VideoClip, Videos, make_video_clip
from hodor.errors import DataError

T = TypeVar("T", Still, VideoClip)
MAX_UNREADABLE = 50  # files in a row, after which a run stops instead of going on without them


class Batch(NamedTuple):
    """Clips of one training step."""

    frames: Tensor
    """(B, T, 3, h, w) uint8 RGB"""
    labels: Tensor
    """(B, T, h, w) uint8: 0 is background, 1..n the followed objects"""
    objects: int
    """n, the same for all clips"""
    sparse: bool = False
    """Only frame 0 is annotated: the labels of the others are zeros and mean nothing."""


class ClipBatches:
    """Makes the batch of any step from the seed alone, so that runs resume and repeat exactly.

    Args:
        sets: datasets, of stills or of videos.
        weights: how often each is drawn from.
        settings: how clips are made.
        batch: clips for each step.
        seed: of everything random.
    """

    def __init__(
        self,
        sets: Sequence[Stills | Videos],
        weights: Sequence[float],
        settings: ClipSettings,
        batch: int,
        seed: int,
    ) -> None:
        self.sets = sets
        self.weights = torch.tensor(weights, dtype=torch.float32)
        self.kinds = [s.annotated if isinstance(s, Videos) else "stills" for s in sets]
        self.settings = settings
        self.batch = batch
        self.seed = seed
        self.unreadable: dict[str, int] = {}

    def make(self, step: int) -> Batch:
        """The batch of ``step``.

        Raises:
            DataError: many files in a row cannot be read.
        """
        shares = torch.tensor(self.settings.objects)
        objects = int(torch.multinomial(shares, 1, generator=self._generator(step, -1))) + 1
        kind = self._kind(step)
        clips = [self._clip(step, index, objects, kind) for index in range(self.batch)]
        frames = torch.stack([clip.frames for clip in clips])
        labels = torch.stack([clip.labels for clip in clips])
        return Batch(frames, labels, objects, sparse=kind == "one")

    def _kind(self, step: int) -> str:
        """What the clips of a batch are made of: they are supervised in the same way."""
        if len(set(self.kinds)) == 1:
            return self.kinds[0]
        g = self._generator(step, -2)
        return self.kinds[int(torch.multinomial(self.weights, 1, generator=g))]

    def _clip(self, step: int, index: int, objects: int, kind: str) -> Clip:
        g = self._generator(step, index)
        if kind == "stills":
            main = self._still(g)
            others = [self._still(g) for _ in range(objects + 1)]
            return make_clip(main, others, objects, self.settings, g)
        return make_video_clip(self._video(kind, g), objects, self.settings, g)

    def _still(self, g: torch.Generator) -> Still:
        return self._draw("stills", g, lambda chosen, i: cast(Stills, chosen).read(i))

    def _video(self, kind: str, g: torch.Generator) -> VideoClip:
        frames = self.settings.frames
        return self._draw(kind, g, lambda chosen, i: cast(Videos, chosen).read(i, frames, g))

    def _draw(
        self, kind: str, g: torch.Generator, read: "Callable[[Stills | Videos, int], T]"
    ) -> T:
        """A random item of one kind; a broken file is counted and another one drawn."""
        of_kind = torch.tensor([k == kind for k in self.kinds])
        for _ in range(MAX_UNREADABLE):
            weights = self.weights * of_kind
            chosen = self.sets[int(torch.multinomial(weights, 1, generator=g))]
            try:
                return read(chosen, int(torch.randint(0, len(chosen), (1,), generator=g)))
            except DataError as error:
                self.unreadable[str(error)] = self.unreadable.get(str(error), 0) + 1
        raise DataError(
            f"{MAX_UNREADABLE} files in a row could not be used; the last: {error_of(self)}"
        )

    def _generator(self, step: int, index: int) -> torch.Generator:
        digest = hashlib.sha256(f"{self.seed}/{step}/{index}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def error_of(batches: ClipBatches) -> str:
    """The last thing that could not be read."""
    return next(reversed(batches.unreadable), "none")


class Prefetched:
    """Makes batches ahead in threads while the network works.

    Args:
        batches: where they come from.
        first, last: steps, the last not included.
        ahead: how many batches wait in memory.
    """

    def __init__(self, batches: ClipBatches, first: int, last: int, *, ahead: int = 3) -> None:
        self.batches = batches
        self.last = last
        self.next = first
        self.pool = ThreadPoolExecutor(max_workers=max(1, ahead - 1))
        self.waiting: list[Future[Batch]] = []
        for _ in range(ahead):
            self._ask()

    def _ask(self) -> None:
        if self.next < self.last:
            self.waiting.append(self.pool.submit(self.batches.make, self.next))
            self.next += 1

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> Batch:
        """The next step's batch."""
        if not self.waiting:
            raise StopIteration
        batch = self.waiting.pop(0).result()
        self._ask()
        return batch

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the threads."""
        self.pool.shutdown(wait=False, cancel_futures=True)
