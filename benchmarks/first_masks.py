"""First masks by a box and by clicks: IoU on the first frames of ten DAVIS 2016 sequences.

    python benchmarks/first_masks.py --data ../shared/data/davis2016 --out benchmarks/results

The box is the tight one around the annotated mask. A click is at the point of the object that is
farthest from its outline; a correction at that point of all that is missing or too much.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.segmenter import Embedding, Prompts, Segmenter
from hodor.video import read_image, read_label_map

Bools = NDArray[np.bool_]
CORRECTIONS = 2


def deepest(mask: Bools) -> tuple[tuple[float, float], float]:
    """The point (x, y) of a mask that is farthest from its outline, and how far it is."""
    distance = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(distance.argmax(), distance.shape)
    return (float(column) + 0.5, float(row) + 0.5), float(distance.max())


def iou(a: Bools, b: Bools) -> float:
    """Intersection over union."""
    return float((a & b).sum() / max(1, (a | b).sum()))


def corrected(prompts: Prompts, mask: Bools, truth: Bools) -> Prompts:
    """The prompts with a click more, at the largest error."""
    missing, too_much = deepest(truth & ~mask), deepest(mask & ~truth)
    on_it = missing[1] >= too_much[1]
    where = missing[0] if on_it else too_much[0]
    return Prompts((*prompts.points, where), (*prompts.labels, on_it), prompts.box)


def measure(segmenter: Segmenter, seen: Embedding, truth: Bools) -> dict[str, float]:
    """IoU by kind of prompt for one frame."""
    left, top, width, height = cv2.boundingRect(truth.view(np.uint8))
    box = Prompts(box=(float(left), float(top), float(left + width), float(top + height)))
    click = Prompts((deepest(truth)[0],), (True,))
    three = segmenter.mask(seen, click).masks[1:]
    chosen = 1 + int(np.argmax([iou(mask, truth) for mask in three]))
    scores: dict[str, float] = {}
    for kind, begun, first in (
        ("box", box, None),
        ("click", click, None),
        ("click, best of its three masks taken", click, chosen),
    ):
        prompts = begun
        for count in range(CORRECTIONS + 1):
            found = segmenter.follow(seen, prompts, first)
            scores[f"{kind}, {count} corrections" if count else kind] = iou(found.mask, truth)
            prompts = corrected(prompts, found.mask, truth)
    return scores


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="DAVIS 2016")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    names = (given.data / "ImageSets/2016/val.txt").read_text().split()
    segmenter = Segmenter(threads=1)
    rows: dict[str, dict[str, float]] = {}
    for name in names:
        frame = read_image(given.data / f"JPEGImages/480p/{name}/00000.jpg")
        truth = read_label_map(given.data / f"Annotations/480p/{name}/00000.png") > 0
        rows[name] = measure(segmenter, segmenter.embed(frame), truth)
        print(name, {kind: round(score, 2) for kind, score in rows[name].items()}, flush=True)
    mean = {kind: float(np.mean([row[kind] for row in rows.values()])) for kind in rows[names[0]]}
    print("mean", {kind: round(score, 3) for kind, score in mean.items()})
    given.out.mkdir(parents=True, exist_ok=True)
    result = {"frames": "first of ten DAVIS 2016 val sequences", "mean": mean, "sequences": rows}
    (given.out / "first_masks.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
