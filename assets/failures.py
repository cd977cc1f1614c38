"""The model card's picture of failures: python assets/failures.py RESULTS DAVIS

RESULTS holds label maps of the ten sequences (``hodor evaluate --out``), DAVIS the sequences.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from hodor.evaluation import DavisDataset, read_label_map

SHOWN = {  # sequence: frame, and the crop's left, top and right sides in shares of the frame
    "camel": (88, (0.12, 0.1, 0.62)),
    "dance-twirl": (8, (0.0, 0.0, 0.62)),
}
HEIGHT = 220
TARGET = Path(__file__).parents[1] / "docs/images/failures.jpg"


def main(results: Path, davis: Path) -> None:
    """Crops side by side: found in red, the truth's outline in green."""
    tiles = []
    for sequence in DavisDataset(davis, 2016).sequences:
        if sequence.name not in SHOWN:
            continue
        index, (left, top, right) = SHOWN[sequence.name]
        name = sequence.names[index]
        frame = cv2.imread(str(sequence.frame_paths[index]))
        found = read_label_map(results / sequence.name / f"{name}.png") > 0
        frame[found] = frame[found] // 2 + np.array([0, 0, 127], np.uint8)
        truth = sequence.label_map(name).astype(np.uint8)
        lines, _ = cv2.findContours(truth, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(frame, lines, -1, (0, 255, 0), 2)
        h, w = truth.shape
        crop = frame[int(top * h) :, int(left * w) : int(right * w)]
        wide = round(crop.shape[1] * HEIGHT / crop.shape[0])
        tiles.append(cv2.resize(crop, (wide, HEIGHT), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(TARGET), np.hstack(tiles), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
