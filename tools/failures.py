"""The model cards' pictures of failures: python tools/failures.py RESULTS DAVIS OVERLAY

RESULTS holds small's label maps of the ten sequences (``hodor evaluate --out``), DAVIS these,
OVERLAY is tiny's video of the sample clip (``hodor track --model tiny --overlay``).
"""

import sys
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.evaluation import DavisDataset, read_label_map

Picture = NDArray[np.uint8]

SHOWN = {  # sequence: frame, and the crop's left, top and right sides in shares of the frame
    "camel": (88, (0.12, 0.1, 0.62)),
    "bmx-trees": (61, (0.1, 0.25, 0.7)),
}
ROPES = "kite-walk", 24, (0.25, 0.0, 0.8)  # likewise, with thin parts and without
HEIGHT = 220
SHOWN_OF_TINY = (0, 40)  # given, and where the cup goes behind her head
IMAGES = Path(__file__).parents[1] / "docs/images"


def of_small(results: Path, davis: Path) -> None:
    """Crops side by side: found in red, the truth's outline in green."""
    tiles = []
    for sequence in DavisDataset(davis, 2016).sequences:
        if sequence.name not in SHOWN:
            continue
        index, sides = SHOWN[sequence.name]
        name = sequence.names[index]
        frame = in_red(sequence.frame_paths[index], results / sequence.name / f"{name}.png")
        truth = sequence.label_map(name).astype(np.uint8)
        lines, _ = cv2.findContours(truth, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(frame, lines, -1, (0, 255, 0), 2)
        tiles.append(cropped(frame, sides))
    cv2.imwrite(str(IMAGES / "failures.jpg"), np.hstack(tiles), [cv2.IMWRITE_JPEG_QUALITY, 85])


def of_ropes(frames: Path, runs: list[Path]) -> None:
    """The same frame as each of the runs' label maps have it, side by side."""
    _, index, sides = ROPES
    name = f"{index:05d}"
    tiles = [
        cropped(in_red(frames / f"{name}.jpg", run / "labels" / f"{name}.png"), sides)
        for run in runs
    ]
    cv2.imwrite(str(IMAGES / "ropes.jpg"), np.hstack(tiles), [cv2.IMWRITE_JPEG_QUALITY, 85])


def in_red(frame: Path, label_map: Path) -> Picture:
    """A frame (H, W, 3) in BGR with what was found in it in red."""
    picture = np.asarray(cv2.imread(str(frame)), np.uint8)
    found = read_label_map(label_map) > 0
    picture[found] = picture[found] // 2 + np.array([0, 0, 127], np.uint8)
    return picture


def cropped(picture: Picture, sides: tuple[float, float, float]) -> Picture:
    """The part between left, top and right sides, in shares of the frame, at ``HEIGHT``."""
    (left, top, right), (h, w) = sides, picture.shape[:2]
    crop = picture[int(top * h) :, int(left * w) : int(right * w)]
    wide = round(crop.shape[1] * HEIGHT / crop.shape[0])
    return np.asarray(cv2.resize(crop, (wide, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def of_tiny(overlay: Path) -> None:
    """Two frames side by side."""
    with av.open(str(overlay)) as video:
        frames = [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]
    both = np.hstack([frames[index] for index in SHOWN_OF_TINY])
    wide = round(both.shape[1] * HEIGHT / both.shape[0])
    both = cv2.resize(both, (wide, HEIGHT), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(IMAGES / "failures-tiny.jpg"), both, [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    of_small(Path(sys.argv[1]), Path(sys.argv[2]))
    of_tiny(Path(sys.argv[3]))
