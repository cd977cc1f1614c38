"""Clips made of whole images, as paper and released code do, and what goes beyond both."""

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hodor.data.bend import bend
from hodor.data.clips import Stage, check_objects, paste, pasted_layer
from hodor.data.colour import blur_by_motion
from hodor.data.objects import ObjectRules, renumbered, usable_ids
from hodor.data.published_colour import paper_colour, released_colour
from hodor.data.stills import Still
from hodor.data.videos import VideoClip
from hodor.data.views import (
    View,
    between,
    paper_views,
    released_video_view,
    released_views,
    warp,
)
from hodor.data.warp import Motion
from hodor.errors import RecipeError

Making = Literal["paper", "released", "plain"]
NOWHERE = 255
"""Label of pixels that no picture covers, and of padding: images are 0 there after normalising."""
MEAN_COLOUR = (124, 116, 104)  # what 0 is after normalising; edges of what is uncovered mix with it
PASTED = Motion(elastic_share=0.0)


@dataclass(frozen=True)
class ExtraAugmentation:
    """What neither paper nor released code does; all off. Shares are of clips, sizes of sides."""

    pasted: float = 0.0
    """Share of clips with an object of another image in front, which moves on its own and hides
    what it passes; half of them are followed, in the place of one of the image's own objects."""
    absent: float = 0.0
    """Share of batches whose clips are also asked for an object of another image, which is nowhere
    in them: its mask must come out empty (section 5 names the failure)."""
    perspective: float = 0.0
    """Largest movement of a frame's corners."""
    thin_plate: float = 0.0
    """Largest movement of the points of a thin plate."""
    elastic: float = 0.0
    """Smooth random displacement."""
    motion_blur: float = 0.0
    """Share of frames blurred along a line."""


@dataclass(frozen=True)
class WholeClips:
    """How clips are made: the whole image, warped for each frame.

    Clips of a group have the same number of objects, and shapes that differ by at most 0.1 in
    height over width; they are padded to a common size (published_behaviour 6.3).
    """

    making: Making
    """``paper``: S4; ``released``: published_behaviour 6.5 to 6.7; ``plain``: the image or the
    frames as they are (Table 1, rows 1 and 2)."""
    frames: int = 3
    """T of the paper."""
    area: int = 300_000
    """Pixels of a frame, about; sides follow from the image's shape."""
    sides: tuple[int, int] | None = None
    """Shorter side, and limit of the longer one, in place of ``area`` (released, video)."""
    objects: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)
    """Share of groups with 1, 2, ... followed objects."""
    min_area: int = 2000
    """Objects have more pixels than this, in the image as it is on disk."""
    min_side: int = 20
    """Their boxes are longer than this on both sides."""
    colour_each: bool = False
    """Draw colours for each frame by itself (released, sparse video), not for the clip."""
    beyond: ExtraAugmentation = field(default_factory=ExtraAugmentation)

    def __post_init__(self) -> None:
        if self.frames < 1 or self.area < 64 * 64:
            raise RecipeError(
                f"clips: frames {self.frames} must be at least 1, area {self.area} at least 4096"
            )
        check_objects(self.objects)

    def rules(self) -> ObjectRules:
        """What counts as an object."""
        return ObjectRules(share=0.0, area=self.min_area, side=self.min_side, front="later")

    def size(self, ratio: float) -> tuple[int, int]:
        """Height and width, in pixels, of frames of images with this height over width."""
        if self.sides is not None:
            short, long = self.sides
            longer = min(long, short * max(ratio, 1 / ratio))
            short = round(longer / max(ratio, 1 / ratio))
            return (round(longer), short) if ratio > 1 else (short, round(longer))
        if self.making == "released":
            h = max(32, math.floor(math.sqrt(self.area * ratio)))
            return h, max(32, self.area // h)
        short = max(1, round(math.sqrt(self.area * min(ratio, 1 / ratio)) / 32)) * 32
        longer = round(short * max(ratio, 1 / ratio))
        return (longer, short) if ratio > 1 else (short, longer)


class Frames(NamedTuple):
    """A clip before it is padded."""

    images: NDArray[np.uint8]
    """(T, h, w, 3) RGB"""
    labels: NDArray[np.uint8]
    """(T, h, w): 0 is background, 1..n the followed objects, ``NOWHERE`` no picture"""


def make_whole_clip(
    still: Still,
    other: Still | None,
    followed: int,
    size: tuple[int, int],
    settings: WholeClips,
    g: torch.Generator,
) -> Frames:
    """A clip of ``frames`` views of one image.

    Args:
        still: the image; where it has fewer objects than ``followed``, the rest have no mask.
        other: an image to paste an object from; None: nothing is pasted.
        followed: number of objects, n.
        size: (h, w) of the frames.
        settings: the form.
        g: all randomness.
    """
    fronted = other is not None
    take_over = fronted and followed > 1 and between(g, 0, 1) < 0.5
    labels = _chosen(still.labels, followed - take_over, g)
    image = _coloured(still.image, settings, 25, g)
    views = _views(settings, labels, g)
    flipped = settings.making != "plain" and between(g, 0, 1) < 0.5
    clip = render([image], [labels], views, size, flipped=flipped)
    clip = _bent(clip, settings.beyond, g)
    if other is not None:
        clip = _pasted(clip, other, followed if take_over else 0, g)
    return _blurred(clip, settings.beyond, g)


def make_whole_video_clip(
    video: VideoClip, followed: int, size: tuple[int, int], settings: WholeClips, g: torch.Generator
) -> Frames:
    """A clip of real frames, all seen in the same view.

    The paper states no augmentation of video frames: ``paper`` changes colours (S4) and mirrors.

    Args:
        video: frames of one size, the first annotated.
        followed, size, settings, g: as for ``make_whole_clip``.
    """
    usable = usable_ids(video.labels[0], settings.rules())
    ids = usable[torch.randperm(len(usable), generator=g)[:followed].numpy()]
    labels = [renumbered(one, ids) for one in video.labels]
    flipped = settings.making != "plain" and between(g, 0, 1) < 0.5
    state = g.get_state()
    images = []
    for image in video.images:
        if not settings.colour_each:
            g.set_state(state)
        images.append(_coloured(image, settings, 20, g))
    released = settings.making == "released"
    view = released_video_view(labels[0], g) if released else np.eye(3)
    clip = render(images, labels, [view] * len(images), size, flipped=flipped)
    return _blurred(clip, settings.beyond, g)


def _chosen(labels: NDArray[np.uint8], count: int, g: torch.Generator) -> NDArray[np.uint8]:
    """Labels with a random part of the objects, as 1, 2, ..."""
    order = torch.randperm(int(labels.max()), generator=g)[:count]
    return renumbered(labels, order.numpy() + 1)


def _coloured(
    image: NDArray[np.uint8], settings: WholeClips, brightness: float, g: torch.Generator
) -> NDArray[np.uint8]:
    if settings.making == "plain":
        return image
    if settings.making == "paper":
        return paper_colour(image, g)
    return released_colour(image, brightness, g)


def _views(settings: WholeClips, labels: NDArray[np.uint8], g: torch.Generator) -> list[View]:
    if settings.making == "plain":
        return [np.eye(3)] * settings.frames
    make = paper_views if settings.making == "paper" else released_views
    return make(labels, settings.frames, g)


def render(
    images: list[NDArray[np.uint8]],
    labels: list[NDArray[np.uint8]],
    views: list[View],
    size: tuple[int, int],
    *,
    flipped: bool,
) -> Frames:
    """Frames from views of one image each, or all of the same image.

    Each is sampled once, where the released code samples for each of its operations.

    Args:
        images: (H, W, 3) RGB, one for each view or one for all.
        labels: (H, W) of each image.
        views: one for each frame.
        size: (h, w) of the frames.
        flipped: mirror all of them.
    """
    h, w = size
    count = len(views)
    clip = Frames(np.empty((count, h, w, 3), np.uint8), np.empty((count, h, w), np.uint8))
    if len(images) == 1:
        image, label = _near(images[0], labels[0], size)
        images, labels = [image] * count, [label] * count
    for t, (image, label, view) in enumerate(zip(images, labels, views, strict=True)):
        if flipped:
            view = view @ np.array([[-1, 0, label.shape[1]], [0, 1, 0], [0, 0, 1]], np.float64)
        clip.images[t] = warp(image, view, size, cv2.INTER_LINEAR, MEAN_COLOUR)
        clip.labels[t] = warp(label, view, size, cv2.INTER_NEAREST, NOWHERE)
    return clip


def _near(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture, smoothed if more than twice as large as needed: bilinear skips pixels."""
    scale = min(labels.shape[0] / size[0], labels.shape[1] / size[1])
    if scale > 2:
        width = int(scale) | 1
        image = cv2.blur(image, (width, width)).astype(np.uint8, copy=False)
    return image, labels


def _bent(clip: Frames, beyond: ExtraAugmentation, g: torch.Generator) -> Frames:
    count, h, w = clip.labels.shape
    amounts = (beyond.perspective, beyond.thin_plate, beyond.elastic)
    shifts = bend(count, (h, w), amounts, g)
    if shifts is None:
        return clip
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    for t, shift in enumerate(shifts.numpy()):
        at_x, at_y = x + shift[..., 0], y + shift[..., 1]
        clip.images[t] = cv2.remap(
            clip.images[t], at_x, at_y, cv2.INTER_LINEAR, borderValue=MEAN_COLOUR
        )
        clip.labels[t] = cv2.remap(
            clip.labels[t], at_x, at_y, cv2.INTER_NEAREST, borderValue=NOWHERE
        )
    return clip


def _pasted(clip: Frames, other: Still, number: int, g: torch.Generator) -> Frames:
    """Put one of ``other``'s objects in front, as object ``number``; 0: it is not followed."""
    count, h, w = clip.labels.shape
    stage = Stage((h, w), count, PASTED, copies=0.0)
    layer = pasted_layer(other, stage, (0.15, 0.5), g)
    images = torch.from_numpy(clip.images).permute(0, 3, 1, 2).float()
    labels = torch.from_numpy(clip.labels)
    paste(images, labels, layer, number)
    return Frames(images.round().to(torch.uint8).permute(0, 2, 3, 1).numpy(), labels.numpy())


def _blurred(clip: Frames, beyond: ExtraAugmentation, g: torch.Generator) -> Frames:
    if not beyond.motion_blur:
        return clip
    return clip._replace(images=blur_by_motion(clip.images, beyond.motion_blur, g))
