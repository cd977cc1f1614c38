"""Clips that are nearer to a video: steady motion, sharp pictures, soft edges, smooth outlines."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.data.bend import bend
from hodor.data.clips import ClipSettings, Stage, make_clip, pasted_layer
from hodor.data.colour import Colour, sharpened
from hodor.data.stills import Still
from hodor.data.warp import Motion, for_frames, random_affine, uniform

SIZE = (64, 96)
PLAIN = ClipSettings(size=SIZE, frames=4, extra=0, pasted_only=0, colour=Colour(blur=0))


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def still(picture: NDArray[np.uint8] | None = None) -> Still:
    """A box of half the sides in a picture (128, 192), of noise or as given."""
    if picture is None:
        picture = np.random.default_rng(0).integers(0, 256, (128, 192, 3)).astype(np.uint8)
    labels = np.zeros(picture.shape[:2], np.uint8)
    h, w = labels.shape
    labels[h // 4 : h * 3 // 4, w // 4 : w * 3 // 4] = 1
    return Still(picture, labels)


def jumps(path: Tensor) -> float:
    """Mean change from frame to frame of (T, ...)."""
    return float(path.diff(dim=0).abs().mean())


def test_what_is_not_steady_is_drawn_as_it_always_was() -> None:
    assert for_frames(5, seeded(1), 2).equal(uniform(seeded(1), -1, 1, 5, 2))


def test_a_steady_way_goes_from_end_to_end_in_small_steps() -> None:
    ways = torch.stack([for_frames(8, seeded(n), 20, steady=True) for n in range(20)], 1)
    draws = torch.stack([for_frames(8, seeded(n), 20) for n in range(20)], 1)
    assert jumps(ways) < jumps(draws) / 3
    # As far from the first frame to the last as two draws are.
    assert float((ways[-1] - ways[0]).abs().mean()) > 0.8 * jumps(draws)


@pytest.mark.parametrize("kind", range(3))
def test_all_that_moves_a_layer_can_be_steady(kind: int) -> None:
    amounts = tuple(0.1 * (n == kind) for n in range(3))
    moved = {
        steady: [bend(6, SIZE, amounts, seeded(n), steady=steady) for n in range(10)]  # type: ignore[arg-type]
        for steady in (False, True)
    }
    poses = {
        steady: [random_affine(6, Motion(), 1.0, seeded(n), steady=steady) for n in range(10)]
        for steady in (False, True)
    }
    for of in (moved, poses):
        wild, calm = (np.mean([jumps(one) for one in of[steady]]) for steady in (False, True))  # type: ignore[arg-type]
        assert calm < wild * 0.6


def test_a_steady_clip_hardly_changes_its_light() -> None:
    grey = still(np.full((128, 192, 3), 120, np.uint8))
    wild, calm = (replace(PLAIN, motion=Motion(steady=share)) for share in (0.0, 1.0))
    apart = [
        np.mean(
            [
                jumps(
                    make_clip(grey, [grey] * 2, 1, settings, seeded(n))
                    .frames.float()
                    .mean((1, 2, 3))
                )
                for n in range(10)
            ]
        )
        for settings in (wild, calm)
    ]
    assert apart[1] < apart[0] / 3


def test_only_a_share_of_clips_is_steady() -> None:
    some = replace(PLAIN, motion=Motion(steady=0.5))
    moved = [
        jumps(make_clip(still(), [still()] * 2, 1, some, seeded(n)).labels.float())
        for n in range(40)
    ]
    every = replace(PLAIN, motion=Motion(steady=1.0))
    calm = [
        jumps(make_clip(still(), [still()] * 2, 1, every, seeded(n)).labels.float())
        for n in range(40)
    ]
    assert np.mean(calm) < np.mean(moved)


def test_sharpening_adds_detail_and_stays_in_range() -> None:
    images = torch.from_numpy(still().image).permute(2, 0, 1)[None].float()
    smooth = torch.nn.functional.avg_pool2d(images, 4)
    sharp = sharpened(smooth, 1.0)
    across = [float(one.diff(dim=3).abs().mean()) for one in (smooth, sharp)]
    assert across[1] > 1.2 * across[0]
    assert float(sharp.min()) >= 0
    assert float(sharp.max()) <= 255
    flat = torch.full((1, 3, 8, 8), 70.0)
    torch.testing.assert_close(sharpened(flat, 1.5), flat)
    assert sharpened(smooth, 0.0) is smooth


def test_a_pasted_edge_is_soft_where_that_is_asked() -> None:
    white = still(np.full((128, 192, 3), 255, np.uint8))

    def between(soft: float) -> float:
        """Pixels of an edge, for each that it covers."""
        total = []
        for n in range(20):
            stage = Stage(SIZE, 2, Motion(), 1.0, soft)
            alpha = pasted_layer(white, stage, (0.4, 0.401), seeded(n)).alpha
            assert alpha is not None
            total.append(float(((alpha > 0.02) & (alpha < 0.98)).sum() / (alpha > 0.5).sum()))
        return float(np.mean(total))

    assert between(2.0) > 1.5 * between(0.0)


def test_what_is_pasted_smaller_is_averaged_first() -> None:
    """Stripes as wide as a pixel come out grey, not as those that happen to be read."""
    picture = np.zeros((512, 768, 3), np.uint8)
    picture[:, ::2] = 240
    spread = []
    for soft in (0.0, 0.5):
        stage = Stage(SIZE, 1, Motion(), 1.0, soft)
        layer = pasted_layer(still(picture), stage, (0.3, 0.301), seeded(3))
        assert layer.alpha is not None
        spread.append(float(layer.image[:, :1][layer.alpha > 0.99].std()))
    assert spread[1] < 10 < spread[0]


def test_outlines_read_between_pixels_have_no_steps() -> None:
    """A disc in 24 pixels, made some five times as large: its border is as long as a circle's."""
    y, x = np.mgrid[:24, :36]
    disc = ((y - 11.5) ** 2 + (x - 17.5) ** 2 < 64).astype(np.uint8)
    source = Still(np.full((24, 36, 3), 90, np.uint8), disc)
    lengths = []
    for outlines in ("nearest", "linear"):
        settings = replace(PLAIN, size=(128, 192), still=1.0, zoom=(1.0, 1.0001), outlines=outlines)
        labels = make_clip(source, [source] * 2, 1, settings, seeded(0)).labels[0].numpy()
        corners = labels[1:, 1:] + labels[:-1, :-1] != labels[1:, :-1] + labels[:-1, 1:]
        lengths.append(int(corners.sum()))
    # A stair of five-pixel steps has a corner in five pixels, a smooth edge one in every step.
    assert lengths[1] > 1.5 * lengths[0]


def test_a_recipe_without_these_makes_the_clips_of_before() -> None:
    """Options that are off use no randomness: what follows is drawn alike."""
    ours = make_clip(still(), [still()] * 2, 1, PLAIN, seeded(5))
    same = make_clip(still(), [still()] * 2, 1, replace(PLAIN, outlines="linear"), seeded(5))
    assert ours.frames.equal(same.frames)
