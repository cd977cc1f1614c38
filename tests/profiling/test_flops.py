"""Counting operations: by hand, and whichever way a layer is computed."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hodor.model import Hodor, HodorConfig, inference_copy
from hodor.model.backbones.swin import SwinBlock
from hodor.model.deform import DeformableConv
from hodor.profiling import BenchOptions, FlopMeter, Stepper

pytestmark = pytest.mark.usefixtures("one_thread")

H, W = 6, 10


def counted(work: Callable[[], object]) -> float:
    with FlopMeter() as meter:
        work()
        return meter()


@pytest.mark.parametrize("inference", [True, False])
@pytest.mark.parametrize(
    ("layer", "flop"),
    [
        (nn.Conv2d(8, 12, 3, padding=1), 2 * 8 * 12 * 9 * H * W),
        (nn.Conv2d(8, 8, 3, padding=1, groups=8), 2 * 8 * 9 * H * W),
        (DeformableConv(8), 2 * (18 + 8) * 8 * 9 * H * W),
        (nn.Linear(W, 5), 2 * 8 * H * W * 5),
    ],
    ids=["convolution", "depthwise", "deformable", "linear"],
)
def test_a_layer_counts_as_by_hand(layer: nn.Module, flop: int, inference: bool) -> None:
    with torch.inference_mode(inference):
        assert counted(lambda: layer(torch.randn(1, 8, H, W))) == flop


@pytest.mark.parametrize("inference", [True, False])
def test_attention_on_a_cpu_counts(inference: bool) -> None:
    with torch.inference_mode(inference):
        q, k = torch.randn(1, 2, 7, 4), torch.randn(1, 2, 11, 4)
        assert counted(lambda: F.scaled_dot_product_attention(q, k, k)) == 2 * 2 * 2 * 7 * 11 * 4


def test_a_meter_that_is_left_counts_no_more() -> None:
    forward = DeformableConv.forward
    with FlopMeter() as meter:
        pass
    DeformableConv(8)(torch.randn(1, 8, H, W))
    assert meter() == 0
    assert DeformableConv.forward is forward


@pytest.mark.parametrize("low", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("part", ["network", "swin"])
def test_the_ways_of_inference_count_as_those_of_training(part: str, low: bool) -> None:
    images, masks = torch.randn(1, 3, 64, 96), torch.zeros(1, 2, 64, 96)
    masks[:, :, 10:40, 10:40] = 1
    network = Hodor(HodorConfig(backbone="mobilenetv2_035", channels=64)).eval()
    # Whole windows: where there is padding, inference leaves it out.
    block, tokens = SwinBlock(32, 2, 3, 0.0).eval(), torch.randn(1, 14, 14, 32)

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            block(tokens) if part == "swin" else network(images, masks, images)

    plain = counted(run)
    with torch.inference_mode():
        assert counted(run) == pytest.approx(plain, rel=1e-3)
    network = inference_copy(network, torch.bfloat16 if low else torch.float32)
    with torch.inference_mode():
        assert counted(run) == pytest.approx(plain, rel=1e-3)


def test_a_steps_work_is_told_by_stage() -> None:
    work = Stepper(BenchOptions("swin_tiny", 64, 96, 64, 2, 1, "fp32", "cpu")).gflop()
    # Deformable convolutions alone: five at stride 8, with 256 channels.
    assert work["decoder"] > 5 * 2 * 9 * 256 * (256 + 18) * 8 * 12 / 1e9
    assert min(work["backbone"], work["pyramid"], work["encoder"]) > 0
    assert work["rest"] == work["geometry"] == 0
