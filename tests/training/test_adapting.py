"""Adapting a network to given masks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from hodor.errors import HodorError
from hodor.model import Hodor
from hodor.training import adapt, adapting

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def network(make_network: Callable[..., Hodor]) -> Hodor:
    return make_network(dropout=0.0, backbone_norms="folded")


def weights(network: Hodor) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_a_few_steps_on_the_given_mask_make_a_network_better_at_its_clips(
    network: Hodor, scene: Any
) -> None:
    before = weights(network)
    found = adapt(network, [(scene.frames[0], scene.labels[0])], steps=12)
    assert found.better
    assert found.steps == 12
    assert found.after < 0.95 * found.before
    assert found.network is not network
    assert all(torch.equal(value, before[name]) for name, value in weights(network).items())


def test_the_same_seed_gives_the_same_network(network: Hodor, scene: Any) -> None:
    given = [(scene.frames[0], scene.labels[0]), (scene.frames[5], scene.labels[5])]
    one, two = (adapt(network, given, steps=3, seed=4).network for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_a_network_that_did_not_become_better_stays_as_it_is(
    network: Hodor, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([1.0, 1.1])
    monkeypatch.setattr(adapting, "_loss", lambda *_: next(answers))
    found = adapt(network, [(scene.frames[0], scene.labels[0])], steps=1)
    assert not found.better
    assert found.network is network


def test_a_refiner_is_left_as_it_is(make_network: Callable[..., Hodor], scene: Any) -> None:
    network = make_network(
        dropout=0.0, backbone_norms="folded", refiner_channels=8, match_channels=16
    )
    found = adapt(network, [(scene.frames[0], scene.labels[0])], steps=3).network
    ours, before = found.state_dict(), network.state_dict()
    moved = {name for name in ours if not torch.equal(ours[name], before[name])}
    assert moved
    assert not any(name.startswith(("refiner.", "matcher.")) for name in moved)


def test_ids_of_any_size_and_large_frames_are_learned_from(network: Hodor) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (700, 900, 3), np.uint8)
    labels = np.zeros((700, 900), np.uint16)
    labels[100:400, 100:400] = 40_000
    labels[0, 0] = 7  # vanishes when the frame is shrunk
    assert adapt(network, [(frame, labels)], steps=1).steps == 1


@pytest.mark.parametrize(("labels", "options"), [(0, {}), (1, {"seconds": 0}), (1, {"steps": 0})])
def test_what_cannot_be_learned_from_is_refused(
    network: Hodor, scene: Any, labels: int, options: dict[str, Any]
) -> None:
    with pytest.raises(HodorError, match="adapt"):
        adapt(network, [(scene.frames[0], np.full((60, 90), labels))], **options)


def test_a_time_is_turned_into_steps(network: Hodor, scene: Any) -> None:
    told: list[tuple[int, int]] = []
    given = [(scene.frames[0], scene.labels[0])]
    found = adapt(network, given, seconds=1e-6, progress=lambda *p: told.append(p))
    assert found.steps == adapting.FEWEST
    assert told[-1] == (adapting.FEWEST, adapting.FEWEST)
