"""Linear layers by the kernels that are fastest for them on this processor."""

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["none", "relu", "gelu"]


def linear_plain(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    activation: Activation = "none",
    plus: Tensor | None = None,
) -> Tensor:
    """A linear layer, then an activation, then a residual.

    Args:
        x: (..., C).
        weight: (D, C).
        bias: (D,) or None.
        activation: of the layer's result.
        plus: (..., D), added to the result.

    Returns:
        (..., D).
    """
    y = F.linear(x, weight, bias)
    if activation != "none":
        y = F.relu(y) if activation == "relu" else F.gelu(y)
    return y if plus is None else plus + y


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    activation: Activation = "none",
    plus: Tensor | None = None,
) -> Tensor:
    """The same as ``linear_plain``; in inference on x86 processors by oneDNN, in one pass.

    The default BLAS reaches about half of oneDNN's speed in float32 on AMD's processors.

    Args:
        x, weight, bias, activation, plus: as for ``linear_plain``.

    Returns:
        (..., D) for ``weight`` (D, C).
    """
    if not fused(x):
        return linear_plain(x, weight, bias, activation, plus)
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        x, weight = x.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    if plus is not None and (activation != "none" or plus.dtype != x.dtype):
        return plus + linear(x, weight, bias, activation)
    rows = x.reshape(-1, x.shape[-1])  # (n, C)
    if plus is None:
        y = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, activation, [], "none")
    else:
        before = plus.reshape(-1, len(weight))  # (n, D)
        y = torch.ops.mkldnn._linear_pointwise.binary(rows, before, weight, bias, "add")
    return cast(Tensor, y).view(*x.shape[:-1], len(weight))


def fused(x: Tensor) -> bool:
    """Whether oneDNN's fused layers, which know no gradients, can serve."""
    return (
        not torch.is_grad_enabled()
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)
        and x.numel() > 0
        and fast_processor(x.dtype)
        and not torch.compiler.is_compiling()
        and not torch.onnx.is_in_onnx_export()
    )


def fast_processor(dtype: torch.dtype) -> bool:
    """Whether oneDNN has fast kernels for this processor and ``dtype``."""
    if dtype == torch.bfloat16 and _CAPABILITY != "AVX512":
        return False
    return _CAPABILITY in ("AVX2", "AVX512") and hasattr(torch.ops.mkldnn, "_linear_pointwise")


_CAPABILITY = torch.backends.cpu.get_cpu_capability()


def linear_rows(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``F.linear`` of rows (N, C) with a matrix (D, C): (N, D); with gradients by oneDNN too.

    A 1x1 convolution is the same product.
    """
    if not (
        rows.dtype == torch.float32 and rows.device.type == "cpu" and fast_processor(rows.dtype)
    ):
        return F.linear(rows, weight, bias)
    image = rows.t()[None, :, None]  # (1, C, 1, N), channels-last
    kernel = weight[:, :, None, None].to(memory_format=torch.channels_last)
    return F.conv2d(image, kernel, bias)[0, :, 0].t()


class Linear(nn.Linear):
    """``nn.Linear`` by the fastest way, with what follows it in the same pass."""

    def forward(
        self, x: Tensor, activation: Activation = "none", plus: Tensor | None = None
    ) -> Tensor:
        """Map (..., C) to (..., D) by ``weight`` (D, C); the rest as for ``linear_plain``."""
        return linear(x, self.weight, self.bias, activation, plus)
