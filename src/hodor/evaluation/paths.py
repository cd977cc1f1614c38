"""Smooth ways through a picture, given by keyframes or drawn at random."""

from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from hodor.errors import DataError

OUTSIDE = 0.6  # how far beyond the picture's side an object that leaves waits, in widths
TURN = 0.12  # of a clip: how long an object takes to leave, and to come back


@dataclass(frozen=True)
class Keyframe:
    """Where something is at one time.

    time: fraction of the clip, 0 at its first frame and 1 at its last. x, y: the middle, as
    fractions of the picture's width and height. size: the longer side, as a fraction of the
    picture's height. angle: clockwise turn in degrees. brightness: factor on the colours.
    """

    time: float
    x: float
    y: float
    size: float
    angle: float = 0.0
    brightness: float = 1.0


@dataclass(frozen=True)
class Path2D:
    """A smooth way through one or more keyframes, whose times must rise.

    wobble: how far parts of the object sway about their place, as a fraction of its longer side.
    wobble_cycles: how often they do so in the clip. Raises DataError for unusable keyframes.
    """

    keyframes: tuple[Keyframe, ...]
    wobble: float = 0.0
    wobble_cycles: float = 2.0

    def __post_init__(self) -> None:
        times = [k.time for k in self.keyframes]
        if not times or any(b <= a for a, b in pairwise(times)):
            raise DataError(f"keyframe times must rise, found {times}; give each its own time")
        if any(k.size <= 0 for k in self.keyframes):
            raise DataError("a keyframe's size must be above 0: fractions of the picture's height")

    def at(self, time: float) -> Keyframe:
        """The place at a time; before the first keyframe and after the last it stands still."""
        first, last = self.keyframes[0], self.keyframes[-1]
        if time <= first.time or time >= last.time:
            return replace(first if time <= first.time else last, time=time)
        times = np.array([k.time for k in self.keyframes])
        values = np.array([[k.x, k.y, log(k.size), k.angle, k.brightness] for k in self.keyframes])
        x, y, log_size, angle, brightness = _smooth(times, values, time)
        return Keyframe(time, x, y, exp(log_size), angle, brightness)


def leaving(path: Path2D, out: float, back: float) -> Path2D:
    """The path with its middle outside the picture, beyond the nearer side, from out to back.

    out, back: fractions of the clip, 0 < out < back < 1. The object is out of sight between them
    if its size is at most one picture's height and the picture is not narrower than that.
    """
    side = -OUTSIDE if path.at(out).x < 0.5 else 1 + OUTSIDE
    away = [replace(path.at(time), time=time, x=side) for time in (out, back)]
    kept = [k for k in path.keyframes if k.time < out - TURN or k.time > back + TURN]
    # Where the way is left and taken up again, so that nothing overshoots.
    joints = [path.at(time) for time in (out - TURN, back + TURN)]
    keyframes = sorted([*kept, *joints, *away], key=lambda k: k.time)
    return replace(path, keyframes=tuple(k for k in keyframes if k.time >= 0))


def random_paths(count: int, rng: np.random.Generator) -> tuple[Path2D, ...]:
    """Ways for ``count`` objects that start side by side and change places, crossing as they go.

    Every middle stays within the picture throughout.
    """
    starts = rng.permutation(_slots(count))
    ends = np.roll(starts, 1) if count > 1 else 1 - starts
    typical = 0.62 if count <= 3 else 0.5
    return tuple(
        _random_path(float(start), float(end), typical, rng)
        for start, end in zip(starts, ends, strict=True)
    )


def random_camera(rng: np.random.Generator) -> Path2D:
    """A slow pan and zoom over a background: x, y, size as ``make_clip`` takes a camera."""
    zooms = rng.uniform(0.6, 0.9, 2)
    places = rng.uniform(0.38, 0.62, (2, 2))
    turns = rng.uniform(-3, 3, 2)
    return Path2D(
        tuple(
            Keyframe(float(i), float(places[i, 0]), float(places[i, 1]), float(zooms[i]), turns[i])
            for i in (0, 1)
        )
    )


def _slots(count: int) -> NDArray[np.float64]:
    """Evenly spread starting places from left to right, as fractions of the width."""
    return np.linspace(0.16, 0.84, count) if count > 1 else np.array([0.3])


def _random_path(start: float, end: float, typical: float, rng: np.random.Generator) -> Path2D:
    """From start to end (fractions of the width) with a bend between, at a random pace."""
    halfway = rng.uniform(0.4, 0.6)
    # Some objects pause at their end or turn back, so that not all cross at one moment.
    arrival = rng.uniform(0.65, 1.0)
    after = rng.uniform(-0.3, 0.3) * (start - end)
    xs = np.array([start, start + halfway * (end - start), end, end + after])
    ys = rng.uniform(0.38, 0.66, 4)
    sizes = typical * rng.uniform(0.8, 1.2) * np.exp(rng.uniform(-0.15, 0.15, 4))
    angles = np.cumsum(rng.uniform(-14, 14, 4))
    lights = rng.uniform(0.9, 1.1, 4)
    times = [0.0, arrival * rng.uniform(0.4, 0.6), arrival, 1.25]
    xs = np.clip(xs + rng.uniform(-0.04, 0.04, 4), 0.12, 0.88)
    keyframes = (
        Keyframe(*(float(v) for v in values))
        for values in zip(times, xs, ys, sizes, angles, lights, strict=True)
    )
    return Path2D(tuple(keyframes), wobble=float(rng.uniform(0.0, 0.025)))


def _smooth(
    times: NDArray[np.float64], values: NDArray[np.float64], time: float
) -> tuple[float, ...]:
    """Cubic Hermite interpolation with each slope taken from the two neighbours.

    times: (K,), rising. values: (K, V). Returns V numbers. (Catmull-Rom with uneven times.)
    """
    slopes = np.empty_like(values)
    slopes[1:-1] = (values[2:] - values[:-2]) / (times[2:] - times[:-2])[:, None]
    slopes[0] = (values[1] - values[0]) / (times[1] - times[0])
    slopes[-1] = (values[-1] - values[-2]) / (times[-1] - times[-2])
    i = int(np.searchsorted(times, time, side="right")) - 1
    span = times[i + 1] - times[i]
    t = (time - times[i]) / span
    smooth = (
        (2 * t**3 - 3 * t**2 + 1) * values[i]
        + (t**3 - 2 * t**2 + t) * span * slopes[i]
        + (3 * t**2 - 2 * t**3) * values[i + 1]
        + (t**3 - t**2) * span * slopes[i + 1]
    )
    return tuple(float(v) for v in smooth)
