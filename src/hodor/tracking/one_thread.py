"""A tracker belongs to one thread at a time."""

from threading import Lock

from hodor.errors import HodorError


class OneThread:
    """Where a memory changes: in turns, two threads would mix the frames of two videos.

    Another thread is refused and does not wait, since a frame later it would mix them all the same.

    Raises:
        HodorError: on entering, when a thread is inside.
    """

    def __init__(self) -> None:
        self._taken = Lock()

    def __enter__(self) -> None:
        if not self._taken.acquire(blocking=False):
            raise HodorError(
                "this tracker is in the middle of another thread's step; give each thread a "
                "tracker of its own (they can share a network), or let the threads take turns"
            )

    def __exit__(self, *_: object) -> None:
        self._taken.release()
