"""Label maps computed only where the winner is in doubt: the same as when everything is."""

import numpy as np
import pytest
import torch

from hodor.tracking import TrackerOptions
from hodor.tracking.boxes import Crop
from hodor.tracking.geometry import Geometry
from hodor.tracking.logits import Logits
from hodor.tracking.result import label_map_of
from hodor.tracking.torch.label_map import (
    CANDIDATES,
    IN_DOUBT,
    dense_labels,
    fast_label_map,
    numbers_of,
    sure_winner,
)
from hodor.tracking.torch.runtime import crop_probabilities

pytestmark = pytest.mark.usefixtures("one_thread")

BACKGROUND = 10


def blobs(objects: int, *, size: tuple[int, int], spread: float, seed: int = 0) -> torch.Tensor:
    """Logits (K + O, y, x): hills for objects, smooth ground for the background, and noise."""
    g = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    middle = torch.rand(objects, 2, generator=g) * torch.tensor(size)
    apart = (y - middle[:, 0, None, None]) ** 2 + (x - middle[:, 1, None, None]) ** 2
    hills = 12 - apart / spread**2 * 6
    ground = torch.randn(BACKGROUND, 4, 6, generator=g) * 4
    ground = torch.nn.functional.interpolate(ground[None], size, mode="bicubic")[0]
    both = torch.cat([ground, hills.clamp(min=-40)])
    return both + torch.randn(both.shape, generator=g) * 0.5


def plain(logits: torch.Tensor, channels: tuple[int, ...], geometry: Geometry) -> np.ndarray:
    full = crop_probabilities(Logits(logits, channels, BACKGROUND), geometry, None)
    return label_map_of(full.numpy(), channels, channels, None)


@pytest.mark.parametrize("source", [(120, 214), (97, 151), (64, 96)])
@pytest.mark.parametrize(("objects", "spread"), [(1, 3.0), (4, 8.0), (30, 2.0), (30, 6.0)])
def test_label_maps_are_those_of_everything_at_the_frames_size(
    source: tuple[int, int], objects: int, spread: float
) -> None:
    geometry = Geometry.of(source, TrackerOptions(size=64))
    cells = (geometry.padded[0] // 4, geometry.padded[1] // 4)
    channels = tuple(range(3, 3 + 11 * objects, 11))
    for seed in range(4):
        logits = blobs(objects, size=cells, spread=spread, seed=seed)
        ours = fast_label_map(Logits(logits, channels, BACKGROUND), geometry)
        truth = plain(logits, channels, geometry)
        assert ours.dtype == truth.dtype
        # Sums in another order decide otherwise where two channels are equal to seven digits.
        assert (ours != truth).mean() < 2e-4
        assert len(np.unique(ours)) > min(objects, 3)


@pytest.mark.parametrize("crop", [None, Crop(10, 20, 60, 107)])
@pytest.mark.parametrize("objects", [1, 4, 30])
def test_a_gpus_label_maps_are_those_of_everything_at_the_frames_size(
    objects: int, crop: Crop | None
) -> None:
    geometry = Geometry.of((120, 214), TrackerOptions(size=64), crop)
    cells = (geometry.padded[0] // 4, geometry.padded[1] // 4)
    channels = tuple(range(3, 3 + 11 * objects, 11))
    logits = blobs(objects, size=cells, spread=5.0)
    numbers = numbers_of(channels, logits.device)
    ours = dense_labels(logits, BACKGROUND, numbers, geometry).numpy()
    truth = plain(logits, channels, geometry)
    np.testing.assert_array_equal(ours, truth)


def test_cells_away_from_outlines_are_not_in_doubt() -> None:
    logits = torch.full((BACKGROUND + 3, 32, 48), -30.0)
    logits[0] = 0.0
    logits[3, :, 24:] = 1.0  # two backgrounds: who of them leads is of no matter
    logits[BACKGROUND, 4:14, 4:14] = 9.0
    logits[BACKGROUND + 1, 4:14, 14:20] = 9.0
    winner = sure_winner(logits, BACKGROUND)
    assert (winner[5:13, 5:13] == 1).all()
    assert (winner[5:13, 15:19] == 2).all()
    assert (winner[:, 21:23] == 0).all()
    assert (winner[:, 26:] == 0).all()
    assert (winner[5:13, 13:15] == IN_DOUBT).all()
    assert (winner[3:15, 3] == IN_DOUBT).all()


def test_what_leads_between_two_cells_is_found() -> None:
    """A channel that is second on both sides of an outline can be first in the middle."""
    logits = torch.full((BACKGROUND + 2, 16, 24), -60.0)
    logits[0] = 0.0
    logits[BACKGROUND, :, :12] = 20.0
    logits[BACKGROUND, :, 12:] = -20.0
    logits[BACKGROUND + 1] = 6.0
    logits[0, :, 12:] = 20.0
    logits[0, :, :12] = -20.0
    geometry = Geometry.of((64, 96), TrackerOptions(size=64))
    ours = fast_label_map(Logits(logits, (7, 8), BACKGROUND), geometry)
    assert set(np.unique(ours)) == {0, 7, 8}
    np.testing.assert_array_equal(ours, plain(logits, (7, 8), geometry))


def test_a_tie_goes_to_the_background() -> None:
    geometry = Geometry.of((64, 96), TrackerOptions(size=64))
    assert not fast_label_map(
        Logits(torch.zeros(BACKGROUND + 3, 16, 24), (1, 2, 3), BACKGROUND), geometry
    ).any()


def test_objects_that_are_nowhere_win_nothing() -> None:
    geometry = Geometry.of((128, 192), TrackerOptions(size=128))
    logits = torch.full((BACKGROUND + 4, 32, 48), -50.0)
    logits[0] = 0.0
    assert not fast_label_map(Logits(logits, (1, 2, 3, 4), BACKGROUND), geometry).any()


def test_all_cells_can_be_in_doubt_and_are_done_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from hodor.tracking.torch import label_map as output

    geometry = Geometry.of((97, 151), TrackerOptions(size=64))
    cells = (geometry.padded[0] // 4, geometry.padded[1] // 4)
    logits = torch.randn(BACKGROUND + 3, *cells, generator=torch.Generator().manual_seed(0))
    assert (sure_winner(logits, BACKGROUND) == IN_DOUBT).float().mean() > 0.9
    whole = fast_label_map(Logits(logits, (1, 2, 3), BACKGROUND), geometry)
    monkeypatch.setattr(output, "VALUES", 36 * 13 * 50)
    np.testing.assert_array_equal(
        fast_label_map(Logits(logits, (1, 2, 3), BACKGROUND), geometry), whole
    )
    assert (whole != plain(logits, (1, 2, 3), geometry)).mean() < 2e-4


def test_more_objects_than_candidates_differ_in_few_pixels() -> None:
    geometry = Geometry.of((240, 360), TrackerOptions(size=160))
    cells = (geometry.padded[0] // 4, geometry.padded[1] // 4)
    objects = 3 * CANDIDATES
    logits = blobs(objects, size=cells, spread=5.0)
    channels = tuple(range(1, objects + 1))
    ours, truth = (
        fast_label_map(Logits(logits, channels, BACKGROUND), geometry),
        plain(logits, channels, geometry),
    )
    assert len(np.unique(truth)) > CANDIDATES
    assert (ours != truth).mean() < 1e-3


def test_more_than_255_fit_into_sixteen_bits() -> None:
    geometry = Geometry.of((64, 96), TrackerOptions(size=64))
    logits = blobs(4, size=(16, 24), spread=2.0)
    channels = (1, 2, 300, 60000)
    ours = fast_label_map(Logits(logits, channels, BACKGROUND), geometry)
    assert ours.dtype == np.uint16
    assert set(np.unique(ours)) <= {0, *channels}
