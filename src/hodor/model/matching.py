"""Matching: what each place of a frame looks like in remembered frames, and whose it was there.

Beyond the paper, and off in its form (``HodorConfig.match_channels``). A descriptor says what an
object looks like as a whole; which of its sleeves is white, no single vector can say. So a few
remembered frames, those with given masks, the last one and one between, are kept as maps of short
vectors, the keys, with the objects' masks beside them. A place q of the new frame listens to the
places j of remembered frames that look like it, as in the space-time memory networks of the field::

    a_qj = softmax_j(s * key_q . key_j - |q - j|^2 / (2 r^2))   cosines; s is learned
    p_qo = sum_j a_qj valid_oj mask_oj / sum_j a_qj valid_oj

and the refiner takes p as one more thing to go by. Tokens, where a network has them, have a share
in the cosines that is learned; in use it is smaller, the more so where several objects are
followed: tokens say what a thing is, not which of two it is. How far q is from j, in r, counts for
the last frame alone: a look-alike elsewhere is not taken for the object. However long the video,
there are as many maps.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hodor.model.attention import at_least_float32
from hodor.model.pyramid import Pyramid
from hodor.model.reading import Near, read_by_lines

SHARPNESS = 16.0  # s before any training
LEAST = 1e-6  # of what a place listens to, below which nothing is known
NEAR = 0.1  # r, in shorter sides of the frame
FARTHEST = -20.0  # least log of nearness along an axis: CPUs are slow with the tiny numbers below
# Of tokens in the cosines, at most, where one object is followed, and several (docs, Runs).
SHARE_OF_ONE, SHARE_OF_SEVERAL = 0.35, 0.2
UNHEARD = -1e4  # a score that no two keys have
UNTOLD = -1.0  # in place of a mask of which nothing is known
AT_ONCE = 6_000_000  # scores of places that are compared at a time: 24 MB
AT_ONCE_ON_CPU = 1_500_000  # the same; what is compared stays in the processor's cache


class Remembered(NamedTuple):
    """Places of remembered frames of one kind, J of all frames together, in any order."""

    keys: Tensor
    """(B, C, J), of length 1"""
    masks: Tensor
    """(B, O, J) in [0, 1]"""
    valid: Tensor
    """(B, O, J) in [0, 1]: how much what the frame says of the object counts, 0 if it says nothing;
    nobody hears a place that says nothing of any"""
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

    def keys(
        self, pyramid: Pyramid, tokens: Tensor | None = None, meant: Tensor | None = None
    ) -> Tensor:
        """Keys (B, C, h/8, w/8) of a frame, of length 1.

        The second half of the channels is what tokens say, where a network has them.

        Args:
            pyramid: of the frame.
            tokens: (B, D, y, x) of the frame, at any size.
            meant: (B, C / 2, h/8, w/8), in place of tokens: that half of another frame's keys,
                brought to this frame's places; its lengths do not count.
        """
        fine = F.normalize(F.avg_pool2d(pyramid.f4, 2), dim=1)
        coarse = F.normalize(pyramid.f8, dim=1)
        own = F.normalize(self.project(torch.cat([coarse, fine], 1)), dim=1)
        if self.tokens is not None and tokens is not None:
            meant = F.interpolate(
                self.tokens(F.normalize(tokens, dim=1)),
                size=own.shape[-2:],
                mode="bilinear",
                align_corners=False,
            )
        if meant is None:
            return own
        share = self.share.sigmoid()
        weighed = [own * (1 - share).sqrt(), F.normalize(meant, dim=1) * share.sqrt()]
        return torch.cat(weighed, 1)

    def forward(
        self,
        keys: Tensor,
        places: Tensor,
        remembered: Remembered,
        several: Tensor | None = None,
    ) -> Matched:
        """Read the masks of remembered frames.

        Args:
            keys: (B, C, y, x) of the new frame.
            places: (B, 2, y, x) of them, as ``Remembered.places``; rows and columns of a grid.
            remembered: of O objects.
            several: (B,) bool, whether more than one object is followed; None: not.
        """
        if several is not None and self.tokens is not None:
            keys = self._weighed(keys, several)
        return self.read(keys, places, remembered)

    def read(self, keys: Tensor, places: Tensor, remembered: Remembered) -> Matched:
        """The same, when it is settled how much tokens count in ``keys``."""
        b, _c, y, x = keys.shape
        masks, valid = remembered.masks, remembered.valid
        values = torch.cat([masks * valid, valid], 1).transpose(1, 2)  # (B, J, 2 O)
        silent = valid.amax(1, keepdim=True) == 0  # (B, 1, J)
        unheard = (silent & ~silent.all(2, keepdim=True)) * UNHEARD
        lines, rows = keys.permute(0, 2, 3, 1), places[:, 0, :, 0]  # (B, y, x, C), (B, y)
        # An export records one run, with gradients, and has to do for all sizes.
        some = [(lines, rows)]
        if torch.is_grad_enabled() or keys.device.type != "cpu":
            values = values.contiguous()
        else:
            # On a CPU products are quicker where what is multiplied lies by rows.
            by_rows = remembered.keys.transpose(1, 2).contiguous()
            remembered = remembered._replace(keys=by_rows.transpose(1, 2))
        if not torch.is_grad_enabled():
            scores = AT_ONCE_ON_CPU if keys.device.type == "cpu" else AT_ONCE
            at_once = max(1, scores // (x * max(1, remembered.keys.shape[2])))
            split = (torch.split(one, at_once, 1) for one in (lines, rows))
            some = list(zip(*split, strict=True))
        columns = places[:, 1, 0]
        parts = [self._read(*one, columns, remembered, values, unheard) for one in some]
        read, likeness = (torch.cat(one, 1) for one in zip(*parts, strict=True))
        inside, heard = read.transpose(1, 2).chunk(2, 1)  # (B, O, N) each
        found, known = inside / heard.clamp(min=LEAST), (valid.amax(2) > 0).to(valid.dtype)
        return Matched(found.view(b, -1, y, x), known, likeness.view(b, 1, y, x))

    def _weighed(self, keys: Tensor, several: Tensor) -> Tensor:
        """Keys (B, C, y, x) whose products with others are cosines with a smaller share of tokens.

        The others stay as they are: as they are kept, for any number of objects. While the share
        learns, it is as learned where one object is followed.
        """
        share = self.share.sigmoid()
        of_one = 1.0 if torch.is_grad_enabled() else SHARE_OF_ONE
        most = torch.where(several, SHARE_OF_SEVERAL, of_one)
        less = torch.minimum(share, most)[:, None, None, None]
        own, meant = keys.chunk(2, 1)
        factors = (1 - less) / (1 - share), less / share
        return torch.cat([own * factors[0], meant * factors[1]], 1).to(keys.dtype)

    def _read(
        self,
        lines: Tensor,
        rows: Tensor,
        columns: Tensor,
        remembered: Remembered,
        values: Tensor,
        unheard: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """What lines of a frame hear.

        Args:
            lines: keys (B, l, x, C).
            rows, columns: where they lie, (B, l) and (B, x).
            remembered: of J places.
            values: (B, J, V) of them.
            unheard: (B, 1, J), added to the scores of places.

        Returns:
            (B, l x, V), and the greatest cosines (B, l x).
        """
        b, _l, x, c = lines.shape
        sharpness = self.sharpness.exp()
        ours = lines.reshape(b, -1, c) * sharpness
        near: Near | None = None
        if remembered.places is not None:
            across = nearness(rows, remembered.places[:, 0])  # (B, l, J)
            along = nearness(columns, remembered.places[:, 1])  # (B, x, J)
            near = Near(across, along)
        learns = torch.is_grad_enabled() and ours.requires_grad and not values.requires_grad
        if learns and ours.device.type == "cpu":
            read, greatest = read_by_lines(ours, remembered.keys, values, unheard, near)
            return read, greatest / sharpness
        # No tensors of a step are larger: sums are made in place where no gradient is asked.
        add = torch.add if torch.is_grad_enabled() else Tensor.add_
        scores = add(at_least_float32(ours @ remembered.keys), unheard)  # (B, l x, J)
        likeness = scores.amax(2) / sharpness
        if near is not None:
            nearby = add(scores.view(b, -1, x, scores.shape[2]), near.across[:, :, None])
            scores = add(nearby, near.along[:, None]).view_as(scores)
        return scores.softmax(2) @ values, likeness


def followed(remembered: Sequence[Remembered]) -> Tensor:
    """Of how many objects any remembered frame says something: (B,)."""
    told = torch.stack([one.valid.amax(2) for one in remembered]).amax(0) > 0  # (B, O)
    return told.sum(1)


def masks_told(matched: Matched) -> Tensor:
    """The masks (B, O, y, x); ``UNTOLD`` for objects of which nothing is known."""
    known = matched.known[..., None, None]
    return matched.masks * known + (1 - known) * UNTOLD


def likeliest(told: Tensor, homes: Sequence[int] | None = None) -> Tensor:
    """How likely each object is at a place, in likelihoods of what is likeliest there.

    Of several that look the same each is as likely as the others, however many there are: 1.

    Args:
        told: (O, y, x), as from ``masks_told``, of frames that are heard wherever a place is.
        homes: a number for each object; those with different ones are no rivals, but those below
            0 are everyone's. None: all are rivals.

    Returns:
        (O, y, x) in [0, 1]; 1 for objects of which nothing is known.
    """
    known = told >= 0
    masks = told.clamp(min=0)
    others = greatest_of_others(masks[None])[0] if homes is None else _rivals(masks, homes)
    background = (1 - masks.sum(0, keepdim=True)).clamp(min=0)
    greatest = torch.maximum(masks, torch.maximum(others, background))
    return torch.where(known, masks / greatest.clamp(min=LEAST), 1.0)


def _rivals(masks: Tensor, homes: Sequence[int]) -> Tensor:
    """For each of (O, y, x) the maximum over the others at its home, and those without one."""
    others = torch.zeros_like(masks)
    for home in set(homes):
        here = [i for i, one in enumerate(homes) if one == home or one < 0]
        others[here] = greatest_of_others(masks[None, here])[0]
    return others


def greatest_of_others(values: Tensor) -> Tensor:
    """For each of (B, O, y, x), none below 0, the maximum over the others; 0 if it is alone."""
    padded = torch.cat([torch.zeros_like(values[:, :1]), values], 1)
    first, second = padded.topk(2, 1).values.unbind(1)
    first, second = first[:, None], second[:, None]
    return torch.where(values >= first, second, first)


def places_of(size: tuple[int, int], like: Tensor) -> Tensor:
    """Places (1, 2, y, x) of a whole frame's keys (y, x), in its shorter sides."""
    y, x = size
    rows = torch.arange(y, device=like.device, dtype=like.dtype) + 0.5
    columns = torch.arange(x, device=like.device, dtype=like.dtype) + 0.5
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None] / min(size)


def nearness(asked: Tensor, remembered: Tensor) -> Tensor:
    """Logs of a Gaussian of distances along one axis: (B, n, J) of places (B, n) and (B, J)."""
    far = -(asked[:, :, None] - remembered[:, None]).square() / (2 * NEAR**2)
    return far.clamp(min=FARTHEST)
