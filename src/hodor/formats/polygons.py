"""Masks as polygons and back.

A polygon's points are in the coordinates of COCO and CVAT: pixel (x, y) is the square from (x, y)
to (x + 1, y + 1), so outlines run along the edges of pixels. Without simplification they give
back every pixel.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.formats.track import Mask
from hodor.video.coco_rle import LEAST_CORNERS

Polygon = NDArray[np.float64]
"""Corners (N, 2) as x, y in pixels; the last is joined to the first."""


def outline(mask: Mask, tolerance: float = 0.0) -> list[Polygon]:
    """One polygon for each connected part of a mask (H, W), its holes joined to its outline.

    tolerance: how far in pixels an outline may leave the edges of pixels, so that it has fewer
    corners; 0 keeps every pixel, and no part is ever lost. Holes are reached by a cut of no width,
    there and back.
    """
    # At twice the size, a pixel's left half is even and its right half odd: the contour, which
    # runs through centres of pixels, tells on which edge it runs.
    doubled = np.repeat(np.repeat(mask.view(np.uint8), 2, axis=0), 2, axis=1)
    contours, tree = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if tree is None:
        return []
    edges = [(np.asarray(contour, np.int32)[:, 0] + 1) // 2 for contour in contours]
    rings = [_simplified(ring, tolerance) for ring in edges]
    polygons = []
    for at, (_, _, first_hole, parent) in enumerate(tree[0]):
        if parent == -1:
            parts, hole = [rings[at]], first_hole
            while hole != -1:
                parts.append(rings[hole])
                hole = tree[0][hole][0]
            polygons.append(joined(parts))
    return polygons


def joined(polygons: list[Polygon]) -> Polygon:
    """One polygon of several, with cuts of no width between them.

    Filled by the rule of even and odd, it covers what they cover together.
    """
    whole = polygons[0]
    for ring in polygons[1:]:
        # From the ring's leftmost corner to the nearest one of the rest.
        turned = np.roll(ring, -int(ring[:, 0].argmin()), axis=0)
        at = int(((whole - turned[0]) ** 2).sum(1).argmin())
        whole = np.concatenate([whole[: at + 1], turned, turned[:1], whole[at:]])
    return whole


def box_of_corners(corners: object) -> tuple[float, float, float, float] | None:
    """Columns and rows (left, top, right, bottom) of corners (N, 2); None for no corner.

    Raises ValueError if they are no numbers in pairs.
    """
    pairs = np.asarray(corners, np.float64).reshape(-1, 2)
    if not len(pairs):
        return None
    (left, top), (right, bottom) = pairs.min(0), pairs.max(0)
    return float(left), float(top), float(right), float(bottom)


def ellipse(
    centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0
) -> Polygon:
    """Corners (72, 2) of an ellipse, turned clockwise about its centre; all in pixels."""
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    across, along = radii[0] * np.cos(angles), radii[1] * np.sin(angles)
    turn = np.deg2rad(degrees)
    x = centre[0] + across * np.cos(turn) - along * np.sin(turn)
    y = centre[1] + across * np.sin(turn) + along * np.cos(turn)
    return np.stack([x, y], axis=1)


def _simplified(ring: NDArray[np.int32], tolerance: float) -> Polygon:
    """Within the tolerance; as it is if nothing would be left."""
    ring = ring[np.any(ring != np.roll(ring, 1, axis=0), axis=1)]
    fewer = ring
    if tolerance > 0:
        fewer = np.asarray(cv2.approxPolyDP(ring[:, None], tolerance, closed=True), np.int32)[:, 0]
    corners = _corners(fewer)
    return corners if len(corners) >= LEAST_CORNERS else _corners(ring)


def _corners(ring: NDArray[np.int32]) -> Polygon:
    """Without what is on straight lines."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    back = (before * after).sum(1) < 0
    return np.asarray(ring[turns | back], np.float64)
