"""Region similarity J and boundary accuracy F, as the DAVIS benchmarks define them.

Sources: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object
Segmentation", CVPR 2016 (J, F, mean, recall, decay), and Pont-Tuset et al., "The 2017 DAVIS
Challenge", 2017 (several objects). All values are fractions of 1. Nothing here reads a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, hypot, isqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.errors import MaskError
from hodor.types import AnyArray

BOUNDARY_TOLERANCE = 0.008
"""Share of the picture's diagonal within which two boundary pixels match (DAVIS 2016)."""

RECALL_THRESHOLD = 0.5
"""A frame counts as recalled above this value (DAVIS 2016)."""

FRAMES_AT_LEAST = 3
"""The first and the last frame are left out, so that fewer frames leave nothing to score."""

_DECAY_BINS = 4

Bits = NDArray[np.uint8]
"""A mask with 0 and 1 as uint8, which OpenCV takes without a copy."""

LabelMaps = AnyArray | Sequence[AnyArray]
"""Label maps as one array (T, H, W) of integers, or as T arrays (H, W)."""


@dataclass(frozen=True)
class Statistics:
    """What a measure's values over the frames come to, as fractions of 1.

    mean: average over the frames. recall: share of frames above one half. decay: average of the
    first quarter of the frames minus that of the last; positive where a method gets worse.
    """

    mean: float
    recall: float
    decay: float


@dataclass(frozen=True)
class ObjectMeasures:
    """J and F of one object: one value per scored frame, both (T,) float64."""

    j: NDArray[np.float64]
    f: NDArray[np.float64]


def boundary_tolerance(height: int, width: int) -> int:
    """Pixels by which two boundaries of a ``height x width`` picture may differ and still match."""
    return ceil(BOUNDARY_TOLERANCE * hypot(height, width))


def boundary_map(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a mask (H, W) bool that differ from their east, south or south-east neighbour.

    In the last row only the east neighbour counts, in the last column only the south one, and
    the last pixel is never boundary.
    """
    height, width = mask.shape
    rows = _boundary_rows(np.ascontiguousarray(mask).view(np.uint8), width + 1)
    return rows.reshape(height, width + 1)[:, :width].view(np.bool_)


def region_similarity(
    reference: NDArray[np.bool_], result: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """J of every frame: intersection over union; 1 where both masks are empty.

    reference, result: (T, H, W) bool. Returns (T,) float64. Raises MaskError when shapes differ.
    """
    return _measure_masks(reference, result).j


def boundary_accuracy(
    reference: NDArray[np.bool_], result: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """F of every frame: harmonic mean of the boundaries' precision and recall.

    A boundary pixel matches when the other boundary has a pixel within ``boundary_tolerance``.
    Of two empty boundaries F is 1; where only one is empty it is 0.

    reference, result: (T, H, W) bool. Returns (T,) float64. Raises MaskError when shapes differ.
    """
    return _measure_masks(reference, result).f


def measure_label_maps(
    reference: LabelMaps,
    result: LabelMaps,
    object_ids: Sequence[int],
) -> dict[int, ObjectMeasures]:
    """J and F of every object of a sequence, the first and the last frame left out.

    reference, result: label maps (T, H, W), or T of (H, W), with T at least 3. Returns object
    id -> measures of T - 2 frames. Raises MaskError when shapes differ or T is too small.
    """
    _check_shapes(reference, result)
    if len(reference) < FRAMES_AT_LEAST:
        raise MaskError(
            f"a sequence of {len(reference)} frames cannot be scored: the first and the last are "
            f"left out, so give at least {FRAMES_AT_LEAST}"
        )
    pairs = zip(reference[1:-1], result[1:-1], strict=True)
    return object_measures([measure_frame(*pair, object_ids) for pair in pairs], object_ids)


def measure_frame(
    reference: AnyArray, result: AnyArray, object_ids: Sequence[int]
) -> list[tuple[float, float]]:
    """J and F in one frame of each of the objects, from two label maps (H, W) of one size."""
    return [
        _measure_bits((reference == i).view(np.uint8), (result == i).view(np.uint8))
        for i in object_ids
    ]


def object_measures(
    frames: Sequence[Sequence[tuple[float, float]]], object_ids: Sequence[int]
) -> dict[int, ObjectMeasures]:
    """What ``measure_frame`` gave for each frame, turned into object id -> measures over time."""
    values = np.array(frames, dtype=np.float64).reshape(len(frames), len(object_ids), 2)
    return {
        object_id: ObjectMeasures(j=values[:, k, 0], f=values[:, k, 1])
        for k, object_id in enumerate(object_ids)
    }


def statistics(values: NDArray[np.float64]) -> Statistics:
    """Mean, recall and decay of a measure over the frames, (T,) float64 with T at least 1.

    A frame whose value is NaN is left out of mean and decay, and is not recalled.
    """
    if values.size == 0:
        raise MaskError("there are no frames to take statistics of; give at least one value")
    edges = _quarter_edges(values.size)
    first = values[edges[0] : edges[1] + 1]
    last = values[edges[-2] : edges[-1] + 1]
    return Statistics(
        mean=_mean(values),
        recall=float(np.mean(values > RECALL_THRESHOLD)),
        decay=_mean(first) - _mean(last),
    )


def _quarter_edges(count: int) -> NDArray[np.intp]:
    """Indices where the quarters of ``count`` frames begin and end; neighbours share a frame.

    The tiny addend makes halves round up, as the benchmark does.
    """
    positions = np.linspace(1, count, _DECAY_BINS + 1)
    return np.asarray(np.round(positions + 1e-10), dtype=np.intp) - 1


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _check_shapes(reference: LabelMaps, result: LabelMaps) -> None:
    sizes = {frame.shape for frame in (*reference, *result)}
    if len(reference) != len(result) or len(sizes) != 1 or len(sizes.pop()) != 2:
        raise MaskError(
            f"the reference has {_describe(reference)} and the result {_describe(result)}: both "
            "must be equally many (H, W) of one size; resize or cut the result to the reference"
        )


def _describe(maps: LabelMaps) -> str:
    sizes = " and ".join(str(shape) for shape in sorted({frame.shape for frame in maps}))
    return f"{len(maps)} frames of {sizes}" if len(maps) else "no frames"


def _measure_masks(reference: NDArray[np.bool_], result: NDArray[np.bool_]) -> ObjectMeasures:
    _check_shapes(reference, result)
    if reference.dtype != np.bool_ or result.dtype != np.bool_:
        raise MaskError(
            f"masks must be bool, found {reference.dtype} and {result.dtype}; "
            "compare the label map with an object id first"
        )
    # True is the one "object id" of a mask.
    pairs = zip(reference, result, strict=True)
    return object_measures([measure_frame(*pair, [True]) for pair in pairs], [True])[True]


def _measure_bits(reference: Bits, result: Bits) -> tuple[float, float]:
    """J and F of one frame, worked out in the rectangle that holds both masks.

    One pixel of background around the masks makes the rectangle's border count as the whole
    picture's would: the boundary there is either the picture's own border or empty.
    """
    height, width = reference.shape
    left, top, right, bottom = _rectangle_of_both(reference, result)
    if right <= left:
        return 1.0, 1.0
    window = np.s_[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1]
    reference, result = reference[window], result[window]
    intersection, union = _count(reference & result), _count(reference | result)
    return intersection / union, _boundary_f(reference, result, boundary_tolerance(height, width))


def _rectangle_of_both(reference: Bits, result: Bits) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of all set pixels; all 0 where there are none."""
    boxes = [cv2.boundingRect(mask) for mask in (reference, result)]
    boxes = [box for box in boxes if box[2] > 0]
    if not boxes:
        return 0, 0, 0, 0
    return (
        min(x for x, _, _, _ in boxes),
        min(y for _, y, _, _ in boxes),
        max(x + w for x, _, w, _ in boxes),
        max(y + h for _, y, _, h in boxes),
    )


def _count(bits: Bits) -> int:
    return int(np.count_nonzero(bits.view(np.bool_)))


def _boundary_f(reference: Bits, result: Bits, tolerance: int) -> float:
    stride = reference.shape[1] + tolerance
    reference_boundary = _boundary_rows(reference, stride)
    result_boundary = _boundary_rows(result, stride)
    in_reference, in_result = _count(reference_boundary), _count(result_boundary)
    if in_reference == 0 or in_result == 0:
        # The conventions give (precision, recall) = (1, 1), (1, 0) or (0, 1) here.
        return 1.0 if in_reference == in_result else 0.0
    near_reference = _dilate_by_disk(reference_boundary, stride, tolerance)
    near_result = _dilate_by_disk(result_boundary, stride, tolerance)
    precision = _count(result_boundary & near_reference) / in_result
    recall = _count(reference_boundary & near_result) / in_reference
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def _boundary_rows(mask: Bits, stride: int) -> Bits:
    """Boundary of a mask (h, w) as one long row of h * stride bits, empty beyond each row's w.

    Beyond the last row and column the mask goes on as it ends, which leaves them the one
    neighbour that counts there.
    """
    height, width = mask.shape
    padded: Bits = np.zeros((height + 2, stride), dtype=np.uint8)
    padded[:height, :width] = mask
    padded[height] = padded[height - 1]
    padded[:, width] = padded[:, width - 1]
    flat, length = padded.ravel(), height * stride
    here = flat[:length]
    boundary: Bits = here ^ flat[1 : length + 1]
    boundary |= here ^ flat[stride : length + stride]
    boundary |= here ^ flat[stride + 1 : length + stride + 1]
    boundary.reshape(height, stride)[:, width:] = 0
    return boundary


def _dilate_by_disk(bits: Bits, stride: int, radius: int) -> Bits:
    """Every pixel within ``radius`` of a set one (x² + y² <= radius²), in rows of ``stride`` bits.

    A disk is a stack of horizontal runs, so runs that grow by a pixel are laid over one another
    row by row. Over rows in one piece that takes a third of the time of a general dilation. The
    last ``radius`` bits of each row must be empty and mean nothing afterwards.
    """
    dilated = np.zeros_like(bits)
    run, reach = bits.copy(), 0
    for rows in range(radius, -1, -1):
        for _ in range(isqrt(radius**2 - rows**2) - reach):
            run, narrower = run.copy(), run
            run[1:] |= narrower[:-1]
            run[:-1] |= narrower[1:]
            reach += 1
        shift = rows * stride
        if shift < run.size:
            dilated[shift:] |= run[: run.size - shift]
            dilated[: run.size - shift] |= run[shift:]
    return dilated
