"""Follow the objects of a mask through a video: python video.py my.mp4 first.png out"""

import sys
from pathlib import Path

from hodor import Tracker
from hodor.video import open_source, read_label_map, write_label_map


def main(video: str, mask: str, out: str) -> None:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    first = read_label_map(mask)  # (H, W); 0 is background
    tracker = Tracker.from_pretrained()
    with open_source(video) as source:
        for frame in source.frames():  # one at a time: a long video needs no more memory
            result = tracker.step(frame.pixels, first if frame.index == 0 else None)
            write_label_map(folder / f"{frame.name}.png", result.label_map)
            sure = ", ".join(f"object {i}: {result.confidence[i]:.2f}" for i in result.ids)
            print(f"frame {frame.index}: {sure}")


if __name__ == "__main__":
    main(*sys.argv[1:])
