"""Cut an annotated picture into tiles to fine-tune on: tiles.py picture.tif labels.tif tiles"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from hodor.video import read_label_map, write_label_map

SIDE, TIMES, LEAST = 102, 2, 40  # a tile in pixels, enlarged so often; pixels of an object


def main(picture: str, labels: str, out: str) -> None:
    grey, ids = np.asarray(Image.open(picture), float), read_label_map(labels)
    bright = np.interp(grey, np.percentile(grey, (0.5, 99.5)), (0, 255)).astype(np.uint8)
    images, masks = Path(out, "images"), Path(out, "masks")
    for place in np.ndindex(ids.shape[0] // SIDE, ids.shape[1] // SIDE):
        here = tuple(slice(SIDE * k, SIDE * (k + 1)) for k in place)
        kept = [i for i in np.unique(ids[here]) if i and (ids[here] == i).sum() >= LEAST]
        tile = sum((k * (ids[here] == i) for k, i in enumerate(kept, 1)), 0 * ids[here])
        name = "tile-{}{}.png".format(*place)
        for folder in (images, masks):
            folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(bright[here]).resize((SIDE * TIMES,) * 2).save(images / name)
        write_label_map(masks / name, np.kron(tile, np.ones((TIMES, TIMES))).astype(np.uint8))


if __name__ == "__main__":
    main(*sys.argv[1:])
