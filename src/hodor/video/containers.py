"""Opening what PyAV can open, with errors that say what to do, for files and live inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import av
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from hodor.errors import (
    ClosedSourceError,
    DamagedSourceError,
    MissingSourceError,
    NotAVideoError,
    SourceError,
)
from hodor.video.playlists import check_playlist

NETWORK_TIMEOUT = 10.0
"""Seconds without data after which a stream counts as ended, so that no thread waits for ever."""

LOCAL = ("file", "crypto", "data")
"""Protocols of FFmpeg that a file on this machine may use: none of them asks the network."""

REMOTE = (
    "http", "https", "httpproxy", "tls", "tcp", "udp", "rtp", "srtp", "rtmp", "rtmps", "srt",
    "crypto", "data",
)  # fmt: skip
"""Protocols that what a URL names may use: none of them reads files of this machine."""

COVER = Disposition.attached_pic

# FFmpeg draws any text as a terminal's screen: not what a user means who names a text file.
TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})


@dataclass(frozen=True)
class Input:
    """What to open: a path, URL or device, and how PyAV is to take it.

    options are pairs of FFmpeg options; `label` is how messages call it, without passwords.
    """

    target: str
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_url(self) -> bool:
        return "://" in self.target

    @property
    def label(self) -> str:
        if not self.is_url:
            return self.target
        url = urlsplit(self.target)
        return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()

    def open(self) -> tuple[InputContainer, VideoStream]:
        """Open and choose the picture's stream. Raises SourceError in one line."""
        timeout = NETWORK_TIMEOUT if self.is_url else None
        if self.format is None and not self.is_url:
            check_playlist(Path(self.target))
        try:
            container = av.open(
                self.target,
                "r",
                format=self.format,
                options=self._protocols() | dict(self.options),
                metadata_errors="replace",
                timeout=timeout,
            )
        except (av.FFmpegError, ValueError, OSError) as error:
            raise self._why_closed(error) from error
        try:
            return container, self._picture_stream(container)
        except SourceError:
            container.close()
            raise

    def _protocols(self) -> dict[str, str]:
        if self.format is not None:
            return {}  # a device, which needs none
        return {"protocol_whitelist": ",".join(REMOTE if self.is_url else LOCAL)}

    def _picture_stream(self, container: InputContainer) -> VideoStream:
        if container.format.name in TEXT_FORMATS:
            raise NotAVideoError(f"{self.label} is text, not a video; give a video or images.")
        # The cover picture of a song is no video.
        streams = [s for s in container.streams.video if not s.disposition & COVER]
        if not streams:
            raise NotAVideoError(f"{self.label} holds no video (format {container.format.name}).")
        stream = streams[0]
        if stream.frames == 1:
            # An animated AVIF has its first picture by itself before the sequence.
            stream = max(streams, key=lambda s: s.frames)
        if stream.codec_context is None:
            raise SourceError(
                f"{self.label} is encoded in a way that the installed PyAV cannot decode; "
                "convert it to H.264."
            )
        return stream

    def _why_closed(self, error: Exception) -> SourceError:
        if isinstance(error, av.error.InvalidDataError):
            return DamagedSourceError(
                f"{self.label} is no video that can be read: its index is missing or its content "
                "is not video. A recording that was cut off needs repair by a recovery tool first."
            )
        reason = getattr(error, "strerror", None) or str(error)
        kind = SourceError
        if isinstance(error, PermissionError):
            kind = ClosedSourceError
        if isinstance(error, FileNotFoundError):
            kind = MissingSourceError
        return kind(
            f"{self.label} cannot be opened ({reason}); check the name and your access to it."
        )


class Upright:
    """Pixels of one stream's pictures, turned and mirrored as the file says.

    PyAV's side data, where the mirroring is stated, ties a picture into a cycle of references that
    only the garbage collector frees: hundreds of pictures would pile up. So it is asked only where
    the rotation changes, which costs nothing to know.
    """

    def __init__(self) -> None:
        self._rotation: int | None = None
        self._matrix = (1, 0, 0, 1)

    def pixels(self, picture: VideoFrame) -> NDArray[np.uint8]:
        """A decoded picture as (H, W, 3) uint8 RGB, contiguous.

        Range and matrix of colours are swscale's reading of the file's tags.
        """
        if picture.rotation != self._rotation:
            self._rotation, self._matrix = picture.rotation, _display_matrix(picture)
        # One thread is as fast, or faster: several are started anew for every picture.
        pixels = np.asarray(picture.to_ndarray(format="rgb24", threads=1), np.uint8)
        # x' = a x + c y, y' = b x + d y, y pointing down; only quarter turns and mirrors are kept.
        a, b, c, d = self._matrix
        if abs(b) > abs(a):
            pixels, a, d = pixels.transpose(1, 0, 2), c, b
        return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def nominal_rate(stream: VideoStream) -> float | None:
    """Frames per second that the stream states, or None."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def pixel_aspect(stream: VideoStream) -> Fraction:
    """Width over height of a pixel, as the file states it, before its pictures are turned."""
    stated = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(stated) if stated and stated > 0 else Fraction(1)


def short_name(given: Input) -> str:
    """A name for results: the file's stem, or the last part of a URL's path, or its host."""
    if not given.is_url:
        return Path(given.target).stem
    url = urlsplit(given.target)
    return Path(url.path).stem or url.hostname or "stream"


def _display_matrix(picture: VideoFrame) -> tuple[int, int, int, int]:
    matrix = cast("Mapping[str, Buffer]", picture.side_data).get("DISPLAYMATRIX")
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    return a, b, c, d
