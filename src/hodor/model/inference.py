"""A copy of a network that is ready for inference: nothing left to convert at each frame."""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from hodor.model.deform import DeformableConv
from hodor.model.linear import fused
from hodor.model.network import Hodor


class ReluConv(nn.Module):
    """A convolution and the ReLU after it, in one pass where oneDNN serves.

    Args:
        conv: the convolution; any subclass of ``nn.Conv2d`` keeps its own padding.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, y, x) to (B, D, y', x')."""
        conv = self.conv
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        if type(conv) is not nn.Conv2d or conv.weight.dtype != x.dtype or not fused(x):
            return cast(Tensor, conv(x).relu_())
        return cast(
            Tensor,
            torch.ops.mkldnn._convolution_pointwise(
                x,
                conv.weight,
                conv.bias,
                conv.padding,
                conv.stride,
                conv.dilation,
                conv.groups,
                "relu",
                [],
                "",
            ),
        )


def inference_copy(network: Hodor, dtype: torch.dtype = torch.float32) -> Hodor:
    """A network that computes what ``network`` does, without gradients and in less time.

    Layers' weights are channels-last and in ``dtype``, batch norms are folded, ReLUs joined to the
    convolutions before them. Names of parameters differ from the original's.

    Args:
        network: in any mode; it is not changed, and its later changes do not reach the copy.
        dtype: float32, or the lower precision to which autocast is set when the copy is used.
    """
    ours = copy.deepcopy(network).requires_grad_(False).eval()
    ours.backbone.prepare_for_inference()
    precise = {m.offsets for m in ours.modules() if isinstance(m, DeformableConv)}
    for module in ours.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.MultiheadAttention):
            if module in precise:
                continue
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.to(dtype)
    _join_relus(ours)
    return ours.to(memory_format=torch.channels_last)


def _join_relus(module: nn.Module) -> None:
    """Make one module of each convolution and the ReLU that runs right after it, in place."""
    before: nn.Module | None = None
    name_before = ""
    for name, child in list(module.named_children()):
        # What a folded batch norm leaves in its place runs right after the convolution.
        follows = isinstance(module, nn.Sequential) or name.startswith("bn")
        if isinstance(child, nn.ReLU) and isinstance(before, nn.Conv2d) and follows:
            module.add_module(name_before, ReluConv(before))
            module.add_module(name, nn.Identity())
        _join_relus(child)
        before, name_before = child, name
