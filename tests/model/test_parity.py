"""Our network computes what the released network computed, on recordings of it."""

from typing import Any

import numpy as np
import pytest
import torch
from recordings import recorded_network, recording, released_state, specification
from torch import Tensor
from torch.nn import functional as F

from hodor.model import (
    Descriptors,
    History,
    Hodor,
    Pyramid,
    normalise,
    patch_masks,
    to_stride_8,
)
from hodor.model.encoder import pool

pytestmark = pytest.mark.slow

# README of the recordings, section 7: suggested tolerances.
FEATURES = DESCRIPTORS = 5e-5
REFINED = 3e-4
LOGITS = 1e-3
PROBABILITIES = 1e-4
MARGIN = 2e-3

CASES = ["c1", "c2", "c3", "c4a", "c4b", "c4c", "c4d"]


def close(ours: Tensor, recorded: Any, tolerance: float) -> None:
    recorded = torch.as_tensor(np.asarray(recorded))
    assert ours.shape == recorded.shape
    assert (ours - recorded).abs().max().item() <= tolerance


def case_of(name: str) -> tuple[dict[str, Any], Hodor]:
    key = name if name in specification()["other_cases"] else "release"
    return recording(name), recorded_network(key)


def encoder_masks(data: dict[str, Any], network: Hodor) -> tuple[Tensor, Tensor]:
    """Objects and cells at stride 8, ours for given label maps, the recorded ones for soft."""
    if "label_maps_in" not in data:
        objects, cells = patch_masks(
            torch.from_numpy(data["enc_mask_fg"]), network.config.background_grid
        )
        return objects, cells
    labels = torch.from_numpy(data["label_maps_in"].astype(np.int64))
    count = int(labels.max())
    masks = torch.stack([(labels == i + 1).float() for i in range(count)], 1)
    objects, cells = patch_masks(masks, network.config.background_grid)
    both = to_stride_8(torch.cat([cells, objects], 1))
    return both[:, network.config.cells :], both[:, : network.config.cells]


def describe(data: dict[str, Any], network: Hodor) -> tuple[Pyramid, Descriptors]:
    """Pyramid of all frames, and descriptors of the source frames."""
    images = torch.from_numpy(data["images_rgb"]).permute(0, 3, 1, 2).float()
    pyramid = network.extract(normalise(network.config, images))
    sources = Pyramid(pyramid.f4[:-1], pyramid.f8[:-1])
    return pyramid, network.describe_patches(sources.f8, *encoder_masks(data, network))


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_pyramid_and_descriptors_equal_the_recorded_ones(name: str) -> None:
    data, network = case_of(name)
    objects, cells = encoder_masks(data, network)
    close(objects, data["enc_mask_fg"], 0)
    close(cells, data["enc_mask_bg"], 1e-6)
    pyramid, descriptors = describe(data, network)
    close(pyramid.f8, data["F8"], FEATURES)
    if "F4_target" in data:
        close(pyramid.f4[-1], data["F4_target"].reshape(pyramid.f4[-1].shape), FEATURES)
    masks = torch.cat([cells, objects], 1)
    first = pool(network.config, pyramid.f8[:-1], masks, objects.shape[1])
    close(first, data["desc_init"], DESCRIPTORS)
    close(descriptors.objects, data["fg_desc"], DESCRIPTORS)
    close(descriptors.background, data["bg_desc"], DESCRIPTORS)


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_logits_and_label_maps_equal_the_recorded_ones(name: str) -> None:
    data, network = case_of(name)
    pyramid, descriptors = describe(data, network)
    target = Pyramid(pyramid.f4[-1:], pyramid.f8[-1:])
    valid = data.get("fg_desc_valid")
    history = History(
        descriptors.objects[None],
        descriptors.background[None],
        None if valid is None else torch.from_numpy(valid).T[None],
    )
    f8 = network.decoder.refine(
        target, history, network.object_embedding, network.background_embedding
    )
    if "F8L" in data and name != "c4b":  # c4b's is from before its last norm
        close(f8[0], data["F8L"].reshape(f8[0].shape), REFINED)
    f4 = network.decoder.head.merge(target, f8)
    close(f4[0], data["F4L"].reshape(f4[0].shape), REFINED)
    logits = network.segment(target, history)
    close(logits[0], data["logits4"], LOGITS)
    probabilities = F.interpolate(logits.softmax(1), scale_factor=0.5, mode="bilinear")
    close(probabilities[0], data["probs8"], PROBABILITIES)
    full = F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False)
    labels = (full[0].argmax(0) - network.config.background_channels + 1).clamp(min=0)
    clear = data["argmax_margin"] > MARGIN
    assert (labels.numpy() == data["label_map"])[clear].all()
    assert clear.mean() > 0.99


@torch.no_grad()
def test_deformable_offsets_of_each_decoder_layer_equal_the_recorded_ones() -> None:
    data, network = case_of("c4d")
    pyramid, _descriptors = describe(data, network)
    layer = network.decoder.layers[0]
    f8 = pyramid.f8[-1:]
    at = torch.from_numpy(data["sample_pixels_f8"].astype(np.int64))
    offsets = layer.conv.offsets(f8).flatten(2)[0, :, at].T
    close(offsets, data["decoder_offsets_sampled"][0], 1e-4)
    branch = layer.conv_norm(F.relu(layer.conv(f8))).flatten(2)[0, :, at].T
    close(branch, data["decoder_deform_branch_sampled"][0], 1e-4)


def test_the_weight_recipe_gives_the_recorded_sums() -> None:
    state = released_state()
    for entry in specification()["release"]:
        if entry["kind"] == "index":
            continue
        value = state[entry["name"]].double()
        assert value.sum().item() == pytest.approx(entry["sum"], abs=1e-6)
        assert value.flatten()[0].item() == entry["first"]


@torch.no_grad()
def test_swin_stages_equal_the_recorded_ones() -> None:
    data, network = case_of("c1")
    images = torch.from_numpy(data["images_rgb"][-1:]).permute(0, 3, 1, 2).float()
    image = normalise(network.config, images)
    close(image[0, :, ::16, ::16], np.squeeze(data["net_input_sample"]), 1e-5)
    stages = network.backbone(image)
    close(stages[2][0], np.squeeze(data["swin_stage3_target"]), FEATURES)
    close(stages[3][0], np.squeeze(data["swin_stage4_target"]), FEATURES)
