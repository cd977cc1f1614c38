"""Frames of a clip as a network that matches remembers them."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from hodor.model import Remembered, places_of

# A closer view shows little around the objects, and what comes into it later is like nothing that
# is remembered: so in a share of clips only what is near to the objects is, by so many cells.
NEAR_ONLY, NEAR = 0.6, (2, 12)


def remembered(keys: Tensor, masks: Tensor, valid: Tensor, *, near: bool) -> Remembered:
    """A frame to match with, from keys (B, C, h/8, w/8), masks (B, O, y, x) and valid (B, O).

    near: whether in some clips only what is near to the objects is remembered.
    """
    small = F.avg_pool2d(masks, masks.shape[-1] // keys.shape[-1])
    told = valid[..., None, None].expand_as(small)
    if near:
        told = told * _near(small)
    return Remembered(keys.flatten(2), small.flatten(2), told.flatten(2))


def _near(masks: Tensor) -> Tensor:
    """Which places are remembered: (B, 1, y, x) of 0 and 1, of masks (B, O, y, x)."""
    objects = masks.amax(1, keepdim=True)
    # Asking whether each clip has objects would wait for a GPU each time: where there are none,
    # nothing is near, and all is remembered.
    shown = (objects.amax((2, 3), keepdim=True) == 0).to(masks.dtype).expand_as(objects).clone()
    for clip, one in enumerate(torch.split(objects, 1)):
        if float(torch.rand(())) >= NEAR_ONLY:
            shown[clip] = 1
            continue
        cells = int(torch.randint(*NEAR, ()))
        shown[clip] += (F.max_pool2d(one, 2 * cells + 1, 1, cells)[0] > 0).to(masks.dtype)
    return shown


def clip_places(keys: Mapping[int, Tensor]) -> Tensor | None:
    """Places (B, 2, h/8, w/8) of keys (B, C, h/8, w/8) by frame; None of none."""
    for some in keys.values():
        b, _c, y, x = some.shape
        return places_of((y, x), some).expand(b, -1, -1, -1)
    return None
