"""Convolutions that learn in float32 where a CPU learns in bfloat16 otherwise.

By oneDNN's bfloat16 kernels, as PyTorch 2.14 has them, gradients of depthwise convolutions take
four to eight times as long as in float32; and those of dilated ones are off by half, or not
numbers, where channels are no multiple of 16 (seen with AVX-512 BF16, not with AMX).
"""

from collections.abc import Callable

import torch
from torch import Tensor

CHANNELS = 16  # what channels of dilated convolutions must be a multiple of, in bfloat16


def learned_in_float32(apply: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``apply(x)``, where a CPU learns in bfloat16 in float32.

    Args:
        apply: a layer.
        x: (B, C, y, x).

    Returns:
        What the layer gives, in the type of ``x`` if it was in float32.
    """
    if x.device.type != "cpu" or not torch.is_grad_enabled():
        return apply(x)
    if not torch.is_autocast_enabled("cpu"):
        return apply(x)
    with torch.autocast("cpu", enabled=False):
        return apply(x.float()).to(x.dtype)
