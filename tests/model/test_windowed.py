"""In inference on CPUs objects are refined where they may be, and there as in the whole map."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hodor.model import Hodor, HodorConfig, Prior, inference_copy
from hodor.model.matching import Matched
from hodor.model.refiner import Refiner
from hodor.model.windowed import AROUND, FEWEST, LIKELY, STEP, WindowedRefiner, windows

Y, X, FINE, BACKGROUNDS = 40, 64, 16, 3


@pytest.fixture(scope="module")
def refiner() -> Refiner:
    """A refiner that looks as far as any, and corrects by some logits."""
    torch.manual_seed(0)
    made = Refiner(FINE, 16, matched=1).eval()
    for module in (made.out, made.matched):
        assert isinstance(module, torch.nn.Conv2d)
        torch.nn.init.normal_(module.weight, std=0.3)
    return made


def scene(places: list[tuple[int, int]]) -> tuple[Tensor, Tensor, Tensor, Prior, list[Matched]]:
    """Objects of 4 x 4 cells, found where ``places`` are their upper left corners, else nowhere."""
    g = torch.Generator().manual_seed(1)
    o = len(places)
    logits = torch.randn(1, BACKGROUNDS + o, Y, X, generator=g)
    logits[:, BACKGROUNDS:] -= 12
    for i, (y, x) in enumerate(places):
        logits[0, BACKGROUNDS + i, y : y + 4, x : x + 4] += 16
    nothing = torch.zeros(1, o, Y, X)
    prior = Prior(nothing, torch.ones(1, o), torch.ones(1, o), torch.rand(1, 1, Y, X, generator=g))
    matched = [
        Matched(nothing[..., ::2, ::2].clone(), torch.ones(1, o), torch.rand(1, 1, Y // 2, X // 2))
    ]
    image = torch.randn(1, 3, 4 * Y, 4 * X, generator=g)
    return image, torch.randn(1, FINE, Y, X, generator=g), logits, prior, matched


PLACES = [(4, 4), (30, 50), (0, 60), (18, 30)]


@torch.no_grad()
def test_within_its_places_an_object_is_corrected_as_in_the_whole_map(refiner: Refiner) -> None:
    given = scene(PLACES)
    logits, quick, whole = given[2], WindowedRefiner(refiner)(*given), refiner(*given)
    assert (whole - logits)[:, BACKGROUNDS:].abs().mean() > 0.1
    for i, (y, x) in enumerate(PLACES):
        here = (0, BACKGROUNDS + i, slice(y, y + 4), slice(x, x + 4))
        torch.testing.assert_close(quick[here], whole[here])
    assert quick[:, :BACKGROUNDS].equal(logits[:, :BACKGROUNDS])
    assert quick[0, BACKGROUNDS, 30:, 40:].equal(logits[0, BACKGROUNDS, 30:, 40:])  # far from it


@torch.no_grad()
def test_few_objects_and_gradients_take_the_whole_map(refiner: Refiner) -> None:
    few, many = scene(PLACES[: FEWEST - 1]), scene(PLACES)
    quick = WindowedRefiner(refiner)
    assert quick(*few).equal(refiner(*few))
    with torch.enable_grad():
        learned = quick(*many)
    assert learned.equal(refiner(*many))


@torch.no_grad()
def test_an_object_that_is_likely_nowhere_is_not_corrected(refiner: Refiner) -> None:
    image, f4, logits, prior, matched = scene(PLACES)
    logits[:, BACKGROUNDS + 1] = -20.0
    found = WindowedRefiner(refiner)(image, f4, logits, prior, matched)
    assert found[:, BACKGROUNDS + 1].equal(logits[:, BACKGROUNDS + 1])
    assert not found[:, BACKGROUNDS + 2].equal(logits[:, BACKGROUNDS + 2])


@torch.no_grad()
def test_windows_hold_what_is_found_carried_or_matched_and_what_is_about_it(
    refiner: Refiner,
) -> None:
    def windows_of(logits: Tensor, prior: Prior, matched: list[Matched]) -> Any:
        return windows(*refiner.seen(logits, prior, matched))

    _, _, logits, prior, matched = scene([(20, 24)])
    [[found]] = windows_of(logits, prior, matched)
    rows, columns = found
    assert rows.start <= 20 - AROUND
    assert rows.stop == Y  # 24 + AROUND, and a multiple of STEP
    assert (columns.start, columns.stop) == (8, 40)
    assert columns.start % STEP == columns.stop % STEP == 0

    carried = copy.deepcopy(prior)
    carried.masks[0, 0, 0, 63] = 2 * LIKELY
    assert windows_of(logits, carried, matched) == [[(slice(0, Y), slice(8, X))]]
    unknown = carried._replace(known=torch.zeros(1, 1))
    assert windows_of(logits, unknown, matched) == [[found]]

    matched[0].masks[0, 0, 0, 31] = 2 * LIKELY
    assert windows_of(logits, prior, matched) == [[(slice(0, Y), slice(8, X))]]
    untold = [matched[0]._replace(known=torch.zeros(1, 1))]
    assert windows_of(logits, prior, untold) == [[found]]
    nowhere = logits.clone()
    nowhere[:, BACKGROUNDS:] = -20
    assert windows_of(nowhere, prior, untold) == [[None]]


@torch.no_grad()
def test_windows_of_several_clips_are_their_own(refiner: Refiner) -> None:
    one, other = scene([(0, 0)]), scene([(36, 60)])
    both = Prior(*(torch.cat([a, b]) for a, b in zip(one[3], other[3], strict=True)))
    planes, _ = refiner.seen(torch.cat([one[2], other[2]]), both, one[4])
    [[first], [second]] = windows(planes, None)
    assert first == (slice(0, 16), slice(0, 16))
    assert second == (slice(24, 40), slice(48, 64))
    assert np.prod([s.stop - s.start for s in first]) < Y * X


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@torch.no_grad()
def test_a_copy_for_inference_has_windows_if_its_refiner_is_wide(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    wide = {"channels": 32, "heads": 4, "refiner_channels": 48}
    network = Hodor(HodorConfig(backbone="mobilenetv2_035", **wide)).eval()  # type: ignore[arg-type]
    assert network.refiner is not None
    torch.nn.init.normal_(network.refiner.out.weight, std=0.3)
    quick, whole = (inference_copy(network, dtype, windowed=how) for how in (True, False))
    assert isinstance(quick.refiner, WindowedRefiner)
    assert not isinstance(whole.refiner, WindowedRefiner)
    one, other = scene(PLACES), scene(PLACES[::-1])
    images, _f4, logits = (torch.cat([one[i], other[i]]) for i in range(3))
    prior = Prior(*(torch.cat([a, b]) for a, b in zip(one[3], other[3], strict=True)))
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        found, plain = (
            copied.refine(images, copied.extract(images), logits, prior).logits
            for copied in (quick, whole)
        )
    assert not found.equal(plain)
    for clip, places in enumerate((PLACES, PLACES[::-1])):
        for i, (y, x) in enumerate(places):
            here = (clip, BACKGROUNDS + i, slice(y, y + 4), slice(x, x + 4))
            torch.testing.assert_close(found[here], plain[here], atol=0.05, rtol=0.02)
    narrow = Hodor(HodorConfig(backbone="mobilenetv2_035", **wide | {"refiner_channels": 16}))  # type: ignore[arg-type]
    assert not isinstance(inference_copy(narrow, dtype).refiner, WindowedRefiner)
