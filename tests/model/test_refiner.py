"""The refiner: what it sees of an object, and what it leaves alone."""

from collections.abc import Callable

import pytest
import torch

from hodor.errors import WeightsError
from hodor.model import Hodor, HodorConfig, Prior, Pyramid
from hodor.model.refiner import LEAST, MARGIN_UNIT, object_planes

K = 10  # background channels of the network that tests make


@pytest.fixture
def network(make_network: Callable[..., Hodor]) -> Hodor:
    """A network whose refiner has weights, as if it were trained."""
    return make_network(refiner_channels=8)


def scene(objects: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Prior]:
    """Image, F4, logits and prior of one frame, drawn at random."""
    g = torch.Generator().manual_seed(1)
    prior = Prior(
        torch.rand(1, objects, 16, 24, generator=g),
        torch.ones(1, objects),
        torch.rand(1, objects, generator=g),
        torch.rand(1, 1, 16, 24, generator=g),
    )
    image = torch.randn(1, 3, 64, 96, generator=g)
    f4 = torch.randn(1, 32, 16, 24, generator=g)
    return image, f4, torch.randn(1, K + objects, 16, 24, generator=g), prior


def refined(
    network: Hodor, image: torch.Tensor, f4: torch.Tensor, logits: torch.Tensor, prior: Prior
) -> torch.Tensor:
    with torch.no_grad():
        return network.refine(image, Pyramid(f4, f4), logits, prior).logits


def test_before_training_nothing_is_corrected() -> None:
    fresh = Hodor(HodorConfig(backbone="mobilenetv2_035", channels=32, heads=4, refiner_channels=8))
    image, f4, logits, prior = scene()
    torch.testing.assert_close(refined(fresh, image, f4, logits, prior), logits)


def test_the_backgrounds_logits_stay_and_the_objects_change(network: Hodor) -> None:
    image, f4, logits, prior = scene()
    found = refined(network, image, f4, logits, prior)
    torch.testing.assert_close(found[:, :K], logits[:, :K], rtol=0, atol=0)
    assert (found[:, K:] - logits[:, K:]).abs().amax((2, 3)).min() > 1e-3


def test_objects_in_another_order_get_the_same_corrections(network: Hodor) -> None:
    image, f4, logits, prior = scene()
    order = torch.tensor([2, 0, 1])
    turned = prior._replace(masks=prior.masks[:, order], confidence=prior.confidence[:, order])
    mixed = torch.cat([logits[:, :K], logits[:, K:][:, order]], 1)
    straight = refined(network, image, f4, logits, prior)
    found = refined(network, image, f4, mixed, turned)
    torch.testing.assert_close(found[:, K:], straight[:, K:][:, order], atol=1e-4, rtol=1e-4)


def test_the_last_mask_and_the_pixels_both_count(network: Hodor) -> None:
    image, f4, logits, prior = scene()
    straight = refined(network, image, f4, logits, prior)
    moved = prior._replace(masks=prior.masks.flip(-1))
    assert (refined(network, image, f4, logits, moved) - straight).abs().max() > 1e-2
    assert (refined(network, image.flip(-1), f4, logits, prior) - straight).abs().max() > 1e-3


def test_an_unknown_objects_carried_mask_does_not_count(network: Hodor) -> None:
    image, f4, logits, prior = scene(1)
    unknown = prior._replace(known=torch.zeros(1, 1))
    other = unknown._replace(masks=prior.masks.flip(-1), confidence=1 - prior.confidence)
    torch.testing.assert_close(
        refined(network, image, f4, logits, unknown), refined(network, image, f4, logits, other)
    )


def test_planes_of_an_object_are_its_logit_its_mask_and_the_others() -> None:
    logits = torch.zeros(1, 1 + 2, 1, 2)
    logits[0, 1] = torch.tensor([50.0, -50.0])
    masks = torch.tensor([[[[1.0, 0.25]], [[0.5, 0.75]]]])
    prior = Prior(
        masks, torch.tensor([[1.0, 0.0]]), torch.tensor([[0.9, 0.8]]), torch.full((1, 1, 1, 2), 0.3)
    )
    planes = object_planes(logits, prior)[0]
    sure = torch.logit(torch.tensor(1 - LEAST)) / MARGIN_UNIT
    torch.testing.assert_close(planes[0, 0, 0], torch.stack([sure, -sure]), atol=1e-3, rtol=0)
    assert planes[0, 1, 0].tolist() == [1.0, -0.5]
    assert planes[:, 2].tolist() == [[[1.0, 1.0]], [[0.0, 0.0]]]
    assert planes[0, 3, 0].tolist() == [0.0, 0.0]  # the other object is not known
    assert planes[1, 1, 0].tolist() == [0.0, 0.0]
    assert planes[1, 3, 0].tolist() == [1.0, 0.25]
    torch.testing.assert_close(planes[:, 4], torch.full((2, 1, 2), 0.3))
    torch.testing.assert_close(planes[:, 5, 0, 0], torch.tensor([0.9, 0.0]))


def test_a_network_without_a_refiner_gives_logits_as_they_are(tiny_network: Hodor) -> None:
    image, f4, logits, prior = scene()
    assert refined(tiny_network, image, f4, logits, prior) is logits


def test_a_refiner_needs_objects_in_one_pass() -> None:
    with pytest.raises(WeightsError, match="refiner_channels"):
        HodorConfig(joint_objects=False, refiner_channels=8)


@pytest.mark.parametrize("channels", [8, 24, 32])
def test_gradients_in_bfloat16_are_those_in_float32(
    channels: int, make_network: Callable[..., Hodor]
) -> None:
    # Where channels are no multiple of 16, oneDNN's own are wrong by half on some processors.
    network = make_network(refiner_channels=channels)
    assert network.refiner is not None
    weights = [conv.weight for conv in network.refiner.body]
    image, f4, logits, prior = scene()

    def gradients(low: bool) -> list[torch.Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            found = network.refine(image, Pyramid(f4, f4), logits, prior).logits
        return list(torch.autograd.grad(found[:, K:].float().square().sum(), weights))

    for exact, low in zip(gradients(False), gradients(True), strict=True):
        assert (exact - low).norm() < 0.05 * exact.norm()
