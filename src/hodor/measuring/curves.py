"""Measurements over time, as a picture: a curve for each object."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hodor.extras import needed
from hodor.files import whole_file
from hodor.measuring.measurement import Measurement, Units, as_written
from hodor.video import object_colour

if TYPE_CHECKING:  # an extra
    from matplotlib.axes import Axes

DPI = 130
WIDE = 9.0
HIGH = 2.2
"""Inches, of one panel"""
GAP = float("nan")
"""Where an object has no value its curve is interrupted."""


def curves_figure(rows: Sequence[Measurement], path: str | Path, units: Units) -> None:
    """Draw area, speed, overlap and, where it is known, confidence over time.

    Args:
        rows: from ``measure``.
        path: ``.png``, ``.pdf`` or ``.svg``; a file that is there is replaced.
        units: those that the rows were measured in.

    Raises:
        HodorError: matplotlib is missing, or the file cannot be written.
    """
    path = Path(path)
    needed("matplotlib", "analysis").use("Agg")
    plt = needed("matplotlib.pyplot", "analysis")
    panels = [("area", units.area), ("speed", units.speed), ("overlap", "")]
    if any(row.confidence is not None for row in rows):
        panels.append(("confidence", ""))
    size = (WIDE, HIGH * len(panels))
    figure, axes = plt.subplots(
        len(panels), 1, figsize=size, sharex=True, squeeze=False, layout="constrained"
    )
    for axis, (name, unit) in zip(axes[:, 0], panels, strict=True):
        _draw(axis, rows, name, units)
        axis.set_ylabel(f"{name} ({as_written(unit)})" if unit else name)
        axis.set_ylim(bottom=0, top=None if unit else 1.02)
        axis.grid(alpha=0.3)
    axes[-1, 0].set_xlabel("time (s)" if units.seconds else "frame")
    lines, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper center", fontsize=8, ncols=6)
    with whole_file(path) as fresh:
        figure.savefig(fresh, dpi=DPI, format=path.suffix[1:].lower() or "png")
    plt.close(figure)


def _draw(axis: "Axes", rows: Iterable[Measurement], name: str, units: Units) -> None:
    by_object: dict[int, list[Measurement]] = {}
    for row in rows:
        by_object.setdefault(row.object, []).append(row)
    for number, own in by_object.items():
        at = [row.time if units.seconds else row.index for row in own]
        values = [getattr(row, name) for row in own]
        red, green, blue = object_colour(number)
        axis.plot(
            at,
            [GAP if value is None else value for value in values],
            color=(red / 255, green / 255, blue / 255),
            label=f"{number} {own[0].name}",
            linewidth=1.5,
        )
