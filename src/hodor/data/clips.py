"""Clips made from still images: warped copies, with objects of other images pasted in front."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodor.data.bars import draw_bars, draw_twigs, one_colour
from hodor.data.bend import bend
from hodor.data.changing import change_parts
from hodor.data.colour import (
    Colour,
    blur_some,
    change_colours,
    compress_some,
    sharpened,
    sharpening,
)
from hodor.data.holes import with_holes
from hodor.data.objects import ObjectRules
from hodor.data.stills import Still
from hodor.data.warp import Motion, Movement, happens, random_affine, uniform
from hodor.errors import DataError, RecipeError, counted

VISIBLE = 0.0015  # of the frame: an object that shows less in frame 0 cannot be the reference
TRIES = 8
COARSE = 4  # pixels between the places of a map that are looked at
STEADY_LIGHT = 0.2  # of a frame's own change of colour is left in a steady clip
SHRUNK = 1.5  # pixels of a still for each of a frame, from where reading only some of them shows


@dataclass(frozen=True)
class ClipSettings:
    """How clips are made: in layers that move on their own and hide one another. Ours."""

    making: Literal["layers"] = "layers"
    size: tuple[int, int] = (224, 384)
    """Height and width of a frame, multiples of 32."""
    sizes: tuple[tuple[int, int], ...] = ()
    """In the place of ``size``: those that steps take in turn."""
    frames: int = 3
    """T of the paper."""
    objects: tuple[float, ...] = (0.5, 0.35, 0.15)
    """Share of batches with 1, 2, ... followed objects."""
    extra: float = 0.3
    """Share of clips with one more object in front that is not followed: an occluder."""
    pasted_only: float = 0.35
    """Share of clips whose followed objects are all pasted: smaller in the frame than a still's own
    objects, which become part of the background."""
    same_source: float = 0.15
    """Share of pasted objects taken from the clip's own still: a look-alike."""
    vanish: float = 0.0
    """Share of pasted, followed objects that are missing from one later frame: their mask must
    come out empty there, and they must be found again (section 5 names the failure)."""
    changing: float = 0.0
    """Share of clips in which parts of an object change their look, as of what turns round."""
    bars: float = 0.0
    """Share of clips in which bars pass in front, as of a fence: not followed."""
    twigs: float = 0.0
    """Share of these in which it is a tuft of twigs: thinner, shorter, and many."""
    plain: float = 0.0
    """Share of them that are of about one colour; others have a still's texture."""
    holes: float = 0.0
    """Share of pasted objects with holes, through which what is behind is seen: gaps, wheels with
    spokes, slits."""
    pasted_side: tuple[float, float] = (0.12, 0.42)
    """Side of pasted objects, as a share of the frame's sides."""
    soft: float = 0.0
    """Most that the edge of a pasted object is blurred, sigma in pixels; and what is made smaller
    is averaged first. 0: edges as sharp as a scaled mask, sharper than in a video."""
    outlines: Literal["nearest", "linear"] = "nearest"
    """How masks of a still's own objects are read between its pixels: nearest leaves steps where a
    still is made larger, which no network can guess."""
    still: float = 0.0
    """Share of clips whose frames are exact copies before colours change (Table 1, row 2)."""
    zoom: tuple[float, float] = (0.7, 1.35)
    """Side of what a frame shows, in units of the largest window that fits in the still; over 1 the
    still is continued by its mirror image, whose objects count as the still's own (docs,
    Runs)."""
    absent: float = 0.0
    """Share of batches whose clips are also asked for an object that is nowhere in them; see
    ``ExtraAugmentation.absent``."""
    motion: Motion = field(default_factory=Motion)
    colour: Colour = field(default_factory=Colour)

    def __post_init__(self) -> None:
        for size in (self.size, *self.sizes):
            if any(side % 32 or side <= 0 for side in size):
                raise RecipeError(f"clips: size {list(size)} must be multiples of 32")
        if self.frames < 1:
            raise RecipeError(f"clips: frames is {self.frames}; it must be at least 1")
        check_objects(self.objects)

    def of_step(self, step: int) -> "ClipSettings":
        """The settings of a step's clips: with its size."""
        return replace(self, size=self.sizes[step % len(self.sizes)]) if self.sizes else self

    def stage(self, *, steady: bool = False) -> "Stage":
        """What layers are made for."""
        return Stage(self.size, self.frames, self.motion, self.still, self.soft, steady, self.holes)

    def rules(self) -> ObjectRules:
        """What counts as an object."""
        return ObjectRules()


def check_objects(shares: tuple[float, ...]) -> None:
    """Raise RecipeError unless these are shares of clips with 1, 2, ... objects."""
    if not shares or min(shares) < 0 or sum(shares) <= 0:
        raise RecipeError(f"clips.objects is {list(shares)}; shares of 1, 2, ... objects")


class Stage(NamedTuple):
    """What a layer is made for: frames of a size, and how it moves in them."""

    size: tuple[int, int]
    """(h, w)"""
    frames: int
    motion: Motion
    copies: float
    """Share of layers that do not move."""
    soft: float = 0.0
    """Of pasted edges; see ``ClipSettings.soft``."""
    steady: bool = False
    """Whether layers go from one pose to another; see ``Motion.steady``."""
    holes: float = 0.0
    """Share of pasted objects that have some."""


class Clip(NamedTuple):
    """A training clip."""

    frames: Tensor
    """(T, 3, h, w) RGB in 0..255, uint8"""
    labels: Tensor
    """(T, h, w) uint8: 0 is background, 1..n are the followed objects"""


class Layer(NamedTuple):
    """A picture warped for every frame, or for the part of the frames that it can reach."""

    image: Tensor  # (T, 3, y, x)
    ids: Tensor  # (T, y, x), of the still
    alpha: Tensor | None  # (T, 1, y, x); None covers all of it
    place: tuple[slice, slice]  # the part: rows and columns of the frames


def make_clip(
    main: Still, others: list[Still], followed: int, settings: ClipSettings, g: torch.Generator
) -> Clip:
    """Make a clip in which ``followed`` objects, all visible in frame 0, are labelled.

    Objects come from ``main`` and, where it has too few, are pasted from ``others``. Draws again
    when an object is hidden in frame 0; the last draw is taken with what is visible, so a clip may
    hold an object with an empty mask.

    Args:
        main: the still that fills the frames.
        others: stills to paste from, at least ``followed`` + 1 of them.
        followed: number of objects, n.
        g: all randomness.

    Raises:
        DataError: a still without an object, or too few stills.
    """
    if len(others) <= followed:
        raise DataError(
            f"a clip of {counted(followed, 'object')} needs {followed + 1} other stills to paste "
            f"from, found {len(others)}"
        )
    if without := [n for n, still in enumerate((main, *others)) if not still.labels.any()]:
        which = f"other still {without[0]}" if without[0] else "the main still"
        raise DataError(f"{which} of a clip has no object; leave out stills whose mask is empty")
    for _ in range(TRIES):
        clip = _draw(main, others, followed, settings, g)
        areas = torch.bincount(clip.labels[0].flatten().int(), minlength=followed + 1)
        if (areas[1:] >= VISIBLE * clip.labels[0].numel()).all():
            break
    return clip


def _draw(
    main: Still, others: list[Still], followed: int, settings: ClipSettings, g: torch.Generator
) -> Clip:
    of_main = int(main.labels.max())
    take = min(of_main, followed, 1 + int(torch.randint(0, followed, (1,), generator=g)))
    if torch.rand(1, generator=g) < settings.pasted_only:
        take = 0
    tracked = (torch.randperm(of_main, generator=g)[:take] + 1).tolist()
    pasted = followed - take
    extra = int(torch.rand(1, generator=g) < settings.extra)
    steady = happens(settings.motion.steady, g)
    stage, sharper = settings.stage(steady=steady), sharpening(settings.colour, g)
    layers = [_main_layer(main, tracked, settings, stage, g)]
    for number in range(pasted + extra):
        own = bool(torch.rand(1, generator=g) < settings.same_source)
        source = main if own else others[number]
        layer = pasted_layer(source, stage, settings.pasted_side, g)
        # No more randomness is used where nothing vanishes, so that older recipes repeat.
        if settings.vanish and number < pasted and settings.frames > 1:
            layer = _vanishing(layer, settings.vanish, g)
        layers.append(layer)
    order = (torch.randperm(pasted + extra, generator=g) + 1).tolist()
    layers = [layer._replace(image=sharpened(layer.image, sharper)) for layer in layers]
    image, labels = layers[0].image, torch.zeros_like(layers[0].ids)
    for number, label in enumerate(tracked, 1):
        labels[layers[0].ids == label] = number
    for position in order:
        paste(image, labels, layers[position], take + position if position <= pasted else 0)
    if happens(settings.bars, g):
        paste(image, labels, _bars(others[-1], stage, settings, g), 0)
    if happens(settings.changing, g):
        image = change_parts(image, labels, g)
    colour = settings.colour
    if steady:
        colour = replace(colour, frame=colour.frame * STEADY_LIGHT)
    image = blur_some(change_colours(image, colour, g), colour, g)
    frames = compress_some(image.round().to(torch.uint8), colour, g)
    return Clip(frames, labels.to(torch.uint8))


def _movement(stage: Stage, g: torch.Generator, centre: Tensor, zoom: float) -> Movement:
    """Random movement about a place in a still; mirrored half of the time."""
    t, motion = stage.frames, stage.motion
    if torch.rand(1, generator=g) < stage.copies:
        affine = torch.eye(2, 3).expand(t, 2, 3)
        return Movement(stage.size, affine, None, centre, zoom, happens(0.5, g))
    strength = float(uniform(g, 0.2, 1.0, 1))
    affine = random_affine(t, motion, strength, g, steady=stage.steady)
    elastic = 0.0
    if torch.rand(1, generator=g) < motion.elastic_share:
        elastic = motion.elastic * strength
    amounts = (motion.perspective * strength, motion.thin_plate * strength, elastic)
    shifts = bend(t, stage.size, amounts, g, steady=stage.steady)
    return Movement(stage.size, affine, shifts, centre, zoom, happens(0.5, g))


def _main_layer(
    still: Still, tracked: list[int], settings: ClipSettings, stage: Stage, g: torch.Generator
) -> Layer:
    centre, zoom = place(still.labels, tracked, settings, g)
    at = _movement(stage, g, centre, zoom).map()
    layer = sample(still.image, still.labels, at, cv2.BORDER_REFLECT)
    if settings.outlines == "nearest":
        return layer
    ids = torch.zeros_like(layer.ids)
    for number in tracked:
        mask = (still.labels == number).astype(np.uint8) * 255
        ids[remapped(mask, at, cv2.INTER_LINEAR, cv2.BORDER_REFLECT) > 127] = number
    return layer._replace(ids=ids)


def place(
    labels: NDArray[np.uint8], tracked: list[int], settings: ClipSettings, g: torch.Generator
) -> tuple[Tensor, float]:
    """What a frame shows of a picture: middle (x, y) in pixels, and picture pixels per pixel.

    Args:
        labels: (H, W) of the picture.
        tracked: ids that should be in view; none: all.
        settings: size and zoom.
        g: all randomness.
    """
    h, w = settings.size
    zoom = min(labels.shape[0] / h, labels.shape[1] / w) * float(uniform(g, *settings.zoom, 1))
    y, x = np.nonzero(np.isin(labels, tracked) if tracked else labels)
    middle = torch.tensor([x.mean(), y.mean()], dtype=torch.float32)
    # The window holds the objects' middle, and stays inside the still where it can.
    half = torch.tensor([w, h]) * zoom / 2
    middle = middle + (uniform(g, -1, 1, 2) * half * 0.6)
    limit = torch.tensor([labels.shape[1], labels.shape[0]]) - half
    return torch.maximum(torch.minimum(middle, limit), half), zoom


def pasted_layer(
    still: Still, stage: Stage, side: tuple[float, float], g: torch.Generator
) -> Layer:
    """One of a still's objects, cut out, moving somewhere in the frames.

    Args:
        still: has at least one object.
        stage: frames and movement.
        side: least and largest side of the object, as a share of the frame's.
        g: all randomness.
    """
    ids = int(torch.randint(1, int(still.labels.max()) + 1, (1,), generator=g))
    mask = (still.labels == ids).astype(np.uint8)
    y, x = np.nonzero(mask)
    h, w = stage.size
    share = float(uniform(g, *side, 1))
    zoom = math.sqrt(len(y) / (h * w)) / share
    image = still.image
    if stage.soft and zoom > SHRUNK:
        image, mask = _averaged(image, zoom), (_averaged(mask * 255, zoom) > 127).astype(np.uint8)
        y, x = np.nonzero(mask)
        zoom = 1.0
    if happens(stage.holes, g):
        mask = with_holes(mask, g)
    place = uniform(g, -0.4, 0.4, 2) * torch.tensor([w, h])
    middle = torch.tensor([x.mean(), y.mean()], dtype=torch.float32)
    moved = _movement(stage, g, middle - place * zoom, zoom)
    part = _reached(moved, (int(x.min()), int(y.min()), int(x.max()), int(y.max())))
    layer = sample(image, mask, moved.map(part), cv2.BORDER_CONSTANT, moved.seen(part))
    return _softened(layer, float(uniform(g, 0, stage.soft, 1))) if stage.soft else layer


def _averaged(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """A picture (H, W) or (H, W, 3) made smaller by a factor, by averages."""
    h, w = (max(1, round(side / factor)) for side in picture.shape[:2])
    return cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _softened(layer: Layer, sigma: float) -> Layer:
    """The layer with an edge that is blurred."""
    alpha = cast(Tensor, layer.alpha)
    # OpenCV takes a sigma of 0 for none given; 0.1 changes nothing that is seen.
    edges = [cv2.GaussianBlur(one, (0, 0), max(sigma, 0.1)) for one in alpha[:, 0].numpy()]
    return layer._replace(alpha=torch.from_numpy(np.stack(edges))[:, None])


def _reached(moved: Movement, box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    """Rows and columns of the frames that look into a box (left, top, right, bottom) of a still.

    Everything else would only mix a picture with itself: most of the time of a clip.
    """
    every = slice(None, None, COARSE)
    coarse = moved._replace(flipped=False).map((every, every))
    # Between two places that are looked at, a map goes no further than from one to the other.
    apart = [float(coarse.diff(dim=d).abs().amax()) for d in (1, 2) if coarse.shape[d] > 1]
    margin = 1 + sum(apart)
    low, high = torch.tensor(box[:2]) - margin, torch.tensor(box[2:]) + margin
    inside = ((coarse > low) & (coarse < high)).all(-1).any(0)
    rows, columns = inside.any(1).nonzero(), inside.any(0).nonzero()
    if not len(rows):
        return slice(0, 1), slice(0, 1)
    top, left = (max(0, int(found[0]) - 1) * COARSE for found in (rows, columns))
    ends = ((int(found[-1]) + 2) * COARSE for found in (rows, columns))
    bottom, right = (min(side, end) for side, end in zip(moved.size, ends, strict=True))
    return slice(top, bottom), slice(left, right)


def paste(image: Tensor, labels: Tensor, layer: Layer, number: int) -> None:
    """Lay a layer over frames, in place.

    Args:
        image: (T, 3, h, w) float.
        labels: (T, h, w).
        layer: with an alpha.
        number: its label; 0: it hides what is behind it and is not followed.
    """
    alpha = cast(Tensor, layer.alpha)
    under = image[:, :, *layer.place]
    under += (layer.image - under) * alpha
    labels[:, *layer.place][alpha[:, 0] > 0.5] = number


def _bars(still: Still, stage: Stage, settings: ClipSettings, g: torch.Generator) -> Layer:
    """Bars or a tuft of twigs that move somewhere in the frames."""
    (h, w), (y, x) = stage.size, still.labels.shape
    zoom = min(y / h, x / w) * float(uniform(g, 0.5, 1, 1))
    moved = _movement(stage, g, torch.tensor([x / 2, y / 2]), zoom)
    mask = (draw_twigs if happens(settings.twigs, g) else draw_bars)((y, x), g)
    image = one_colour((y, x), g) if happens(settings.plain, g) else still.image
    return sample(image, mask, moved.map(), cv2.BORDER_CONSTANT)


def _vanishing(layer: Layer, share: float, g: torch.Generator) -> Layer:
    """The layer, in a share of cases missing from one frame after the first."""
    away, frame = torch.rand(1, generator=g), torch.randint(1, len(layer.image), (1,), generator=g)
    if layer.alpha is None or away >= share:
        return layer
    return layer._replace(alpha=layer.alpha.index_fill(0, frame, 0.0))


def flip(at: Tensor, g: torch.Generator) -> Tensor:
    """Mirror all frames of where pixels look, (T, h, w, 2), half of the time."""
    return at.flip(2) if torch.rand(1, generator=g) < 0.5 else at


def remapped(picture: NDArray[np.uint8], at: Tensor, way: int, border: int) -> Tensor:
    """A picture (H, W) or (H, W, 3) where pixels look, ``at`` (T, h, w, 2): (T, h, w[, 3]).

    Args:
        picture: of any size.
        at: see ``sampling_map``.
        way: how OpenCV reads between pixels.
        border: OpenCV's, for what lies outside.
    """
    t, h, w, _ = at.shape
    # OpenCV is several times as fast here as grid_sample, which works on floats; all frames of
    # the clip go through one call, one below the other. Its stubs do not know that the second map
    # may be missing.
    no_map = cast(NDArray[np.float32], None)
    found = cv2.remap(picture, at.reshape(t * h, w, 2).numpy(), no_map, way, borderMode=border)
    return torch.from_numpy(found).view(t, h, w, *picture.shape[2:])


EVERYWHERE = (slice(None), slice(None))


def sample(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    at: Tensor,
    border: int,
    place: tuple[slice, slice] = EVERYWHERE,
) -> Layer:
    """Warp a still's colours (bilinear), its ids (nearest) and its objects' edge (bilinear).

    Args:
        image: (H, W, 3).
        labels: (H, W).
        at: (T, y, x, 2), see ``sampling_map``.
        border: OpenCV's; what is constant there has an edge.
        place: part of the frames that ``at`` is of.
    """
    alpha = None
    if border == cv2.BORDER_CONSTANT:
        edge = remapped(labels * 255, at, cv2.INTER_LINEAR, border)
        alpha = edge[:, None].float() / 255
    colours = remapped(image, at, cv2.INTER_LINEAR, border)
    ids = remapped(labels, at, cv2.INTER_NEAREST, border)
    return Layer(colours.permute(0, 3, 1, 2).float(), ids, alpha, place)
