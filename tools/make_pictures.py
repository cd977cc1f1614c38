"""The README's moving picture, from an overlay of the sample clip: see renew_pictures.py."""

import sys
from pathlib import Path

import av
from PIL import Image

EVERY = 2  # frames; half of the clip's 24 a second look the same
WIDTH = 512
QUALITY = 60
MOST_BYTES = 2_000_000
TARGET = Path(__file__).parents[1] / "docs/images/demo.webp"


def main(results: Path) -> None:
    """The clip with what was found, over and over."""
    with av.open(str(results / "overlay.mp4")) as video:
        rate = float(video.streams.video[0].average_rate or 24)
        frames = [frame.to_image() for frame in video.decode(video=0)][::EVERY]
    height = round(frames[0].height * WIDTH / frames[0].width)
    shown = [frame.resize((WIDTH, height), Image.Resampling.LANCZOS) for frame in frames]
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    shown[0].save(
        TARGET,
        save_all=True,
        append_images=shown[1:],
        duration=round(1000 * EVERY / rate),
        loop=0,
        quality=QUALITY,
        method=6,
    )
    if TARGET.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{TARGET} has more than {MOST_BYTES} bytes; lower QUALITY")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
