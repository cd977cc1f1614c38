"""Patches: what a descriptor describes. Objects' masks and the cells of the background grid."""

import torch
from torch import Tensor
from torch.nn import functional as F

STRIDE = 8  # encoder and descriptors work on F8


def background_cells(h: int, w: int, grid: tuple[int, int], device: torch.device) -> Tensor:
    """Indicator of each grid cell, row-major.

    Cells have floor(h / rows) x floor(w / columns) pixels; the last row and column take the rest.

    Args:
        h, w: pixels of the masks that are cut.
        grid: rows and columns.
        device: of the result.

    Returns:
        (G, h, w) float of 0 and 1, for the G = rows * columns cells.
    """
    rows, columns = grid
    row = (torch.arange(h, device=device) // max(h // rows, 1)).clamp(max=rows - 1)
    column = (torch.arange(w, device=device) // max(w // columns, 1)).clamp(max=columns - 1)
    cell = row[:, None] * columns + column[None, :]
    return (cell == torch.arange(rows * columns, device=device)[:, None, None]).float()


def patch_masks(masks: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Cut the background into cells: what no object takes, in each cell of the grid.

    Args:
        masks: (B, O, y, x) objects in [0, 1], at any one resolution.
        grid: rows and columns.

    Returns:
        Objects (B, O, y, x) as given, and background (B, G, y, x).
    """
    free = (1 - masks.sum(1, keepdim=True)).clamp(min=0)
    h, w = masks.shape[-2:]
    cells = background_cells(h, w, grid, masks.device)
    return masks, free * cells.to(masks.dtype)


def to_stride_8(masks: Tensor) -> Tensor:
    """Bring masks from the image's resolution to F8's: (B, P, h, w) to (B, P, h/8, w/8).

    Bilinear without antialiasing, as published: each value is the mean of the central 2 x 2 of
    its 8 x 8 block.
    """
    return F.interpolate(masks, scale_factor=1 / STRIDE, mode="bilinear", align_corners=False)


def objects_to_stride_8(masks: Tensor) -> Tensor:
    """``to_stride_8`` for objects, none of which gets lost: (B, O, h, w) to (B, O, h/8, w/8).

    A mask that misses every central 2 x 2 though it is not empty (the released code drops such an
    object) keeps its place: its area average, scaled to a maximum of 1.
    """
    small = to_stride_8(masks)
    missed = (small.amax((-2, -1)) <= 0) & (masks.amax((-2, -1)) > 0)
    if missed.any():
        area = F.avg_pool2d(masks, STRIDE)
        area = area / area.amax((-2, -1), keepdim=True).clamp(min=1e-6)
        small = torch.where(missed[..., None, None], area, small)
    return small


def pool_hard(f8: Tensor, masks: Tensor, objects: int) -> Tensor:
    """First descriptors as released: the mean of F8 where the mask is over 0.5, no gradient.

    Args:
        f8: (B, C, y, x).
        masks: (B, P, y, x), objects last.
        objects: how many of the P patches are objects.

    Returns:
        (B, P, C). An object without such a pixel takes its pixel of greatest mask value; a
        background cell without one is the zero vector.
    """
    with torch.no_grad():
        tokens = f8.flatten(2).transpose(1, 2)  # (B, N, C)
        flat = masks.flatten(2)  # (B, P, N)
        chosen = (flat > 0.5).to(tokens.dtype)
        count = chosen.sum(-1, keepdim=True)
        first_best = F.one_hot(flat.argmax(-1), flat.shape[-1]).to(tokens.dtype)
        is_object = torch.arange(flat.shape[1], device=f8.device) >= flat.shape[1] - objects
        fall_back = (count == 0) & is_object[None, :, None]
        weights = torch.where(fall_back, first_best, chosen / count.clamp(min=1))
        return weights @ tokens


def pool_soft(f8: Tensor, masks: Tensor) -> Tensor:
    """First descriptors as the paper has them: the mean of F8 weighted by the mask.

    Args:
        f8: (B, C, y, x).
        masks: (B, P, y, x) in [0, 1].

    Returns:
        (B, P, C); of an empty mask the zero vector.
    """
    flat = masks.flatten(2)  # (B, P, N)
    weights = flat / flat.sum(-1, keepdim=True).clamp(min=1e-4)
    return weights.to(f8.dtype) @ f8.flatten(2).transpose(1, 2)  # (B, P, N) @ (B, N, C)
