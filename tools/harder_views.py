"""Annotated videos made harder for a tracker: seen backwards, and with every so many frames left.

    python tools/harder_views.py PATH/davis2016 OUT --split train --resolution 256p
    hodor evaluate --davis OUT/backwards --year 2016 --split train --resolution 256p

Options and means of weights that were chosen by some videos suit these. The same videos backwards
begin with other masks, and things go where they came from; with two frames of three left out they
move three times as far at once. Nothing is copied: OUT holds links, numbered from 0, in folders
``backwards``, ``leaps`` and ``backwards-leaps``, each laid out as DAVIS is. Backwards, a video
begins with the last frame in which objects have a hundred pixels.
"""

import argparse
from pathlib import Path

from hodor.errors import DataError
from hodor.evaluation import BenchmarkSequence, DavisDataset

LEAP = 3  # of so many frames one is kept
FEWEST_PIXELS = 100  # of objects to begin with


def views(sequence: BenchmarkSequence) -> dict[str, list[str]]:
    """Names of a video's frames in each order, by the name of the view.

    Args:
        sequence: each frame of which has a label map.

    Raises:
        DataError: a frame has none, or no frame has ``FEWEST_PIXELS`` of objects.
    """
    names = list(sequence.names)
    if bare := [name for name in names if name not in sequence.label_map_paths]:
        raise DataError(f"{sequence.name}: frame {bare[0]} has no label map; each needs one")
    last = len(names)
    while last and (sequence.label_map(names[last - 1]) > 0).sum() < FEWEST_PIXELS:
        last -= 1
    if not last:
        raise DataError(f"{sequence.name}: no frame has {FEWEST_PIXELS} pixels of objects")
    back = names[:last][::-1]
    return {"backwards": back, "leaps": names[::LEAP], "backwards-leaps": back[::LEAP]}


def make(root: Path, out: Path, year: int, split: str, resolution: str) -> None:
    """Write a folder for each view. Nothing is written where anything is wrong with a video.

    Args:
        root: of DAVIS, or of a folder in its layout.
        out: gets the folders.
        year, split, resolution: which of its videos, and their size.

    Raises:
        DataError: files are missing or do not fit together; see ``views``; or ``out`` is there.
    """
    if out.exists():
        raise DataError(f"{out} is there already; give a folder that is not")
    dataset = DavisDataset(root, year, split, resolution=resolution)
    seen = {sequence.name: views(sequence) for sequence in dataset.sequences}
    for sequence in dataset.sequences:
        frames = dict(zip(sequence.names, sequence.frame_paths, strict=True))
        for view, names in seen[sequence.name].items():
            for kind, paths in (("JPEGImages", frames), ("Annotations", sequence.label_map_paths)):
                folder = out / view / kind / resolution / sequence.name
                folder.mkdir(parents=True)
                for number, name in enumerate(names):
                    link = folder / f"{number:05d}{paths[name].suffix}"
                    link.symlink_to(paths[name].resolve())
    for view in next(iter(seen.values())):
        listed = out / view / "ImageSets" / str(year)
        listed.mkdir(parents=True)
        (listed / f"{split}.txt").write_text("\n".join(seen) + "\n", encoding="utf-8")


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--year", type=int, default=2016)
    parser.add_argument("--split", default="train")
    parser.add_argument("--resolution", default="480p")
    given = parser.parse_args()
    try:
        make(given.root, given.out, given.year, given.split, given.resolution)
    except (DataError, OSError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
