"""Annotated videos made harder for a tracker: seen backwards, and with every so many frames left.

    python tools/harder_views.py PATH/davis2016 OUT --split train --resolution 256p
    hodor evaluate --davis OUT/backwards --year 2016 --split train --resolution 256p

Options and means of weights that were chosen by some videos suit these. The same videos backwards
begin with other masks, and things go where they came from; with two frames of three left out they
move three times as far at once. Nothing is copied: OUT holds links, numbered from 0, in folders
``backwards``, ``leaps`` and ``backwards-leaps``, each laid out as DAVIS is. Backwards, a video
begins with the last frame that has any object.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hodor.errors import HodorError
from hodor.video import read_label_map

LEAP = 3  # of so many frames one is kept
FEWEST_PIXELS = 100  # of an object to begin with


def views(frames: Sequence[Path], masks: Sequence[Path]) -> dict[str, list[tuple[Path, Path]]]:
    """Frames and masks of one video, in each order, by the name of its folder.

    Args:
        frames: of the video.
        masks: as many label maps.

    Raises:
        HodorError: they are not as many, or no mask has an object.
    """
    pairs = list(zip(frames, masks, strict=False))
    if len(frames) != len(masks) or not pairs:
        where = frames[0].parent if frames else "no frames"
        raise HodorError(f"{where}: {len(frames)} frames and {len(masks)} masks; each needs one")
    last = len(pairs)
    while last and (read_label_map(masks[last - 1]) > 0).sum() < FEWEST_PIXELS:
        last -= 1
    if not last:
        raise HodorError(f"{masks[0].parent}: no mask of {FEWEST_PIXELS} pixels; nothing to follow")
    back = pairs[:last][::-1]
    return {"backwards": back, "leaps": pairs[::LEAP], "backwards-leaps": back[::LEAP]}


def make(root: Path, out: Path, year: str, split: str, resolution: str) -> None:
    """Write the three folders.

    Args:
        root: of DAVIS, or of a folder in its layout.
        out: gets the folders.
        year, split, resolution: which of its videos, and their size.

    Raises:
        HodorError: see ``views``; or ``out`` is there already.
    """
    if out.exists():
        raise HodorError(f"{out} is there already; give a folder that is not")
    names = (root / "ImageSets" / year / f"{split}.txt").read_text(encoding="utf-8").split()
    for name in names:
        frames = sorted((root / "JPEGImages" / resolution / name).iterdir())
        masks = sorted((root / "Annotations" / resolution / name).iterdir())
        for view, pairs in views(frames, masks).items():
            for kind, one in (("JPEGImages", 0), ("Annotations", 1)):
                folder = out / view / kind / resolution / name
                folder.mkdir(parents=True)
                for number, pair in enumerate(pairs):
                    link = folder / f"{number:05d}{pair[one].suffix}"
                    link.symlink_to(pair[one].resolve())
    for view in ("backwards", "leaps", "backwards-leaps"):
        listed = out / view / "ImageSets" / year
        listed.mkdir(parents=True)
        (listed / f"{split}.txt").write_text("\n".join(names) + "\n", encoding="utf-8")


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--year", default="2016")
    parser.add_argument("--split", default="train")
    parser.add_argument("--resolution", default="480p")
    given = parser.parse_args()
    try:
        make(given.root, given.out, given.year, given.split, given.resolution)
    except (HodorError, OSError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
