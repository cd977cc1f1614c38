"""Objects that share channels: the same label maps as with a channel for each."""

import numpy as np
import pytest
import torch

from hodor.tracking import TrackerOptions
from hodor.tracking.geometry import Geometry
from hodor.tracking.output import FAR, fast_label_map, share_channels, surroundings
from hodor.tracking.result import label_map_of, source_probabilities

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
    full = source_probabilities(logits, channels, geometry, None)
    return label_map_of(full, channels, channels, None)


@pytest.mark.parametrize("source", [(120, 214), (97, 151), (64, 96)])
@pytest.mark.parametrize(("objects", "spread"), [(1, 3.0), (4, 8.0), (30, 2.0), (30, 6.0)])
def test_label_maps_are_those_of_a_channel_for_each_object(
    source: tuple[int, int], objects: int, spread: float
) -> None:
    geometry = Geometry.of(source, TrackerOptions(size=64))
    cells = (geometry.padded[0] // 4, geometry.padded[1] // 4)
    channels = tuple(range(3, 3 + 11 * objects, 11))
    for seed in range(4):
        logits = blobs(objects, size=cells, spread=spread, seed=seed)
        ours = fast_label_map(logits, channels, geometry)
        truth = plain(logits, channels, geometry)
        assert ours.dtype == truth.dtype
        # Sums in another order decide otherwise where two channels are equal to seven digits.
        assert (ours != truth).mean() < 2e-4
        assert len(np.unique(ours)) > min(objects, 3)


def test_objects_that_are_apart_share_and_neighbours_do_not() -> None:
    logits = torch.full((BACKGROUND + 3, 32, 48), -30.0)
    logits[0] = 0.0
    logits[BACKGROUND, 4:10, 4:10] = 9.0
    logits[BACKGROUND + 1, 4:10, 30:40] = 9.0
    logits[BACKGROUND + 2, 4:10, 12:16] = 9.0  # two cells from the first
    shared = share_channels(logits, BACKGROUND, surroundings(logits, BACKGROUND))
    assert shared.logits.shape[0] == BACKGROUND + 2
    assert shared.owner[0, 6, 6] == 0
    assert shared.owner[0, 6, 33] == 1
    assert shared.owner[1, 6, 13] == 2
    assert shared.logits[BACKGROUND, 20, 20] == FAR


def test_an_object_that_is_nowhere_gets_no_channel() -> None:
    geometry = Geometry.of((128, 192), TrackerOptions(size=128))
    logits = torch.full((BACKGROUND + 4, 32, 48), -50.0)
    logits[0] = 0.0
    boxes = surroundings(logits, BACKGROUND)
    assert share_channels(logits, BACKGROUND, boxes).logits.shape[0] == BACKGROUND
    assert not fast_label_map(logits, (1, 2, 3, 4), geometry).any()


def test_more_than_255_fit_into_sixteen_bits() -> None:
    geometry = Geometry.of((64, 96), TrackerOptions(size=64))
    logits = blobs(4, size=(16, 24), spread=2.0)
    channels = (1, 2, 300, 60000)
    ours = fast_label_map(logits, channels, geometry)
    assert ours.dtype == np.uint16
    assert set(np.unique(ours)) <= {0, *channels}
