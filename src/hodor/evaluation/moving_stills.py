"""Clips made of still images: cut-out objects that move and hide one another, with the truth.

Real videos with several annotated objects are scarce; these cost nothing and their label maps are
exact. They measure keeping objects apart, not the full difficulty of real motion.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, cos, pi, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.errors import DataError
from hodor.evaluation.paths import Keyframe, Path2D, leaving, random_camera, random_paths
from hodor.types import AnyArray

Colours = NDArray[np.float32]

_BLUR_SAMPLES = 5
_DRAWS = 200
_TIMES_LOOKED_AT = 10
_SEEN_AT_FIRST = 0.7  # part of each object that a random clip shows at least in its first frame
_SEEN_WHEN_HIDDEN = 0.8  # in some later frame another object hides so much that less is seen
_EDGE_SIGMA = 0.7  # softens cut-out edges about as much as a lens does, in pixels


@dataclass(frozen=True)
class Cutout:
    """An object cut out of a picture.

    image: (h, w, 3) uint8 RGB. mask: (h, w) bool, True on the object. Raises DataError when the
    sizes differ or the mask is empty.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.image.shape != (*self.mask.shape, 3) or not self.mask.any():
            raise DataError(
                f"a cut-out needs an (h, w, 3) image and a mask (h, w) with the object in it, "
                f"found {self.image.shape} and {self.mask.shape}, {int(self.mask.sum())} px set"
            )


def make_clip(
    cutouts: Sequence[Cutout],
    background: NDArray[np.uint8],
    *,
    size: tuple[int, int] = (256, 448),
    frames: int = 40,
    seed: int = 0,
    paths: Sequence[Path2D] | None = None,
    camera: Path2D | None = None,
    depth: Sequence[int] | None = None,
    shutter: float = 0.0,
    leaves: tuple[float, float] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Frames (T, H, W, 3) uint8 RGB and label maps (T, H, W) uint8 of cut-outs over a background.

    The object of ``cutouts[i]`` has id i + 1. What is left out is drawn from ``seed``.

    background: (h, w, 3) uint8 RGB, any size. size: H and W. paths: one per cut-out. camera: a
    path whose x, y is the middle of the view as fractions of the background and whose size is
    the view's part of the largest that fits; beyond its edges the background is mirrored. depth:
    indices of cut-outs, farthest first. shutter: fraction of the time between frames during
    which light falls in; 0 is sharp, 0.5 a film camera's blur. leaves: fractions of the clip
    between which the first object is out of the picture, whatever its path says.

    Raises DataError when lists do not match or an object cannot be seen in the first frame.
    """
    _check_lists(len(cutouts), paths, depth)
    if frames < 1:
        raise DataError(f"a clip needs at least one frame, got {frames}")
    rng = np.random.default_rng(seed)
    camera = random_camera(rng) if camera is None else camera
    order = rng.permutation(len(cutouts)).tolist() if depth is None else depth
    scene = _Scene(background, camera, (), order, size)
    if paths is None:
        scene = _random_scene(scene, cutouts, rng)
    else:
        scene = replace(scene, actors=_actors(cutouts, paths, size))
    if leaves is not None:
        first, *others = scene.actors
        first = replace(first, path=leaving(first.path, *leaves))
        scene = replace(scene, actors=(first, *others))
    _check_first_frame(scene)
    return _film(scene, frames, shutter)


@dataclass(frozen=True)
class _Actor:
    """A cut-out ready to draw.

    colours: (h, w, 3), also beyond the object's edge. alpha: its soft mask (h, w). longer: its
    longer side in these pixels, without the margin around it.
    """

    colours: Colours
    alpha: Colours
    longer: float
    path: Path2D


@dataclass(frozen=True)
class _Scene:
    background: NDArray[np.uint8]
    camera: Path2D
    actors: Sequence[_Actor]
    order: Sequence[int]
    size: tuple[int, int]


def _check_lists(count: int, paths: Sequence[Path2D] | None, depth: Sequence[int] | None) -> None:
    if not 1 <= count <= 254:
        raise DataError(f"a clip needs 1 to 254 cut-outs, got {count}")
    if paths is not None and len(paths) != count:
        raise DataError(f"{count} cut-outs need a path each, got {len(paths)} paths")
    if depth is not None and sorted(depth) != list(range(count)):
        raise DataError(f"depth must hold each of 0 to {count - 1} once, got {list(depth)}")


def _film(
    scene: _Scene, frames: int, shutter: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    pictures = np.empty((frames, *scene.size, 3), dtype=np.uint8)
    label_maps = np.empty((frames, *scene.size), dtype=np.uint8)
    between = 1 / max(frames - 1, 1)
    for i in range(frames):
        pictures[i] = _exposed(scene, i * between, shutter * between)
        label_maps[i] = _label_map(scene, i * between)
    return pictures, label_maps


def _random_scene(scene: _Scene, cutouts: Sequence[Cutout], rng: np.random.Generator) -> _Scene:
    """The scene with random paths on which all is seen at first and something hidden later."""
    for _ in range(_DRAWS):
        paths = random_paths(len(cutouts), rng)
        drawn = replace(scene, actors=_actors(cutouts, paths, scene.size))
        seen = min(_shares_seen(drawn, 0.0)) >= _SEEN_AT_FIRST
        if seen and (len(cutouts) == 1 or _something_hides(drawn)):
            return drawn
    raise DataError(
        f"no random paths show all {len(cutouts)} objects in the first frame after {_DRAWS} "
        "draws; give fewer or more compact cut-outs, or paths"
    )


def _something_hides(scene: _Scene) -> bool:
    times = np.linspace(0.1, 1, _TIMES_LOOKED_AT)
    return any(min(_shares_seen(scene, float(time))) < _SEEN_WHEN_HIDDEN for time in times)


def _shares_seen(scene: _Scene, time: float) -> list[float]:
    """Of each object's pixels, those beyond the picture's border not counted, the part seen."""
    label_map = _label_map(scene, time)
    shares = []
    for index, actor in enumerate(scene.actors):
        pixels = np.count_nonzero(_silhouette(actor, time, scene.size))
        seen = np.count_nonzero(label_map == index + 1)
        shares.append(seen / pixels if pixels else 0.0)
    return shares


def _check_first_frame(scene: _Scene) -> None:
    unseen = [i + 1 for i, share in enumerate(_shares_seen(scene, 0.0)) if share == 0]
    if unseen:
        raise DataError(
            f"objects {unseen} cannot be seen in the first frame; start their paths inside the "
            "picture and not behind others"
        )


def _actors(
    cutouts: Sequence[Cutout], paths: Sequence[Path2D], size: tuple[int, int]
) -> list[_Actor]:
    return [_actor(cutout, path, size) for cutout, path in zip(cutouts, paths, strict=True)]


def _actor(cutout: Cutout, path: Path2D, size: tuple[int, int]) -> _Actor:
    """Crop to the object, shrink to the largest size it will be drawn at, soften its edge."""
    left, top, width, height = cv2.boundingRect(cutout.mask.astype(np.uint8))
    window = np.s_[top : top + height, left : left + width]
    margin = 4
    padding = (margin, margin, margin, margin)
    colours = cv2.copyMakeBorder(cutout.image[window], *padding, cv2.BORDER_REPLICATE)
    alpha = cv2.copyMakeBorder(
        cutout.mask[window].astype(np.float32), *padding, cv2.BORDER_CONSTANT, value=0.0
    )
    colours = _colours_beyond_edge(np.asarray(colours), np.asarray(alpha) > 0.5)
    largest = max(path.at(float(t)).size for t in np.linspace(0, 1, 21)) * size[0]
    scale = min(largest / max(width, height), 1.0)
    if scale < 1:
        target = (ceil(alpha.shape[1] * scale), ceil(alpha.shape[0] * scale))
        colours = cv2.resize(colours, target, interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(alpha, target, interpolation=cv2.INTER_AREA)
    alpha = cv2.GaussianBlur(alpha, (0, 0), _EDGE_SIGMA)
    return _Actor(
        np.asarray(colours, np.float32), np.asarray(alpha, np.float32),
        max(width, height) * scale, path,
    )  # fmt: skip


def _colours_beyond_edge(image: AnyArray, mask: NDArray[np.bool_]) -> Colours:
    """The object's own colours carried outwards, so that no rim of its old background shows.

    image: (h, w, 3). mask: (h, w) bool. Pixels beyond the mask, and its outermost ring, take the
    colour of the nearest pixel further inside. Returns (h, w, 3) float32.
    """
    inside = np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8))) > 0
    inside = inside if inside.any() else mask
    _, nearest = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.asarray(nearest)
    palette = np.zeros((int(nearest.max()) + 1, 3), dtype=np.float32)
    palette[nearest[inside]] = image[inside]
    return np.asarray(palette[nearest], dtype=np.float32)


def _exposed(scene: _Scene, time: float, open_for: float) -> NDArray[np.uint8]:
    """One frame (H, W, 3) uint8; ``open_for`` is the shutter's time as a fraction of the clip."""
    offsets = np.linspace(-0.5, 0.5, _BLUR_SAMPLES) * open_for if open_for > 0 else np.zeros(1)
    pictures = [_picture(scene, time + float(offset)) for offset in offsets]
    exposed: NDArray[np.uint8] = np.clip(np.rint(np.mean(pictures, axis=0)), 0, 255).astype("u1")
    return exposed


def _picture(scene: _Scene, time: float) -> Colours:
    picture = _background(scene, time)
    for index in scene.order:
        actor = scene.actors[index]
        place = actor.path.at(time)
        window, source = _pixels_of(actor, place, scene.size)
        if source is None:
            continue
        alpha = _alpha(actor, source)[..., None]
        colours = cv2.remap(
            actor.colours, *source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        picture[window] += alpha * (colours * np.float32(place.brightness) - picture[window])
    return picture


def _label_map(scene: _Scene, time: float) -> NDArray[np.uint8]:
    label_map = np.zeros(scene.size, dtype=np.uint8)
    for index in scene.order:
        label_map[_silhouette(scene.actors[index], time, scene.size)] = index + 1
    return label_map


def _silhouette(actor: _Actor, time: float, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Where the object is in the picture, hidden or not: (H, W) bool."""
    silhouette = np.zeros(size, dtype=np.bool_)
    window, source = _pixels_of(actor, actor.path.at(time), size)
    if source is not None:
        silhouette[window] = _alpha(actor, source) > 0.5
    return silhouette


def _alpha(actor: _Actor, source: tuple[Colours, Colours]) -> Colours:
    soft = cv2.remap(actor.alpha, *source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(soft, dtype=np.float32)


def _pixels_of(
    actor: _Actor, place: Keyframe, size: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[Colours, Colours] | None]:
    """The part of the picture an object may cover, and where in the cut-out each pixel lies.

    Returns rows and columns, and (u, v) in cut-out pixels; None where nothing is in the picture.
    """
    height, width = size
    h, w = actor.alpha.shape
    scale = place.size * height / actor.longer
    middle_x, middle_y = place.x * width, place.y * height
    reach = scale * (np.hypot(h, w) / 2 + actor.path.wobble * actor.longer) + 1
    left, right = max(int(middle_x - reach), 0), min(ceil(middle_x + reach), width)
    top, bottom = max(int(middle_y - reach), 0), min(ceil(middle_y + reach), height)
    window = (slice(top, bottom), slice(left, right))
    if right <= left or bottom <= top:
        return window, None
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    x, y = (x - middle_x + 0.5) / scale, (y - middle_y + 0.5) / scale
    turn = radians(place.angle)
    u, v = cos(turn) * x + sin(turn) * y, cos(turn) * y - sin(turn) * x
    u, v = _sway(u, v, actor.path, place.time, actor.longer)
    return window, ((u + (w - 1) / 2).astype(np.float32), (v + (h - 1) / 2).astype(np.float32))


def _sway(
    u: Colours, v: Colours, path: Path2D, time: float, longer: float
) -> tuple[Colours, Colours]:
    """Bend an object as a slow wave passes through it; (u, v) are pixels from its middle."""
    if path.wobble == 0:
        return u, v
    phase = 2 * pi * path.wobble_cycles * time
    amplitude, wave = path.wobble * longer, 2 * pi / longer
    return u + amplitude * np.sin(wave * v + phase), v + amplitude * np.sin(wave * u + 0.7 * phase)


def _background(scene: _Scene, time: float) -> Colours:
    """The camera's view of the background, (H, W, 3) float32 in 0..255."""
    view = scene.camera.at(time)
    height, width = scene.size
    h, w = scene.background.shape[:2]
    step = view.size * min(h / height, w / width)
    turn = radians(view.angle)
    a, b = step * cos(turn), step * sin(turn)
    middle_x, middle_y = view.x * w, view.y * h
    matrix = np.array(
        [
            [a, -b, middle_x - a * width / 2 + b * height / 2],
            [b, a, middle_y - b * width / 2 - a * height / 2],
        ]
    )
    warped = cv2.warpAffine(
        scene.background, matrix, (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101,
    )  # fmt: skip
    return np.asarray(warped, dtype=np.float32) * np.float32(view.brightness)
