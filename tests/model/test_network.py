"""What the network promises: every configuration, gradients, masks of any kind."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from hodor.errors import WeightsError
from hodor.model import (
    History,
    Hodor,
    HodorConfig,
    background_cells,
    deform_conv2d,
    deform_conv2d_plain,
    fold_batch_norms,
    objects_to_stride_8,
    patch_masks,
    to_stride_8,
)
from hodor.model.attention import DescriptorAttention, MaskedCrossAttention
from hodor.model.backbones.timm import TimmBackbone
from hodor.model.patches import pool_hard, pool_soft

SMALL = HodorConfig(
    backbone="mobilenetv2_035",
    channels=32,
    heads=4,
    encoder_layers=2,
    decoder_layers=2,
    deformable=False,
    dropout=0.0,
)

TABLE_3 = {
    "hodor": {},
    "1 single foreground instance": {"joint_objects": False},
    "2 no masking": {"masking": "none"},
    "3 hard masking": {"masking": "hard"},
    "4 no encoder layers": {"encoder_layers": 0, "zero_layers": "paper"},
    "5 fewer encoder layers": {"encoder_layers": 1},
    "6 no decoder layers": {"decoder_layers": 0, "zero_layers": "paper"},
    "7 fewer decoder layers": {"decoder_layers": 1},
    "8 barebones": {"barebones": True},
    "9 regular convolution, against deformable": {"deformable": True},
    "10 one background descriptor": {"background_grid": (1, 1)},
    "no catch-all": {"catch_all": False},
    "pre-norm": {"normalize_first": True},
    "narrow at stride 4": {"fine_channels": 16},
}


def network_of(config: HodorConfig) -> Hodor:
    torch.manual_seed(0)
    return Hodor(config).eval()


@pytest.fixture(scope="module")
def small() -> Hodor:
    return network_of(SMALL)


def squares(objects: int, h: int = 64, w: int = 96) -> Tensor:
    """Objects side by side: (1, O, h, w)."""
    masks = torch.zeros(1, objects, h, w)
    step = w // objects
    for i in range(objects):
        masks[0, i, 16:48, i * step + 4 : (i + 1) * step - 4] = 1
    return masks


@pytest.mark.parametrize("changes", TABLE_3.values(), ids=TABLE_3.keys())
def test_every_choice_of_table_3_segments_and_learns(changes: dict[str, object]) -> None:
    config = replace(SMALL, **changes)  # type: ignore[arg-type]
    network = network_of(config)
    images = torch.randn(2, 3, 64, 96)
    logits = network(images, squares(3).expand(2, -1, -1, -1), images.flip(-1))
    assert logits.shape == (2, config.background_channels + 3, 16, 24)
    assert logits.isfinite().all()
    logits.logsumexp(1).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
    assert network.backbone.body.conv_stem.weight.grad.abs().sum() > 0


def test_the_papers_form_differs_from_the_released_one_by_named_choices_only() -> None:
    paper, released = HodorConfig.paper(), HodorConfig()
    different = {k for k, v in paper.to_dict().items() if v != released.to_dict()[k]}
    assert different == {
        "alpha_inside_scaling",
        "pooling",
        "ffn_layers",
        "fusion",
        "logit_projection",
        "embeddings",
        "decoder_positions",
        "zero_layers",
    }
    logits = network_of(
        replace(
            paper,
            backbone="mobilenetv2_035",
            channels=32,
            heads=4,
            encoder_layers=1,
            decoder_layers=1,
        )
    )(torch.randn(1, 3, 64, 96), squares(2), torch.randn(1, 3, 64, 96))
    assert logits.isfinite().all()


def test_a_config_survives_its_plain_form_and_names_what_is_wrong() -> None:
    assert HodorConfig.from_dict(SMALL.to_dict()) == SMALL
    with pytest.raises(WeightsError, match="unknown field maskin"):
        HodorConfig.from_dict({"maskin": "soft"})
    with pytest.raises(WeightsError, match="masking is 'softish'"):
        HodorConfig(masking="softish")  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match="multiple"):
        HodorConfig(channels=100)
    with pytest.raises(WeightsError, match="not a timm model"):
        Hodor(replace(SMALL, backbone="no_such_backbone"))


def test_gradients_reach_the_first_frame_through_several_predicted_frames() -> None:
    """Section 3.4: the error of the last frame's masks flows to the first frame's masks."""
    network = network_of(replace(SMALL, pooling="soft"))
    frames = [torch.randn(1, 3, 64, 96) for _ in range(4)]
    frames[0].requires_grad_(True)
    given = squares(2).requires_grad_(True)
    masks = given
    pyramids = [network.extract(frame) for frame in frames]
    for before, after in itertools.pairwise(pyramids):
        history = History.of(network.describe(before, masks))
        logits = network.segment(after, history)
        masks = F.avg_pool2d(logits.softmax(1)[:, SMALL.background_channels :], 2)
    masks.square().sum().backward()
    for gradient in (given.grad, frames[0].grad):
        assert gradient is not None
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize("inside", [False, True])
def test_soft_masked_attention_is_equation_2(inside: bool) -> None:
    config = replace(SMALL, alpha_inside_scaling=inside)
    torch.manual_seed(1)
    attention = MaskedCrossAttention(config).double()
    d, f = torch.randn(1, 3, 32).double(), torch.randn(1, 20, 32).double()
    masks = torch.rand(1, 3, 20).double()
    heads, width = 4, 8
    expected = torch.zeros(1, 3, 32).double()
    for h in range(heads):
        part = slice(h * width, (h + 1) * width)
        q, k, v = attention.query(d), attention.key(f), attention.value(f)
        for i in range(3):
            logits = torch.stack([(q[0, i, part] * k[0, n, part]).sum() for n in range(20)])
            alpha = attention.alpha[h]
            if inside:  # as the paper has it
                logits = (logits + alpha * masks[0, i]) / math.sqrt(width)
            else:  # as the released code has it
                logits = logits / math.sqrt(width) + alpha * masks[0, i]
            expected[0, i, part] = (logits.softmax(0)[:, None] * v[0, :, part]).sum(0)
    torch.testing.assert_close(attention(d, f, f, masks), attention.output(expected))
    masks.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda m: attention(d, f, f, m), masks)


def test_alphas_start_as_published() -> None:
    attention = MaskedCrossAttention(HodorConfig())
    assert attention.alpha.tolist() == [32, 32, 16, 16, 8, 8, 4, 4]


def test_hard_masking_of_an_empty_mask_gives_no_nan() -> None:
    attention = MaskedCrossAttention(replace(SMALL, masking="hard"))
    out = attention(
        torch.randn(1, 2, 32), torch.randn(1, 6, 32), torch.randn(1, 6, 32), torch.zeros(1, 2, 6)
    )
    assert out.isfinite().all()


def test_descriptors_cannot_copy_a_masks_place() -> None:
    """Section 3.1: a mask only weighs values; on a flat image its place leaves no trace."""
    attention = MaskedCrossAttention(SMALL)
    flat = torch.ones(1, 20, 32)
    left, right = torch.zeros(1, 1, 20), torch.zeros(1, 1, 20)
    left[..., :5], right[..., 15:] = 1, 1
    d = torch.randn(1, 1, 32)
    torch.testing.assert_close(attention(d, flat, flat, left), attention(d, flat, flat, right))


def test_objects_do_not_depend_on_each_others_order(small: Hodor) -> None:
    images = torch.randn(1, 3, 64, 96)
    masks = squares(3)
    order = [2, 0, 1]
    with torch.no_grad():
        plain = small(images, masks, images)
        mixed = small(images, masks[:, order], images)
    k = SMALL.background_channels
    torch.testing.assert_close(plain[:, k:][:, order], mixed[:, k:], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("joint", [True, False])
def test_an_invalid_descriptor_is_as_good_as_none(joint: bool) -> None:
    network = network_of(replace(SMALL, joint_objects=joint))
    with torch.no_grad():
        pyramid = network.extract(torch.randn(1, 3, 64, 96))
        known = network.describe(pyramid, squares(2))
        history = History.of(known)
        wrong = known._replace(objects=torch.randn_like(known.objects) * 100)
        if not joint:
            wrong = wrong._replace(background=torch.randn_like(known.background) * 100)
        both = History.of(known, wrong)
        valid = torch.tensor([[[True, True], [False, False]]])
        seen = None if not joint else torch.tensor([[True, False]])
        masked = both._replace(object_valid=valid, background_valid=seen)
        torch.testing.assert_close(
            network.segment(pyramid, masked), network.segment(pyramid, history)
        )


def test_background_cells_split_the_frame_and_the_last_ones_take_the_rest() -> None:
    cells = background_cells(8, 13, (3, 3), torch.device("cpu"))
    assert cells.sum(0).eq(1).all()
    assert [int(c.any(1).sum()) for c in cells[::3]] == [2, 2, 4]
    assert [int(c.any(0).sum()) for c in cells[:3]] == [4, 4, 5]


def test_patches_share_every_pixel_out() -> None:
    masks = squares(2) * 0.7
    objects, cells = patch_masks(masks, (3, 3))
    torch.testing.assert_close(objects.sum(1) + cells.sum(1), torch.ones(1, 64, 96))


def test_an_object_that_misses_every_sampling_point_keeps_its_place() -> None:
    """The released code drops such an object; ours follows it."""
    masks = torch.zeros(1, 1, 64, 96)
    masks[0, 0, 16, 40] = 1  # a corner of its 8 x 8 block
    assert to_stride_8(masks).max() == 0
    small = objects_to_stride_8(masks)
    assert small[0, 0, 2, 5] == 1
    assert small.sum() == 1


def test_pooling_takes_the_mask_over_one_half_or_else_its_greatest_pixel() -> None:
    f8 = torch.arange(6.0).view(1, 1, 2, 3)
    masks = torch.tensor(
        [[[0.0, 0.5, 0.4], [0, 0, 0]], [[0.6, 0.5, 0], [0, 0.9, 0]], [[0.1, 0.2, 0], [0, 0.3, 0]]]
    )[None]
    pooled = pool_hard(f8, masks, objects=2).flatten().tolist()
    assert pooled == [0.0, 2.0, 4.0]  # an empty cell; the mean of 0 and 4; the pixel of 0.3
    soft = pool_soft(f8, masks)[0, 1].item()
    assert soft == pytest.approx((0 * 0.6 + 1 * 0.5 + 4 * 0.9) / 2.0)


def test_the_fast_deformable_convolution_equals_the_plain_one_forward_and_backward() -> None:
    torch.manual_seed(0)
    inputs = [
        torch.randn(2, 8, 9, 7).double(),
        torch.randn(2, 18, 9, 7).double() * 2,
        torch.randn(6, 8, 3, 3).double(),
        torch.randn(6).double(),
    ]
    ours = [x.clone().requires_grad_(True) for x in inputs]
    plain = [x.clone().requires_grad_(True) for x in inputs]
    a, b = deform_conv2d(*ours), deform_conv2d_plain(*plain)
    torch.testing.assert_close(a, b)
    weight = torch.randn_like(a)
    (a * weight).sum().backward()
    (b * weight).sum().backward()
    for x, y in zip(ours, plain, strict=True):
        torch.testing.assert_close(x.grad, y.grad)


@torch.no_grad()
def test_folded_batch_norms_compute_the_same() -> None:
    torch.manual_seed(0)
    backbone = TimmBackbone("mobilenet_edgetpu_100.mlcommons", fold=False).eval().double()
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    images = torch.randn(1, 3, 64, 96).double()
    before = backbone(images)
    fold_batch_norms(backbone)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in backbone.modules())
    for a, b in zip(before, backbone(images), strict=True):
        torch.testing.assert_close(a, b)
    assert [f.shape[-1] for f in before] == [24, 12, 6, 3]


@torch.no_grad()
@pytest.mark.parametrize("name", ["mobilenetv2_035", "mobilenetv3_small_050", "resnet10t"])
def test_a_backbone_may_end_at_stride_16_and_is_smaller_then(name: str) -> None:
    whole, short = (TimmBackbone(name, fold=False, coarsest=end).eval() for end in (32, 16))
    kept = short.state_dict()
    assert sum(v.numel() for v in kept.values()) < sum(p.numel() for p in whole.parameters()) / 2
    short.load_state_dict({k: v for k, v in whole.state_dict().items() if k in kept})
    images = torch.randn(1, 3, 64, 96)
    for a, b in zip(whole(images)[:3], short(images), strict=True):
        assert torch.equal(a, b)
    logits = network_of(replace(SMALL, backbone=name, coarsest=16))(images, squares(2), images)
    assert logits.shape == (1, 12, 16, 24)
    with pytest.raises(WeightsError, match="coarsest 16 is for timm backbones"):
        HodorConfig(coarsest=16)


def test_bfloat16_stays_near_float32(small: Hodor) -> None:
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        full = small(images, squares(2), images).softmax(1)
        with torch.autocast("cpu", torch.bfloat16):
            half = small(images, squares(2), images).softmax(1)
    assert half.dtype == torch.float32
    assert (full - half).abs().mean() < 0.02


@pytest.mark.parametrize("masking", ["soft", "hard", "none"])
def test_weights_of_attention_are_those_that_forward_uses(masking: str) -> None:
    config = HodorConfig(channels=32, heads=4, masking=masking)  # type: ignore[arg-type]
    torch.manual_seed(0)
    pixels, d, masks = torch.randn(1, 20, 32), torch.randn(1, 3, 32), torch.rand(1, 3, 20)
    attention = MaskedCrossAttention(config).eval()
    weights = attention.weights(d, pixels, masks)
    assert weights.shape == (1, 4, 3, 20)
    by_hand = weights @ attention.value(pixels).view(1, 20, 4, 8).transpose(1, 2)
    by_hand = attention.output(by_hand.transpose(1, 2).reshape(1, 3, 32))
    torch.testing.assert_close(by_hand, attention(d, pixels, pixels, masks))
    listening = DescriptorAttention(config).eval()
    objects, background = torch.randn(1, 2, 32), torch.randn(1, 5, 32)
    valid = torch.tensor([[True] * 6 + [False]])
    weights = listening.weights(pixels, (objects, objects), (background, background), valid)
    assert (weights[..., -1] == 0).all()
    values = torch.cat([listening.background_value(background), listening.object_value(objects)], 1)
    by_hand = weights @ values.view(1, 7, 4, 8).transpose(1, 2)
    found = listening(pixels, (objects, objects), (background, background), valid)
    torch.testing.assert_close(by_hand.transpose(1, 2).reshape(1, 20, 32), found)
