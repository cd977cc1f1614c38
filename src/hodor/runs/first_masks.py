"""Masks to begin with, made of boxes and points instead of drawn."""

from collections.abc import Mapping
from pathlib import Path

from hodor.errors import SourceError
from hodor.files import make_folder
from hodor.runs.folder import refuse_results
from hodor.segmenter import FirstMasks, Prompts, first_masks
from hodor.video import AUTO, Frame, Intensity, open_seekable, write_label_map

FIRST = "first.png"


def write_first_masks(
    source: str | Path,
    prompts: Mapping[int, Prompts],
    path: Path,
    *,
    frame: int = 0,
    intensity: Intensity = AUTO,
) -> tuple[Frame, FirstMasks]:
    """Make masks of what was shown in one frame of a video, and write them as a palette PNG.

    Args:
        source: video file, folder or pattern of images.
        prompts: by object id.
        path: the PNG to write.
        frame: its number, from 0.
        intensity: how greys of more than eight bits become eight.

    Raises:
        HodorError: no such frame, a prompt does not fit it, an object is not found, or the file
            cannot be written.
    """
    shown = read_frame(source, frame, intensity=intensity)
    found = first_masks(shown.pixels, prompts)
    make_folder(path.parent)
    write_label_map(path, found.label_map)
    return shown, found


def read_frame(source: str | Path, frame: int = 0, *, intensity: Intensity = AUTO) -> Frame:
    """One frame of a video, by its number from 0.

    Raises:
        HodorError: there is no such frame, or it cannot be read.
    """
    with open_seekable(source, intensity=intensity) as frames:
        if frame >= frames.length:
            raise SourceError(f"{source}: has no frame {frame}; they are 0 to {frames.length - 1}")
        return frames.read(frame)


def masks_for_run(
    source: str | Path,
    prompts: Mapping[int, Prompts],
    out: Path,
    *,
    resume: bool = False,
    intensity: Intensity = AUTO,
) -> tuple[Path, FirstMasks | None]:
    """The masks that ``track_to_folder`` is to begin with: ``first.png`` in its folder.

    resume: take those that the run was begun with, if they are there; then nothing is made.

    Raises:
        HodorError: as ``write_first_masks``; or the folder holds results already.
    """
    refuse_results(out, resume_run=resume)
    path = out / FIRST
    if resume and path.is_file():
        return path, None
    return path, write_first_masks(source, prompts, path, intensity=intensity)[1]
