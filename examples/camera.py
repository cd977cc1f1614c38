"""Follow what a photo shows before a camera: python camera.py 0 cup.jpg cup.png"""

import sys
from pathlib import Path

import numpy as np

from hodor import Tracker
from hodor.video import open_source, read_image, read_label_map


def main(camera: str, photo: str, mask: str) -> None:
    described = Tracker.from_pretrained(model="tiny")  # the fast one
    described.step(read_image(Path(photo)), read_label_map(mask))
    tracker = Tracker.from_pretrained(model="tiny")
    tracker.add_references(described.references())
    with open_source(camera) as source:  # 0 is the first camera; a stream's address will do
        for frame in source.frames():  # always the newest; older ones are dropped
            result = tracker.step(frame.pixels)
            for i in result.ids:
                rows, columns = np.nonzero(result.mask(i))
                place = (
                    f"at {columns.mean():.0f}, {rows.mean():.0f}" if len(rows) else "not visible"
                )
                print(f"frame {frame.index}: object {i} {place}")


if __name__ == "__main__":
    main(*sys.argv[1:])
