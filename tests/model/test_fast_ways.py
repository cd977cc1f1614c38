"""Each fast way computes what the plain way beside it computes: forward and gradients."""

import copy
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor
from torch.nn import functional as F

from hodor.model import (
    History,
    Hodor,
    HodorConfig,
    Prior,
    deform_conv2d,
    deform_conv2d_plain,
    inference_copy,
)
from hodor.model import tokens as ready_tokens
from hodor.model.attention import MaskedCrossAttention
from hodor.model.backbones.swin import SwinBlock
from hodor.model.backbones.timm import TimmBackbone
from hodor.model.decoder import compare, compare_plain
from hodor.model.deform import CHUNK, TAPS, DeformableConv, deform_conv2d_rows
from hodor.model.inference import SIZES as LATEST
from hodor.model.inference import ReadyConv
from hodor.model.linear import Activation, fused, linear, linear_plain, linear_rows
from hodor.model.tokens import ReadyAttention, Tokens

pytestmark = pytest.mark.slow

SIZES = {
    "odd, batch of two": (2, 8, 6, 9, 7),
    "one pixel": (1, 3, 2, 1, 1),
    "one row": (1, 16, 16, 1, 12),
    "several chunks": (2, 300, 4, 40, 43),
}


def deform_inputs(
    b: int, c: int, d: int, h: int, w: int, *, reach: float = 2.0, dtype: torch.dtype
) -> list[Tensor]:
    """A map, offsets, weight and bias of a deformable convolution from C to D channels."""
    torch.manual_seed(0)
    return [
        torch.randn(b, c, h, w, dtype=dtype),
        torch.randn(b, 2 * TAPS, h, w, dtype=torch.promote_types(dtype, torch.float32)) * reach,
        torch.randn(d, c, 3, 3, dtype=dtype) / (TAPS * c) ** 0.5,
        torch.randn(d, dtype=dtype),
    ]


def results(function: Callable[..., Tensor], inputs: list[Tensor]) -> list[Tensor]:
    """What ``function`` gives for ``inputs``, then its gradients."""
    own = [x.clone().requires_grad_(True) for x in inputs]
    out = function(*own)
    torch.manual_seed(1)
    out.backward(torch.randn(out.shape, dtype=torch.float64).to(out.dtype))
    return [out.detach(), *(x.grad for x in own if x.grad is not None)]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("reach", [2.0, 1000.0])
def test_deformable_convolution_forward_and_gradients(
    size: tuple[int, int, int, int, int], reach: float
) -> None:
    inputs = deform_inputs(*size, reach=reach, dtype=torch.float64)
    fast, plain = results(deform_conv2d_rows, inputs), results(deform_conv2d_plain, inputs)
    assert len(fast) == 5
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_several_chunks_are_several() -> None:
    _, c, _, h, w = SIZES["several chunks"]
    assert TAPS * c * h * w > CHUNK


@pytest.mark.parametrize("channels_last", [False, True])
def test_deformable_convolution_in_float32(channels_last: bool) -> None:
    inputs = deform_inputs(1, 64, 48, 20, 30, dtype=torch.float32)
    if channels_last:
        inputs[0] = inputs[0].contiguous(memory_format=torch.channels_last)
        inputs[2] = inputs[2].contiguous(memory_format=torch.channels_last)
    fast, plain = results(deform_conv2d, inputs), results(deform_conv2d_plain, inputs)
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-4)


def test_deformable_convolution_in_bfloat16_samples_at_float32_positions() -> None:
    inputs = deform_inputs(1, 64, 48, 20, 30, dtype=torch.bfloat16)
    fast = results(deform_conv2d, inputs)
    exact = results(deform_conv2d_plain, [x.double() for x in inputs])
    assert fast[0].dtype == torch.bfloat16
    for ours, theirs in zip(fast, exact, strict=True):
        error = (ours.double() - theirs).abs().mean() / theirs.abs().mean()
        assert error < 0.02


def test_gradcheck_of_the_deformable_convolution() -> None:
    inputs = deform_inputs(1, 4, 3, 5, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(deform_conv2d, [x.requires_grad_(True) for x in inputs])


def test_offsets_too_far_for_integers_sample_nothing() -> None:
    x, offsets, weight, bias = deform_inputs(1, 4, 3, 5, 4, dtype=torch.float32)
    far = torch.full_like(offsets, 1e30)
    far[:, ::4] = -1e30
    out = deform_conv2d(x, far, weight, bias)
    torch.testing.assert_close(out, bias[:, None, None].expand_as(out))


def test_the_deformable_layer_learns_under_autocast() -> None:
    torch.manual_seed(0)
    layer = DeformableConv(32)
    x = torch.randn(1, 32, 12, 14, requires_grad=True)
    exact = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    assert (out.float() - exact).abs().mean() < 0.01 * exact.abs().mean() + 0.01
    out.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("activation", ["none", "relu", "gelu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("residual", [True, False])
@torch.no_grad()
def test_linear_layers(
    activation: Activation, dtype: torch.dtype, with_bias: bool, residual: bool
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 17, 24, dtype=dtype)
    weight = torch.randn(10, 24, dtype=dtype) / 5
    bias = torch.randn(10, dtype=dtype) if with_bias else None
    plus = torch.randn(2, 17, 10, dtype=dtype) if residual else None
    before = None if plus is None else plus.clone()
    tolerance = 0.05 if dtype == torch.bfloat16 else 1e-5
    for rows in (x, x[:, ::2], x.transpose(1, 2).contiguous().transpose(1, 2)):
        added = None if plus is None else plus[:, : rows.shape[1]]
        torch.testing.assert_close(
            linear(rows, weight, bias, activation, added),
            linear_plain(rows, weight, bias, activation, added),
            atol=tolerance,
            rtol=tolerance,
        )
    assert before is None or plus.equal(before)


def test_linear_layers_keep_gradients_and_follow_autocast() -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(5, 8), torch.randn(6, 8), torch.randn(6)
    for function in (lambda *a: linear(*a, "gelu"), linear_rows):
        plain = linear_plain if function is linear_rows else lambda *a: linear_plain(*a, "gelu")
        for ours, theirs in zip(
            results(function, [x, weight, bias]), results(plain, [x, weight, bias]), strict=True
        ):
            torch.testing.assert_close(ours, theirs)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = linear(x, weight, bias, plus=torch.zeros(5, 6))
        assert linear(x, weight, bias).dtype == torch.bfloat16
    torch.testing.assert_close(half, linear(x, weight, bias), atol=0.1, rtol=0.05)
    assert linear(x[:0], weight, bias).shape == (0, 6)


@pytest.mark.parametrize("shift", [0, 3])
@pytest.mark.parametrize("size", [(1, 14, 21), (2, 13, 25), (1, 5, 6), (1, 7, 8), (1, 104, 113)])
def test_swin_blocks_in_inference(shift: int, size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    block = SwinBlock(96, 3, shift, 0.1).eval()
    torch.nn.init.normal_(block.attn.qkv.bias)
    x = torch.randn(*size, 96)
    plain = block(x)  # with gradients
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            torch.testing.assert_close(block(x), plain, atol=1e-5, rtol=1e-5)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert (block(x) - plain).abs().mean() < 0.02
    plain.sum().backward()  # what inference cached does not disturb gradients
    assert block.attn.relative_position_bias_table.grad.abs().sum() > 0


@pytest.mark.parametrize("objects", [1, 5])
@pytest.mark.parametrize("validity", ["all", "objects", "both"])
def test_comparison_with_the_history(objects: int, validity: str) -> None:
    torch.manual_seed(0)
    b, t, g, c = 2, 4, 9, 16
    f4 = torch.randn(b, c, 70, 130)
    history = History(torch.randn(b, t, objects, c), torch.randn(b, t, g, c))
    if validity != "all":
        seen = torch.rand(b, t, objects) > 0.5
        seen[:, 0] = True
        history = history._replace(object_valid=seen)
    if validity == "both":
        history = history._replace(background_valid=torch.tensor([[True, False, True, False]] * b))
    plain = compare_plain(f4, history, 0.25)
    with torch.no_grad():
        for x in (f4, f4.contiguous(memory_format=torch.channels_last)):
            torch.testing.assert_close(compare(x, history, 0.25), plain)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert compare(f4, history, 0.25).dtype == torch.float32


NETWORKS = {
    "batch norms": {"backbone": "mobilenetv2_035"},
    "folded, TensorFlow's padding": {
        "backbone": "mobilenet_edgetpu_100.mlcommons",
        "backbone_norms": "folded",
        "fusion": "full",
        "fine_channels": 16,
    },
    "Swin, deformable": {"backbone": "swin_tiny", "deformable": True},
}
REFINED = {"backbone": "mobilenetv2_035", "refiner_channels": 16}


def network_of(**changes: object) -> Hodor:
    torch.manual_seed(0)
    small = {"channels": 32, "heads": 4, "encoder_layers": 1, "decoder_layers": 2}
    network = Hodor(HodorConfig(**({"deformable": False} | small | changes)))  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.mark.parametrize("changes", NETWORKS.values(), ids=NETWORKS.keys())
def test_a_copy_for_inference_computes_the_same(changes: dict[str, object]) -> None:
    network = network_of(**changes)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    learning = [p.requires_grad for p in network.parameters()]
    images, masks = torch.randn(1, 3, 64, 96), torch.zeros(1, 2, 64, 96)
    masks[:, 0, 10:40, 10:40] = masks[:, 1, 20:50, 60:90] = 1
    with torch.no_grad():
        plain = network(images, masks, images)
        exact = inference_copy(network)(images, masks, images)
        low = inference_copy(network, torch.bfloat16)
        with torch.autocast("cpu", torch.bfloat16):
            half = low(images, masks, images)
    torch.testing.assert_close(exact, plain, atol=1e-3, rtol=1e-3)
    assert (half.softmax(1) - plain.softmax(1)).abs().mean() < 0.02
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())
    assert [p.requires_grad for p in network.parameters()] == learning
    assert not any(p.requires_grad for p in low.parameters())


@torch.no_grad()
def test_the_refiner_of_a_copy_for_inference_is_the_same() -> None:
    network = network_of(**REFINED)
    assert network.refiner is not None
    torch.nn.init.normal_(network.refiner.out.weight, std=0.3)
    images, logits = torch.randn(1, 3, 64, 96), torch.randn(1, 12, 16, 24)
    prior = Prior(
        torch.rand(1, 2, 16, 24), torch.ones(1, 2), torch.rand(1, 2), torch.rand(1, 1, 16, 24)
    )
    copied = inference_copy(network)
    assert copied.refiner is not None
    ready = [module for module in copied.refiner.modules() if isinstance(module, ReadyConv)]
    assert sum(module.relu for module in ready) == 3 + len(network.refiner.body)
    plain, quick = (
        one.refine(images, one.extract(images), logits, prior) for one in (network, copied)
    )
    assert (plain.logits - logits).abs().mean() > 0.1
    torch.testing.assert_close(quick.logits, plain.logits, atol=1e-4, rtol=1e-4)


def test_tokens_of_a_copy_for_inference_are_the_same() -> None:
    matching = {"refiner_channels": 8, "match_channels": 16, "tokens": "dinov2_small"}
    network = network_of(backbone="mobilenetv2_035", **matching)
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):  # of the branches' scales, which begin as next to nothing
            torch.nn.init.uniform_(parameter, 0.2, 1.0)
    images = torch.randn(1, 3, 64, 96)
    low = inference_copy(network, torch.bfloat16)
    attention = [module for module in low.modules() if isinstance(module, ReadyAttention)]
    assert len(attention) == 12  # in place of each of timm's
    with torch.no_grad():
        keys = network.keys(images, network.extract(images))
        copy = inference_copy(network)
        exact = copy.keys(images, copy.extract(images))
        with torch.autocast("cpu", torch.bfloat16):
            half = low.keys(images, low.extract(images))
    assert keys is not None
    assert exact is not None
    assert half is not None
    assert keys.shape == (1, 32, 8, 12)
    torch.testing.assert_close(exact, keys, atol=1e-4, rtol=1e-4)
    assert ((half.float() * keys).sum(1) > 0.99).all()  # cosines


@torch.no_grad()
def test_codes_of_places_are_kept_for_the_latest_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens((127.5,) * 3, (127.5,) * 3).eval()
    ready = copy.deepcopy(tokens)
    ready.prepare_for_inference()
    resample, sizes = ready_tokens.resample_abs_pos_embed, []

    def noted(code: Tensor, size: list[int], *rest: Any, **options: Any) -> Tensor:
        sizes.append(tuple(size))
        return resample(code, size, *rest, **options)

    monkeypatch.setattr(ready_tokens, "resample_abs_pos_embed", noted)
    widths = list(range(3, 3 + ready_tokens.SIZES))
    for x in (*widths, *widths, 20, widths[-1], widths[0]):
        images = torch.randn(1, 3, 28, 14 * x)
        torch.testing.assert_close(ready(images), tokens(images), atol=1e-4, rtol=1e-4)
    assert sizes == [(2, x) for x in (*widths, 20, widths[0])]


def test_a_copy_for_inference_is_lean() -> None:
    copy = inference_copy(network_of(**NETWORKS["batch norms"]), torch.bfloat16)
    modules = list(copy.modules())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in modules)
    convolutions = [module for module in modules if isinstance(module, torch.nn.Conv2d)]
    assert all(conv.weight.dtype == torch.bfloat16 for conv in convolutions)
    ready = [module for module in modules if isinstance(module, ReadyConv)]
    assert len(ready) == len(convolutions)
    assert any(module.relu for module in ready)
    assert isinstance(copy.backbone, TimmBackbone)
    deformable = inference_copy(network_of(**NETWORKS["Swin, deformable"]), torch.bfloat16)
    for module in deformable.modules():
        if isinstance(module, DeformableConv):
            assert module.offsets.weight.dtype == torch.float32  # pixel positions
            assert module.conv.weight.dtype == torch.bfloat16


CONVOLUTIONS: dict[str, Callable[[], torch.nn.Conv2d]] = {
    "plain": lambda: torch.nn.Conv2d(8, 12, 3, 2, 1),
    "grouped": lambda: torch.nn.Conv2d(8, 12, 3, 2, 1, groups=4),
    "reflected": lambda: torch.nn.Conv2d(8, 12, 3, 2, 1, padding_mode="reflect"),
    "same padding": lambda: Conv2dSame(8, 12, 3, 2),
}


@pytest.mark.parametrize("relu", [True, False], ids=["relu", "alone"])
@pytest.mark.parametrize("make", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
@torch.no_grad()
def test_a_convolution_with_its_relu(make: Callable[[], torch.nn.Conv2d], relu: bool) -> None:
    torch.manual_seed(0)
    conv = make()
    ready, low = ReadyConv(conv, relu=relu), ReadyConv(copy.deepcopy(conv).bfloat16(), relu=relu)
    for size in ((13, 18), (32, 32), (13, 18)):
        x = torch.randn(2, 8, *size)
        plain = F.relu(conv(x)) if relu else conv(x)
        torch.testing.assert_close(ready(x), plain)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(ready(x).float(), plain, atol=0.05, rtol=0.05)
            torch.testing.assert_close(low(x).float(), plain, atol=0.05, rtol=0.05)


@torch.no_grad()
def test_a_convolution_lays_its_weights_out_once_for_a_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = ReadyConv(torch.nn.Conv2d(8, 12, 3))
    if not fused(torch.zeros(1)):
        pytest.skip("needs oneDNN's kernels")
    lay_out, sizes = torch.ops.mkldnn._reorder_convolution_weight, []

    def noted(weight: torch.Tensor, *how: Any) -> torch.Tensor:
        sizes.append(tuple(how[-1]))
        return lay_out(weight, *how)

    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_convolution_weight", noted)
    for size in (9, 9, 20, 20):
        ready(torch.randn(1, 8, size, size))
    assert sizes == [(1, 8, 9, 9), (1, 8, 20, 20)]
    # A tracker's views become narrower and wider: the latest few sizes are kept, no more.
    widths = [9, 20, *range(30, 30 + LATEST - 2)]
    for size in (*widths, *widths, 50, *reversed(widths)):
        ready(torch.randn(1, 8, size, size))
    assert [size[-1] for size in sizes] == [*widths, 50, 9]


@pytest.mark.parametrize("masking", ["soft", "none", "hard"])
@pytest.mark.parametrize("inside", [True, False])
def test_masked_attention_in_inference(masking: str, inside: bool) -> None:
    torch.manual_seed(0)
    config = HodorConfig(channels=32, heads=4, masking=masking, alpha_inside_scaling=inside)  # type: ignore[arg-type]
    attention = MaskedCrossAttention(config).eval()
    inputs = torch.randn(2, 5, 32), torch.randn(2, 40, 32), torch.randn(2, 40, 32)
    masks = torch.rand(2, 5, 40)
    masks[:, 1] = 0  # an empty patch
    plain = attention(*inputs, masks)  # with gradients
    with torch.no_grad():
        torch.testing.assert_close(attention(*inputs, masks), plain, atol=1e-5, rtol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            half = attention(*inputs, masks)
    assert (half - plain).abs().mean() < 0.02 * plain.abs().mean() + 0.01


def test_depthwise_convolutions_learn_in_float32_under_autocast() -> None:
    backbone = network_of(backbone="mobilenetv2_035").backbone
    convs = [m for m in backbone.modules() if isinstance(m, torch.nn.Conv2d) and m.groups > 1]
    assert convs
    for conv in (convs[0], copy.deepcopy(convs[-1])):
        x = torch.randn(2, conv.in_channels, 12, 20).bfloat16()
        with torch.autocast("cpu", torch.bfloat16):
            y = conv(x)
        assert y.dtype == torch.bfloat16
        grown = torch.randn_like(y)
        (found,) = torch.autograd.grad(y, conv.weight, grown)
        exact = type(conv).forward(conv, x.float())
        torch.testing.assert_close(y, exact.bfloat16())
        torch.testing.assert_close(found, torch.autograd.grad(exact, conv.weight, grown.float())[0])


@torch.no_grad()
def test_threads_may_lay_weights_out_for_many_sizes_at_once() -> None:
    if not fused(torch.zeros(1)):
        pytest.skip("needs oneDNN's kernels")
    ready = ReadyConv(torch.nn.Conv2d(1, 1, 1).requires_grad_(False))
    ready.sizes = 1

    def many(step: int) -> None:
        with torch.inference_mode():
            for n in range(4000):
                ready(torch.zeros(1, 1, 1 + n * step % 7, 1))

    often, before = 1e-6, sys.getswitchinterval()
    sys.setswitchinterval(often)
    try:
        with ThreadPoolExecutor(5) as pool:
            list(pool.map(many, range(1, 6)))
    finally:
        sys.setswitchinterval(before)
    ready(torch.zeros(1, 1, 9, 1))
    assert len(ready._laid_out) == 1
