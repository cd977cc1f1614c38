"""Draws docs/images/performance.svg from the results that were saved.

python benchmarks/plots.py
"""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from common import RESULTS
from matplotlib.axes import Axes

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "hodor"  # the same results give the same file

from matplotlib import pyplot as plt  # noqa: E402

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "performance.svg"
PANELS = {
    "objects": "objects",
    "window": "window (frames)",
    "resolution": "pixels of the network's image (millions)",
    "memory": "frames of the video",
}


def position(panel: str, row: dict[str, Any]) -> float:
    """Where a row is along the horizontal axis."""
    if panel == "resolution":
        h, w = (int(side) for side in row["image"].split(" x "))
        return h * w / 1e6
    return float(row["frames" if panel == "memory" else panel])


def frame(row: dict[str, Any]) -> str:
    """The size of a row's frames, where that differs, as the end of a label."""
    return f", {row['resolution'].split(' at ')[0]}" if "resolution" in row else ""


def draw(axes: Axes, panel: str) -> None:
    """A line for each file of results and size of frames, as ratios to its first row."""
    for path in sorted(RESULTS.glob(f"{panel}-*.json")):
        rows = sorted(json.loads(path.read_text())["rows"], key=lambda row: position(panel, row))
        label = path.stem.removeprefix(f"{panel}-").replace("-", ", ")
        for source in dict.fromkeys(frame(row) for row in rows):
            own = [row for row in rows if frame(row) == source]
            axes.plot(
                [position(panel, row) for row in own],
                [row["ratio"] for row in own],
                "o-",
                label=f"{label}{source}",
                markersize=4,
            )
    axes.set_xlabel(PANELS[panel])
    axes.set_ylabel("peak memory, ratio" if panel == "memory" else "time of a step, ratio")
    axes.set_ylim(0, 1.15 * axes.dataLim.y1)
    axes.grid(alpha=0.3)
    if axes.has_data():
        axes.legend(fontsize="small")


def main() -> None:
    """Draw all panels."""
    figure, grid = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    for axes, panel in zip(grid.flat, PANELS, strict=True):
        draw(axes, panel)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})
    print(PICTURE)


if __name__ == "__main__":
    main()
