"""Figures S4 and S5: where the catch-all and each background descriptor claim a frame."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hodor.analysis.export import AnalysedVideo
from hodor.analysis.figures import canvas, save
from hodor.errors import DataError
from hodor.tracking import Tracker
from hodor.video import LabelMap, draw_overlay


@dataclass(frozen=True)
class Heatmaps:
    """One frame's probabilities at source size, as decoded."""

    sequence: str
    frame: str
    pixels: NDArray[np.uint8]
    """(H, W, 3)"""
    label_map: LabelMap
    """(H, W)"""
    ids: tuple[int, ...]
    catch_all: NDArray[np.float32] | None
    """(H, W), or None for a network without one"""
    cells: NDArray[np.float32]
    """(rows, columns, H, W)"""


def heatmaps(tracker: Tracker, video: AnalysedVideo, frame: str | None = None) -> Heatmaps:
    """Track a video up to a frame and look at its channels; whole frames, whatever the margin.

    frame: its name; None for the middle one. Raises DataError where there is no such frame, or no
    object before it.
    """
    names = [name for name, _ in video.frames()]
    wanted = names[len(names) // 2] if frame is None else frame
    if wanted not in names:
        raise DataError(f"{video.name} has no frame {wanted}; it has {names[0]} to {names[-1]}")
    config = tracker.network.config
    if not config.joint_objects:
        raise DataError("this network takes objects one at a time and has no common background")
    tracker = Tracker(tracker.runtime, replace(tracker.options, crop_margin=None))
    for name, pixels in video.frames():
        result = tracker.step(pixels, video.given(name))
        if name == wanted:
            break
    channels = result.channel_probabilities()
    if not len(channels):
        raise DataError(
            f"{video.name}: no object is known before frame {wanted}; choose a later one"
        )
    first = int(config.catch_all)
    rows, columns = config.background_grid
    cells = channels[first : first + rows * columns]
    return Heatmaps(
        video.name,
        wanted,
        pixels,
        result.label_map,
        result.ids,
        channels[0] if config.catch_all else None,
        cells.reshape(rows, columns, *cells.shape[1:]),
    )


def heatmap_figure(maps: Heatmaps, path: Path) -> None:
    """A block as in Figures S4 and S5: masks top left, catch-all below, cells to the right."""
    rows, columns = maps.cells.shape[:2]
    height, width = maps.label_map.shape
    down = max(rows, 2)
    figure, axes = canvas(down, columns + 1, height / width)
    for axis in axes.flat:
        axis.axis("off")
    axes[0, 0].imshow(draw_overlay(maps.pixels, maps.label_map, maps.ids))
    axes[0, 0].set_title(f"{maps.sequence} {maps.frame}", fontsize=8)
    shade = (maps.pixels.mean(2) * 0.45).astype(np.uint8)
    panels = [(axes[r, c + 1], maps.cells[r, c], f"cell {r * columns + c}")
              for r in range(rows) for c in range(columns)]  # fmt: skip
    if maps.catch_all is not None:
        panels.append((axes[1, 0], maps.catch_all, "catch-all"))
    for axis, values, title in panels:
        axis.imshow(shade, cmap="gray", vmin=0, vmax=255)
        shown = axis.imshow(values, cmap="inferno", vmin=0, vmax=1, alpha=np.clip(values * 2, 0, 1))
        axis.set_title(f"{title}, {100 * float(values.mean()):.0f} % of the frame", fontsize=7)
    figure.colorbar(shown, ax=axes, shrink=0.6, label="probability")
    save(figure, path)
