"""Bars that pass in front of what is followed, and layers that grow."""

from dataclasses import replace

import cv2
import numpy as np
import torch

from hodor.data.bars import THICKNESS, THIN, draw_bars, draw_twigs, one_colour
from hodor.data.clips import ClipSettings, make_clip
from hodor.data.stills import Still
from hodor.data.warp import Motion, random_affine

QUIET = ClipSettings(size=(64, 96), frames=3, extra=0, pasted_only=0, still=1.0, zoom=(1.0, 1.0001))


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def still(colour: int) -> Still:
    """A box of half the sides in a picture (64, 96) of one colour."""
    labels = np.zeros((64, 96), np.uint8)
    labels[16:48, 24:72] = 1
    return Still(np.full((64, 96, 3), colour, np.uint8), labels)


def test_bars_are_thin_and_reach_from_edge_to_edge() -> None:
    shares = []
    for seed in range(30):
        mask = draw_bars((120, 200), seeded(seed))
        assert set(np.unique(mask)) <= {0, 1}
        shares.append(float(mask.mean()))
        touched = [mask[0].any(), mask[-1].any(), mask[:, 0].any(), mask[:, -1].any()]
        assert any(touched)
    assert 0.01 < np.mean(shares) < 8 * THICKNESS[1]


def test_bars_hide_what_is_followed_and_are_not_followed() -> None:
    hidden = 0
    for seed in range(10):
        usual = make_clip(still(200), [still(30)] * 2, 1, QUIET, seeded(seed))
        barred = make_clip(still(200), [still(30)] * 2, 1, replace(QUIET, bars=1.0), seeded(seed))
        assert set(barred.labels.unique().tolist()) <= {0, 1}
        hidden += int((usual.labels == 1).sum()) - int((barred.labels == 1).sum())
    assert hidden > 0


def test_twigs_are_thinner_than_bars_and_many() -> None:
    pieces = []
    for seed in range(30):
        mask = draw_twigs((240, 400), seeded(seed))
        assert set(np.unique(mask)) <= {0, 1}
        # A disc of four times the thickest fits only where twigs cross.
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(4 * THIN[1] * 240),) * 2)
        thick = cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc)
        assert thick.sum() < 0.2 * mask.sum()
        pieces.append(cv2.connectedComponents(mask)[0] - 1)
    assert np.median(pieces) > 3


def test_twigs_hide_little_in_many_places() -> None:
    hidden, outlines = [], []
    for twigs in (0.0, 1.0):
        settings = replace(QUIET, size=(128, 192), bars=1.0, twigs=twigs)
        seen = [
            make_clip(still(200), [still(30)] * 2, 1, settings, seeded(seed)).labels[0].int()
            for seed in range(40)
        ]
        hidden.append(np.mean([int((one == 0).sum()) for one in seen]))
        outlines.append(np.mean([int(one.diff(dim=1).abs().sum()) for one in seen]))
    assert hidden[1] < 1.1 * hidden[0]
    assert outlines[1] > 1.25 * outlines[0]


def test_without_twigs_bars_stay_the_same() -> None:
    settings = replace(QUIET, bars=1.0)
    for seed in range(3):
        one, other = (
            make_clip(still(200), [still(30)] * 2, 1, each, seeded(seed))
            for each in (settings, replace(settings, twigs=0.0))
        )
        assert one.frames.equal(other.frames)
        assert one.labels.equal(other.labels)
    changed = make_clip(still(200), [still(30)] * 2, 1, replace(settings, twigs=1.0), seeded(0))
    assert not changed.frames.equal(
        make_clip(still(200), [still(30)] * 2, 1, settings, seeded(0)).frames
    )


def test_plain_bars_are_of_one_colour_and_lie_where_others_do() -> None:
    texture = torch.randint(0, 256, (64, 96, 3), generator=seeded(9)).to(torch.uint8).numpy()
    others = [Still(texture, still(0).labels)] * 2
    settings = replace(QUIET, bars=1.0)
    seen = 0
    for seed in range(4):
        textured, plain = (
            make_clip(still(200), others, 1, replace(settings, plain=share), seeded(seed))
            for share in (0.0, 1.0)
        )
        bars = textured.labels.eq(0) & (textured.frames.float().std(1) > 25)
        assert plain.labels[0].eq(textured.labels[0]).float().mean() > 0.95
        if bars[0].any():
            spread = [c.frames.float().mean(1)[bars].std() for c in (textured, plain)]
            assert spread[1] < spread[0]
            seen += 1
    assert seen > 1


def test_one_colour_is_not_many() -> None:
    for seed in range(10):
        picture = one_colour((60, 90), seeded(seed)).astype(float)
        assert picture.std((0, 1)).max() < 40
        assert picture.std() > 0


def test_without_bars_or_growth_older_clips_stay_the_same() -> None:
    g, other = seeded(1), seeded(1)
    random_affine(4, Motion(), 1.0, g)
    random_affine(4, Motion(growth=3.0), 1.0, other)
    assert g.get_state().equal(other.get_state())


def test_what_grows_does_so_from_frame_to_frame_and_no_more_than_asked() -> None:
    motion = Motion(translate=0, rotate=0, scale=1, shear=0, growth=3.0, growing=1.0)
    totals = []
    for seed in range(40):
        affine = random_affine(5, motion, 1.0, seeded(seed))
        size = affine[:, :, :2].det().sqrt().log()
        steps = size.diff()
        assert (steps >= -1e-4).all() or (steps <= 1e-4).all()
        totals.append(float((size[-1] - size[0]).exp()))
    assert 1 / 3.01 < min(totals) < 0.6
    assert 1.6 < max(totals) < 3.01
