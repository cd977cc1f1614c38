"""Confidence against truth: what is counted, how it is summarised, and the curve that mends it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hodor.evaluation import (
    DavisDataset,
    Judged,
    calibration_curve,
    judge,
    reliability,
    reliability_table,
)
from hodor.video import write_label_map


def seen(confidence: float, j: float, *, present: bool = True) -> Judged:
    return Judged(confidence, j, found=True, present=present)


def test_every_object_is_judged_in_every_frame_but_the_first(
    benchmark: Callable[..., Path], squares: NDArray[np.uint8], tmp_path: Path
) -> None:
    truth = squares.copy()
    truth[3][truth[3] == 2] = 0  # object 2 is away in frame 3
    guess = squares.copy()
    guess[2][guess[2] == 1] = 0  # object 1 is missed in frame 2
    dataset = DavisDataset(benchmark(a=truth))
    (tmp_path / "out/a").mkdir(parents=True)
    for name, labels in zip(dataset.sequences[0].names, guess, strict=True):
        write_label_map(tmp_path / "out/a" / f"{name}.png", labels)
    confidence = {"a": {1: [1, 0.9, 0.0, 0.8, 0.7], 2: [1, 0.9, 0.9, 0.6, 0.9]}}
    judged = judge(tmp_path / "out", dataset, confidence)
    assert judged[0] == Judged(0.9, 1.0, True, True)
    assert judged[2] == Judged(0.0, 0.0, False, True)
    assert judged[5] == Judged(0.6, 0.0, True, False)
    assert len(judged) == 8


def test_bins_compare_confidence_with_j() -> None:
    result = reliability([seen(0.92, 0.8), seen(0.98, 0.6), seen(0.35, 0.35)])
    assert [one.count for one in result.bins] == [1, 2]
    assert result.bins[1].confidence == pytest.approx(0.95)
    assert result.bins[1].j == pytest.approx(0.7)
    assert result.error == pytest.approx(0.25 * 2 / 3)


def test_a_mask_of_something_absent_is_counted() -> None:
    missed = Judged(0.0, 1.0, found=False, present=False)
    result = reliability([seen(0.9, 0.0, present=False), missed, seen(0.9, 0.9)])
    assert (result.false_masks, result.absent) == (1, 2)
    assert "1 mask found in 2 frames" in str(reliability_table(result, "one").caption)


def test_certainty_falls_in_the_last_bin_and_nothing_gives_no_bins() -> None:
    assert reliability([seen(1.0, 1.0)]).bins[0].confidence == 1
    assert reliability([]).bins == ()


def test_the_curve_rises_and_brings_confidence_to_j() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 4000)
    j = np.clip(confidence**2 + rng.normal(0, 0.05, 4000), 0, 1)
    judged = [seen(float(c), float(true)) for c, true in zip(confidence, j, strict=True)]
    curve = np.array(calibration_curve(judged))
    assert (np.diff(curve, axis=0) >= 0).all()
    mended = [
        one._replace(confidence=float(np.interp(one.confidence, curve[:, 0], curve[:, 1])))
        for one in judged
    ]
    assert reliability(judged).error > 0.1
    assert reliability(mended).error < 0.02


def test_the_few_masks_that_are_wrong_have_points_of_their_own() -> None:
    good = [seen(0.95, 0.9)] * 960
    bad = [seen(0.5, 0.1)] * 10 + [seen(0.8, 0.6)] * 30
    curve = np.array(calibration_curve(good + bad))
    told = np.interp([0.5, 0.8, 0.95], curve[:, 0], curve[:, 1])
    np.testing.assert_allclose(told, [0.1, 0.6, 0.9], atol=0.01)
    few = calibration_curve([seen(0.4, 0.2), seen(0.9, 0.8)])
    assert few == [(0.0, 0.0), (0.4, 0.2), (0.9, 0.8)]
