"""A copy of a network that is ready for inference: nothing left to convert at each frame."""

import copy
from typing import cast

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import pad_same
from torch import Tensor, nn

from hodor.model.deform import DeformableConv
from hodor.model.linear import fused
from hodor.model.network import Hodor
from hodor.model.quick_matching import QuickMatcher
from hodor.model.refiner import Refiner
from hodor.model.tokens import Tokens
from hodor.model.windowed import WindowedRefiner

SIZES = 6  # of images for which weights are kept: a whole view and its narrower forms
WINDOWS = 32  # the same for a refiner's, which are small
WIDE = 48  # channels of a refiner that is worth windows


class ReadyConv(nn.Module):
    """A convolution, and the ReLU after it if there is one, in one pass where oneDNN serves.

    oneDNN lays weights out in blocks that suit a size of image. Here that is done once for a size,
    not at each frame: the weights of the coarse layers are larger than what they are applied to.
    Those for the latest few ``sizes`` are kept, as views of a tracker become narrower and wider.

    Args:
        conv: the convolution; a subclass of ``nn.Conv2d`` keeps its own padding.
        relu: whether a ReLU follows.
    """

    def __init__(self, conv: nn.Conv2d, *, relu: bool = False) -> None:
        super().__init__()
        self.conv, self.relu, self.sizes = conv, relu, SIZES
        self.own_padding = type(conv) not in (nn.Conv2d, Conv2dSame) or conv.padding_mode != "zeros"
        self._laid_out: dict[torch.Size, Tensor] = {}  # by size, the latest last

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, y, x) to (B, D, y', x')."""
        conv = self.conv
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        if self.own_padding or conv.weight.dtype != x.dtype or not fused(x):
            y = cast(Tensor, conv(x))
            return y.relu_() if self.relu else y
        if isinstance(conv, Conv2dSame):
            x = pad_same(x, list(conv.kernel_size), list(conv.stride), list(conv.dilation))
        x = x.contiguous(memory_format=torch.channels_last)
        how = (conv.padding, conv.stride, conv.dilation, conv.groups)
        activation = "relu" if self.relu else "none"
        y = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight(x.shape), conv.bias, *how, activation, [], ""
        )
        return cast(Tensor, y)

    def _weight(self, size: torch.Size) -> Tensor:
        """The weights for images of ``size``: an opaque tensor of oneDNN's."""
        weight = self._laid_out.pop(size, None)
        if weight is None:
            conv = self.conv
            how = (conv.padding, conv.stride, conv.dilation, conv.groups)
            weight = torch.ops.mkldnn._reorder_convolution_weight(conv.weight, *how, list(size))
        self._laid_out[size] = weight
        # A list first: another thread with the same network may add and drop sizes meanwhile.
        for old in list(self._laid_out)[: -self.sizes]:
            self._laid_out.pop(old, None)
        return weight


def inference_copy(
    network: Hodor, dtype: torch.dtype = torch.float32, *, windowed: bool = True
) -> Hodor:
    """A network that computes what ``network`` does, without gradients and in less time.

    It differs by rounding, and on CPUs in that large images have fewer tokens (``MOST_ON_CPUS``).
    Layers' weights are channels-last and in ``dtype``, batch norms are folded, ReLUs joined to the
    convolutions before them. Names of parameters differ from the original's.

    Args:
        network: in any mode; it is not changed, and its later changes do not reach the copy.
        dtype: float32, or the lower precision to which autocast is set when the copy is used.
        windowed: whether a wide refiner works in windows, on CPUs and for many objects.
    """
    ours = copy.deepcopy(network).requires_grad_(False).eval()
    ours.backbone.prepare_for_inference()
    if isinstance(ours.tokens, Tokens):
        ours.tokens.prepare_for_inference()
    precise = {m.offsets for m in ours.modules() if isinstance(m, DeformableConv)}
    for module in ours.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.MultiheadAttention):
            if module in precise:
                continue
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.to(dtype)
    _make_ready(ours)
    if ours.refiner is not None:
        ours.refiner = _ready_refiner(ours.refiner, windowed=windowed)
    if ours.matcher is not None:
        ours.matcher = QuickMatcher(ours.matcher)
    return ours.to(memory_format=torch.channels_last)


def _make_ready(module: nn.Module) -> None:
    """Make each convolution, and the ReLU that runs right after it, a ``ReadyConv``, in place."""
    before: ReadyConv | None = None
    for name, child in list(module.named_children()):
        # What a folded batch norm leaves in its place runs right after the convolution.
        follows = isinstance(module, nn.Sequential) or name.startswith("bn")
        ready: ReadyConv | None = None
        if isinstance(child, nn.Conv2d):
            ready = ReadyConv(child)
            module.add_module(name, ready)
        elif isinstance(child, nn.ReLU) and before is not None and follows:
            before.relu = True
            module.add_module(name, nn.Identity())
        elif not isinstance(child, DeformableConv):  # it takes the weights themselves
            _make_ready(child)
        before = ready


def _ready_refiner(refiner: Refiner, *, windowed: bool) -> Refiner:
    """The refiner with ReLUs joined to its convolutions, and in windows if that is worth it."""
    for conv in refiner.body:
        cast(ReadyConv, conv).relu = True
    refiner.relu = nn.Identity()
    if not windowed or refiner.channels < WIDE:
        return refiner
    for module in refiner.modules():
        if isinstance(module, ReadyConv):
            module.sizes = WINDOWS
    return WindowedRefiner(refiner)
