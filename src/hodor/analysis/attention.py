"""Where a descriptor looks in its frame, and which descriptors a pixel listens to."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hodor.analysis.export import AnalysedVideo
from hodor.analysis.figures import canvas, save
from hodor.errors import DataError
from hodor.model import History, Hodor, Pyramid
from hodor.model.attention import DescriptorAttention, MaskedCrossAttention
from hodor.tracking import FrameDescriptors, Geometry, Tracker, image_of, mask_of
from hodor.types import Untyped
from hodor.video import LabelMap, draw_overlay

if TYPE_CHECKING:  # an extra
    from matplotlib.axes import Axes

STRIDE = 8


@dataclass(frozen=True)
class Attention:
    """Attention of the last layers over one frame, averaged over heads."""

    sequence: str
    frame: str
    pixels: NDArray[np.uint8]
    """(H, W, 3)"""
    label_map: LabelMap
    """(H, W)"""
    ids: tuple[int, ...]
    looks: dict[int, NDArray[np.float32]]
    """Object -> (h/8, w/8): how its descriptor, made of this frame, weighs pixels; sum 1"""
    listens: NDArray[np.float32]
    """(T, G + O, h/8, w/8): how each pixel weighs descriptors of past frames, cells first; sum 1"""
    past: tuple[str, ...]
    """Names of the T past frames, oldest first"""
    inner: tuple[int, int]
    """Height and width of these maps without the padding"""


def attention(tracker: Tracker, video: AnalysedVideo, frame: str | None = None) -> Attention:
    """Track a video up to a frame and look at the attention in it.

    Past frames are those that the tracker remembers: the window, and frames with given masks if
    they are kept. Maps are of whole frames, and so is tracking here, whatever the margin that the
    tracker has; they are computed with the network as it is stored, in float32.

    frame: its name; None for the middle one. Raises DataError where there is no such frame, no
    object before it, or no layer to look at.
    """
    names = [name for name, _ in video.frames()]
    wanted = names[len(names) // 2] if frame is None else frame
    if wanted not in names:
        raise DataError(f"{video.name} has no frame {wanted}; it has {names[0]} to {names[-1]}")
    config = tracker.network.config
    if not (config.joint_objects and config.encoder_layers and config.decoder_layers):
        raise DataError("this network has no layers in which objects attend together")
    tracker = Tracker(tracker.runtime, replace(tracker.options, crop_margin=None))
    recent: deque[FrameDescriptors[torch.Tensor]] = deque(maxlen=tracker.options.window)
    kept: list[FrameDescriptors[torch.Tensor]] = []
    for name, pixels in video.frames():
        past = [*(d for d in kept if d not in recent), *recent]
        result = tracker.step(pixels, video.given(name))
        if name == wanted:
            break
        if tracker.descriptors is not None:
            recent.append(tracker.descriptors)
            if video.given(name) is not None and tracker.options.keep_reference:
                kept.append(tracker.descriptors)
    ids = tuple(i for i in result.ids if (result.label_map == i).any())
    known = tuple(sorted({i for described in past for i in described.objects}))
    if not known or not ids:
        raise DataError(f"{video.name}: no object is known and seen at frame {wanted}")
    geometry = Geometry.of((pixels.shape[0], pixels.shape[1]), tracker.options)
    inner = (-(-geometry.inner[0] // STRIDE), -(-geometry.inner[1] // STRIDE))
    cpu = torch.device("cpu")
    network = tracker.network.float().cpu().eval()
    with torch.inference_mode():
        pyramid = network.extract(image_of(pixels, geometry, config, cpu))
        listens = _listens(network, pyramid, past, known)
        masks = [mask_of(result.label_map == i, geometry, cpu)[0] for i in ids]
        looks = _looks(network, pyramid, torch.stack(masks)[None])
    own = {i: looks[n - len(ids), : inner[0], : inner[1]] for n, i in enumerate(ids)}
    past_names = tuple(names[described.index] for described in past)
    return Attention(
        video.name, wanted, pixels, result.label_map, known, own,
        listens[..., : inner[0], : inner[1]], past_names, inner,
    )  # fmt: skip


def _listens(
    network: Hodor,
    pyramid: Pyramid,
    past: list[FrameDescriptors[torch.Tensor]],
    ids: tuple[int, ...],
) -> NDArray[np.float32]:
    history = _history(past, ids)
    attending = cast(DescriptorAttention, network.decoder.layers[-1].attention)
    with _inputs_of(attending) as seen:
        network.segment(pyramid, history)
    weights = attending.weights(*seen[0])[0].mean(0)  # (N, T * (G + O))
    frames, cells = history.background.shape[1:3]
    background = weights[:, : frames * cells].T.reshape(frames, cells, -1)
    objects = weights[:, frames * cells :].T.reshape(frames, len(ids), -1)
    maps = torch.cat([background, objects], 1)
    return np.asarray(maps.view(*maps.shape[:2], *pyramid.f8.shape[-2:]).numpy(), np.float32)


def _looks(network: Hodor, pyramid: Pyramid, masks: torch.Tensor) -> NDArray[np.float32]:
    attending = cast(MaskedCrossAttention, network.encoder.layers[-1].cross_attention)
    with _inputs_of(attending) as seen:
        network.describe(pyramid, masks)
    descriptors, keys, _, patches = seen[0]
    weights = attending.weights(descriptors, keys, patches)[0].mean(0)  # (P, N)
    return np.asarray(weights.view(-1, *pyramid.f8.shape[-2:]).numpy(), np.float32)


def _history(past: list[FrameDescriptors[torch.Tensor]], ids: tuple[int, ...]) -> History:
    """Descriptors of past frames as the network takes them, absent ones marked."""
    some = next(iter(past[-1].objects.values())) if past[-1].objects else past[0].background
    if some is None or any(described.background is None for described in past):
        raise DataError("a past frame has no descriptors of the background")
    empty = torch.zeros_like(some if some.ndim == 1 else some[0])
    objects = [torch.stack([d.objects.get(i, empty) for i in ids]) for d in past]
    cells = [d.background for d in past if d.background is not None]
    valid = torch.tensor([[i in d.objects for i in ids] for d in past])
    return History(
        torch.stack(objects)[None].float().cpu(),
        torch.stack(cells)[None].float().cpu(),
        valid[None],
    )


@contextmanager
def _inputs_of(module: torch.nn.Module) -> Iterator[list[tuple[Untyped, ...]]]:
    """The arguments of a module's calls while this lasts."""
    seen: list[tuple[Untyped, ...]] = []
    handle = module.register_forward_pre_hook(lambda _, arguments: seen.append(arguments))
    try:
        yield seen
    finally:
        handle.remove()


def attention_figure(
    found: Attention, path: Path, pixel: tuple[float, float] | None = None
) -> None:
    """A picture: above where descriptors look, below to whom pixels listen.

    pixel: x and y in pixels of the frame, from its upper left corner, whose listening is told as
    bars; None for the middle of the first object. Raises DataError where it is outside of it.
    """
    ids = list(found.looks)
    count = len(ids) + 1
    height, width = found.label_map.shape
    figure, axes = canvas(2, count, height / width)
    for axis in axes.flat:
        axis.axis("off")
    axes[0, 0].imshow(draw_overlay(found.pixels, found.label_map, ids))
    axes[0, 0].set_title(f"{found.sequence} {found.frame}", fontsize=8)
    shade = (found.pixels.mean(2) * 0.45).astype(np.uint8)
    for axis, i in zip(axes[0, 1:], ids, strict=False):
        values = _resized(found.looks[i], (height, width))
        _layer(axis, shade, values / values.max(), f"descriptor of object {i} looks here")
    cells = found.listens.shape[1] - len(found.ids)
    row, column = _place(found, pixel)
    axes[1, 0].axis("on")
    bars = found.listens[:, :, row, column].sum(0)
    labels = [*(f"cell {n}" for n in range(cells)), *(f"object {i}" for i in found.ids)]
    axes[1, 0].barh(labels[::-1], bars[::-1])
    axes[1, 0].tick_params(labelsize=6)
    axes[1, 0].set_title("the marked pixel listens to", fontsize=7)
    y, x = (row + 0.5) / found.inner[0] * height, (column + 0.5) / found.inner[1] * width
    axes[0, 0].plot(x, y, "+", color="white", markersize=9, markeredgewidth=2)
    for n, (axis, i) in enumerate(zip(axes[1, 1:], found.ids, strict=False)):
        values = _resized(found.listens[:, cells + n].sum(0), (height, width))
        _layer(axis, shade, values, f"pixels listen to object {i}, to {values.max():.2f}")
    save(figure, path)


def _place(found: Attention, pixel: tuple[float, float] | None) -> tuple[int, int]:
    rows, columns = found.inner
    height, width = found.label_map.shape
    if pixel is None:
        mask = found.label_map == next(iter(found.looks))
        distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 3)
        row, column = np.unravel_index(int(distance.argmax()), mask.shape)
        pixel = float(column), float(row)
    check_pixel(pixel, (height, width), found.sequence)
    x, y = pixel
    return min(int(y / height * rows), rows - 1), min(int(x / width * columns), columns - 1)


def check_pixel(pixel: tuple[float, float], size: tuple[int, int], sequence: str) -> None:
    """Whether a place can be marked, before anything is tracked for it.

    Args:
        pixel: x and y, in pixels of a frame.
        size: height and width of the frames of ``sequence``.
        sequence: its name.

    Raises:
        DataError: it lies outside of them.
    """
    (x, y), (height, width) = pixel, size
    if not (0 <= x <= width and 0 <= y <= height):
        raise DataError(
            f"pixel {x:g},{y:g} is outside of the frames of {sequence}, which have "
            f"{width} x {height} pixels"
        )


def _resized(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(values, (size[1], size[0])), np.float32)


def _layer(axis: "Axes", shade: NDArray[np.uint8], values: NDArray[np.float32], title: str) -> None:
    axis.imshow(shade, cmap="gray", vmin=0, vmax=255)
    axis.imshow(values, cmap="inferno", vmin=0, vmax=1, alpha=np.clip(values * 2, 0, 1))
    axis.set_title(title, fontsize=7)
