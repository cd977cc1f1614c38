"""The script that compares the model as it is with other options."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hodor.evaluation import write_davis

pytestmark = pytest.mark.slow


def test_variants_take_turns_and_are_compared_with_the_model_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import in_turns

    masks = np.zeros((3, 96, 160), np.uint8)
    masks[:, 10:30, 10:30] = 1
    frames = np.random.default_rng(0).integers(0, 256, (*masks.shape, 3), np.uint8)
    write_davis([("corner", frames, masks)], tmp_path)
    stepped: list[tuple[int, bool]] = []
    plain = in_turns.Tracker.step

    def step(tracker: Any, *given: Any) -> Any:
        stepped.append((tracker.options.size, tracker.runtime.time_grows_with_size))
        return plain(tracker, *given)

    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(in_turns.Tracker, "step", step)
    monkeypatch.setattr(in_turns, "show", lambda _name, rows, _device, **_: shown.extend(rows))
    asked = ["--year", "2017", "--model", "tiny", "--frames", "4", "--whole-views"]
    asked += ["--options", "size=64 keep_every=off"]
    monkeypatch.setattr(sys, "argv", ["in_turns.py", "--davis", str(tmp_path), *asked])
    in_turns.main()
    as_it_is, whole, small = (224, True), (224, False), (64, True)
    assert stepped[:6] == [as_it_is, whole, small, whole, small, as_it_is]
    assert len(stepped) == 3 * 4
    assert [row["sequence"] for row in shown] == ["corner", "mean; of ratios"]
    assert shown[0]["whole views, ratio"] > 0
    assert shown[0]["size=64 keep_every=off, ratio"] > 0
