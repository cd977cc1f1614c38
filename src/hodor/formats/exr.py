"""Mattes for compositing: an OpenEXR file for each frame, in it a channel of halves an object."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hodor.errors import MaskError
from hodor.extras import needed
from hodor.files import whole_folder
from hodor.formats.format import Format
from hodor.formats.frame_numbers import numbers_of
from hodor.formats.identity import renumbered
from hodor.formats.mattes import note_ids, noted_ids
from hodor.formats.reading import Look, ReadOptions, readable
from hodor.formats.track import Mask, Shapes, Track, flattened, survey
from hodor.formats.writing import WriteOptions
from hodor.types import AnyArray, Untyped
from hodor.video import sort_naturally
from hodor.video.limits import frame_size

SUFFIX = ".exr"
HALF = 0.5
"""Opacity from which on a pixel is the object's."""
PAIRED_RATE = 30
"""Frames a second beyond which two frames share a number, as SMPTE 12M counts them."""
MOST_RATE = 60


def write_exr(track: Track, path: Path, options: WriteOptions) -> None:
    """A folder with NAME.exr for every frame: 0 to 1, compressed without loss (ZIP).

    Channels are called by the names given, else object1, object2, ...: programs for compositing
    take no names that begin with a digit.
    """
    exr = needed("OpenEXR", "exr")
    mattes = options.mattes
    mattes.check(track)
    channels = {i: _channel(mattes.file_name(i)) for i in mattes.shown(survey(track).ids)}
    stated: dict[str, Untyped] = {"pixelAspectRatio": float(track.pixel_aspect)}
    if track.timed:
        stated["framesPerSecond"] = Fraction(track.fps).limit_denominator(1001)
    with whole_folder(path) as folder:
        note_ids(folder, {name: i for i, name in channels.items()})
        for frame in track.frames():
            planes = {
                name: mattes.opacity(frame.label_map, i, frame.soft).astype(np.float16)
                for i, name in channels.items()
            }
            head = {
                "compression": exr.ZIP_COMPRESSION,
                "type": exr.scanlineimage,
                **stated,
                **_time_code(exr, track, frame.time),
            }
            # A file without a channel is none: this is a frame of a video in which nobody is.
            none = {"none": np.zeros(frame.label_map.shape, np.float16)}
            with exr.File(head, planes or none) as file:
                file.write(str(folder / f"{frame.name}{SUFFIX}"))


def _time_code(exr: Untyped, track: Track, time: float) -> dict[str, Untyped]:
    """The attribute of a frame at a time in seconds; none where the video states none."""
    if track.time_code is None or track.time_code.rate > MOST_RATE:
        return {}
    code = track.time_code.after(time)
    noted = exr.TimeCode()
    noted.hours, noted.minutes, noted.seconds, frame = code.parts
    paired = code.rate > PAIRED_RATE
    noted.frame, noted.fieldPhase = (frame // 2, bool(frame % 2)) if paired else (frame, False)
    noted.dropFrame = code.drop
    return {"timeCode": noted}


def _channel(name: str) -> str:
    # A dot would make a layer of what is before it.
    plain = name.replace(".", "-")
    return f"object{plain}" if plain[0].isdecimal() else plain


def read_exr(path: Path, options: ReadOptions) -> Track:
    """A folder of EXR files, a channel for each object, which is where that is a half or more."""
    needed("OpenEXR", "exr")
    warnings: list[str] = []
    files = sort_naturally([f for f in path.iterdir() if f.suffix.lower() == SUFFIX])
    if not files:
        raise MaskError(f"{path} holds no EXR files; give the folder with NAME.exr.")
    noted = noted_ids(path)
    called = noted or {name: name for file in files for name in _planes(file, head=True)}
    ids = renumbered(list(called.values()), warnings, what="channel")
    of = {name: ids[number] for name, number in called.items()}
    numbers = numbers_of([file.stem for file in files], options, warnings)
    order = sorted(zip(numbers, files, strict=True))
    names = {i: name for name, i in of.items() if noted and name != f"object{i}"}
    frames = flattened(partial(_frames, order, of, options.rate), warnings)
    return Track(frames, path.resolve().name, options.rate, names, warnings)


def _frames(order: list[tuple[int, Path]], of: Mapping[str, int], rate: float) -> Iterator[Shapes]:
    for index, file in order:
        planes = _planes(file)
        size = next(iter(planes.values())).shape
        masks: list[tuple[int, Mask]] = [
            (of[name], plane >= HALF) for name, plane in planes.items() if name in of
        ]
        shown = [(i, mask) for i, mask in sorted(masks, key=lambda one: one[0]) if mask.any()]
        yield Shapes(index, file.stem, index / rate, (size[0], size[1]), shown)


def _planes(file: Path, *, head: bool = False) -> dict[str, AnyArray]:
    """The channels (H, W) of a file by name; with ``head`` their names alone."""
    exr = needed("OpenEXR", "exr")
    with readable(file, "picture of OpenEXR"):
        with exr.File(str(file), header_only=True) as opened:
            inside, shown = (_window(opened.header()[f"{w}Window"]) for w in ("data", "display"))
            names = [channel.name for channel in opened.header()["channels"]]
        frame_size(*inside.size)
        frame_size(*shown.size)
        if {"R", "G", "B"} <= set(names):
            raise ValueError("its channels are a picture (R, G, B), not mattes of objects")
        if head:
            return dict.fromkeys(names, np.zeros((0, 0)))
        with exr.File(str(file), separate_channels=True) as opened:
            planes = {name: np.asarray(c.pixels) for name, c in opened.channels().items()}
    return {name: _laid(plane, inside, shown) for name, plane in planes.items()}


class _Window(NamedTuple):
    """Columns and rows of a picture's plane, ends excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)"""
        return self.bottom - self.top, self.right - self.left


def _window(corners: Untyped) -> _Window:
    (left, top), (right, bottom) = corners
    return _Window(int(left), int(top), int(right) + 1, int(bottom) + 1)


def _laid(plane: AnyArray, inside: _Window, shown: _Window) -> AnyArray:
    """A plane (H, W) of what is shown: programs for compositing store the part that is not 0."""
    if inside == shown:
        return plane
    left, top = max(inside.left, shown.left), max(inside.top, shown.top)
    right, bottom = min(inside.right, shown.right), min(inside.bottom, shown.bottom)
    laid = np.zeros(shown.size, plane.dtype)
    if left < right and top < bottom:
        part = plane[
            top - inside.top : bottom - inside.top, left - inside.left : right - inside.left
        ]
        laid[top - shown.top : bottom - shown.top, left - shown.left : right - shown.left] = part
    return laid


def looks_like_exr(look: Look) -> bool:
    """A folder of EXR files."""
    return look.folder and SUFFIX in look.suffixes


EXR = Format(
    title="Mattes as EXR",
    about="A file of half floats for each frame, a channel for each object",
    what="folder of EXR files",
    read=read_exr,
    write=write_exr,
    file="exr",
    looks_like=looks_like_exr,
    mattes=True,
    module="OpenEXR",
    extra="exr",
)
