"""Tokens of DINOv2's small vision transformer: what a place means, learned from stills unlabelled.

For networks that match by them (``HodorConfig.tokens``). The transformer is timm's. Oquab et al.,
DINOv2: Learning Robust Visual Features without Supervision, 2023.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import cast

import timm
import torch
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from hodor.model.backbones.base import check_weights
from hodor.model.linear import linear

NAME = "vit_small_patch14_dinov2"
PATCH = 14  # pixels
MOST = 18  # patches along the shorter side, as in training: the time grows faster than their number
MOST_ON_CPUS = 14  # in inference: a few tenths of a point less, in 0.6 of the time (docs, Runs)
CHANNELS = 384
SIZES = 6  # of images for which codes of places are kept: a whole view and its narrower forms
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
        self.body: VisionTransformer | ReadyTransformer = cast(VisionTransformer, made)
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
        self.body = ReadyTransformer(cast(VisionTransformer, self.body))

    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """Fill it with weights in timm's layout.

        Raises:
            WeightsError: a tensor is missing or has another shape.
        """
        check_weights(NAME, self.body.state_dict(), weights)
        self.body.load_state_dict(weights)


class ReadyTransformer(nn.Module):
    """The same transformer without gradients: what does not depend on the image is worked out once.

    Args:
        body: timm's; its weights are taken over, and changed.
    """

    def __init__(self, body: VisionTransformer) -> None:
        super().__init__()
        self.patch_embed, self.norm = body.patch_embed, body.norm
        self.first = cast(nn.Parameter, body.cls_token)
        self.places = cast(nn.Parameter, body.pos_embed)
        self.blocks = nn.Sequential(*(ReadyBlock(one) for one in body.blocks))
        self._kept_places = lru_cache(maxsize=SIZES)(self._places_anew)

    def forward_features(self, images: Tensor) -> Tensor:
        """Tokens (B, 1 + y * x, C) of images (B, 3, 14 y, 14 x); the first is of all of them."""
        patches = self.patch_embed(images)  # (B, y, x, C)
        b, y, x, c = patches.shape
        tokens = torch.cat([self.first.expand(b, -1, -1), patches.view(b, y * x, c)], 1)
        return cast(Tensor, self.norm(self.blocks(tokens + self._places(y, x))))

    def _places(self, y: int, x: int) -> Tensor:
        """The code of places, and of the first token: (1, 1 + y * x, C); kept for a few sizes.

        A captured CUDA graph makes it itself: what is kept could be dropped under it.
        """
        if self.places.is_cuda and torch.cuda.is_current_stream_capturing():
            return self._places_anew(y, x)
        return self._kept_places(y, x)

    def _places_anew(self, y: int, x: int) -> Tensor:
        old = list(cast(tuple[int, int], self.patch_embed.grid_size))
        anew = resample_abs_pos_embed(self.places, [y, x], old, num_prefix_tokens=1)
        return cast(Tensor, anew)


class ReadyBlock(nn.Module):
    """A block of a vision transformer with few passes over its tokens.

    What each branch and the queries are multiplied by is in their weights; activations, and sums in
    float32, are joined to the layers before them.

    Args:
        block: timm's, with layer scales, without masks or norms of its own within its branches.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.norm1, self.norm2 = (block.get_submodule(name) for name in ("norm1", "norm2"))
        self.attention = ReadyAttention(block.get_submodule("attn"))
        self.wide, self.narrow = (
            cast(nn.Linear, block.get_submodule(name)) for name in ("mlp.fc1", "mlp.fc2")
        )
        for name, last in (("ls1", self.attention.proj), ("ls2", self.narrow)):
            scaled(last, block.get_parameter(f"{name}.gamma"))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, C) to (B, N, C)."""
        x = self.attention(self.norm1(x), plus=x)
        wide = linear(self.norm2(x), self.wide.weight, self.wide.bias, "gelu")
        return linear(wide, self.narrow.weight, self.narrow.bias, plus=x)


class ReadyAttention(nn.Module):
    """Attention of a vision transformer; in bfloat16 on CPUs it is a softmax between two products.

    PyTorch's fused attention takes twice as long there for the hundreds of tokens of a picture.

    Args:
        attention: timm's, without masks, gates or norms of its own.
    """

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.qkv, self.proj = (
            cast(nn.Linear, attention.get_submodule(name)) for name in ("qkv", "proj")
        )
        self.heads = cast(int, attention.num_heads)
        queries = self.qkv.weight.new_ones(len(self.qkv.weight))
        queries[: len(queries) // 3] = cast(float, attention.scale)
        scaled(self.qkv, queries)

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """Tokens (B, N, C) to (B, N, C); ``plus``, of that shape, is added to the result."""
        b, n, _c = x.shape
        qkv = linear(x, self.qkv.weight, self.qkv.bias)
        q, k, v = qkv.view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, h, N, c)
        if q.device.type == "cpu" and q.dtype == torch.bfloat16:
            with torch.autocast("cpu", enabled=False):  # its softmax would be in float32
                heard = (q @ k.transpose(2, 3)).softmax(3) @ v
        else:
            heard = F.scaled_dot_product_attention(q, k, v, scale=1.0)
        joined = heard.transpose(1, 2).reshape(b, n, -1)
        return linear(joined, self.proj.weight, self.proj.bias, plus=plus)


def scaled(layer: nn.Linear, by: Tensor) -> None:
    """Multiply what a layer gives, in place: each of its D values by one of ``by`` (D,)."""
    layer.weight.data *= by[:, None]
    layer.bias.data *= by
