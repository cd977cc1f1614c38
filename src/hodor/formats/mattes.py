"""Alpha mattes for editors: each object cut out of the video, as RGBA with straight alpha."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor.errors import MaskError
from hodor.files import whole_folder
from hodor.formats.reading import Reading, wrong
from hodor.formats.track import Labelled, Mask, Shapes, Track, flattened, survey
from hodor.formats.writing import Writing
from hodor.video import DEFAULT_FPS, list_images

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


PRORES = Coding(".mov", "prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"})
FFV1 = Coding(".mkv", "ffv1", "bgra", {"level": "3", "slicecrc": "1"})


def write_prores(track: Track, path: Path, _: Writing) -> None:
    """A folder with ID.mov for each object: ProRes 4444, as Resolve, Premiere and Final Cut read.

    The picture is the video's, or white where the video is not at hand.
    """
    _write_videos(track, path, PRORES)


def write_ffv1(track: Track, path: Path, _: Writing) -> None:
    """A folder with ID.mkv for each object: FFV1, which keeps picture and alpha bit by bit."""
    _write_videos(track, path, FFV1)


def write_rgba(track: Track, path: Path, _: Writing) -> None:
    """A folder for each object with a PNG of RGBA for every frame."""
    ids = survey(track).ids
    with whole_folder(path) as folder:
        for i in ids:
            (folder / str(i)).mkdir()
        for frame in track.frames():
            for i in ids:
                target = folder / str(i) / f"{frame.name}.png"
                Image.fromarray(cut_out(frame, i)).save(target, "PNG", compress_level=PNG_LEVEL)


def cut_out(frame: Labelled, number: int) -> NDArray[np.uint8]:
    """The frame (H, W, 4) with straight alpha: 255 on the object, else 0."""
    height, width = frame.label_map.shape
    picture = np.full((height, width, 4), 255, np.uint8)
    if frame.pixels is not None:
        picture[..., :3] = frame.pixels
    picture[..., 3] = np.where(frame.label_map == number, 255, 0)
    return picture


def _write_videos(track: Track, path: Path, coding: Coding) -> None:
    seen = survey(track, one_size="a video")
    with whole_folder(path) as folder, ExitStack() as open_files:
        videos = {}
        for i in seen.ids:
            video = _Video(folder / f"{i}{coding.suffix}", coding, track.fps, seen.size)
            videos[i] = open_files.enter_context(video)
        for frame in track.frames():
            for i, video in videos.items():
                video.write(cut_out(frame, i), frame.time)
        for video in videos.values():
            video.finish()


class _Video:
    """One file being encoded."""

    def __init__(self, path: Path, coding: Coding, fps: float, size: tuple[int, int]) -> None:
        rate = Fraction(fps).limit_denominator(1001)
        self._coding = coding
        self._duration = round(TICKS / rate)
        self._last = -1
        options = {"video_track_timescale": str(TICKS)} if coding.suffix == ".mov" else {}
        self._container = av.open(str(path), "w", options=options)
        stream: Any = self._container.add_stream(coding.codec, rate, options=dict(coding.options))
        stream.height, stream.width = size
        stream.pix_fmt = coding.pixels
        stream.codec_context.time_base = Fraction(1, TICKS)
        if coding is PRORES:
            stream.codec_context.colorspace = BT709
            stream.codec_context.color_primaries = BT709
            stream.codec_context.color_trc = BT709
        self._stream = stream

    def write(self, picture: NDArray[np.uint8], time: float) -> None:
        """Encode (H, W, 4) at a time in seconds; times that stand still are moved on."""
        frame = av.VideoFrame.from_ndarray(picture, format="rgba")
        colours = BT709 if self._coding is PRORES else None
        # Several threads of swscale 9.5 leave stray pixels in alpha where their parts meet.
        frame = frame.reformat(format=self._coding.pixels, dst_colorspace=colours, threads=1)
        self._last = max(round(time * TICKS), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        self._mux(frame)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._mux(None)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = self._duration
            self._container.mux(packet)

    def __enter__(self) -> "_Video":
        return self

    def __exit__(self, *_: Any) -> None:
        self._container.close()


def read_mattes(path: Path, reading: Reading) -> Track:
    """A folder with ID.mov or ID.mkv, or with folders ID of PNG files; alpha from a half on."""
    videos = {int(file.stem): file for file in path.iterdir() if _is_matte(file)}
    folders = {int(f.name): f for f in path.iterdir() if f.is_dir() and f.name.isdecimal()}
    if not videos and not folders:
        raise MaskError(f"{path} holds no mattes: give a folder with 1.mov, 1.mkv or 1/NAME.png.")
    warnings: list[str] = []

    def frames() -> Iterator[Shapes]:
        return _of_videos(videos, reading) if videos else _of_folders(folders, reading)

    rate = _rate(next(iter(videos.values()))) if videos and not reading.fps else reading.rate
    timed = bool(videos) or reading.timed
    return Track(flattened(frames, warnings), path.resolve().name, rate, {}, warnings, timed)


def _is_matte(file: Path) -> bool:
    return file.suffix in (PRORES.suffix, FFV1.suffix) and file.stem.isdecimal()


def _rate(file: Path) -> float:
    try:
        with av.open(str(file)) as container:
            return float(container.streams.video[0].average_rate or DEFAULT_FPS)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise wrong(file, "video with alpha", error) from error


def _of_videos(videos: dict[int, Path], reading: Reading) -> Iterator[Shapes]:
    """All videos side by side, a frame of each in memory."""
    ids = sorted(videos)
    with ExitStack() as open_files:
        try:
            containers = [open_files.enter_context(av.open(str(videos[i]))) for i in ids]
            decoded = [container.decode(video=0) for container in containers]
            for index, pictures in enumerate(zip(*decoded, strict=True)):
                alphas = [_opacity(picture) for picture in pictures]
                height, width = alphas[0].shape
                masks = [(i, alpha >= HALF) for i, alpha in zip(ids, alphas, strict=True)]
                time = float(pictures[0].time or 0.0)
                yield Shapes(index, reading.name_of(index), time, (height, width), masks)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise wrong(videos[ids[0]].parent, "folder of videos with alpha", error) from error


def _opacity(picture: av.VideoFrame) -> NDArray[np.uint8]:
    rgba = picture.reformat(format="rgba", threads=1).to_ndarray()  # One thread, as in writing.
    return np.asarray(rgba[..., 3], np.uint8)


def _of_folders(folders: dict[int, Path], reading: Reading) -> Iterator[Shapes]:
    files = {i: {file.stem: file for file in list_images(folders[i])} for i in sorted(folders)}
    names = dict.fromkeys(name for by_name in files.values() for name in by_name)
    for index, name in enumerate(names):
        masks = [(i, _alpha(by_name[name])) for i, by_name in files.items() if name in by_name]
        height, width = masks[0][1].shape
        yield Shapes(index, name, index / reading.rate, (height, width), masks)


def _alpha(file: Path) -> Mask:
    try:
        with Image.open(file) as image:
            return np.asarray(np.array(image.convert("RGBA"))[..., 3] >= HALF)
    except OSError as error:
        raise wrong(file, "picture with alpha", error) from error
