"""The network's parts as modules of tensors alone, and the names that files have for tensors."""

from dataclasses import dataclass, replace
from typing import cast

from torch import Tensor, nn

from hodor.model import Descriptors, History, Hodor, Prior, Pyramid, Remembered
from hodor.onnx.files import PRIOR, REFINE, REMEMBERED


class _Features(nn.Module):
    def __init__(self, network: Hodor) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, h, w) to F4, F8 and, where the network matches, keys."""
        pyramid = self.network.extract(image)
        keys = self.network.keys(image, pyramid)
        return (*pyramid,) if keys is None else (*pyramid, keys)


class _Describe(nn.Module):
    def __init__(self, network: Hodor) -> None:
        super().__init__()
        self.network = network

    def forward(self, f8: Tensor, objects: Tensor, cells: Tensor) -> Descriptors:
        """F8 (1, C, h/8, w/8), masks (1, O, h/8, w/8) and cells to (1, O, C) and (1, G, C)."""
        if self.network.config.joint_objects:
            return self.network.describe_patches(f8, objects, cells)
        c, grid = f8.shape[1], self.network.config.cells
        alone = objects.transpose(0, 1)  # (O, 1, y, x): a batch of one object each
        f8 = f8.expand(alone.shape[0], -1, -1, -1)
        cells = cells.reshape(-1, grid, cells.shape[-2], cells.shape[-1])
        d = self.network.describe_patches(f8, alone, cells)
        return Descriptors(d.objects.reshape(1, -1, c), d.background.reshape(1, -1, c))


class _Segment(nn.Module):
    def __init__(self, network: Hodor) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        f4: Tensor,
        f8: Tensor,
        objects: Tensor,
        background: Tensor,
        object_valid: Tensor,
        background_valid: Tensor,
    ) -> Tensor:
        """F4, F8 and a history (1, T, O + G, C) to logits (1, K + O, h/4, w/4)."""
        history = History(objects, background, object_valid, background_valid)
        return self.network.segment(Pyramid(f4, f8), history)


class _Refine(nn.Module):
    def __init__(self, network: Hodor) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, image: Tensor, f4: Tensor, logits: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        """Logits (1, K + O, h/4, w/4), corrected from the image (1, 3, h, w) and last masks.

        A network that matches also gives what it matched: see ``Refined``.
        """
        prior, more = Prior(*rest[: len(PRIOR)]), rest[len(PRIOR) :]
        pyramid = Pyramid(f4, f4)
        if not more:
            return (self.network.refine(image, pyramid, logits, prior).logits,)
        keys, places, given = more[0], more[1], more[2 : 2 + len(REMEMBERED[0])]
        remembered = [Remembered(*given), Remembered(*more[2 + len(given) :])]
        both = self.network.refine(image, pyramid, logits, prior, keys, places, remembered)
        return both.logits, cast(Tensor, both.matched)


@dataclass(frozen=True)
class Part:
    """One file: what it computes, and its inputs and outputs with the names of their sizes."""

    module: type[nn.Module]
    inputs: dict[str, dict[int, str]]
    outputs: dict[str, dict[int, str]]


_IMAGE = {2: "h", 3: "w"}
_STRIDE_4 = {2: "h/4", 3: "w/4"}
_STRIDE_8 = {2: "h/8", 3: "w/8"}
_PARTS = {
    "features": Part(_Features, {"image": _IMAGE}, {"f4": _STRIDE_4, "f8": _STRIDE_8}),
    "describe": Part(
        _Describe,
        {
            "f8": _STRIDE_8,
            "objects": {1: "objects"} | _STRIDE_8,
            "cells": {1: "cells"} | _STRIDE_8,
        },
        {"object_descriptors": {1: "objects"}, "background_descriptors": {1: "cells"}},
    ),
    "segment": Part(
        _Segment,
        {
            "f4": _STRIDE_4,
            "f8": _STRIDE_8,
            "object_history": {1: "frames", 2: "objects"},
            "background_history": {1: "frames", 2: "cells"},
            "object_valid": {1: "frames", 2: "objects"},
            "background_valid": {1: "frames"},
        },
        {"logits": {1: "channels"} | _STRIDE_4},
    ),
    REFINE: Part(
        _Refine,
        {
            "image": _IMAGE,
            "f4": _STRIDE_4,
            "logits": {1: "channels"} | _STRIDE_4,
            "masks": {1: "objects"} | _STRIDE_4,
            "known": {1: "objects"},
            "confidence": {1: "objects"},
            "change": _STRIDE_4,
        },
        {"refined": {1: "channels"} | _STRIDE_4},
    ),
}

_MATCHING = {"keys": _STRIDE_8, "places": _STRIDE_8} | {
    name: {2: f"{kind} places"} | ({1: "objects"} if name.endswith(("masks", "valid")) else {})
    for kind, names in zip(("given", "last"), REMEMBERED, strict=True)
    for name in names
}


def part_of(network: Hodor, part: str) -> Part:
    """A part as this network has it."""
    plain = _PARTS[part]
    if network.config.match_channels and part == "features":
        return replace(plain, outputs=plain.outputs | {"keys": _STRIDE_8})
    if network.config.match_channels and part == REFINE:
        outputs = plain.outputs | {"matched": {1: "objects"} | _STRIDE_8}
        return replace(plain, inputs=plain.inputs | _MATCHING, outputs=outputs)
    return plain
