"""Work that a GPU plays back as one CUDA graph."""

import warnings
from collections.abc import Callable
from typing import Generic, TypeVar

import torch

FoundT = TypeVar("FoundT")
WARM = 3  # calls before a capture: kernels are chosen and memory is taken in them


class Replay(Generic[FoundT]):
    """Work at fixed addresses: done as it is at first, later captured and played back.

    If it cannot be captured it goes on as it is, and a warning says so.

    Args:
        work: takes nothing, reads the same memory every time, waits for nothing.
        captures: whether it is captured at all.
    """

    def __init__(self, work: Callable[[], FoundT], *, captures: bool) -> None:
        self._work = work
        self._captures = captures
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._found: FoundT | None = None

    @property
    def captured(self) -> bool:
        """Whether it is played back: what it gives is then overwritten by the next call."""
        return self._graph is not None

    def __call__(self, *, may_capture: bool = True) -> FoundT:
        """Do it."""
        self._calls += 1
        if self._captures and self._graph is None and may_capture and self._calls > WARM:
            self._capture()
        if self._graph is None or self._found is None:
            return self._work()
        self._graph.replay()
        return self._found

    def _capture(self) -> None:
        # Libraries have a handle for each thread, which must not be made during a capture: the
        # calls before may have been other threads'.
        self._work()
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads, such as another tracker's, may use the device meanwhile.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                found = self._work()
        except RuntimeError as error:
            self._captures = False
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            warnings.warn(
                f"the step could not be captured as a CUDA graph ({first}); it goes on without",
                stacklevel=2,
            )
            return
        self._graph, self._found = graph, found
