"""A model tuned to a run's given masks before the run begins, and kept beside its results."""

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hodor.errors import HodorError
from hodor.tracking import Tracker
from hodor.video import ReferenceMasks, Source

ADAPTED = "adapted.safetensors"
MOST = 16  # frames with given masks that are learned from: the first ones


@dataclass(frozen=True)
class Adaptation:
    """What adapting a model to given masks came to."""

    steps: int
    before: float
    """Loss on clips of the given frames that were not learned from, with the model as it was"""
    after: float
    """The same with the tuned model"""

    @property
    def better(self) -> bool:
        """Whether the tuned model is used; else it is the model as it was."""
        return self.after < self.before


def adapted(
    tracker: Tracker,
    video: Callable[[], Source],
    masks: ReferenceMasks | None,
    out: Path,
    seconds: float,
) -> Tracker:
    """A tracker whose model is tuned to the given masks; ``adaptation_of`` tells what came of it.

    The tuned model is written to ``out``/adapted.safetensors, from which a run that goes on takes
    it, and other runs may.

    Args:
        tracker: without objects.
        video: opens the video, which is read up to the last frame with a given mask.
        masks: given ones.
        out: folder of the run.
        seconds: about how long to take.

    Raises:
        HodorError: there are no masks, the source is live, or the tracker runs exported files.
    """
    if masks is None:
        raise HodorError("adapt: a model is tuned to given masks, and there are none; give --masks")
    if tracker.runtime.name != "torch":
        raise HodorError("adapt: exported files cannot be tuned; take --runtime torch")
    from hodor.training import adapt  # brings all of training
    from hodor.weights import save_model

    given = _frames_with_masks(video, masks)
    network = tracker.network
    found = adapt(network, given, seconds=seconds)
    came = Adaptation(found.steps, found.before, found.after)
    metadata = dict(network.metadata) | {"adapted": asdict(came)}
    save_model(out / ADAPTED, network.config, found.network.state_dict(), metadata)
    return reopened(tracker, out)


def reopened(tracker: Tracker, out: Path) -> Tracker:
    """A tracker with the tuned model that ``adapted`` wrote, its options those of ``tracker``.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    from hodor.weights import load_model

    precision = "bf16" if tracker.runtime.precision == "bfloat16" else "fp32"
    network = load_model(str(out / ADAPTED))
    step = tracker.runtime.step
    return Tracker(network, tracker.options, device=tracker.device, precision=precision, step=step)


def adaptation_of(tracker: Tracker) -> Adaptation | None:
    """What adapting its model came to; None if it is as it was made."""
    noted = tracker.runtime.metadata.get("adapted")
    return None if noted is None else Adaptation(**noted)


def _frames_with_masks(
    video: Callable[[], Source], masks: ReferenceMasks
) -> list[tuple[NDArray[np.uint8], NDArray[np.integer]]]:
    """The first frames (H, W, 3) that have given masks, with their label maps (H, W)."""
    ours = copy.deepcopy(masks)  # which masks were asked for is noted in it
    found: list[tuple[NDArray[np.uint8], NDArray[np.integer]]] = []
    with video() as frames:
        if frames.live:
            raise HodorError("adapt: a camera or stream waits for nobody; track a recorded video")
        for frame in frames.frames():
            labels = ours.for_frame(frame)
            if labels is not None and labels.any():
                found.append((frame.pixels, labels))
            if not ours.unused() or len(found) == MOST:
                break
    return found
