"""The history on the device: descriptors written in place, each once, in the order they come."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.tracking.descriptors import Recalled

Row = tuple[Tensor | None, ...]


class Ring:
    """Room for the descriptors of some frames.

    A frame is known by its tensors: what is here already stays where it is, and what is not
    remembered any more makes room. So it serves any tracker, and any change of its memory.

    Args:
        frames, objects, cells, channels: T, O, G and C.
        device: where it is.
    """

    def __init__(
        self, frames: int, objects: int, cells: int, channels: int, device: torch.device
    ) -> None:
        self.objects = torch.zeros(frames, objects, channels, device=device)
        """(T, O, C)"""
        self.background = torch.zeros(frames, cells, channels, device=device)
        """(T, G, C)"""
        self._held: list[Row | None] = [None] * frames

    def write(self, recalled: Recalled[Tensor]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Take in a history of at most T frames, in networks that take objects together.

        Returns:
            Which objects, (T, O), and which backgrounds, (T,), are described in each place.
        """
        rows = [
            (*objects, scene if known else None)
            for objects, (scene,), known in zip(
                recalled.objects, recalled.background, recalled.background_valid, strict=True
            )
        ]
        places = self._places(rows)
        described = np.zeros(self.objects.shape[:2], bool)
        scenes = np.zeros(len(self._held), bool)
        for row, place in zip(rows, places, strict=True):
            described[place, : len(row) - 1] = [one is not None for one in row[:-1]]
            scenes[place] = row[-1] is not None
        return described, scenes

    def _places(self, rows: Sequence[Row]) -> list[int]:
        """Where each row is; those that are new are written."""
        free = list(range(len(self._held)))
        found: list[int | None] = []
        for row in rows:
            place = next((i for i in free if _same(self._held[i], row)), None)
            found.append(place)
            if place is not None:
                free.remove(place)
        places = []
        for row, place in zip(rows, found, strict=True):
            if place is None:
                place = free.pop(0)
                self._write(place, row)
            places.append(place)
        return places

    def _write(self, place: int, row: Row) -> None:
        *objects, scene = row
        some = next((one for one in objects if one is not None), None)
        if some is not None:
            nothing = torch.zeros_like(some)
            there = [nothing if one is None else one for one in objects]
            self.objects[place, : len(there)] = torch.stack(there)
        if scene is not None:
            self.background[place] = scene
        self._held[place] = row


def _same(held: Row | None, row: Row) -> bool:
    """Whether these are the very same tensors."""
    if held is None or len(held) != len(row):
        return False
    return all(a is b for a, b in zip(held, row, strict=True))
