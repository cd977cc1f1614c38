"""Look for a video's objects in another: python references.py first.mp4 first.png other.mp4"""

import sys

from hodor import Tracker
from hodor.tracking import References
from hodor.video import open_source, read_label_map


def main(first: str, mask: str, other: str) -> None:
    tracker = Tracker.from_pretrained()
    with open_source(first) as source:
        tracker.step(next(source.frames()).pixels, read_label_map(mask))
    tracker.references().save("objects.safetensors")  # some kB, and no picture

    tracker = Tracker.from_pretrained()
    tracker.add_references(References.load("objects.safetensors"))
    with open_source(other) as source:
        for frame in source.frames():
            result = tracker.step(frame.pixels)
            seen = [i for i in result.ids if result.visible[i]]
            print(f"frame {frame.index}: {seen or 'none of them'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
