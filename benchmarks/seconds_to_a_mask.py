"""Seconds to a mask of J 0.9: a box and clicks against a polygon, on first frames of ten sequences.

    python benchmarks/seconds_to_a_mask.py --data ../shared/data/davis2016 --out benchmarks/results

Nobody clicks here: clicks are simulated, and seconds are those of a model that is stated below.
Box and clicks: the tight box, then a click at the largest error again and again. Polygon: the
fewest corners with which polygons of the object's parts can reach that J, which no hand would find.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from first_masks import Bools, corrected, iou
from numpy.typing import NDArray

from hodor.segmenter import Embedding, Prompts, Segmenter
from hodor.video import read_image, read_label_map

WANTED = 0.9
MOST_CLICKS = 15
MOST_PARTS = 4

# Papadopoulos et al., Extreme clicking for efficient object annotation, ICCV 2017: four clicks at
# the outline of an object, which make its box, take 7 s in all.
BOX = 7.0
"""Seconds to find an object and to draw its box"""
CLICK = BOX / 4
"""Seconds for a click at a place that has to be found: a polygon's corner, a correction"""
ANSWER = 0.2
"""Seconds until the mask of a prompt is shown"""


def clicks_needed(segmenter: Segmenter, seen: Embedding, truth: Bools) -> int | None:
    """Clicks after the box until J is reached; None: not with ``MOST_CLICKS``."""
    left, top, width, height = cv2.boundingRect(truth.view(np.uint8))
    prompts = Prompts(box=(float(left), float(top), float(left + width), float(top + height)))
    for count in range(MOST_CLICKS + 1):
        found = segmenter.follow(seen, prompts, None)
        if iou(found.mask, truth) >= WANTED:
            return count
        prompts = corrected(prompts, found.mask, truth)
    return None


def corners_needed(truth: Bools) -> int | None:
    """Corners of the fewest polygons that reach J, of the largest parts; None: these do not."""
    lines, _ = cv2.findContours(truth.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    lines = sorted(lines, key=cv2.contourArea, reverse=True)
    counts = []
    for parts in range(1, min(MOST_PARTS, len(lines)) + 1):
        for tolerance in np.geomspace(0.5, max(truth.shape) / 4, 30):
            shapes = [cv2.approxPolyDP(line, tolerance, True) for line in lines[:parts]]
            shapes = [shape for shape in shapes if len(shape) > 2]
            if iou(_filled(shapes, truth.shape), truth) >= WANTED:
                counts.append(sum(map(len, shapes)))
    return min(counts, default=None)


def _filled(shapes: list[NDArray[np.int32]], size: tuple[int, ...]) -> Bools:
    drawn = np.zeros(size, np.uint8)
    for shape in shapes:
        cv2.fillPoly(drawn, [shape], 1)
    return drawn > 0


def seconds(clicks: int | None, slower: float = 1.0) -> float | None:
    """Of a box and so many clicks, each of which takes ``slower`` times as long."""
    return None if clicks is None else BOX + ANSWER + clicks * (slower * CLICK + ANSWER)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="DAVIS 2016")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    segmenter = Segmenter(threads=1)
    rows = {}
    for name in (given.data / "ImageSets/2016/val.txt").read_text().split():
        frame = read_image(given.data / f"JPEGImages/480p/{name}/00000.jpg")
        truth = read_label_map(given.data / f"Annotations/480p/{name}/00000.png") > 0
        clicks = clicks_needed(segmenter, segmenter.embed(frame), truth)
        corners = corners_needed(truth)
        rows[name] = {
            "clicks": clicks,
            "corners": corners,
            "seconds, box and clicks": seconds(clicks),
            "seconds, corrections twice as slow": seconds(clicks, 2.0),
            "seconds, polygon": None if corners is None else corners * CLICK,
        }
        print(name, rows[name], flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    model = {"J": WANTED, "s a box": BOX, "s a click": CLICK, "s an answer": ANSWER}
    text = json.dumps({"model": model, "sequences": rows}, indent=1)
    (given.out / "seconds_to_a_mask.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
