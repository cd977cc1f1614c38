"""Counting what a step asks of the device: operations, and the times that Python waits for a value.

On a GPU each operation is at least one kernel that Python starts, and a small network spends its
time on starting them; each value that Python reads makes it wait for all that was started before.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from hodor.profiling.timing import Meter

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


@contextmanager
def read_meter() -> Iterator[Meter]:
    """Gives a meter of how often values of tensors were read within it.

    Reading what was read already counts too, so that on a CPU, where all tensors are in Python's
    reach, it is an upper bound of the times that Python would wait for a GPU.
    """
    count, inside = 0, False

    def watched(plain: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(plain)
        def read(*args: Any, **options: Any) -> Any:
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
            plain = getattr(Tensor, name)
            restored.callback(setattr, Tensor, name, plain)
            setattr(Tensor, name, watched(plain))
        yield lambda: float(count)
