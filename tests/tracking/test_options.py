"""What can be chosen, and what is told of a wrong choice."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hodor.errors import HodorError
from hodor.tracking import (
    OFF,
    OptionChanges,
    Tracker,
    TrackerOptions,
    TrackerOverrides,
    choose_device,
    choose_precision,
)


def test_the_defaults_are_the_papers() -> None:
    options = TrackerOptions()
    assert (options.size, options.window) == (512, 7)
    assert [options.keep_reference, options.skip_lost, options.decode_new] == [False] * 3


@pytest.mark.parametrize(
    "wrong", [{"size": 31}, {"window": 0}, {"long_side": 0.5}, {"keep_every": -1}]
)
def test_options_out_of_range_are_told_with_the_range(wrong: Any) -> None:
    name, value = next(iter(wrong.items()))
    with pytest.raises(HodorError, match=f"{name} {value} (must be )?at least"):
        TrackerOptions(**wrong)


def test_a_value_of_any_length_is_told_in_a_short_line() -> None:
    for values in (
        {"size": [0] * 5000},
        {"x" * 5000: 1},
        {"min_similarity": "0" * 5000},
        {"fit": "x" * 5000},
    ):
        with pytest.raises(HodorError) as told:
            TrackerOptions().changed(values)
        assert len(str(told.value)) < 500


def test_a_word_that_is_none_of_an_option_s_is_told_with_them() -> None:
    with pytest.raises(HodorError, match=r"fit 'crop' must be pad or stretch"):
        TrackerOptions().changed({"fit": "crop"})
    with pytest.raises(HodorError, match=r"merge 'sum' must be max or logsumexp"):
        TrackerOptions().changed({"merge": "sum"})


def test_none_leaves_an_option_as_it_is() -> None:
    options = TrackerOptions(size=96).changed({"size": None, "window": 2, "keep_reference": False})
    assert options == TrackerOptions(size=96, window=2)


def test_devices_by_name() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device(torch.device("cpu")) == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize(
    "device",
    [
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA"),
        ),
        pytest.param(
            "mps",
            marks=pytest.mark.skipif(
                torch.backends.mps.is_available(), reason="this machine has MPS"
            ),
        ),
        "toaster",
    ],
)
def test_a_device_that_is_not_here_is_told_in_one_line(device: str) -> None:
    with pytest.raises(HodorError, match=f"device {device}: not available here") as told:
        choose_device(device)
    assert "\n" not in str(told.value)


def test_precision_by_name() -> None:
    cpu = torch.device("cpu")
    assert choose_precision("fp32", cpu) == torch.float32
    assert choose_precision("bf16", cpu) == torch.bfloat16
    assert choose_precision("auto", cpu) in (torch.float32, torch.bfloat16)
    with pytest.raises(HodorError, match="precision 'half': it must be auto, fp32 or bf16"):
        choose_precision("half", cpu)


def test_bfloat16_tracks_nearly_as_float32(tiny_network: Any, scene: Any) -> None:
    results = []
    for precision in ("fp32", "bf16"):
        options = TrackerOptions(size=64)
        tracker = Tracker(tiny_network, options, device="cpu", precision=precision)
        tracker.step(scene.frames[0], scene.labels[0])
        results.append(tracker.step(scene.frames[1]))
    assert (results[0].label_map == results[1].label_map).mean() > 0.9
    for number in (3, 7):
        assert results[1].confidence[number] == pytest.approx(
            results[0].confidence[number], abs=0.05
        )


def test_every_option_can_be_chosen_where_a_model_is_opened() -> None:
    assert list(OptionChanges.__annotations__) == [one.name for one in fields(TrackerOptions)]


def test_off_is_a_word_for_what_a_model_has_on(tiny_model: Path) -> None:
    on = TrackerOptions(search_radius=0.1, crop_margin=0.2, min_similarity=0.5)
    off = on.changed({"search_radius": OFF, "min_similarity": OFF, "crop_margin": None})
    assert off == TrackerOptions(crop_margin=0.2)
    with pytest.raises(HodorError, match="window cannot be off"):
        on.changed({"window": OFF})
    tracker = Tracker.from_pretrained(
        str(tiny_model), device="cpu", search_radius=OFF, skip_lost=True, long_side=1.5
    )
    assert (tracker.options.search_radius, tracker.options.skip_lost) == (None, True)
    assert tracker.options.long_side == 1.5


def test_a_word_of_the_command_line_is_a_number_or_off() -> None:
    words = TrackerOverrides(search_radius="0.25", crop_margin="off")
    assert (words.search_radius, words.crop_margin) == (0.25, OFF)
    with pytest.raises(HodorError, match=r"--crop-margin wide: give a number such as 0\.1, or off"):
        TrackerOverrides(crop_margin="wide")


WRONG_KINDS = [
    ("size", "a", "a whole number"),
    ("size", 320.5, "a whole number"),
    ("window", True, "a whole number"),
    ("long_side", None, "a number"),
    ("search_radius", "of", "a number, or None"),
    ("object_bias", float("nan"), "a number"),
    ("min_similarity", "0.5", "a number"),
    ("skip_lost", 1, "True or False"),
]


@pytest.mark.parametrize(("name", "value", "wanted"), WRONG_KINDS)
def test_a_value_of_another_kind_is_told_in_one_line(name: str, value: Any, wanted: str) -> None:
    with pytest.raises(HodorError, match=rf"^tracker options: {name} {value!r} must be {wanted}"):
        TrackerOptions(**{name: value})


def test_an_option_that_does_not_exist_is_told_with_the_nearest() -> None:
    with pytest.raises(HodorError, match=r"no option min_similarty; there is min_similarity$"):
        TrackerOptions().changed({"min_similarty": 0.5})


def test_numpys_numbers_become_pythons_so_that_a_state_can_be_saved() -> None:
    options = TrackerOptions(
        size=np.int64(96), search_radius=np.float32(0.5), skip_lost=np.bool_(True)
    )
    assert [type(v) for v in (options.size, options.search_radius, options.skip_lost)] == [
        int,
        float,
        bool,
    ]


def test_a_name_in_place_of_a_network_is_told_with_what_opens_it() -> None:
    with pytest.raises(HodorError, match=r"Tracker.from_pretrained\('tiny'\)"):
        Tracker("tiny")  # type: ignore[arg-type]
