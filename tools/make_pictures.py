"""The README's picture, from the demo's overlay: python tools/make_pictures.py demo-out"""

import sys
from pathlib import Path

import av
import numpy as np
from PIL import Image

SHOWN = (0, 20, 40, 60)
TARGET = Path(__file__).parents[1] / "docs/images/demo.png"


def main(results: Path) -> None:
    """Four frames of the overlay in two rows."""
    with av.open(str(results / "overlay.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    chosen = [frames[index] for index in SHOWN]
    rows = [np.concatenate(chosen[:2], 1), np.concatenate(chosen[2:], 1)]
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows, 0)).quantize(128).save(TARGET, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
