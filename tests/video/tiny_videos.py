"""Tiny real videos, made with PyAV."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def flat_frames(count: int, size: tuple[int, int] = (48, 64)) -> list[Pixels]:
    """Grey frames, each 10 brighter than the one before: codecs change a grey by 2 at most."""
    return [np.full((*size, 3), 20 + 10 * (index % 20), np.uint8) for index in range(count)]


def number_of(pixels: Pixels) -> int:
    """Which of the `flat_frames` (of the first 20) a decoded frame is."""
    return round((float(pixels.mean()) - 20) / 10)


def noise_frames(count: int, size: tuple[int, int] = (96, 128)) -> list[Pixels]:
    """A window that moves over noise: packets of some hundred bytes, worth damaging."""
    height, width = size
    ground = np.random.default_rng(0).integers(0, 255, (height, width + count, 3), np.uint8)
    return [np.ascontiguousarray(ground[:, at : at + width]) for at in range(count)]


def write_video(
    path: Path,
    frames: Sequence[Pixels],
    *,
    times: Sequence[float] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    audio: bool = False,
    format: str | None = None,
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
) -> Path:
    """Encode RGB frames at 25 a second, or at `times` (seconds, to the millisecond)."""
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=codec_options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if audio:
            write_silence(container)
        for index, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if times is not None:
                picture.pts, picture.time_base = round(times[index] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def write_silence(container: av.container.OutputContainer) -> None:
    """Three seconds of a sound track, longer than the videos here."""
    sound = container.add_stream("aac", rate=48000)
    for index in range(144):
        samples = np.zeros((2, 1000), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, index * 1000, Fraction(1, 48000)
        container.mux(sound.encode(frame))
    container.mux(sound.encode(None))
