"""The refiner: corrects objects' logits from the frame's pixels and from the last masks.

Beyond the paper, and off in its form (``HodorConfig.refiner_channels``). The decoder finds objects
by what they look like, wherever they are, at strides 8 and 4. Two things it does not know: where
each object was a moment ago, and what lies between the cells of F4. The refiner is a few
convolutions at stride 4 that see both and add a correction to each object's logits::

    pixels -> stem (strides 2, 4) -+-> shared maps ----+
    F4 ----------------------------+                   +-> 4 convolutions -> correction (B, O, y, x)
    logits, the carried masks -> six planes an object -+
    what matching found ------> eight planes an object -+

How far the last masks are to be trusted is learned: beside them it sees how well the pixels fit
that they were carried along, and with how much confidence the object was found.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hodor.model.learning import CHANNELS, learned_in_float32
from hodor.model.matching import Matched, greatest_of_others

STEM_CHANNELS = (16, 24)  # at strides 2 and 4: edges and colours, no more
SHARED_CHANNELS = 48
DILATIONS = (1, 2, 4, 1)  # 19 cells, 76 pixels, from end to end
LEAST = 1e-4  # of a probability, so that its logit is finite
MARGIN_UNIT = 4.0  # logits; brings margins to about the range of the other planes
PLANES = 6
MATCHED_PLANES = 4  # of each kind of remembered frame: given ones, the last one


class Prior(NamedTuple):
    """What is known of a frame before it is decoded: the last masks, carried along by motion."""

    masks: Tensor
    """(B, O, h/4, w/4) in [0, 1]"""
    known: Tensor
    """(B, O), 1 where the object has a last mask, else 0"""
    confidence: Tensor
    """(B, O) in [0, 1]: with how much confidence the last mask was found; 1 if it was given"""
    change: Tensor
    """(B, 1, h/4, w/4) in [0, 1]: how badly the pixels fit those that they are said to have been"""


class Refined(NamedTuple):
    """What comes of correcting logits."""

    logits: Tensor
    """(B, K + O, h/4, w/4); the background's are as they were"""
    matched: Tensor | None
    """(B, O, h/8, w/8): the masks by what was matched with frames that are heard wherever a place
    is, in [0, 1], or below 0 for an object of which nothing is known; see
    ``hodor.model.matching.likeliest``. None: the network does not match"""


class Refiner(nn.Module):
    """Corrections of objects' logits; see the module. They are zero before any training.

    Args:
        fine: channels of F4.
        channels: of the maps of one object.
        matched: kinds of remembered frames that are matched; see ``hodor.model.matching``.
    """

    def __init__(self, fine: int, channels: int, matched: int = 0) -> None:
        super().__init__()
        self.channels = channels
        half, quarter = STEM_CHANNELS
        self.stem = nn.Sequential(
            nn.Conv2d(3, half, 3, 2, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(half, quarter, 3, 2, 1),
            nn.ReLU(inplace=True),
        )
        self.shared = nn.Sequential(
            nn.Conv2d(fine + quarter, SHARED_CHANNELS, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(SHARED_CHANNELS, channels, 3, padding=1),
        )
        self.own = nn.Conv2d(PLANES, channels, 3, padding=1)
        self.matched: nn.Module | None = None
        if matched:
            self.matched = nn.Conv2d(MATCHED_PLANES * matched, channels, 3, padding=1)
            nn.init.zeros_(self.matched.weight)
            nn.init.zeros_(cast(Tensor, self.matched.bias))
        self.body = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=d, dilation=d) for d in DILATIONS
        )
        self.relu: nn.Module = nn.ReLU()  # after each of them
        self.out = nn.Conv2d(channels, 1, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(cast(Tensor, self.out.bias))

    def forward(
        self,
        images: Tensor,
        f4: Tensor,
        logits: Tensor,
        prior: Prior,
        matched: Sequence[Matched] = (),
    ) -> Tensor:
        """Logits with the objects' corrected.

        Args:
            images: (B, 3, h, w), normalised.
            f4: (B, C', h/4, w/4) of the same frame.
            logits: (B, K + O, h/4, w/4), background first.
            prior: of the O objects.
            matched: of the O objects, one for each kind of remembered frame.

        Returns:
            (B, K + O, h/4, w/4); the first K planes are as they were.
        """
        planes, found = self.seen(logits, prior, matched)
        correction = self.correction(self.shared_maps(images, f4), planes, found)
        k = logits.shape[1] - planes.shape[1]
        return torch.cat([logits[:, :k], logits[:, k:] + correction.to(logits.dtype)], 1)

    def seen(
        self, logits: Tensor, prior: Prior, matched: Sequence[Matched]
    ) -> tuple[Tensor, Tensor | None]:
        """What is seen of each object: (B, O, 6, y, x), and what matching found, (B, O, M, y, x).

        Args:
            logits, prior, matched: as for ``forward``.
        """
        found: Tensor | None = None
        if self.matched is not None:
            found = torch.cat([matched_planes(one) for one in matched], 2)
        return object_planes(logits, prior), found

    def shared_maps(self, images: Tensor, f4: Tensor) -> Tensor:
        """What objects share of ``images`` and ``f4``, as for ``forward``: (B, C, y, x)."""
        return cast(Tensor, self.shared(torch.cat([f4, self.stem(images)], 1)))

    def correction(self, shared: Tensor, planes: Tensor, found: Tensor | None) -> Tensor:
        """What is added to objects' logits, (B, O, y, x).

        Args:
            shared: (B, C, y, x).
            planes, found: of the O objects, from ``seen``.
        """
        b, o = planes.shape[:2]
        own = self.own(planes.flatten(0, 1))  # (B * O, C, y, x)
        if self.matched is not None and found is not None:
            own = own + self.matched(found.flatten(0, 1))
        own = own.unflatten(0, (b, o))  # (B, O, C, y, x)
        x = F.relu(own + shared[:, None], inplace=True).flatten(0, 1)  # (B * O, C, y, x)
        exact = x.shape[1] % CHANNELS == 0
        for conv in self.body:
            x = x + self.relu(conv(x) if exact else learned_in_float32(conv, x))
        return cast(Tensor, self.out(x).unflatten(0, (b, o))[:, :, 0])  # (B, O, 1, y, x) before


def object_planes(logits: Tensor, prior: Prior) -> Tensor:
    """What the refiner sees of each object: (B, O, 6, y, x).

    The logit of its probability; its carried mask, from -1 to 1, 0 where there is none; whether
    there is one; the greatest of the other objects' carried masks; how badly pixels fit; with how
    much confidence the last mask was found.

    Args:
        logits: (B, K + O, y, x), background first.
        prior: of the O objects.
    """
    o = prior.masks.shape[1]
    p = logits.softmax(1)[:, logits.shape[1] - o :].clamp(LEAST, 1 - LEAST)
    known = prior.known[..., None, None].expand_as(p)
    carried = prior.masks * known
    planes = [
        torch.logit(p) / MARGIN_UNIT,
        (prior.masks * 2 - 1) * known,
        known,
        greatest_of_others(carried),
        prior.change.expand_as(p),
        prior.confidence[..., None, None] * known,
    ]
    return torch.stack(planes, 2)


def matched_planes(matched: Matched) -> Tensor:
    """What the refiner sees of one kind of remembered frames: (B, O, 4, h/4, w/4).

    The object's matched mask, from -1 to 1, 0 where nothing is known; whether something is; the
    greatest of the other objects' matched masks; how much the place is like any that is remembered.
    """
    known = matched.known[..., None, None].expand_as(matched.masks)
    planes = [
        (matched.masks * 2 - 1) * known,
        known,
        greatest_of_others(matched.masks * known),
        matched.likeness.expand_as(matched.masks),
    ]
    small = torch.stack(planes, 2)  # (B, O, 4, h/8, w/8)
    b, o = small.shape[:2]
    up = F.interpolate(small.flatten(0, 1), scale_factor=2, mode="bilinear", align_corners=False)
    return up.view(b, o, *up.shape[1:])  # (B * O, 4, h/4, w/4) before
