"""Outlines of masks: along the edges of pixels, with holes, and filled to the same pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from hodor.formats.polygons import joined, outline
from hodor.video import fill_polygons

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.booleans())


@given(MASKS)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_outlines_fill_to_the_pixels_they_came_from(mask: NDArray[np.bool_]) -> None:
    polygons = outline(mask)
    np.testing.assert_array_equal(fill_polygons(polygons, mask.shape), mask)
    if polygons:
        np.testing.assert_array_equal(fill_polygons([joined(polygons)], mask.shape), mask)


@given(MASKS)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_simplifying_loses_no_part(mask: NDArray[np.bool_]) -> None:
    assert len(outline(mask, 2.0)) == len(outline(mask))
    assert all(len(polygon) >= 3 for polygon in outline(mask, 2.0))


def test_a_pixel_is_a_square() -> None:
    mask = np.zeros((4, 5), bool)
    mask[2, 3] = True
    (polygon,) = outline(mask)
    assert sorted(map(tuple, polygon)) == [(3, 2), (3, 3), (4, 2), (4, 3)]


def test_an_outline_has_its_corners_only() -> None:
    mask = np.zeros((20, 20), bool)
    mask[2:10, 3:15] = True
    (polygon,) = outline(mask)
    assert sorted(map(tuple, polygon)) == [(3, 2), (3, 10), (15, 2), (15, 10)]


def test_nothing_has_no_outline() -> None:
    assert outline(np.zeros((4, 4), bool)) == []
    assert not fill_polygons([], (4, 4)).any()


@pytest.mark.parametrize("tolerance", [0.0, 1.0])
def test_a_hole_stays_a_hole(tolerance: float) -> None:
    mask = np.ones((30, 30), bool)
    mask[10:20, 10:20] = False
    (polygon,) = outline(mask, tolerance)
    np.testing.assert_array_equal(fill_polygons([polygon], mask.shape), mask)
