"""Matching: what each place of a frame looks like in remembered frames, and whose it was there.

Beyond the paper, and off in its form (``HodorConfig.match_channels``). A descriptor says what an
object looks like as a whole; which of its sleeves is white, no single vector can say. So a few
remembered frames, those with given masks and the last one, are kept as maps of short vectors, the
keys, with the objects' masks beside them. A place q of the new frame listens to the places j of
remembered frames that look like it, as in the space-time memory networks of the field::

    a_qj = softmax_j(s * key_q . key_j - |q - j|^2 / (2 r^2))   cosines; s is learned
    p_qo = sum_j a_qj valid_oj mask_oj / sum_j a_qj valid_oj

and the refiner takes p as one more thing to go by. How far q is from j, in r, counts for the last
frame alone: a look-alike elsewhere is not taken for the object. However long the video, there are
as many maps.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hodor.model.pyramid import Pyramid

SHARPNESS = 16.0  # s before any training
LEAST = 1e-6  # of what a place listens to, below which nothing is known
NEAR = 0.1  # r, in shorter sides of the frame
UNHEARD = -1e4  # a score that no two keys have
AT_ONCE = 2048  # places of the new frame that are compared at a time: some 20 MB


class Remembered(NamedTuple):
    """Places of remembered frames of one kind, J of all frames together, in any order."""

    keys: Tensor
    """(B, C, J), of length 1"""
    masks: Tensor
    """(B, O, J) in [0, 1]"""
    valid: Tensor
    """(B, O, J) of 0 and 1: whether the frame says where the object is; nobody hears a place that
    says nothing of any"""
    places: Tensor | None = None
    """(B, 2, J), rows and columns in shorter sides of the frame; None: near and far are alike"""


class Matched(NamedTuple):
    """What remembered frames of one kind say of a frame."""

    masks: Tensor
    """(B, O, y, x) in [0, 1], at stride 8"""
    known: Tensor
    """(B, O), 1 where any of the frames says something of the object, else 0"""
    likeness: Tensor
    """(B, 1, y, x) in [-1, 1]: the greatest cosine between a place and those remembered"""


class Matcher(nn.Module):
    """Keys of a frame, and reading masks by them; see the module.

    Args:
        fine: channels of F4.
        coarse: channels of F8.
        channels: of the keys, C; with tokens they have as many of these too.
        tokens: channels of tokens, 0 without.
    """

    def __init__(self, fine: int, coarse: int, channels: int, tokens: int = 0) -> None:
        super().__init__()
        self.project = nn.Conv2d(fine + coarse, channels, 1, bias=False)
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS).log())
        nn.init.orthogonal_(self.project.weight)
        self.tokens: nn.Module | None = None
        if tokens:
            self.tokens = nn.Conv2d(tokens, channels, 1)
            self.share = nn.Parameter(torch.zeros(()))  # of tokens in the cosines, before a sigmoid

    def keys(self, pyramid: Pyramid, tokens: Tensor | None = None) -> Tensor:
        """Keys (B, C, h/8, w/8) of a frame, of length 1.

        Args:
            pyramid: of the frame.
            tokens: (B, D, y, x) of the frame, at any size.
        """
        fine = F.normalize(F.avg_pool2d(pyramid.f4, 2), dim=1)
        coarse = F.normalize(pyramid.f8, dim=1)
        own = F.normalize(self.project(torch.cat([coarse, fine], 1)), dim=1)
        if self.tokens is None or tokens is None:
            return own
        meant = F.interpolate(
            self.tokens(F.normalize(tokens, dim=1)),
            size=own.shape[-2:],
            mode="bilinear",
            align_corners=False,
        )
        share = self.share.sigmoid()
        weighed = [own * (1 - share).sqrt(), F.normalize(meant, dim=1) * share.sqrt()]
        return torch.cat(weighed, 1)

    def forward(self, keys: Tensor, places: Tensor, remembered: Remembered) -> Matched:
        """Read the masks of remembered frames.

        Args:
            keys: (B, C, y, x) of the new frame.
            places: (B, 2, y, x) of them, as ``Remembered.places``.
            remembered: of O objects.
        """
        b, _c, y, x = keys.shape
        asked = torch.cat([keys, places], 1).flatten(2).transpose(1, 2)  # (B, N, C + 2)
        masks, valid = remembered.masks, remembered.valid
        values = torch.cat([masks * valid, valid], 1).transpose(1, 2)  # (B, J, 2 O)
        # An export records one run, with gradients, and has to do for all sizes.
        some = (asked,) if torch.is_grad_enabled() else torch.split(asked, AT_ONCE, 1)
        silent = valid.amax(1, keepdim=True) == 0  # (B, 1, J)
        silent = silent & ~silent.all(2, keepdim=True)
        parts = [self._read(part, remembered, values, silent) for part in some]
        read, likeness = (torch.cat(one, 1) for one in zip(*parts, strict=True))
        inside, heard = read.transpose(1, 2).chunk(2, 1)  # (B, O, N) each
        found, known = inside / heard.clamp(min=LEAST), valid.amax(2)
        # (B, O, N) and (B, N) before
        return Matched(found.view(b, -1, y, x), known, likeness.view(b, 1, y, x))

    def _read(
        self, asked: Tensor, remembered: Remembered, values: Tensor, silent: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What keys and places (B, n, C + 2) hear of (B, J, V); greatest cosines (B, n)."""
        sharpness = self.sharpness.exp()
        keys, places = asked[..., :-2], asked[..., -2:]
        scores = (keys * sharpness) @ remembered.keys  # (B, n, J)
        scores = scores.masked_fill(silent, UNHEARD)
        likeness = scores.amax(2) / sharpness
        if remembered.places is not None:
            scores = scores - _squared(places, remembered.places) / (2 * NEAR**2)
        return scores.softmax(2) @ values, likeness


def places_of(size: tuple[int, int], like: Tensor) -> Tensor:
    """Places (1, 2, y, x) of a whole frame's keys (y, x), in its shorter sides."""
    y, x = size
    rows = torch.arange(y, device=like.device, dtype=like.dtype) + 0.5
    columns = torch.arange(x, device=like.device, dtype=like.dtype) + 0.5
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None] / min(size)


def _squared(asked: Tensor, remembered: Tensor) -> Tensor:
    """Squared distances (B, n, J) of places (B, n, 2) and (B, 2, J)."""
    across = asked.square().sum(2, keepdim=True) + remembered.square().sum(1, keepdim=True)
    return across - 2 * asked @ remembered
