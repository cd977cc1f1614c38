"""Masks that a user gives in another format: the frames with objects, as label maps."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from hodor.errors import MaskError
from hodor.formats.catalogue import (
    MATTE_SUFFIXES,
    VIDEO_SUFFIXES,
    guess_format,
    read_track,
    write_track,
)
from hodor.formats.frame_numbers import number_in, same_frame
from hodor.formats.reading import ReadOptions
from hodor.formats.track import Labelled, Track
from hodor.video import IMAGE_SUFFIXES, ImagesSource, Source
from hodor.video.limits import some


@dataclass(frozen=True)
class GivenMasks:
    """What `as_label_maps` found.

    path: a mask file, or a folder of them, for `hodor.video.open_reference_masks`. names: what
    objects are called, by id. warnings: what the user should know of the file that was read.
    """

    path: Path
    names: dict[int, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def as_label_maps(path: Path, folder: Path, source: Source) -> GivenMasks:
    """Masks of any format as label maps, each called as its frame in the video.

    Image files, and folders of them, are left as they are. What is in another format is written to
    `folder`, which is made anew: a label map for each frame that has an object.

    Args:
        path: of the masks.
        folder: for the label maps.
        source: the video that they belong to.

    Raises:
        MaskError: the file is of no known format, holds no object, or has a frame that is none of
            the video's.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return GivenMasks(path)
    one_image = path.suffix.lower() in (*IMAGE_SUFFIXES, ".gif") and path.is_file()
    name = guess_format(path)
    if name is None and path.suffix.lower() in (*VIDEO_SUFFIXES, *MATTE_SUFFIXES):
        raise MaskError(_no_masks(path))
    if name is None or (one_image and name != "tiff"):
        return GivenMasks(path)
    if name == "png" and not _is_stack(path):
        return GivenMasks(path / "labels" if (path / "labels").is_dir() else path)
    track = read_track(path, name, options_of(source))
    given = _named(track, path, source)
    shutil.rmtree(folder, ignore_errors=True)
    write_track(given, folder, "png")
    return GivenMasks(folder, dict(track.names), given.warnings)


def _no_masks(path: Path) -> str:
    """What is told of a video that was given for masks."""
    if path.suffix.lower() in MATTE_SUFFIXES:
        return (
            f"{path} is a video by itself; mattes are given by their folder: --masks {path.parent}"
        )
    return (
        f"{path} is a video, and masks are pictures of objects' ids: make one of the first frame "
        "by hodor studio, or by hodor mask, and give that"
    )


def options_of(
    source: Source, *, fps: float | None = None, video: str | None = None
) -> ReadOptions:
    """What a video says of masks that belong to it.

    Args:
        source: the video; its first frame is read for its size, if it is not live.
        fps: frames per second, in place of the video's.
        video: which one is meant, if the file of masks holds several.
    """
    names = source.names if isinstance(source, ImagesSource) else None
    size = None
    if not source.live:
        first = next(source.frames(), None)
        size = None if first is None else (first.pixels.shape[0], first.pixels.shape[1])
    return ReadOptions(fps=fps or source.fps, frames=names, size=size, video=video)


def _is_stack(path: Path) -> bool:
    files = [file for file in path.iterdir() if not file.name.startswith(".")]
    return len(files) == 1 and files[0].is_file() and guess_format(files[0]) == "tiff"


def _named(track: Track, path: Path, source: Source) -> Track:
    """The frames with objects, called as those of the video."""
    names: dict[str, str] = {}
    strangers: list[str] = []
    lone = None
    for count, frame in enumerate(f for f in track.frames() if f.label_map.any()):
        lone = frame.name if count == 0 else None
        called = _called(frame, source)
        if called is None:
            strangers.append(frame.name)
        else:
            names[frame.name] = called
    warnings = list(track.warnings)
    if not names and not strangers:
        raise MaskError(f"{path} holds no object, so there is nothing to follow.")
    if strangers and lone is not None and number_in(lone) is None:
        # As one mask file does.
        first = source.names[0] if isinstance(source, ImagesSource) else "00000"
        names, strangers = {lone: first}, []
        warnings.append(f"{path}: {lone} says no frame, so that it was taken for the first frame")
    if strangers:
        raise MaskError(
            f"{path}: masks are of frames that are not in {source.name}: {some(strangers)}; give "
            "each mask the name, or the number, of its frame."
        )

    def frames() -> Iterator[Labelled]:
        for frame in track.frames():
            if frame.name in names and frame.label_map.any():
                yield replace(frame, name=names[frame.name])

    return Track(frames, track.video, track.fps, {}, warnings)


def _called(frame: Labelled, source: Source) -> str | None:
    """The name of the video's frame that a frame of masks belongs to, or None."""
    if isinstance(source, ImagesSource):
        if frame.name in source.names:
            return frame.name
        fitting = (name for at, name in enumerate(source.names) if same_frame(frame.name, name, at))
        return next(fitting, None)
    number = number_in(frame.name)
    if number is None or (source.length is not None and number >= source.length):
        return None
    return f"{number:05d}"
