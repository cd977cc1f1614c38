"""What was changed, so that it can be taken back and made again."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hodor.errors import HodorError
from hodor.studio.objects import Object
from hodor.types import AnyArray

UNDO_STEPS = 200


@dataclass(frozen=True)
class Given:
    """What the user said in one frame. labels: packed label map (b"" for none); gone: objects."""

    labels: bytes
    gone: frozenset[int]

    @classmethod
    def of(cls, labels: AnyArray, gone: frozenset[int]) -> "Given":
        """Of a label map (H, W); an empty one for none."""
        packed = zlib.compress(labels.astype(np.uint8).tobytes(), 1) if labels.any() else b""
        return cls(packed, gone)

    def label_map(self, size: tuple[int, int]) -> NDArray[np.uint8] | None:
        """The label map of ``size`` (H, W), or None."""
        if not self.labels:
            return None
        return np.frombuffer(zlib.decompress(self.labels), np.uint8).reshape(size)


@dataclass(frozen=True)
class Edit:
    """A change that can be undone: of one frame's given masks, or of the objects (frame None)."""

    frame: int | None
    before: Given | tuple[Object, ...]
    after: Given | tuple[Object, ...]


class Undo:
    """Changes that were made, and those that were taken back, the last ones last."""

    def __init__(self) -> None:
        self.done: list[Edit] = []
        self.undone: list[Edit] = []

    def remember(self, edit: Edit) -> None:
        """A change was made; what was taken back before is forgotten."""
        self.done = [*self.done, edit][-UNDO_STEPS:]
        self.undone.clear()

    def last(self, *, forward: bool) -> Edit:
        """What is to be made again (forward) or taken back. Raises HodorError if there is none."""
        stack = self.undone if forward else self.done
        if not stack:
            raise HodorError(f"nothing to {'redo' if forward else 'undo'}")
        return stack[-1]

    def step(self, *, forward: bool) -> None:
        """``last`` was made again, or taken back."""
        source, target = (self.undone, self.done) if forward else (self.done, self.undone)
        target.append(source.pop())
