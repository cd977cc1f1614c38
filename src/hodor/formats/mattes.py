"""Alpha mattes for editors: each object cut out of the video, as RGBA with straight alpha."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor.errors import MaskError
from hodor.files import whole_folder, write_json
from hodor.formats import display_size
from hodor.formats.format import Format, never
from hodor.formats.frame_numbers import numbers_of
from hodor.formats.identity import renumbered
from hodor.formats.label_maps import first_of_objects, one_size
from hodor.formats.left_out import LeftOut
from hodor.formats.matte_edges import Mattes
from hodor.formats.matte_sound import sound_beside
from hodor.formats.reading import Look, ReadOptions, readable
from hodor.formats.track import Labelled, Mask, Shapes, Track, flattened, survey
from hodor.formats.writing import WriteOptions
from hodor.types import Untyped
from hodor.video import DEFAULT_FPS, list_images, open_picture, sort_naturally
from hodor.video.limits import frame_size

PNG_LEVEL = 3
TICKS = 120_000
"""Ticks a second: 24, 25, 30, 50 and 60 frames a second, their 1000/1001 forms and milliseconds are
whole numbers of them."""

HALF = 128  # of an alpha, from which on a pixel is the object's
BT709 = 1
"""FFmpeg's number for the matrix, primaries and transfer that editors expect of high definition."""


@dataclass(frozen=True)
class Coding:
    """How a video with alpha is encoded."""

    suffix: str
    codec: str
    pixels: str
    options: dict[str, str]


PRORES_CODING = Coding(".mov", "prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"})
FFV1_CODING = Coding(".mkv", "ffv1", "bgra", {"level": "3", "slicecrc": "1"})
SUFFIXES = frozenset({PRORES_CODING.suffix, FFV1_CODING.suffix})


IDS = "ids.json"
"""Beside files that are called by names: name -> id"""


def write_prores(track: Track, path: Path, options: WriteOptions) -> None:
    """A folder with ID.mov for each object: ProRes 4444, as Resolve, Premiere and Final Cut read.

    The picture is the video's, or white where the video is not at hand.
    """
    _write_videos(track, path, PRORES_CODING, options.mattes)


def write_ffv1(track: Track, path: Path, options: WriteOptions) -> None:
    """A folder with ID.mkv for each object: FFV1, which keeps picture and alpha bit by bit."""
    _write_videos(track, path, FFV1_CODING, options.mattes)


def write_rgba(track: Track, path: Path, options: WriteOptions) -> None:
    """A folder for each object with a PNG of RGBA for every frame."""
    mattes = options.mattes
    mattes.check(track)
    ids = mattes.shown(survey(track).ids)
    with whole_folder(path) as folder:
        note_ids(folder, {mattes.file_name(i): i for i in ids})
        for i in ids:
            (folder / mattes.file_name(i)).mkdir()
        for frame in track.frames():
            for i in ids:
                target = folder / mattes.file_name(i) / f"{frame.name}.png"
                Image.fromarray(cut_out(frame, i, mattes)).save(
                    target, "PNG", compress_level=PNG_LEVEL
                )


def cut_out(frame: Labelled, number: int, mattes: Mattes) -> NDArray[np.uint8]:
    """The frame (H, W, 4) with straight alpha: 255 on the object, else 0, but for soft edges."""
    height, width = frame.label_map.shape
    picture = np.full((height, width, 4), 255, np.uint8)
    if frame.pixels is not None:
        picture[..., :3] = frame.pixels
    picture[..., 3] = mattes.alpha(frame.label_map, number, frame.soft)
    return picture


def _write_videos(track: Track, path: Path, coding: Coding, mattes: Mattes) -> None:
    mattes.check(track)
    seen = survey(track, one_size="a video")
    with whole_folder(path) as folder, ExitStack() as open_files:
        videos = {}
        note_ids(folder, {mattes.file_name(i): i for i in mattes.shown(seen.ids)})
        for i in mattes.shown(seen.ids):
            file = folder / f"{mattes.file_name(i)}{coding.suffix}"
            video = _Video(file, coding, track, seen.size)
            videos[i] = open_files.enter_context(closing(video))
        for frame in _without_gaps(track):
            for i, video in videos.items():
                video.write(cut_out(frame, i, mattes), frame.time)
        for video in videos.values():
            video.finish()


def _without_gaps(track: Track) -> Iterator[Labelled]:
    """All frames from the video's first on: where some are missing, frames without an object."""
    index, time = -1, -1 / track.fps
    for frame in track.frames():
        step = (frame.time - time) / (frame.index - index)
        for missing in range(index + 1, frame.index):
            nothing = np.zeros_like(frame.label_map)
            yield Labelled(missing, f"{missing:05d}", time + step * (missing - index), nothing)
        yield frame
        index, time = frame.index, frame.time


class _Video:
    """One file being encoded."""

    def __init__(self, path: Path, coding: Coding, track: Track, size: tuple[int, int]) -> None:
        rate = Fraction(track.fps).limit_denominator(1001)
        self._coding = coding
        self._duration = round(TICKS / rate)
        self._last = -1
        self._path, self._size, self._aspect = path, size, track.pixel_aspect
        self._patched = coding is FFV1_CODING and track.pixel_aspect != 1
        options = {"video_track_timescale": str(TICKS)} if coding.suffix == ".mov" else {}
        options |= display_size.OPTIONS if self._patched else {}
        self._container = av.open(str(path), "w", options=options)
        if track.time_code is not None:
            self._container.metadata["timecode"] = str(track.time_code)
        stream: Untyped = self._container.add_stream(
            coding.codec, rate, options=dict(coding.options)
        )
        stream.height, stream.width = size
        stream.pix_fmt = coding.pixels
        stream.codec_context.time_base = Fraction(1, TICKS)
        if track.pixel_aspect != 1:
            stream.codec_context.sample_aspect_ratio = track.pixel_aspect
        if self._patched:
            stream.metadata.update(display_size.STEREO)
        if coding is PRORES_CODING:
            stream.codec_context.colorspace = BT709
            stream.codec_context.color_primaries = BT709
            stream.codec_context.color_trc = BT709
        self._stream = stream
        # Where a display size is patched into the file, it holds the picture alone.
        sound = None if self._patched else track.sound
        kind = "MOV" if coding is PRORES_CODING else "Matroska"
        self._sound = sound_beside(sound, self._container, kind, track.warnings)
        self._warnings = track.warnings

    def write(self, picture: NDArray[np.uint8], time: float) -> None:
        """Encode (H, W, 4) at a time in seconds; times that stand still are moved on."""
        frame = av.VideoFrame.from_ndarray(picture, format="rgba")
        colours = BT709 if self._coding is PRORES_CODING else None
        # Several threads of swscale 9.5 leave stray pixels in alpha where their parts meet.
        frame = frame.reformat(format=self._coding.pixels, dst_colorspace=colours, threads=1)
        self._last = max(round(time * TICKS), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        self._mux(frame)
        if self._sound is not None:
            self._sound.write_up_to((self._last + self._duration) / TICKS)

    def finish(self) -> None:
        """Write what the encoder still holds, and end the file."""
        self._mux(None)
        self._container.close()
        told = [] if self._sound is None else self._sound.warnings
        self._warnings += [warning for warning in told if warning not in self._warnings]
        if self._patched:
            display_size.state_display_size(self._path, *self._size, self._aspect)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = self._duration
            self._container.mux(packet)

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()
        if self._sound is not None:
            self._sound.close()


def read_mattes(path: Path, options: ReadOptions) -> Track:
    """A folder with ID.mov or ID.mkv, or with folders ID of PNG files; alpha from a half on."""
    found = sorted(path.iterdir())
    called = noted_ids(path)
    videos = [f for f in found if f.suffix.lower() in SUFFIXES and _is_id(f.stem, called)]
    folders = [f for f in found if f.is_dir() and _is_id(f.name, called) and list_images(f)]
    if not videos and not folders:
        raise MaskError(f"{path} holds no mattes: give a folder with 1.mov, 1.mkv or 1/NAME.png.")
    warnings: list[str] = []
    left_out = LeftOut()
    left_out.add("folders of pictures beside videos", len(folders) if videos else 0)
    others = [f for f in found if f.suffix.lower() in SUFFIXES and f not in videos]
    left_out.add("videos that are called by no number", len(others))
    left_out.tell(path.name, warnings)
    if videos:
        numbers = [called.get(file.stem, file.stem) for file in videos]
        ids = renumbered(numbers, warnings, what="file")
        by_id = {ids[number]: file for number, file in zip(numbers, videos, strict=True)}
        rate = options.fps or _rate(videos[0])
        frames = partial(_of_videos, by_id, options)
    else:
        numbers = [called.get(folder.name, folder.name) for folder in folders]
        ids = renumbered(numbers, warnings, what="folder")
        rate = options.rate
        files = {
            ids[number]: {file.stem: file for file in list_images(folder)}
            for number, folder in zip(numbers, folders, strict=True)
        }
        names = list(dict.fromkeys(name for by_name in files.values() for name in by_name))
        order = sorted(zip(numbers_of(names, options, warnings), names, strict=True))
        frames = partial(_of_folders, path, files, order, rate)
    names_of = {ids[number]: name for name, number in called.items() if number in ids}
    return Track(
        flattened(frames, warnings), path.resolve().name, rate, names_of, warnings, bool(videos)
    )


def note_ids(folder: Path, ids: Mapping[str, int]) -> None:
    """Note whose each file is, where files are called by names; by ids they say it themselves."""
    if any(name != str(i) for name, i in ids.items()):
        write_json(folder / IDS, ids)


def noted_ids(path: Path) -> dict[str, str]:
    """What files are called -> their id, as it was noted; none where they are called by ids."""
    note = path / IDS
    if not note.is_file():
        return {}
    noted = json.loads(note.read_text(encoding="utf-8"))
    if not isinstance(noted, dict) or not all(type(i) is int for i in noted.values()):
        raise MaskError(f'{note}: must hold an id for each name, such as {{"cat": 7}}')
    return {name: str(i) for name, i in noted.items()}


def _is_id(name: str, called: Mapping[str, str]) -> bool:
    """Whether a file or folder of this name belongs to an object."""
    return name in called or name.isdecimal()


def _rate(file: Path) -> float:
    with av.open(str(file)) as container:
        if not container.streams.video:
            raise ValueError(f"{file.name} holds no video")
        return float(container.streams.video[0].average_rate or DEFAULT_FPS)


def _of_videos(videos: dict[int, Path], options: ReadOptions) -> Iterator[Shapes]:
    """All videos side by side, a frame of each in memory."""
    ids = sorted(videos)
    with ExitStack() as open_files:
        containers = [open_files.enter_context(av.open(str(videos[i]))) for i in ids]
        for number, container in zip(ids, containers, strict=True):
            if not container.streams.video:
                raise ValueError(f"{videos[number].name} holds no video")
            stream = container.streams.video[0]
            frame_size(stream.height, stream.width)
        decoded = [container.decode(video=0) for container in containers]
        for index, pictures in enumerate(zip(*decoded, strict=True)):
            alphas = [_opacity(picture) for picture in pictures]
            height, width = alphas[0].shape
            masks = [(i, alpha >= HALF) for i, alpha in zip(ids, alphas, strict=True)]
            # An object's video is as long as the others, so that an empty matte says nothing.
            shown = [(i, mask) for i, mask in masks if mask.any()]
            time = float(pictures[0].time or 0.0)
            yield Shapes(index, options.name_of(index), time, (height, width), shown)


def _opacity(picture: av.VideoFrame) -> NDArray[np.uint8]:
    if not any(component.is_alpha for component in picture.format.components):
        raise ValueError(f"it has no alpha ({picture.format.name})")
    rgba = picture.reformat(format="rgba", threads=1).to_ndarray()  # One thread, as in writing.
    return np.asarray(rgba[..., 3], np.uint8)


def _of_folders(
    path: Path, files: dict[int, dict[str, Path]], order: list[tuple[int, str]], rate: float
) -> Iterator[Shapes]:
    for index, name in order:
        masks = [
            (i, _alpha(by_name[name])) for i, by_name in sorted(files.items()) if name in by_name
        ]
        size = one_size(path, name, masks)
        shown = [(i, mask) for i, mask in masks if mask.any()]
        yield Shapes(index, name, index / rate, size, shown)


def _alpha(file: Path) -> Mask:
    with readable(file, "picture with alpha"), open_picture(file) as image:
        frame_size(image.height, image.width)
        if not image.has_transparency_data:
            raise ValueError(f"it has no alpha (mode {image.mode})")
        return np.asarray(np.array(image.convert("RGBA"))[..., 3] >= HALF)


def looks_like_mattes(look: Look) -> bool:
    """A folder with videos that are called by numbers."""
    return look.folder and bool(look.suffixes & SUFFIXES) and not look.suffixes & {".png"}


def looks_like_rgba(look: Look) -> bool:
    """Folders of pictures with alpha, called by numbers, or by names that are noted."""
    first = first_of_objects(look)
    if first is None and look.folder:
        # The note is nobody's but that of folders: beside pictures it may be another program's.
        folders = sort_naturally([one for one in look.path.iterdir() if one.is_dir()])
        called = noted_ids(look.path) if folders else {}
        named = (one for one in folders if one.name in called)
        first = next((file for one in named for file in list_images(one)), None)
    if first is None:
        return False
    with open_picture(first) as image:
        return image.mode == "RGBA"


PRORES = Format(
    title="Mattes for editors (ProRes 4444)",
    about="A video with alpha for each object",
    what="folder of mattes",
    read=read_mattes,
    write=write_prores,
    file="prores",
    looks_like=looks_like_mattes,
    pixels=True,
    whole=True,
    mattes=True,
)

FFV1 = replace(
    PRORES,
    title="Mattes for editors (FFV1)",
    about="The same without loss",
    write=write_ffv1,
    file="ffv1",
    looks_like=never,
)

RGBA = replace(
    PRORES,
    title="Mattes as PNGs",
    about="Cut-out pictures with alpha, for each object",
    write=write_rgba,
    file="rgba",
    looks_like=looks_like_rgba,
)
