"""Several videos through one network: what their trackers ask of it is computed in one go."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import Condition, get_ident
from typing import TypeVar, TypeVarTuple, cast

import torch
from torch import Tensor, nn

from hodor.errors import HodorError
from hodor.model import Descriptors, History, Hodor, Prior, Pyramid, Remembered
from hodor.model.refiner import Refined
from hodor.tracking.torch.runtime import TorchRuntime
from hodor.tracking.torch.uploads import Uploads
from hodor.tracking.tracker import Tracker
from hodor.types import Untyped

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


class Together:
    """Trackers of one network, each in a thread of its own, that compute in common.

    ::

        together = Together(Tracker.from_pretrained("small"))

        def follow(frames):  # in a thread for each video
            tracker = together.tracker()
            with tracker.runtime.following():
                for frame in frames:
                    tracker.step(frame)

    Within ``following`` a thread that asks the network for something waits until every other one
    asks, too, or has left it. What then agrees in kind and shapes is one batch. So no thread should
    stay there when it has no frame. Batches change results by rounding only.

    Args:
        tracker: whose network and options all take; on PyTorch, with the step ``plain``.

    Raises:
        HodorError: it runs exported files, or has another step.
    """

    def __init__(self, tracker: Tracker) -> None:
        if not isinstance(tracker.runtime, TorchRuntime):
            raise HodorError(
                "batch: exported files take one frame at a time; take the runtime torch"
            )
        if tracker.runtime.step != "plain":
            raise HodorError(
                f"batch: the step {tracker.runtime.step} takes one frame at a time; take plain"
            )
        self._first, self._options = tracker.runtime, tracker.options
        self._desk = _Desk()

    def tracker(self) -> Tracker:
        """A new tracker, for one thread."""
        return Tracker(_RuntimeInCommon(self._first, self._desk), self._options)

    def stop(self) -> None:
        """Raise KeyboardInterrupt in threads that are in ``following``, when they ask next."""
        self._desk.stop()


class _RuntimeInCommon(TorchRuntime):
    """One tracker's; all share one network. of: whose."""

    def __init__(self, of: TorchRuntime, desk: "_Desk") -> None:
        vars(self).update(vars(of) | {"fingerprint": of.fingerprint})
        self._ready = _NetworkInCommon(of._ready, desk)
        self._uploads = Uploads(of.device)
        self._desk = desk

    def following(self) -> AbstractContextManager[None]:
        """See ``Runtime``."""
        return self._desk.joined()


class _NetworkInCommon(Hodor):
    """A network without layers of its own: what it is asked goes to the desk."""

    def __init__(self, network: Hodor, desk: "_Desk") -> None:
        nn.Module.__init__(self)
        self.config, self.metadata = network.config, network.metadata
        self._network, self._desk = network, desk

    def extract(self, images: Tensor) -> Pyramid:
        """See ``Hodor``: of (B, 3, h, w)."""
        return self._desk.ask(self._network.extract, images)

    def keys(self, images: Tensor, pyramid: Pyramid, meant: Tensor | None = None) -> Tensor | None:
        """See ``Hodor``: (B, C, h/8, w/8)."""
        return self._desk.ask(self._network.keys, images, pyramid, meant)

    def describe(
        self, pyramid: Pyramid, masks: Tensor, present: Tensor | None = None
    ) -> Descriptors:
        """See ``Hodor``: of masks (B, O, h, w)."""
        return self._desk.ask(self._network.describe, pyramid, masks, present)

    def segment(self, pyramid: Pyramid, history: History) -> Tensor:
        """See ``Hodor``: (B, K + O, h/4, w/4)."""
        return self._desk.ask(self._network.segment, pyramid, history)

    def refine(
        self,
        images: Tensor,
        pyramid: Pyramid,
        logits: Tensor,
        prior: Prior,
        keys: Tensor | None = None,
        places: Tensor | None = None,
        remembered: Sequence[Remembered] = (),
    ) -> Refined:
        """See ``Hodor``: of logits (B, K + O, h/4, w/4)."""
        told = (images, pyramid, logits, prior, keys, places, tuple(remembered))
        return self._desk.ask(self._network.refine, *told)


@dataclass
class _Request:
    """What one thread asks of the network, with tensors (1, ...)."""

    work: Callable[..., Untyped]
    told: tuple[Untyped, ...]
    found: Untyped = None
    failure: Exception | None = None
    done: bool = False


class _Desk:
    """Where threads meet: the last one to ask computes for all."""

    def __init__(self) -> None:
        self._turn = Condition()
        self._members: set[int] = set()
        self._waiting: list[_Request] = []
        self._stopped = False

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Within it, the others wait for this thread."""
        with self._turn:
            self._members.add(get_ident())
        try:
            yield
        finally:
            with self._turn:
                self._members.discard(get_ident())
                self._turn.notify_all()  # who asks may have waited for this one only

    def stop(self) -> None:
        """See ``Together``."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()

    def ask(self, work: Callable[[*Ts], R], *told: *Ts) -> R:
        """What ``work`` gives for ``told``."""
        with self._turn:
            if get_ident() in self._members:
                return cast(R, self._in_common(_Request(work, told)))
        return work(*told)

    def _in_common(self, request: _Request) -> Untyped:
        self._waiting.append(request)
        while not request.done:
            if self._stopped:
                self._waiting.remove(request)
                raise KeyboardInterrupt
            if len(self._waiting) < len(self._members):
                self._turn.wait()
                continue
            waiting, self._waiting = self._waiting, []
            for batch in _batches(waiting):
                _answer(batch)
            self._turn.notify_all()
        if request.failure is not None:
            raise request.failure
        return request.found


def _batches(requests: Sequence[_Request]) -> list[list[_Request]]:
    """Requests that can be one."""
    alike: dict[Hashable, list[_Request]] = {}
    for request in requests:
        alike.setdefault((request.work, _form(request.told)), []).append(request)
    return list(alike.values())


def _answer(batch: list[_Request]) -> None:
    """Compute a batch; where that fails, such as for want of memory, one after the other."""
    try:
        if len(batch) == 1:
            batch[0].found = batch[0].work(*batch[0].told)
        else:
            found = batch[0].work(*_joined([request.told for request in batch]))
            for request, part in zip(batch, _parted(found, len(batch)), strict=True):
                request.found = part
    except Exception as error:
        if len(batch) > 1:
            for request in batch:
                _answer([request])
            return
        batch[0].failure = error
    for request in batch:
        request.done = True


def _form(told: Untyped) -> Hashable:
    """What values have in common that can be one batch: kinds and shapes."""
    if isinstance(told, Tensor):
        return told.shape, told.dtype
    if isinstance(told, tuple):
        return tuple(_form(one) for one in told)
    return cast(Hashable, told)


def _joined(those: Sequence[Untyped]) -> Untyped:
    """Values of one form, with tensors (1, ...), as one with tensors (B, ...)."""
    first = those[0]
    if isinstance(first, Tensor):
        return torch.cat(list(those))
    if isinstance(first, tuple):
        return _as(first, [_joined(parts) for parts in zip(*those, strict=True)])
    return first


def _parted(whole: Untyped, count: int) -> list[Untyped]:
    """The way back of ``_joined``."""
    if isinstance(whole, Tensor):
        # Copies: who keeps one for long would keep all.
        return [part.clone() for part in torch.split(whole, 1)]
    if isinstance(whole, tuple):
        each = zip(*(_parted(part, count) for part in whole), strict=True)
        return [_as(whole, parts) for parts in each]
    return [whole] * count


def _as(like: tuple[Untyped, ...], parts: Sequence[Untyped]) -> tuple[Untyped, ...]:
    """A tuple of the same kind, which may have names."""
    return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)
