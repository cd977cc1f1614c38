"""Masks that a user gives in another format: the frames with objects, as label maps."""

import shutil
from pathlib import Path

from hodor.errors import MaskError
from hodor.formats.catalogue import guess_format, read_track
from hodor.formats.label_maps import write_png
from hodor.formats.reading import Reading
from hodor.formats.track import Track
from hodor.formats.writing import Writing
from hodor.video import IMAGE_SUFFIXES


def as_label_maps(path: Path, folder: Path, reading: Reading) -> tuple[Path, dict[int, str]]:
    """Masks that `hodor.video.open_reference_masks` can open, and what the objects are called.

    Image files, and folders of them, are left as they are. What is in another format is written to
    `folder`, which is made anew: a label map for each frame that has an object.
    Raises MaskError if the file is of no known format, or holds no object.
    """
    if path.suffix.lower() in (*IMAGE_SUFFIXES, ".gif") or not path.exists():
        return path, {}
    if path.is_dir() and not any(path.iterdir()):
        return path, {}
    name = guess_format(path)
    if name is None:
        return path, {}
    if name == "png":
        return (path / "labels" if (path / "labels").is_dir() else path), {}
    track = read_track(path, name, reading)
    given = Track(
        lambda: (frame for frame in track.frames() if frame.label_map.any()),
        track.video,
        track.fps,
    )
    if next(given.frames(), None) is None:
        raise MaskError(f"{path} holds no object, so there is nothing to follow.")
    shutil.rmtree(folder, ignore_errors=True)
    write_png(given, folder, Writing())
    return folder, dict(track.names)
