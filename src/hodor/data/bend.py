"""Movement beyond affine: perspective, thin plates and elastic fields, as shifts of pixels."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.data.warp import a_way, for_frames

CONTROL = 5
"""Points on each side of a thin plate's grid."""


def perspective_field(
    frames: int,
    size: tuple[int, int],
    amount: float,
    g: torch.Generator,
    *,
    steady: bool = False,
) -> Tensor:
    """Shifts (x, y) in pixels, (frames, h, w, 2), that move the corners by up to ``amount``.

    Args:
        frames: T.
        size: (h, w).
        amount: share of the frame's sides.
        g: all randomness.
        steady: see ``for_frames``.
    """
    h, w = size
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    y = np.arange(h, dtype=np.float32)[:, None] + 0.5
    x = np.arange(w, dtype=np.float32) + 0.5
    fields = np.empty((frames, h, w, 2), np.float32)
    moved = for_frames(frames, g, 4, 2, most=amount, steady=steady).numpy() * (w, h)
    for field, shift in zip(fields, moved.astype(np.float32), strict=True):
        # In float32 throughout: in float64 it was a fifth of the time that a clip takes.
        matrix = cv2.getPerspectiveTransform(corners, corners + shift).astype(np.float32)
        below = matrix[2, 0] * x + (matrix[2, 1] * y + matrix[2, 2])
        for axis, (row, here) in enumerate(zip(matrix[:2], (x, y), strict=True)):
            np.subtract((row[0] * x + (row[1] * y + row[2])) / below, here, out=field[..., axis])
    return torch.from_numpy(fields)


def thin_plate_field(
    frames: int,
    size: tuple[int, int],
    amount: float,
    g: torch.Generator,
    *,
    steady: bool = False,
) -> Tensor:
    """Shifts as of a thin plate pinned to a grid of points that move: (T, h, w, 2).

    Args:
        frames, size, g, steady: as for ``perspective_field``.
        amount: largest movement of a point, as a share of the frame's sides.
    """
    h, w = size
    moved = for_frames(frames, g, CONTROL**2, 2, most=amount, steady=steady).numpy() * (w, h)
    axis = np.linspace(0, 1, CONTROL)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    # The plate is smooth: a coarse map of it, made finer, is the same to the eye and much faster.
    coarse = np.stack(np.meshgrid(np.linspace(0, 1, 24), np.linspace(0, 1, 16)), -1)
    basis = _plate(coarse.reshape(-1, 2), points) @ np.linalg.inv(_system(points))
    fields = basis[:, : len(points)] @ moved  # (frames, places, 2)
    fine = [
        cv2.resize(
            field.reshape(16, 24, 2).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC
        )
        for field in fields
    ]
    return torch.from_numpy(np.stack(fine))


def _plate(places: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of the plate's functions: r^2 log r about each point, then 1, x, y."""
    squared = ((places[:, None] - points[None]) ** 2).sum(-1)
    bent = 0.5 * squared * np.log(np.maximum(squared, 1e-12))
    return np.concatenate([bent, np.ones((len(places), 1)), places], 1)


def _system(points: NDArray[np.float64]) -> NDArray[np.float64]:
    upper = _plate(points, points)
    flat = upper[:, len(points) :]
    return np.block([[upper], [flat.T, np.zeros((3, 3))]])


def elastic_field(
    frames: int,
    size: tuple[int, int],
    amount: float,
    g: torch.Generator,
    *,
    steady: bool = False,
) -> Tensor:
    """Smooth shifts, as of cloth: (T, h, w, 2).

    Args:
        frames, size, g, steady: as for ``perspective_field``.
        amount: twice the standard deviation of a shift, as a share of the frame's sides.
    """
    h, w = size
    drawn = torch.randn(frames, 4, 6, 2, generator=g)
    if steady:
        drawn = a_way(torch.randn(2, 4, 6, 2, generator=g), drawn)
    coarse = drawn * amount / 2 * torch.tensor([w, h])
    fine = [cv2.resize(field, (w, h), interpolation=cv2.INTER_CUBIC) for field in coarse.numpy()]
    return torch.from_numpy(np.stack(fine))


def bend(
    frames: int,
    size: tuple[int, int],
    amounts: tuple[float, float, float],
    g: torch.Generator,
    *,
    steady: bool = False,
) -> Tensor | None:
    """The sum of what is asked for: shifts (T, h, w, 2), or None. No randomness is used for 0.

    Args:
        frames, size, g, steady: as for ``perspective_field``.
        amounts: of perspective, thin plate and elastic, as shares of the frame's sides.
    """
    makers = (perspective_field, thin_plate_field, elastic_field)
    fields = [
        make(frames, size, amount, g, steady=steady)
        for make, amount in zip(makers, amounts, strict=True)
        if amount
    ]
    if not fields:
        return None
    # Added up in place: they are as large as the clip.
    for field in fields[1:]:
        fields[0] += field
    return fields[0]
