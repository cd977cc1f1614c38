"""The descriptor encoder (section 3.1): a pyramid and masks to descriptors."""

import copy
from typing import cast

from torch import Tensor, nn

from hodor.model.attention import FeedForward, MaskedCrossAttention, sine_positions
from hodor.model.config import HodorConfig
from hodor.model.patches import pool_hard, pool_soft


class EncoderLayer(nn.Module):
    """Eq. 1: self-attention between descriptors, masked cross-attention to pixels, FFN."""

    def __init__(self, config: HodorConfig) -> None:
        super().__init__()
        c = config.channels
        self.normalize_first = config.normalize_first
        self.self_attention = nn.MultiheadAttention(
            c, config.heads, config.dropout, batch_first=True
        )
        self.cross_attention = MaskedCrossAttention(config)
        self.ffn = FeedForward(config, hidden=4 * c)
        self.self_norm = nn.LayerNorm(c)
        self.cross_norm = nn.LayerNorm(c)
        self.ffn_norm = nn.LayerNorm(c)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        d: Tensor,
        embedding: Tensor,
        keys: Tensor,
        values: Tensor,
        masks: Tensor,
        absent: Tensor | None = None,
    ) -> Tensor:
        """Refine descriptors.

        Args:
            d: (B, P, C).
            embedding: (P, C), added to queries and keys of the self-attention.
            keys, values: pixels of F8, (B, N, C).
            masks: (B, P, N).
            absent: (B, P) bool, patches that no other listens to; None: there are none.

        Returns:
            (B, P, C).
        """
        if self.normalize_first:
            d = d + self._attend(self.self_norm(d), embedding, absent)
            d = d + self.dropout(self.cross_attention(self.cross_norm(d), keys, values, masks))
            return cast(Tensor, self.ffn(self.ffn_norm(d), plus=d))
        d = self.self_norm(d + self._attend(d, embedding, absent))
        d = self.cross_norm(d + self.dropout(self.cross_attention(d, keys, values, masks)))
        return cast(Tensor, self.ffn_norm(self.ffn(d, plus=d)))

    def _attend(self, d: Tensor, embedding: Tensor, absent: Tensor | None) -> Tensor:
        query = d + embedding
        attended, _ = self.self_attention(
            query, query, d, key_padding_mask=absent, need_weights=False
        )
        return cast(Tensor, self.dropout(attended))


class Encoder(nn.Module):
    """Pools a first descriptor for each patch, then refines all of them together."""

    def __init__(self, config: HodorConfig) -> None:
        super().__init__()
        c = config.channels
        self.config = config
        # Layers start as copies of one another, as in the released network.
        layer = EncoderLayer(config)
        self.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(config.encoder_layers))
        self.norm = nn.LayerNorm(c) if config.normalize_first else nn.Identity()
        self.stand_in: nn.Module = nn.Identity()
        if config.encoder_layers == 0 and config.zero_layers == "paper":
            self.stand_in = nn.Sequential(
                nn.Linear(c, c), nn.ReLU(), nn.Linear(c, c), nn.ReLU(), nn.Linear(c, c)
            )

    def forward(
        self,
        f8: Tensor,
        masks: Tensor,
        objects: int,
        embedding: Tensor,
        absent: Tensor | None = None,
    ) -> Tensor:
        """Describe patches.

        Args:
            f8: (B, C, y, x).
            masks: (B, P, y, x) in [0, 1], background first, objects last.
            objects: number of objects among the P patches.
            embedding: (P, C).
            absent: (B, P) bool, see ``EncoderLayer``.

        Returns:
            Descriptors (B, P, C), in the order of ``masks``.
        """
        d = pool(self.config, f8, masks, objects)
        pixels = f8.flatten(2).transpose(1, 2)  # (B, N, C)
        keys = pixels
        if self.config.encoder_positions:
            h, w = f8.shape[-2:]
            keys = pixels + sine_positions(h, w, f8.shape[1], f8.device, f8.dtype)
        for layer in self.layers:
            d = layer(d, embedding, keys, pixels, masks.flatten(2), absent)  # masks (B, P, N)
        return cast(Tensor, self.stand_in(self.norm(d)))


def pool(config: HodorConfig, f8: Tensor, masks: Tensor, objects: int) -> Tensor:
    """First descriptors (B, P, C) by average pooling, as ``config.pooling`` says."""
    if config.pooling == "soft":
        return pool_soft(f8, masks)
    return pool_hard(f8, masks, objects)
