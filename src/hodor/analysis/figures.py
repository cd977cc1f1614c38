"""Pictures with matplotlib: curves, scattered crops, grids of frames."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hodor.analysis.retrieval import Retrieval
from hodor.errors import counted
from hodor.extras import needed
from hodor.files import whole_file
from hodor.types import AnyArray
from hodor.video import LabelMap, draw_overlay

if TYPE_CHECKING:  # an extra
    from matplotlib.figure import Figure

DPI = 160
PANEL = 2.6  # inches, width of a frame in a grid
HUES = 20

# Read off Figure 5 and section 4.3 of the paper: window, J&F x 100 on DAVIS 2017 val.
PAPER_WINDOWS = {1: 74.3, 4: 77.2, 7: 77.5}


def canvas(rows: int, columns: int, aspect: float) -> "tuple[Figure, AnyArray]":
    """A figure and (rows, columns) axes for frames whose height is ``aspect`` times their width."""
    needed("matplotlib", "analysis").use("Agg")
    plt = needed("matplotlib.pyplot", "analysis")
    size = (PANEL * columns, (PANEL * aspect + 0.25) * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    return figure, axes


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as its name says: .png, .pdf, .svg."""
    with whole_file(path) as fresh:
        figure.savefig(fresh, dpi=DPI, format=path.suffix[1:].lower() or "png")
    needed("matplotlib.pyplot", "analysis").close(figure)


def retrieval_figure(found: Retrieval, path: Path, title: str) -> None:
    """Figure S1: precision against recall, beside what guessing gives."""
    figure, axes = canvas(1, 1, 1.0)
    figure.set_size_inches(4.6, 3.6)
    axis = axes[0, 0]
    axis.plot(found.recall, found.precision, linewidth=2)
    axis.axhline(found.chance, linestyle=":", color="gray")
    axis.text(0.01, found.chance + 0.015, f"guessing {found.chance:.2f}", color="gray", fontsize=8)
    axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axis.set_title(
        f"{title}\n{counted(found.instances, 'object')}, mAP {found.average_precision:.2f}",
        fontsize=9,
    )
    axis.grid(alpha=0.3)
    save(figure, path)


def scatter_figure(
    points: NDArray[np.float32],
    crops: Sequence[NDArray[np.uint8]],
    groups: Sequence[str],
    path: Path,
    title: str,
    *,
    most: int = 500,
) -> None:
    """Figures S2 and S3: each crop at its point (N, 2), its rim in the colour of its group.

    most: so many crops are shown, evenly chosen; small dots stand for the others.
    """
    figure, axes = canvas(1, 1, 1.0)
    figure.set_size_inches(11, 9)
    boxes = needed("matplotlib.offsetbox", "analysis")
    colours = needed("matplotlib", "analysis").colormaps["tab20"]
    axis, known = axes[0, 0], list(dict.fromkeys(groups))
    axis.scatter(points[:, 0], points[:, 1], s=4, color="0.8")
    chosen = np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int))
    for n in chosen:
        colour = colours(known.index(groups[n]) % HUES)
        picture = boxes.OffsetImage(crops[n], zoom=26 / max(crops[n].shape[:2]))
        rim = {"edgecolor": colour, "linewidth": 1.2}
        axis.add_artist(
            boxes.AnnotationBbox(picture, points[n], pad=0.08, bboxprops=rim, frameon=True)
        )
    for name in known:
        axis.scatter([], [], color=colours(known.index(name) % HUES), label=name)
    axis.legend(fontsize=7, loc="best", framealpha=0.8)
    axis.set_title(f"{title}, {len(points)} descriptors", fontsize=10)
    axis.set(xticks=[], yticks=[])
    save(figure, path)


def grid_figure(
    rows: Mapping[str, Sequence[tuple[str, NDArray[np.uint8], LabelMap]]], path: Path
) -> None:
    """Figure 4: masks over chosen frames, a row for each sequence.

    rows: sequence -> name, pixels (H, W, 3) and label map (H, W) of each frame.
    """
    first = next(iter(rows.values()))[0][1]
    figure, axes = canvas(len(rows), max(map(len, rows.values())), first.shape[0] / first.shape[1])
    for axis in axes.flat:
        axis.axis("off")
    for line, (sequence, frames) in zip(axes, rows.items(), strict=True):
        for axis, (name, pixels, label_map) in zip(line, frames, strict=False):
            ids = [int(i) for i in np.unique(label_map) if i]
            axis.imshow(draw_overlay(pixels, label_map, ids))
            axis.set_title(f"{sequence} {name}", fontsize=7)
    save(figure, path)


def window_figure(
    scores: Mapping[int, float], speeds: Mapping[int, float], path: Path, title: str
) -> None:
    """Figure 5: J&F (fractions) against the window, and speed (frames/s) against it."""
    figure, axes = canvas(1, 1, 1.0)
    figure.set_size_inches(5.2, 3.8)
    axis, other = axes[0, 0], axes[0, 0].twinx()
    windows = sorted(scores)
    (ours,) = axis.plot(windows, [100 * scores[w] for w in windows], "o-", label=title)
    (paper,) = axis.plot(
        list(PAPER_WINDOWS), list(PAPER_WINDOWS.values()), "s:", color="0.5",
        label="paper's network, DAVIS 2017 val",
    )  # fmt: skip
    (speed,) = other.plot(
        windows, [speeds[w] for w in windows], "^--", color="tab:orange", label="speed"
    )
    other.set(ylabel="frames/s, files included", ylim=(0, 1.25 * max(speeds.values())))
    ticks = sorted({*windows, *PAPER_WINDOWS})
    axis.set(xlabel="window: frames remembered", ylabel="J&F × 100", xticks=ticks)
    axis.legend(handles=[ours, paper, speed], fontsize=7, loc="best")
    axis.grid(alpha=0.3)
    save(figure, path)
