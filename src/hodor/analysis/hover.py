"""Projections as a page: a crop, its sequence and frame where the pointer is. Works offline."""

import base64
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor.analysis.table import Descriptor
from hodor.extras import needed
from hodor.files import write_text

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ margin: 0; font: 14px/1.4 system-ui, sans-serif; background: #fff; color: #1d2330 }}
h1 {{ font-size: 1.1rem; margin: .8rem 1rem 0 }}
#crop {{ position: fixed; display: none; pointer-events: none; background: #fff; padding: 6px;
  border: 1px solid #98a2b3; border-radius: 6px; box-shadow: 0 2px 8px #0003 }}
#crop img {{ display: block; margin-bottom: 4px }}
</style></head><body>
<h1>{title}</h1>
{plot}
<div id="crop"><img alt=""><span></span></div>
<script>
const crops = {crops};
const box = document.getElementById("crop"), plot = document.querySelector(".plotly-graph-div");
plot.on("plotly_hover", event => {{
  const point = event.points[0], [number, text] = point.customdata;
  box.querySelector("img").src = "data:image/jpeg;base64," + crops[number];
  box.querySelector("span").textContent = text;
  box.style.display = "block";
  box.style.left = Math.min(event.event.clientX + 14, innerWidth - 180) + "px";
  box.style.top = Math.min(event.event.clientY + 14, innerHeight - 180) + "px";
}});
plot.on("plotly_unhover", () => box.style.display = "none");
</script></body></html>
"""


def hover_page(
    points: NDArray[np.float32],
    crops: Sequence[NDArray[np.uint8]],
    rows: Sequence[Descriptor],
    path: Path,
    title: str,
) -> None:
    """Write points (N, 2) with their crops (h, w, 3) as a page with plotly inside.

    Raises HodorError where plotly is missing or the file cannot be written.
    """
    go = needed("plotly.graph_objects", "analysis")
    figure = go.Figure()
    groups = [f"{row.sequence} {row.object}" for row in rows]
    for group in dict.fromkeys(groups):
        own = [n for n, name in enumerate(groups) if name == group]
        figure.add_trace(
            go.Scattergl(
                x=points[own, 0].tolist(),
                y=points[own, 1].tolist(),
                mode="markers",
                name=group,
                hoverinfo="none",
                customdata=[[n, _label(rows[n])] for n in own],
            )
        )
    figure.update_layout(
        height=760, template="plotly_white", margin={"t": 20}, xaxis_visible=False,
        yaxis_visible=False,
    )  # fmt: skip
    plot = figure.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False})
    text = _PAGE.format(
        title=html.escape(title), plot=plot, crops=json.dumps([_jpeg(crop) for crop in crops])
    )
    write_text(path, text)


def _label(row: Descriptor) -> str:
    state = "given" if row.given else f"confidence {row.confidence or 0:.2f}"
    return f"{row.sequence}, frame {row.frame}, object {row.object}, {state}"


def _jpeg(crop: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
