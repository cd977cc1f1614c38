"""Descriptors of a frame by object, and those of many frames as decoding takes them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hodor.tracking.logits import ArrayT
from hodor.types import Untyped

OtherT = TypeVar("OtherT")


@dataclass(frozen=True)
class FrameDescriptors(Generic[ArrayT]):
    """Descriptors of one frame, by object id."""

    index: int
    """Frame number; negative for references from another video"""
    objects: Mapping[int, ArrayT]
    """(C,) for each object that is described here"""
    background: ArrayT | None
    """(G, C), or None; with objects one at a time, ``alone`` holds each object's own"""
    alone: Mapping[int, ArrayT] = field(default_factory=dict)
    """(G, C) for each object, in networks that take objects one at a time"""

    @classmethod
    def of(
        cls,
        ids: Sequence[int],
        objects: Sequence[ArrayT],
        background: Untyped,
        *,
        joint: bool,
    ) -> "FrameDescriptors[ArrayT]":
        """What an encoder gave, under frame number 0.

        Args:
            ids: of O objects.
            objects: (C,) for each of them.
            background: (G, C); (O * G, C), an object's cells together, where not ``joint``.
            joint: whether the network takes all objects together.
        """
        named = dict(zip(ids, objects, strict=True))
        if joint:
            return cls(0, named, background)
        cells = background.reshape(len(ids), -1, background.shape[-1])  # (O * G, C) to (O, G, C)
        return cls(0, named, None, dict(zip(ids, cells, strict=True)))

    def at(self, index: int) -> "FrameDescriptors[ArrayT]":
        """The same descriptors, (C,) an object, under a frame number."""
        return replace(self, index=index)

    def without(self, ids: Iterable[int]) -> "FrameDescriptors[ArrayT]":
        """The same descriptors, (C,) an object, without some objects."""
        gone = set(ids)
        return replace(
            self,
            objects={i: d for i, d in self.objects.items() if i not in gone},
            alone={i: d for i, d in self.alone.items() if i not in gone},
        )

    def only(self, ids: Iterable[int]) -> "FrameDescriptors[ArrayT]":
        """The same descriptors, (C,) an object, with no other objects."""
        return self.without(set(self.objects) - set(ids))

    def converted(self, convert: Callable[[ArrayT], OtherT]) -> "FrameDescriptors[OtherT]":
        """The same with each array, (C,) or (G, C), as ``convert`` makes it."""
        return FrameDescriptors(
            self.index,
            {i: convert(d) for i, d in self.objects.items()},
            None if self.background is None else convert(self.background),
            {i: convert(d) for i, d in self.alone.items()},
        )

    @property
    def foreign(self) -> bool:
        """Whether this comes from another video."""
        return self.index < 0


class Recalled(NamedTuple, Generic[ArrayT]):
    """What decoding listens to: descriptors of T frames, None where there is none."""

    objects: list[list[ArrayT | None]]
    """[T][O], each (C,)"""
    background: list[list[ArrayT | None]]
    """[T], one array (G, C), or one for each object in networks that take them one at a time"""
    background_valid: NDArray[np.bool_]
    """(T,)"""

    @property
    def object_valid(self) -> NDArray[np.bool_]:
        """Whether an object is described in a frame: (T, O)."""
        return np.array([[one is not None for one in row] for row in self.objects])
