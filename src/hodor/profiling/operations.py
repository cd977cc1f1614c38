"""Counting what a step asks of the device: operations, and the times that Python waits for a value.

On a GPU each operation is at least one kernel that Python starts, and a small network spends its
time on starting them; each value that Python reads makes it wait for all that was started before.
"""

import functools
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# What makes Python wait for a tensor's values.
READS = ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__")


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
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        with self:
            parts = func.decompose(*args, **options)
        if parts is not NotImplemented:
            return parts
        self._count += not func.is_view
        return func(*args, **options)


class ReadMeter:
    """Within it, a call gives how often values of tensors were read so far.

    Reading what was read already counts too, so that on a CPU, where all tensors are in Python's
    reach, it is an upper bound of the times that Python would wait for a GPU.
    """

    def __init__(self) -> None:
        self._count = 0
        self._inside = False
        self._stack = ExitStack()

    def __call__(self) -> float:
        """Reads so far."""
        return self._count

    def __enter__(self) -> Self:
        for name in READS:
            plain = getattr(Tensor, name)
            setattr(Tensor, name, self._watched(plain))
            self._stack.callback(setattr, Tensor, name, plain)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _watched(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(plain)
        def read(*args: Any, **options: Any) -> Any:
            if self._inside:  # one of them called another
                return plain(*args, **options)
            self._count, self._inside = self._count + 1, True
            try:
                return plain(*args, **options)
            finally:
                self._inside = False

        return read
