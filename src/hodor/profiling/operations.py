"""Counting what a step asks of the device: operations, the times that Python waits, and uploads.

On a GPU each operation is at least one kernel that Python starts, and a small network spends its
time on starting them; each value that Python reads makes it wait for all that was started before,
and so does a result whose size is one of these values.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, ParamSpec, TypeVar, cast

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from hodor.profiling.timing import Meter

# What makes Python wait for a tensor's values.
READS = ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__")
# Operations whose result is as large as the values say.
SIZED_BY_VALUES = ("aten::nonzero", "aten::masked_select", "aten::_unique2", "aten::unique_dim")
INDEXING = ("aten::index", "aten::index_put", "aten::index_put_")
UPLOADS = (
    (torch, "from_numpy"),
    (torch, "tensor"),
    (torch, "as_tensor"),
    (Tensor, "new_tensor"),
)

P = ParamSpec("P")
R = TypeVar("R")


class Counts(NamedTuple):
    """What a stage of a step asks of the device."""

    operations: int
    reads: int
    """Times that Python waits for values"""
    uploads: int
    """Arrays and numbers of Python's that become tensors"""
    upload_bytes: int


class OperationMeter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, a call gives the number of operations so far; views of tensors are none.

    ::

        with OperationMeter() as meter:
            network(image)
            print(meter(), "operations")
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._count = 0

    def __call__(self) -> float:
        """Operations so far."""
        return self._count

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        options = kwargs or {}
        with self:
            parts = func.decompose(*args, **options)
        if parts is not NotImplemented:
            return parts
        self._count += self._counts(func, args)
        return func(*args, **options)

    def _counts(self, func: OpOverload, args: Sequence[object]) -> bool:
        return not func.is_view


class _WaitsForSizes(OperationMeter):  # type: ignore[no-untyped-call]
    """Counts operations whose result has a size that Python has to wait for."""

    def _counts(self, func: OpOverload, args: Sequence[object]) -> bool:
        name = func._schema.name
        if name in INDEXING:
            places = cast(Sequence[Tensor | None], args[1])
            return any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in places)
        return name in SIZED_BY_VALUES


@contextmanager
def read_meter() -> Iterator[Meter]:
    """Gives a meter of how often Python waited for values of tensors within it.

    Reading what was read already counts too, so that on a CPU, where all tensors are in Python's
    reach, it is an upper bound of the times that Python would wait for a GPU.
    """
    count, inside = 0, False

    def watched(plain: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(plain)
        def read(*args: P.args, **options: P.kwargs) -> R:
            nonlocal count, inside
            if inside:  # one of them called another
                return plain(*args, **options)
            count, inside = count + 1, True
            try:
                return plain(*args, **options)
            finally:
                inside = False

        return read

    with ExitStack() as restored:
        for name in READS:
            _replaced(restored, Tensor, name, watched)
        sizes = restored.enter_context(_WaitsForSizes())
        yield lambda: count + sizes()


@contextmanager
def upload_meter() -> Iterator[tuple[Meter, Meter]]:
    """Gives meters of how often arrays or numbers became tensors within it, and of their bytes.

    On a GPU most of them have to be copied there.
    """
    count = size = 0

    def watched(plain: Callable[P, Tensor]) -> Callable[P, Tensor]:
        @functools.wraps(plain)
        def upload(*args: P.args, **options: P.kwargs) -> Tensor:
            nonlocal count, size
            made = plain(*args, **options)
            count, size = count + 1, size + made.nbytes
            return made

        return upload

    with ExitStack() as restored:
        for owner, name in UPLOADS:
            _replaced(restored, owner, name, watched)
        yield lambda: float(count), lambda: float(size)


def _replaced(
    restored: ExitStack,
    owner: object,
    name: str,
    watched: Callable[[Callable[..., Tensor]], Callable[..., Tensor]],
) -> None:
    """Put a watched form in the place of a function, until the stack is closed."""
    plain = getattr(owner, name)
    restored.callback(setattr, owner, name, plain)
    setattr(owner, name, watched(plain))
