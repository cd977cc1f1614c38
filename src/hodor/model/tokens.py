"""Tokens of DINOv2's small vision transformer: what a place means, learned from stills unlabelled.

For networks that match by them (``HodorConfig.tokens``). The transformer is timm's. Oquab et al.,
DINOv2: Learning Robust Visual Features without Supervision, 2023.
"""

from collections.abc import Mapping
from typing import cast

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from hodor.model.backbones.base import check_weights

NAME = "vit_small_patch14_dinov2"
PATCH = 14  # pixels
MOST = 18  # patches along the shorter side, as in training: the time grows faster than their number
MOST_ON_CPUS = 14  # in inference: a few tenths of a point less, in 0.6 of the time (docs, Runs)
CHANNELS = 384
# Of RGB in 0..1, as DINOv2 was trained.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Tokens(nn.Module):
    """DINOv2 ViT-S/14, with random weights.

    Args:
        pixel_mean, pixel_std: with which the network's images are normalised, of RGB in 0..255.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, pixel_mean: tuple[float, ...], pixel_std: tuple[float, ...]) -> None:
        super().__init__()
        made = timm.create_model(NAME, pretrained=False, num_classes=0, dynamic_img_size=True)
        self.body = cast(VisionTransformer, made)
        self.most_on_cpus = MOST
        scale = [ours / (255 * theirs) for ours, theirs in zip(pixel_std, STD, strict=True)]
        shift = [
            (ours / 255 - mean) / std for ours, mean, std in zip(pixel_mean, MEAN, STD, strict=True)
        ]
        self.register_buffer("scale", torch.tensor(scale)[:, None, None], persistent=False)
        self.register_buffer("shift", torch.tensor(shift)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Tokens (B, 384, y, x) of normalised images (B, 3, h, w); y and x are about h, w / 14,
        of larger images fewer: see ``MOST``."""
        h, w = images.shape[-2:]
        most = self.most_on_cpus if images.device.type == "cpu" else MOST
        patch = max(PATCH, min(h, w) / most)
        y, x = (max(1, round(side / patch)) for side in (h, w))
        sized = F.interpolate(images, (y * PATCH, x * PATCH), mode="bilinear", align_corners=False)
        seen = self.body.forward_features(sized * self.scale + self.shift)
        patches = seen[:, 1:]  # (B, y * x, 384); the first stands for the whole picture
        return patches.transpose(1, 2).reshape(-1, CHANNELS, y, x)

    def prepare_for_inference(self) -> None:
        """Compute the same without gradients, faster; on CPUs fewer tokens of large images."""
        self.most_on_cpus = MOST_ON_CPUS
        for block in self.body.blocks:
            block.attn = ReadyAttention(cast(nn.Module, block.attn))

    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """Fill it with weights in timm's layout.

        Raises:
            WeightsError: a tensor is missing or has another shape.
        """
        check_weights(NAME, self.body.state_dict(), weights)
        self.body.load_state_dict(weights)


class ReadyAttention(nn.Module):
    """Attention of a vision transformer; in bfloat16 on CPUs it is a softmax between two products.

    PyTorch's fused attention takes twice as long there for the hundreds of tokens of a picture.

    Args:
        attention: timm's, without masks, gates or norms of its own.
    """

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.qkv, self.proj = (attention.get_submodule(name) for name in ("qkv", "proj"))
        self.heads, self.scale = cast(int, attention.num_heads), cast(float, attention.scale)

    def forward(self, x: Tensor, **nothing: None) -> Tensor:
        """Tokens (B, N, C) to (B, N, C); ``nothing``: the masks that some of timm's blocks pass."""
        b, n, _c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, h, N, c)
        if q.device.type == "cpu" and q.dtype == torch.bfloat16:
            with torch.autocast("cpu", enabled=False):  # its softmax would be in float32
                heard = ((q * self.scale) @ k.transpose(2, 3)).softmax(3) @ v
        else:
            heard = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return cast(Tensor, self.proj(heard.transpose(1, 2).reshape(b, n, -1)))
