"""Counting floating-point operations: convolutions, matrix products, attention, and deformables."""

from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop

from hodor.model.deform import DeformableConv
from hodor.profiling.timing import metered


def _linear_flop(x: Tensor, *_args: object, out_val: Tensor, **_options: object) -> float:
    return 2.0 * out_val.numel() * x.shape[-1]


def _convolution_flop(
    _x: Tensor, weight: Tensor, *_args: object, out_val: Tensor, **_options: object
) -> float:
    # oneDNN's own tensors cannot be indexed, and have an axis more where there are groups.
    return 2.0 * out_val.numel() * weight.numel() / out_val.shape[1]


# PyTorch's own counter leaves out attention on a CPU and oneDNN's fused layers.
_FORMULAS: dict[object, Callable[..., float]] = flop_registry | {
    torch.ops.aten.scaled_dot_product_attention: sdpa_flop,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: sdpa_flop,
    getattr(torch.ops.mkldnn, "_linear_pointwise", None): _linear_flop,
    getattr(torch.ops.mkldnn, "_convolution_pointwise", None): _convolution_flop,
}


class FlopMeter:
    """Within it, a call gives the operations so far.

    ::

        with FlopMeter() as meter:
            network(image)
            print(meter() / 1e9, "GFLOP")

    A multiplication and an addition count as two. Convolutions, matrix products and attention
    count by their shapes, with PyTorch's own formulas. A deformable convolution counts as plain
    ones of its shape, whichever way it takes: sampling is left out, as are sums, norms and
    activations elsewhere.
    """

    def __init__(self) -> None:
        self._operators = _Operators()
        self._correction = 0.0
        self._stack = ExitStack()

    def __call__(self) -> float:
        """Operations so far."""
        return self._operators.total + self._correction

    def __enter__(self) -> Self:
        self._stack.enter_context(self._operators)
        self._stack.enter_context(metered(DeformableConv, "forward", self, self._set_right))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _set_right(self, module: DeformableConv, out: Tensor, counted: float) -> None:
        # (B, D, h, w), of a convolution that gives offsets and one that takes them
        pixels = out.shape[0] * out.shape[2] * out.shape[3]
        weights = module.offsets.weight.numel() + module.conv.weight.numel()
        self._correction += 2.0 * pixels * weights - counted


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up PyTorch's operators; its ``FlopCounterMode`` fails within ``inference_mode``."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0.0

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Collection[type],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        options = kwargs or {}
        formula = _FORMULAS.get(func._overloadpacket)
        if formula is None:
            with self:
                parts = func.decompose(*args, **options)
            return func(*args, **options) if parts is NotImplemented else parts
        out = func(*args, **options)
        self.total += formula(*args, **options, out_val=out)
        return out
