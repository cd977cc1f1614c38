"""From a frame's size to the network's and back."""

import numpy as np
import pytest
import torch

from hodor.model import HodorConfig
from hodor.tracking import Geometry, TrackerOptions, image_of, mask_of
from hodor.tracking.torch.images import to_source

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("source", "size", "inner", "padded"),
    [
        ((60, 90), 64, (64, 96), (64, 96)),
        ((90, 60), 64, (96, 64), (96, 64)),
        ((61, 91), 64, (64, 95), (64, 96)),
        ((480, 854), 512, (512, 911), (512, 928)),
        ((1080, 1920), 512, (512, 910), (512, 928)),
        ((1920, 1080), 512, (910, 512), (928, 512)),
        ((100, 400), 64, (31, 123), (32, 128)),  # the long side is limited to 64 * 864 / 448
        ((2, 3000), 64, (1, 123), (32, 128)),
    ],
)
def test_the_shorter_side_gets_the_size_and_the_longer_is_limited(
    source: tuple[int, int], size: int, inner: tuple[int, int], padded: tuple[int, int]
) -> None:
    geometry = Geometry.of(source, TrackerOptions(size=size))
    assert (geometry.crop_size, geometry.inner, geometry.padded) == (source, inner, padded)


def test_the_limit_of_the_longer_side_can_be_chosen() -> None:
    assert Geometry.of((100, 400), TrackerOptions(size=64, long_side=4)).inner == (64, 256)
    assert Geometry.of((100, 400), TrackerOptions(size=64, long_side=1)).inner == (16, 64)


@pytest.mark.parametrize(
    ("source", "size", "inner"),
    [
        ((480, 854), 320, (320, 576)),
        ((854, 480), 320, (576, 320)),
        ((480, 640), 320, (320, 416)),  # 427 is nearer to 416 than to 448
        ((480, 854), 500, (512, 896)),
        ((2, 3000), 64, (32, 128)),
    ],
)
def test_stretched_frames_have_no_zeros_about_them(
    source: tuple[int, int], size: int, inner: tuple[int, int]
) -> None:
    geometry = Geometry.of(source, TrackerOptions(size=size, fit="stretch"))
    assert geometry.inner == geometry.padded == inner
    assert geometry.padding == (0, 0)


def test_stretched_frames_are_smoothed_however_little_they_are_made_smaller() -> None:
    lines = np.zeros((96, 192, 3), np.uint8)
    lines[:, ::2] = 240
    config = HodorConfig(pixel_mean=(0, 0, 0), pixel_std=(1, 1, 1))
    apart = []
    for fit in ("pad", "stretch"):
        geometry = Geometry.of((96, 192), TrackerOptions(size=64, long_side=2, fit=fit))
        assert geometry.inner == (64, 128)
        apart.append(float(image_of(lines, geometry, config, CPU)[0, 0].std()))
    assert apart[1] < apart[0]
    same = Geometry.of((64, 128), TrackerOptions(size=64, long_side=2, fit="stretch"))
    assert not same.shrinks


def test_an_image_is_the_normalised_frame_with_zeros_right_and_below() -> None:
    config = HodorConfig()
    frame = np.random.default_rng(0).integers(0, 255, (40, 70, 3), np.uint8)
    image = image_of(frame, Geometry.of((40, 70), TrackerOptions(size=40)), config, CPU)
    assert image.shape == (1, 3, 64, 96)
    expected = (frame - np.float32(config.pixel_mean)) / np.float32(config.pixel_std)
    np.testing.assert_allclose(image[0, :, :40, :70].permute(1, 2, 0), expected, atol=1e-5)
    assert not image[..., 40:, :].any()
    assert not image[..., 70:].any()


def test_much_shrunk_frames_are_averaged_not_sampled() -> None:
    """Two of sixteen columns are white: those that plain interpolation would look at."""
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, 7::16] = stripes[:, 8::16] = 240
    config = HodorConfig(pixel_mean=(0, 0, 0), pixel_std=(1, 1, 1))
    image = image_of(stripes, Geometry.of((512, 512), TrackerOptions(size=32)), config, CPU)
    assert image[0, 0].min() > 20
    assert image[0, 0].max() < 60


def test_probabilities_return_to_the_source_without_the_padding() -> None:
    geometry = Geometry.of((80, 140), TrackerOptions(size=40))
    full = torch.ones(1, 2, *geometry.padded)
    full[..., : geometry.inner[0], : geometry.inner[1]] = 0.25
    source = to_source(full, geometry)
    assert source.shape == (2, 80, 140)
    assert (source == 0.25).all()


def test_a_mask_becomes_zeros_and_ones_at_the_networks_size() -> None:
    geometry = Geometry.of((80, 140), TrackerOptions(size=40))
    mask = np.zeros((80, 140), bool)
    mask[20:40, 60:100] = True
    small, vanished = mask_of(mask, geometry, CPU)
    assert not vanished
    assert small.shape == geometry.padded
    expected = torch.zeros(geometry.padded)
    expected[10:20, 30:50] = 1
    torch.testing.assert_close(small, expected)


@pytest.mark.parametrize("place", [(0, 0), (211, 333), (718, 1278)])
def test_a_mask_too_small_for_the_networks_size_keeps_its_place(place: tuple[int, int]) -> None:
    geometry = Geometry.of((720, 1280), TrackerOptions(size=64))
    mask = np.zeros((720, 1280), bool)
    mask[place[0] : place[0] + 2, place[1] : place[1] + 2] = True
    small, vanished = mask_of(mask, geometry, CPU)
    assert vanished
    rows, columns = torch.nonzero(small, as_tuple=True)
    assert 1 <= len(rows) <= 4
    scale = 64 / 720
    assert all(abs(int(row) - int(place[0] * scale)) <= 1 for row in rows)
    assert all(abs(int(column) - int(place[1] * scale)) <= 1 for column in columns)
