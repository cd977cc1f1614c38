"""Matching on a CPU in bfloat16, in half the time: exponentials by adding to a number's bits.

A bfloat16 whose bits are the integer 128 (x / ln 2 + 127) is e^x, 3 % more or less: its exponent is
right, and from one power of two to the next it goes straight (Schraudolph, A Fast, Compact
Approximation of the Exponential Function, Neural Computation 11, 1999). A score in bfloat16 is less
exact than that: at s = 40, which trained networks have, it lies up to an eighth beside the right
one. And all that a softmax does besides is not needed here. Cosines are at most 1, so no maximum
has to be subtracted lest an exponential be infinite; what all is divided by drops out of the
masks. So scores are written once, in 16 bits, and are read as weights where they lie.
"""

import math

import torch
from torch import Tensor

from hodor.model.matching import (
    AT_ONCE_ON_CPU,
    FARTHEST,
    LEAST,
    Matched,
    Matcher,
    Remembered,
    nearness,
)

PER_E = 128 / math.log(2)  # what a bfloat16's bits grow by, as an integer, when it grows e-fold
ONE = 127 * 128  # the bits of 1
# s up to which all is in range: from e^(-s + FARTHEST) to the sum of e^(s - FARTHEST) over places.
SHARPEST = 55.0


class QuickMatcher(Matcher):
    """A matcher that is quick where it can be, and else as it was: see the module.

    Args:
        matcher: a trained one; the weights are its own.
    """

    def __init__(self, matcher: Matcher) -> None:
        torch.nn.Module.__init__(self)
        self.__dict__.update(matcher.__dict__)

    def read(self, keys: Tensor, places: Tensor, remembered: Remembered) -> Matched:
        """See ``Matcher.read``: of one video alone."""
        if not _computes_in_bfloat16(keys) or len(keys) > 1 or torch.is_grad_enabled():
            return super().read(keys, places, remembered)
        sharpness = float(self.sharpness.exp())
        if sharpness > SHARPEST:
            return super().read(keys, places, remembered)
        return read_quickly(keys, places, remembered, sharpness)


def read_quickly(keys: Tensor, places: Tensor, remembered: Remembered, sharpness: float) -> Matched:
    """What ``Matcher.read`` finds, but for what bfloat16 leaves out.

    Args:
        keys: (1, C, y, x) of the new frame.
        places: (1, 2, y, x) of them.
        remembered: of O objects, J places.
        sharpness: s, at most ``SHARPEST``.
    """
    _, _c, y, x = keys.shape
    told = remembered.valid[0].amax(0) > 0  # (J,)
    if told.any() and not told.all():
        where = remembered.places
        remembered = Remembered(
            remembered.keys[:, :, told],
            remembered.masks[:, :, told],
            remembered.valid[:, :, told],
            None if where is None else where[:, :, told],
        )
    masks, valid = remembered.masks, remembered.valid
    # With the sum over all places: what is less than LEAST of that is not heard.
    values = torch.cat([masks * valid, valid, torch.ones_like(valid[:, :1])], 1)
    values = values[0].T.to(torch.bfloat16).contiguous()  # (J, 2 O + 1)
    # (C, J), laid out by places: the product takes two thirds of the time that it does by channels.
    theirs = remembered.keys[0].T.to(torch.bfloat16).contiguous().T
    ours = keys[0].flatten(1).T * (sharpness * PER_E)
    ours = ours.to(torch.bfloat16)  # (y x, C)
    near: tuple[Tensor, Tensor] | None = None
    if remembered.places is not None:
        across = nearness(places[:, 0, :, 0], remembered.places[:, 0])[0]  # (y, J)
        along = nearness(places[:, 1, 0], remembered.places[:, 1])[0]  # (x, J)
        near = _in_bits(across), _in_bits(along - FARTHEST)
    lines = max(1, AT_ONCE_ON_CPU // (x * len(values)))
    read, greatest = [], []
    for first in range(0, y, lines):
        bits = (ours[first * x : (first + lines) * x] @ theirs).to(torch.int16)  # (l x, J)
        greatest.append(bits.amax(1))
        bits += ONE
        if near is not None:
            of_lines = bits.view(-1, x, len(values))
            of_lines += near[0][first : first + lines, None]
            of_lines += near[1]
        read.append(bits.view(torch.bfloat16) @ values)
    sums = torch.cat(read).T[None].float()  # (1, 2 O + 1, y x)
    inside, heard = sums[:, :-1].chunk(2, 1)
    found = inside / torch.maximum(heard, sums[:, -1:] * LEAST)
    known = (valid.amax(2) > 0).to(valid.dtype)
    likeness = torch.cat(greatest).float() / (sharpness * PER_E)
    return Matched(found.view(1, -1, y, x), known, likeness.view(1, 1, y, x))


def _computes_in_bfloat16(keys: Tensor) -> bool:
    """Whether matrices are multiplied in bfloat16, and on a CPU."""
    if keys.device.type != "cpu":
        return False
    asked = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else keys.dtype
    return asked == torch.bfloat16


def _in_bits(logs: Tensor) -> Tensor:
    return (logs * PER_E).round().to(torch.int16)
