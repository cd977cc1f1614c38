"""Makes the sample clip that comes with hodor: `python tools/make_sample.py`, about half a minute.

An astronaut floats in space; a cup of coffee flies past behind her head, a space shuttle in front
of her. Everything is made of pictures that come with scikit-image, whose documentation states:

- `skimage.data.astronaut` (the astronaut and the shuttle): Eileen Collins, from the NASA Great
  Images database. "No known copyright restrictions, released into the public domain."
- `skimage.data.coffee`: courtesy of Pikolo Espresso Bar. "No copyright restrictions. CC0 by the
  photographer (Rachel Michetti)."
- `skimage.data.hubble_deep_field` (the sky): "captured by NASA and may be freely used in the
  public domain".
- `skimage.data.retina` (the planet): from Wikimedia; Mikael Häggström, 2014. "made available
  under the Creative Commons CC0 1.0 Universal Public Domain Dedication."

It writes sample.mp4, sample_masks.png (the label map of the first frame) and sample_truth.npz (of
all frames) into src/hodor/assets; the same versions of the libraries write the same bytes.
"""

from pathlib import Path

import av
import cv2
import numpy as np
from backdrop import backdrop
from cutouts import astronaut, coffee, shuttle
from numpy.typing import NDArray

from hodor.evaluation import Keyframe, Path2D, make_clip
from hodor.video import write_label_map

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "src" / "hodor" / "assets"

SIZE = 288, 512
FRAMES = 72
RATE = 24  # frames per second
SHUTTER = 0.5  # a film camera's: light falls in during half of the time between frames
QUALITY = 18  # x264's crf, at which losses are hard to see

# Her picture ends at the waist, so the lower end stays below the frame all the time.
ASTRONAUT = Path2D(
    (
        Keyframe(0.0, 0.47, 0.64, 1.02, angle=-4),
        Keyframe(0.5, 0.50, 0.61, 1.04, angle=1),
        Keyframe(1.0, 0.55, 0.62, 1.08, angle=4),
    )
)
COFFEE = Path2D(
    (
        Keyframe(0.0, 0.87, 0.31, 0.37, angle=-14),
        Keyframe(0.3, 0.70, 0.20, 0.38, angle=-4),
        Keyframe(0.55, 0.47, 0.26, 0.39, angle=10),
        Keyframe(0.8, 0.25, 0.34, 0.41, angle=20),
        Keyframe(1.0, 0.16, 0.30, 0.42, angle=14),
    )
)
SHUTTLE = Path2D(
    (
        Keyframe(0.0, 0.125, 0.74, 0.46, angle=52),
        Keyframe(0.35, 0.34, 0.70, 0.53, angle=74),
        Keyframe(0.7, 0.68, 0.64, 0.60, angle=62),
        Keyframe(1.0, 0.87, 0.42, 0.62, angle=38),
    )
)
CAMERA = Path2D(
    (Keyframe(0.0, 0.42, 0.46, 0.66, angle=-3), Keyframe(1.0, 0.54, 0.40, 0.72, angle=2))
)


def main() -> None:
    cv2.setNumThreads(1)
    frames, truth = make_clip(
        [astronaut(), coffee(), shuttle()],
        backdrop(),
        size=SIZE,
        frames=FRAMES,
        paths=[ASTRONAUT, COFFEE, SHUTTLE],
        camera=CAMERA,
        depth=[1, 0, 2],
        shutter=SHUTTER,
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_video(FOLDER / "sample.mp4", frames)
    write_label_map(FOLDER / "sample_masks.png", truth[0])
    np.savez_compressed(FOLDER / "sample_truth.npz", truth=truth)


def write_video(path: Path, frames: NDArray[np.uint8]) -> None:
    """Write frames (T, H, W, 3) uint8 RGB as H.264 that plays everywhere."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(QUALITY), "preset": "veryslow"}
        stream.thread_count = 1  # with more, the bytes may depend on the machine
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
