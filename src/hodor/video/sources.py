"""Opening a source: what the user names decides what it is."""

import glob
import math
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from hodor.errors import DamagedSourceError, MissingSourceError, NotAVideoError, SourceError
from hodor.video.frames import Source
from hodor.video.images import (
    IMAGE_SUFFIXES,
    ArraySource,
    ImagesSource,
    is_image,
    left_out,
    list_images,
    sort_naturally,
)
from hodor.video.live import LiveSource, camera_input, is_camera, stream_input
from hodor.video.pictures import AUTO, Intensity
from hodor.video.stacks import StackSource, look_at
from hodor.video.videos import VideoSource, ends

LINEAR = (".exr", ".dpx")
"""Frames of film, whose light has to be turned into colours of a screen before it is looked at"""


def open_source(
    what: str | Path | int | NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
    *,
    fps: float | None = None,
    intensity: Intensity = AUTO,
) -> Source:
    """Open a video file, folder of images, glob pattern, image, arrays, camera or stream.

    what: a path; a pattern such as "shots/*.png"; "0" or "camera:1" for a camera (a file or
        folder of that name wins over "0"), or its number; a URL; (T, H, W, 3) uint8 RGB; a list
        of (H, W, 3).
        The pages of a TIFF stack are its frames. A URL over http(s) whose video has an end is read
        whole; other URLs are live.
    fps: frames per second of images and arrays (else 25); for a video it replaces the file's
        timestamps; a camera is asked for it.
    intensity: which channel and slice of images is seen, and how greys of more than eight bits
        become eight.
    Raises SourceError in one line if it is missing, is no video or image, or holds no frames.
    """
    source = _open(what, fps, intensity)
    if intensity.choice and not isinstance(source, ImagesSource | StackSource):
        source.close()
        name, value = next(iter(intensity.choice.items()))
        raise SourceError(
            f"--{name} {value}: {name}s are those of images and TIFF stacks; {source.name} is none"
        )
    return source


def _open(
    what: str | Path | int | NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
    fps: float | None,
    intensity: Intensity,
) -> Source:
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise SourceError(f"fps must be a number above 0; found {fps}.")
    if isinstance(what, int):
        what = f"camera:{what}"
    if not isinstance(what, str | Path | np.ndarray | Sequence):
        raise SourceError(
            "A source is a path, a pattern, a URL, a camera's number, or frames as arrays; "
            f"found {type(what).__name__}."
        )
    if not isinstance(what, str | Path):
        return ArraySource(what, fps=fps)
    if isinstance(what, str) and "://" in what:
        return _open_url(what, fps, intensity)
    path = Path(what)
    if path.is_dir():
        return _open_folder(path, fps, intensity)
    if path.is_file():
        return _open_file(path, fps, intensity)
    if is_camera(str(what)):
        camera = str(what).removeprefix("camera:")
        name = f"camera-{Path(camera).name}"
        return LiveSource(camera_input(camera, fps=fps), name=name, fps=fps)
    if glob.has_magic(str(what)):
        return _open_pattern(str(what), fps, intensity)
    raise MissingSourceError(f"{path} does not exist; check the path.")


def is_missing(what: str) -> bool:
    """Whether something is named that is no URL, camera or pattern, and not there."""
    named = "://" in what or is_camera(what) or glob.has_magic(what)
    return not named and not Path(what).exists()


def is_live(what: str) -> bool:
    """Whether a camera or a URL is named: what opens a device or a connection."""
    path = Path(what)
    return "://" in what or (is_camera(what) and not (path.is_dir() or path.is_file()))


def _open_url(url: str, fps: float | None, intensity: Intensity) -> Source:
    scheme = urlsplit(url).scheme.lower()
    if scheme == "file":
        return open_source(Path(unquote(urlsplit(url).path)), fps=fps, intensity=intensity)
    if scheme in ("http", "https") and ends(url):
        return VideoSource(url, fps=fps)
    return LiveSource(stream_input(url), fps=fps)


def _open_folder(folder: Path, fps: float | None, intensity: Intensity) -> Source:
    files = list_images(folder)
    others = left_out(folder)
    if not files:
        raise NotAVideoError(f"{folder} holds no images ({_suffixes()}); {_contents(folder)}.")
    if (stack := _stack_of(files, fps, intensity)) is not None:
        return stack
    name = folder.resolve().name
    return ImagesSource(files, name=name, fps=fps, intensity=intensity, left_out=others)


def _open_file(path: Path, fps: float | None, intensity: Intensity) -> Source:
    if path.stat().st_size == 0:
        raise DamagedSourceError(f"{path} is empty (0 bytes); copy or export it again.")
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return VideoSource(path, fps=fps)
    if (stack := _stack_of([path], fps, intensity)) is not None:
        return stack
    return ImagesSource([path], name=path.stem, fps=fps, intensity=intensity)


def _stack_of(files: Sequence[Path], fps: float | None, intensity: Intensity) -> StackSource | None:
    """The stack that a lone file of several pages is; None for images. The first one is looked at
    in either case if a channel or slice was chosen, so that it is refused now.
    """
    if not files or (len(files) > 1 and not intensity.choice):
        return None
    stack = look_at(files[0], intensity, alone=len(files) == 1)
    if len(files) > 1 or len(stack.pages) == 1:
        return None
    return StackSource(files[0], stack, fps=fps, intensity=intensity)


def _open_pattern(pattern: str, fps: float | None, intensity: Intensity) -> Source:
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]
    files = sort_naturally([path for path in found if is_image(path)])
    if (stack := _stack_of(files, fps, intensity)) is not None:
        return stack
    if files:
        name = files[0].resolve().parent.name
        return ImagesSource(files, name=name, fps=fps, intensity=intensity)
    if len(found) == 1:
        return open_source(found[0], fps=fps, intensity=intensity)
    matches = f"its {len(found)} matches are no images" if found else "nothing matches it"
    raise MissingSourceError(f"{pattern} gives no images ({_suffixes()}): {matches}.")


def _contents(folder: Path) -> str:
    """What a folder holds instead of images, to tell a folder of folders from an empty one."""
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    if not names:
        return "it is empty"
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    found = f"it holds {', '.join(names[:3])}{rest}"
    if any(name.lower().endswith(LINEAR) for name in names):
        return f"{found}; frames in EXR and DPX are not read: write them as PNG or ProRes"
    return f"{found}; name a video or a folder of images"


def _suffixes() -> str:
    return ", ".join(suffix.removeprefix(".") for suffix in IMAGE_SUFFIXES)
