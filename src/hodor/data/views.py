"""Which part of an image each frame of a clip shows, in the forms of paper and released code.

A view is a 3 x 3 matrix from the frame, laid over the image at the image's own size, to the image:
both in pixels, the first pixel's centre at 0.5. The identity shows the image as it is.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

View = NDArray[np.float64]
Labels = NDArray[np.uint8]

# published_behaviour 6.5 and 6.6
CROPS = (0.6, 0.7, 0.8)
WIDER_CROPS = (*CROPS, 0.9)
KEPT_SHARE, KEPT_AREA = 0.5, 2000  # what a view of frame 0 must leave of each object; pixels
ATTEMPTS = 3
PAPER_ATTEMPTS = 8


def between(g: torch.Generator, low: float, high: float) -> float:
    """One uniform number."""
    return low + (high - low) * float(torch.rand(1, generator=g))


def one_of(g: torch.Generator, count: int) -> int:
    """One of 0 .. count - 1."""
    return int(torch.randint(0, count, (1,), generator=g))


def affine(
    size: tuple[int, int], translate: float, rotate: float, shear: float, g: torch.Generator
) -> View:
    """Random shift (share of the sides), turn and shear on both axes (degrees), about the middle.

    Args:
        size: (h, w) of the image.
        translate, rotate, shear: largest values, either way.
        g: all randomness.
    """
    h, w = size
    shift = [between(g, -translate, translate) * side for side in (w, h)]
    turn, along_x, along_y = (
        np.radians(between(g, -most, most)) for most in (rotate, shear, shear)
    )
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = rotation @ np.array([[1, np.tan(along_x)], [np.tan(along_y), 1]])
    middle = np.array([w / 2, h / 2])
    moved = np.eye(3)
    moved[:2, :2] = linear
    moved[:2, 2] = middle + shift - linear @ middle
    return np.linalg.inv(moved).astype(np.float64)


def perspective(size: tuple[int, int], low: float, high: float, g: torch.Generator) -> View:
    """Corners pulled inwards by normal amounts of width ``low`` to ``high``, as shares of sides."""
    h, w = size
    width = between(g, low, high)
    inwards = (torch.randn(4, 2, generator=g).abs() * width).clamp(max=0.45).numpy()
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    signs = 1 - 2 * corners
    pulled = (corners + signs * inwards) * (w, h)
    return cv2.getPerspectiveTransform(
        (corners * (w, h)).astype(np.float32), pulled.astype(np.float32)
    ).astype(np.float64)


def window(left: float, top: float, across: float, down: float) -> View:
    """A crop, stretched to the whole: offset in pixels, size as a share of the image's."""
    return np.array([[across, 0, left], [0, down, top], [0, 0, 1]], np.float64)


def random_window(size: tuple[int, int], share: float, g: torch.Generator) -> View:
    """A crop of ``share`` of each side, anywhere."""
    h, w = size
    return window(between(g, 0, w * (1 - share)), between(g, 0, h * (1 - share)), share, share)


def keeps(view: View, labels: Labels) -> bool:
    """Whether each object of ``labels`` keeps half of its area and enough pixels."""
    h, w = labels.shape
    before = np.bincount(labels.ravel())
    after = np.bincount(warp(labels, view, (h, w), cv2.INTER_NEAREST, 0).ravel())
    after = np.pad(after, (0, len(before) - len(after)))
    # Areas are compared as they are on the image: a crop is not rewarded for its enlargement.
    shown = after * abs(np.linalg.det(view[:2, :2]))
    wanted = before > 0
    wanted[0] = False
    least = np.maximum(KEPT_SHARE * before, np.minimum(KEPT_AREA, before))
    return bool((shown >= 0.98 * least)[wanted].all())  # 2 %: nearest sampling is not exact


def keeping_window(labels: Labels, g: torch.Generator) -> View:
    """Frame 0 of the released "crop": small crops are tried first; else one that holds all."""
    for share in CROPS:
        view = random_window(labels.shape, share, g)
        if keeps(view, labels):
            return view
    h, w = labels.shape
    left, top, across, down = cv2.boundingRect((labels > 0).view(np.uint8))
    for share in WIDER_CROPS:
        room_x, room_y = w * share - across, h * share - down
        if min(room_x, room_y) >= 0:
            x = between(g, max(0, left - room_x), min(left, w * (1 - share)))
            y = between(g, max(0, top - room_y), min(top, h * (1 - share)))
            return window(x, y, share, share)
    return np.eye(3)


def _released_basic(size: tuple[int, int], g: torch.Generator) -> View:
    kind = one_of(g, 3)
    if kind == 0:
        return affine(size, 0.25, 20, 10, g)
    if kind == 1:
        return perspective(size, 0.10, 0.12, g)
    cut = between(g, 0.10, 0.25)
    return window(cut * size[1], cut * size[0], 1 - 2 * cut, 1 - 2 * cut)


def released_views(labels: Labels, frames: int, g: torch.Generator) -> list[View]:
    """Views of a still (published_behaviour 6.5): half "basic", half "crop".

    Args:
        labels: (H, W) with the followed objects only.
        frames: T.
        g: all randomness.
    """
    size = labels.shape
    if between(g, 0, 1) < 0.5:
        return [np.eye(3), *(_released_basic(size, g) for _ in range(frames - 1))]
    views = [keeping_window(labels, g)]
    share = CROPS[one_of(g, len(CROPS))]
    for _ in range(frames - 1):
        view = random_window(size, share, g)
        if between(g, 0, 1) < 0.5:
            view = view @ affine(size, 0, 10, 5, g)
        views.append(view)
    return views


def released_video_view(labels: Labels, g: torch.Generator) -> View:
    """The one view of all frames of a video's clip (published_behaviour 6.6)."""
    size = labels.shape
    if between(g, 0, 1) < 0.5:
        return keeping_window(labels, g)
    for _ in range(ATTEMPTS):
        turned = one_of(g, 2) == 0
        view = affine(size, 0, 20, 10, g) if turned else perspective(size, 0.08, 0.10, g)
        if keeps(view, labels):
            return view
    return np.eye(3)


def paper_views(labels: Labels, frames: int, g: torch.Generator) -> list[View]:
    """Views of a still as S4 lists them: shift, turn, shear and crop together, for each frame.

    S4 gives no rule for objects that leave: frame 0 is drawn again until each object keeps half of
    its area there, and after eight draws shows the image as it is.
    """
    first = np.eye(3)
    for _ in range(PAPER_ATTEMPTS):
        view = _paper_view(labels.shape, g)
        if keeps(view, labels):
            first = view
            break
    return [first, *(_paper_view(labels.shape, g) for _ in range(frames - 1))]


def _paper_view(size: tuple[int, int], g: torch.Generator) -> View:
    share = between(g, 0.60, 0.90) ** 0.5  # S4: so much "of the image", its area, is retained
    return random_window(size, share, g) @ affine(size, 0.25, 10, 10, g)


def warp(
    picture: NDArray[np.uint8],
    view: View,
    size: tuple[int, int],
    interpolation: int,
    outside: int | tuple[int, int, int],
) -> NDArray[np.uint8]:
    """What a view shows of a picture (H, W) or (H, W, 3), at ``size`` (h, w).

    Args:
        picture: the source.
        view: see the module.
        size: of the result.
        interpolation: OpenCV's.
        outside: value where the picture does not reach.
    """
    (h0, w0), (h, w) = picture.shape[:2], size
    to_source = view @ np.diag([w0 / w, h0 / h, 1])
    # OpenCV counts from pixels' centres.
    to_source = to_source @ np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    to_source = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]]) @ to_source
    value = outside if isinstance(outside, tuple) else (outside, outside, outside)
    flags = interpolation | cv2.WARP_INVERSE_MAP
    if not to_source[2, :2].any():
        shown = cv2.warpAffine(picture, to_source[:2], (w, h), flags=flags, borderValue=value)
    else:
        shown = cv2.warpPerspective(picture, to_source, (w, h), flags=flags, borderValue=value)
    return shown.astype(np.uint8, copy=False)
