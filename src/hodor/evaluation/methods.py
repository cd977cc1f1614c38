"""What can be run on a benchmark: a model, or a baseline; each as plain data that travels."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from hodor.errors import HodorError
from hodor.evaluation.baselines import Baseline, copy_masks, optical_flow
from hodor.evaluation.benchmark import BenchmarkSequence
from hodor.evaluation.tracked import Step, track_sequence
from hodor.tracking import TrackerOverrides
from hodor.types import PlainValues

if TYPE_CHECKING:  # PyTorch takes seconds to load, and copying a mask does without
    from hodor.tracking import Tracker

BASELINES = {
    "copy": "the given masks, again in every later frame",
    "flow": "the given masks, carried by optical flow (OpenCV DIS, medium): no learning",
    "features": "nearest neighbours of a frozen backbone's features (DINO's protocol: 5 neighbours "
    "within 12 cells of stride 8, first frame and 7 latest): no decoder",
}
"""Baselines by name, and what each is."""


@dataclass(frozen=True)
class Method(TrackerOverrides):
    """A model with options, or a baseline.

    name: of its row and its folder. model: as ``Tracker.from_pretrained`` takes it, None for the
    default; for the baseline "features" the model whose backbone is used. baseline: a key of
    ``BASELINES``, or None. The rest are the tracker's options, by keyword: ``TrackerOverrides``.

    Raises HodorError where there is no such baseline.
    """

    name: str
    model: str | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.baseline is not None and self.baseline not in BASELINES:
            raise HodorError(
                f"baseline {self.baseline!r}: there is none of that name; "
                f"choose among {', '.join(BASELINES)}"
            )

    @property
    def uses_model(self) -> bool:
        """Whether a model is loaded at all."""
        return self.baseline in (None, "features")

    @property
    def about(self) -> str:
        """In words, for people who look at its numbers."""
        if self.baseline == "features":
            of = self.model or "default"
            return f"baseline: {BASELINES['features']}; the backbone of model {of}"
        if self.baseline is not None:
            return f"baseline: {BASELINES[self.baseline]}"
        return f"model {self.model or 'default'}"

    def settings(self) -> PlainValues:
        """All that makes its results what they are: options as used, and the weights' sha256."""
        if not self.uses_model:
            return {"name": self.name, "baseline": self.baseline}
        tracker = tracker_of(self)
        options = asdict(tracker.options)
        if self.baseline is not None:
            options = {name: options[name] for name in ("size", "long_side", "fit")}
        return {
            "name": self.name,
            "baseline": self.baseline,
            "model": self.model,
            "sha256": _weights_hash(self.model),
            "options": options,
            "device": str(tracker.device),
            "precision": str(tracker.dtype).removeprefix("torch."),
            **({} if self.step == "plain" else {"step": self.step}),
        }


def steps(method: Method, sequence: BenchmarkSequence) -> Iterator[Step]:
    """A method on a sequence, frame by frame; masks are given where the benchmark gives them."""
    if method.baseline is None:
        return track_sequence(tracker_of(method), sequence)
    return _propagated(method, sequence)


def _propagated(method: Method, sequence: BenchmarkSequence) -> Iterator[Step]:
    if method.baseline == "features":
        from hodor.evaluation.nearest_features import NearestFeatures

        tracker = tracker_of(method)
        propagate: Baseline = NearestFeatures(tracker.network, tracker.options)
    else:
        propagate = {"copy": copy_masks, "flow": optical_flow}[method.baseline or "copy"]
    given = (sequence.given_masks(name) for name in sequence.names)
    maps = propagate(sequence.frames(), given)
    for name, label_map in zip(sequence.names, maps, strict=True):
        yield Step(name, label_map, {})


@lru_cache(maxsize=1)
def tracker_of(method: Method) -> "Tracker":
    """The method's tracker; the latest is kept, as a process runs many sequences with it."""
    from hodor.tracking import Tracker
    from hodor.weights import DEFAULT

    return Tracker.from_pretrained(method.model or DEFAULT, **method.by_name)


@lru_cache(maxsize=8)
def _weights_hash(model: str | None) -> str:
    from hodor.weights import DEFAULT, model_path, sha256

    return sha256(model_path(model or DEFAULT))
