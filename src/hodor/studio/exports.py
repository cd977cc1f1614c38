"""What a session is exported as. A format more is an entry more in ``TITLES``."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from hodor.errors import explained
from hodor.files import write_json
from hodor.formats import FORMATS, Labelled, Track, write_track
from hodor.studio.jobs import Control
from hodor.studio.objects import default_name
from hodor.studio.session import Session
from hodor.video import (
    Colour,
    Frame,
    LabelMap,
    LabelMapSink,
    OverlaySink,
    RleSink,
    SeekableFrames,
    Sink,
    Sound,
    TimeCode,
    parse_colour,
)


@dataclass(frozen=True)
class Tracked:
    """One frame of a session. confidence: in [0, 1] by object, as far as it is known."""

    frame: Frame
    labels: LabelMap
    confidence: Mapping[int, float]


@dataclass(frozen=True)
class Material:
    """All that an export is made of. frames: gives every frame in order, each time it is called."""

    frames: Callable[[], Iterator[Tracked]]
    video: str
    fps: float
    pixel_aspect: Fraction
    time_code: TimeCode | None
    sound: Sound | None
    ids: Sequence[int]
    names: Mapping[int, str]
    colours: Mapping[int, Colour]
    warnings: list[str] = field(default_factory=list)
    """What formats left out, for the user"""


@dataclass(frozen=True)
class Export:
    """One format: what the page says of it, the name of its file or folder, and what writes it."""

    title: str
    about: str
    file: str
    write: Callable[[Material, Path], None]


def _label_maps(material: Material, path: Path) -> None:
    _through(LabelMapSink(path), material)


def _rle(material: Material, path: Path) -> None:
    _through(RleSink(path, video=material.video), material)


def _overlay(material: Material, path: Path) -> None:
    given = {i: name for i, name in material.names.items() if name != default_name(i)}
    sink = OverlaySink(
        path, material.fps,
        pixel_aspect=material.pixel_aspect, sound=material.sound, colours=material.colours,
        names=given,
    )  # fmt: skip
    _through(sink, material)
    material.warnings.extend(sink.warnings)


def _through(sink: Sink, material: Material) -> None:
    with sink:
        for one in material.frames():
            sink.write(one.frame, one.labels, material.ids)


def _in_format(name: str) -> Callable[[Material, Path], None]:
    """What writes one of ``hodor.formats``."""

    def write(material: Material, path: Path) -> None:
        def frames() -> Iterator[Labelled]:
            for one in material.frames():
                f = one.frame
                yield Labelled(f.index, f.name, f.time, one.labels, one.confidence, f.pixels)

        # Formats never replace what is there; an export takes the place of the one before.
        with explained(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        track = Track(
            frames, material.video, material.fps, material.names,
            pixel_aspect=material.pixel_aspect, time_code=material.time_code,
        )  # fmt: skip
        write_track(track, path, name)
        material.warnings.extend(track.warnings)

    return write


OWN = ("png", "rle")

EXPORTS = {
    "png": Export(
        "Label maps (PNG)", "A palette PNG for each frame, as DAVIS has them", "labels", _label_maps
    ),
    "rle": Export(
        "COCO RLE (JSON)", "Run-length masks of all frames in a file", "masks.json", _rle
    ),
    "overlay": Export(
        "Overlay video (MP4)",
        "The video with its objects in their colours",
        "overlay.mp4",
        _overlay,
    ),
} | {
    name: Export(one.title, one.about, one.file, _in_format(name))
    for name, one in FORMATS.items()
    if name not in OWN
}
"""What the page offers: label maps and RLE by their own sinks, the rest of ``hodor.formats``."""


def export(
    session: Session, frames: SeekableFrames, names: Sequence[str], control: Control
) -> list[Path]:
    """Write a session in some formats of ``EXPORTS`` to its folder ``exports``; gives the paths.

    Beside them ``objects.json`` says which number is which object, and where masks were given.

    Raises:
        HodorError: a frame cannot be read, or a file not be written.
    """
    objects = [o for o in session.objects if not o.removed]
    looks = 0

    def read() -> Iterator[Tracked]:
        nonlocal looks
        looks += 1
        if looks > len(names):
            control.expect(frames.length)  # some formats look at all frames twice
        for t in range(frames.length):
            control.checkpoint()
            yield Tracked(frames.read(t), session.labels(t), session.confidences(t))
            control.advance(t)

    ids = [o.id for o in objects]
    called = {o.id: o.name for o in objects}
    video = session.video
    colours = {o.id: parse_colour(o.colour) for o in objects}
    material = Material(
        read, video.name, video.fps, frames.pixel_aspect, frames.time_code, frames.sound,
        ids, called, colours,
    )  # fmt: skip
    control.expect(frames.length * len(names))
    place = session.folder.place
    for name in names:
        EXPORTS[name].write(material, place("exports", EXPORTS[name].file))
    control.warn(material.warnings)
    given = {str(i): frames_of for i, frames_of in session.state()["given"].items()}
    about = [{**o.to_dict(), "given": given.get(str(o.id), [])} for o in objects]
    write_json(place("exports", "objects.json"), {"video": session.video.path, "objects": about})
    return [place("exports", EXPORTS[name].file) for name in names]
