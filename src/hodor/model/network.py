"""HODOR: extract a pyramid, describe patches, segment another frame."""

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hodor.model.backbones import make_backbone
from hodor.model.config import HodorConfig
from hodor.model.decoder import Decoder, compare
from hodor.model.descriptors import Descriptors, History
from hodor.model.encoder import Encoder, pool
from hodor.model.matching import Matcher, Remembered, followed, masks_told
from hodor.model.patches import objects_to_stride_8, patch_masks, to_stride_8
from hodor.model.pyramid import FeaturePyramid, Pyramid
from hodor.model.refiner import Prior, Refined, Refiner
from hodor.types import JsonObject

MATCHED_KINDS = 2  # of remembered frames: with given masks, the last one


class Hodor(nn.Module):
    """The network of the paper: any number of objects in one pass.

    Three steps, each differentiable::

        pyramid = network.extract(images)                  # section 3
        descriptors = network.describe(pyramid, masks)     # section 3.1
        logits = network.segment(other_pyramid, History.of(descriptors))  # section 3.2

    Args:
        config: every choice; the default is the released network.
    """

    def __init__(self, config: HodorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or HodorConfig()
        self.metadata: JsonObject = {}
        """What the model's file says of it: name, scores, defaults for tracking."""
        self.backbone = make_backbone(config)
        self.pyramid = FeaturePyramid(
            self.backbone.channels, config.stride_4_channels, config.channels
        )
        if not config.barebones:
            self.encoder = Encoder(config)
            self.decoder = Decoder(config)
        if config.embeddings and not config.barebones:
            self.object_embedding = nn.Parameter(torch.randn(config.channels))
            self.background_embedding = nn.Parameter(torch.randn(config.cells, config.channels))
        else:
            self.register_buffer("object_embedding", torch.zeros(config.channels), persistent=False)
            self.register_buffer(
                "background_embedding",
                torch.zeros(config.cells, config.channels),
                persistent=False,
            )

        fine = config.stride_4_channels
        self.tokens: nn.Module | None = None
        width = 0
        if config.tokens != "none":
            from hodor.model import tokens  # brings a large part of timm

            self.tokens = tokens.Tokens(config.pixel_mean, config.pixel_std)
            width = tokens.CHANNELS
        self.matcher: Matcher | None = None
        if config.match_channels:
            self.matcher = Matcher(fine, config.channels, config.match_channels, width)
        self.refiner: Refiner | None = None
        if config.refiner_channels:
            kinds = MATCHED_KINDS if config.match_channels else 0
            self.refiner = Refiner(fine, config.refiner_channels, kinds)

    def extract(self, images: Tensor) -> Pyramid:
        """Features of normalised ``images`` (B, 3, h, w); h and w are multiples of 32."""
        return cast(Pyramid, self.pyramid(self.backbone(images)))

    def describe(
        self, pyramid: Pyramid, masks: Tensor, present: Tensor | None = None
    ) -> Descriptors:
        """Descriptors of objects and background cells.

        Args:
            pyramid: of the frame that the masks belong to.
            masks: (B, O, y, x) in [0, 1], soft or hard. At the image's size (given masks: the
                background is cut there, then all are resized) or at stride 8 (predicted masks).
            present: (B, O) bool, in networks that take objects together: others only fill the
                shape, with empty masks, and change nothing; None: all are there.

        Returns:
            Objects (B, O, C) and background (B, G, C); see ``Descriptors`` for one at a time.
        """
        if self.config.joint_objects:
            return self._describe(pyramid.f8, masks, present)
        b, o = masks.shape[:2]
        # Each object as a clip of its own: (B * O, C, h/8, w/8) and (B * O, 1, y, x)
        d = self._describe(pyramid.f8.repeat_interleave(o, 0), masks.flatten(0, 1)[:, None])
        return Descriptors(
            d.objects.reshape(b, o, -1),  # (B * O, 1, C) before
            d.background.reshape(b, o * self.config.cells, -1),  # (B * O, G, C) before
        )

    def describe_patches(
        self, f8: Tensor, objects: Tensor, cells: Tensor, present: Tensor | None = None
    ) -> Descriptors:
        """Descriptors from masks at stride 8 whose background is cut already.

        Args:
            f8: features of the frame at stride 8, (B, C, h/8, w/8).
            objects: (B, O, h/8, w/8).
            cells: (B, G, h/8, w/8).
            present: (B, O) bool, see ``describe``.

        Returns:
            Objects (B, O, C) and background (B, G, C).
        """
        masks = torch.cat([cells, objects], 1).to(f8.dtype)  # (B, G + O, h/8, w/8)
        count = objects.shape[1]
        if self.config.barebones:
            pooled = pool(self.config, f8, masks, count)
            return Descriptors(pooled[:, -count:], pooled[:, :-count])
        embedding = torch.cat(
            [self.background_embedding, self.object_embedding.expand(count, -1)], 0
        )
        absent = None if present is None else F.pad(~present, (cells.shape[1], 0))  # (B, G + O)
        d = self.encoder(f8, masks, count, embedding, absent)
        return Descriptors(d[:, -count:], d[:, :-count])

    def segment(self, pyramid: Pyramid, history: History) -> Tensor:
        """Find the objects of ``history`` in a frame.

        Args:
            pyramid: of the frame to segment.
            history: descriptors of past frames.

        Returns:
            Logits (B, K + O, h/4, w/4), float32: K = ``config.background_channels`` of background
            (catch-all, then cells), then objects in the history's order. A softmax over channels
            gives the masks (Eq. 4).
        """
        if self.config.joint_objects:
            return self._segment(pyramid, history)
        b, _t, o, _ = history.objects.shape
        alone = _one_at_a_time(history, self.config.cells)
        repeated = Pyramid(*(f.repeat_interleave(o, 0) for f in pyramid))
        logits = self._segment(repeated, alone)  # (B * O, K' + 1, y, x)
        # Each pass has a background of its own; what counts is how far the object beats it.
        ahead = logits[:, -1] - logits[:, :-1].amax(1)  # (B * O, y, x)
        ahead = ahead.view(b, o, *ahead.shape[-2:])
        return torch.cat([torch.zeros_like(ahead[:, :1]), ahead], 1)

    def keys(self, images: Tensor, pyramid: Pyramid, meant: Tensor | None = None) -> Tensor | None:
        """By what other frames are matched with these: (B, C, h/8, w/8); None: no matching.

        Args:
            images: (B, 3, h, w), normalised.
            pyramid: of them.
            meant: in place of the images' tokens, see ``Matcher.keys``.
        """
        if self.matcher is None:
            return None
        tokens = None if self.tokens is None or meant is not None else self.tokens(images)
        return self.matcher.keys(pyramid, tokens, meant)

    def refine(
        self,
        images: Tensor,
        pyramid: Pyramid,
        logits: Tensor,
        prior: Prior,
        keys: Tensor | None = None,
        places: Tensor | None = None,
        remembered: Sequence[Remembered] = (),
    ) -> Refined:
        """Correct what ``segment`` gave; without a refiner it stays as it is.

        Args:
            images: (B, 3, h, w), normalised, of the frame.
            pyramid: of the frame.
            logits: (B, K + O, h/4, w/4).
            prior: of the O objects, in the same order.
            keys: of the frame, from ``keys``.
            places: (B, 2, h/8, w/8) of the keys; see ``Remembered.places``.
            remembered: for a network that matches: frames with given masks, and the last one.
        """
        if self.refiner is None:
            return Refined(logits, None)
        matched = []
        if self.matcher is not None and keys is not None and places is not None:
            several = None if self.tokens is None else followed(remembered) > 1
            matched = [self.matcher(keys, places, one, several) for one in remembered]
        refined = self.refiner(images, pyramid.f4, logits, prior, matched)
        if not matched:
            return Refined(refined, None)
        return Refined(refined, masks_told(matched[0]))

    def forward(self, images: Tensor, masks: Tensor, targets: Tensor) -> Tensor:
        """Segment the objects of ``images`` in ``targets``.

        Args:
            images: (B, 3, h, w), normalised; h and w are multiples of 32.
            masks: (B, O, h, w) of their objects, in [0, 1].
            targets: (B, 3, h, w), normalised.

        Returns:
            Logits (B, K + O, h/4, w/4), as ``segment`` gives them.
        """
        descriptors = self.describe(self.extract(images), masks)
        return self.segment(self.extract(targets), History.of(descriptors))

    def _describe(self, f8: Tensor, masks: Tensor, present: Tensor | None = None) -> Descriptors:
        objects, cells = patch_masks(masks, self.config.background_grid)
        if masks.shape[-2:] != f8.shape[-2:]:
            cells, objects = to_stride_8(cells), objects_to_stride_8(objects)
        return self.describe_patches(f8, objects, cells, present)

    def _segment(self, pyramid: Pyramid, history: History) -> Tensor:
        if self.config.barebones:
            return compare(pyramid.f4, history, self.config.channels**-0.5)
        return cast(
            Tensor,
            self.decoder(pyramid, history, self.object_embedding, self.background_embedding),
        )


def _one_at_a_time(history: History, cells: int) -> History:
    """The history of each object alone, as a batch of B * O histories of one object."""
    b, t, o, c = history.objects.shape
    objects = history.objects.transpose(1, 2).reshape(b * o, t, 1, c)  # (B, T, O, C) before
    # (B, T, O * G, C) to (B, O, T, G, C)
    background = history.background.view(b, t, o, cells, c).transpose(1, 2)
    valid = history.object_valid
    if valid is not None:
        valid = valid.transpose(1, 2).reshape(b * o, t)  # (B, T, O) to (B * O, T)
    return History(
        objects,
        background.reshape(b * o, t, cells, c),  # (B, O, T, G, C) before
        None if valid is None else valid[..., None],
        valid,
    )


def normalise(config: HodorConfig, frames: Tensor) -> Tensor:
    """Bring pixels into the range that the backbone was trained with.

    Args:
        config: whose ``pixel_mean`` and ``pixel_std`` count.
        frames: float RGB in 0..255, (B, 3, h, w) with any axes before the last three.

    Returns:
        The same shape, with a mean of about 0 and a deviation of about 1.
    """
    mean, std = (
        _by_channel(values, frames.device, frames.dtype)
        for values in (config.pixel_mean, config.pixel_std)
    )
    return (frames - mean) / std


@lru_cache(maxsize=16)
def _by_channel(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """One number for each channel, (3, 1, 1): sent to the device once, not with every frame."""
    with torch.inference_mode(False):  # what is cached may be used in any mode
        return torch.tensor(values, dtype=dtype, device=device)[:, None, None]


def object_probabilities(logits: Tensor, background: int) -> Tensor:
    """Objects' masks (B, O, y, x) from logits (B, background + O, y, x) (Eq. 4)."""
    return logits.softmax(1)[:, background:]
