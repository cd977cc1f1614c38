"""Cameras and streams: a reader thread that keeps only the newest frame."""

import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from hodor.errors import MissingSourceError, SourceError
from hodor.video.containers import Input, Upright, nominal_rate, pixel_aspect, short_name
from hodor.video.frames import DEFAULT_FPS, Closing, Frame, numbered_name

JOIN_SECONDS = 2.0
"""How long closing waits for the reader thread; it may sit in a read that ends by its timeout."""

CAMERA = re.compile(r"(camera:.+|[0-9]+)\Z")


class LiveSource(Closing):
    """Frames as they come. A consumer that is late gets the newest one; the others are dropped.

    dropped: number of frames that nobody took, over all of `frames`.
    """

    live = True
    length: int | None = None
    estimated_length: int | None = None

    def __init__(
        self,
        given: Input | str | Path,
        *,
        name: str | None = None,
        fps: float | None = None,
        pace: bool = False,
    ) -> None:
        """given: a path, URL or device that PyAV opens. pace: give the frames of a recording at the
        times of its timestamps, as a camera would. Raises SourceError if it cannot be opened.
        """
        self._input = given if isinstance(given, Input) else Input(str(given))
        self._pace = pace
        self.name = name or short_name(self._input)
        self.warnings: list[str] = []
        self.dropped = 0
        self._reader: _Reader | None = None
        self._opened: tuple[InputContainer, VideoStream] | None = self._input.open()
        self.pixel_aspect = pixel_aspect(self._opened[1])
        self.fps = fps or nominal_rate(self._opened[1]) or DEFAULT_FPS

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """The first frame, then always the newest. `time` is the time of capture since the first.

        Raises SourceError if the input ends before its first frame.
        """
        opened, self._opened = self._opened, None
        self.close()
        container, stream = opened or self._input.open()
        reader = self._reader = _Reader(container, stream, pace=self._pace)
        reader.start()
        first: float | None = None
        upright = Upright()
        try:
            while (shot := reader.take()) is not None:
                first = shot.captured if first is None else first
                index = start + shot.number
                yield Frame(
                    index,
                    numbered_name(index),
                    upright.pixels(shot.picture),
                    shot.captured - first,
                    shot.captured,
                )
            self._conclude(reader, empty=first is None)
        finally:
            self.dropped += reader.stop()

    def close(self) -> None:
        """Stop the reader thread; a loop over `frames` in another thread ends."""
        if self._reader is not None:
            self._reader.stop()
        if self._opened is not None:
            self._opened[0].close()
            self._opened = None

    def _conclude(self, reader: "_Reader", *, empty: bool) -> None:
        reason = reader.failure or "it ended"
        if empty and not reader.stopped:
            raise SourceError(f"{self._input.label} gave no frame ({reason}); check the device.")
        if reader.failure is not None:
            self.warnings.append(f"{self._input.label} broke off: {reader.failure}.")


def is_camera(what: str) -> bool:
    """Whether a source is named as a camera: "0", "camera:1", "camera:Front", "/dev/video0"."""
    return CAMERA.match(what) is not None or Path(what).is_char_device()


def camera_input(what: str, *, fps: float | None = None, platform: str = sys.platform) -> Input:
    """How PyAV opens a camera on this platform. Raises SourceError for a missing Linux device."""
    camera = what.removeprefix("camera:")
    options = {} if fps is None else {"framerate": f"{fps:g}"}
    if platform == "darwin":
        # Without a rate AVFoundation asks for 29.97, which most built-in cameras refuse.
        return Input(f"{camera}:none", "avfoundation", {"framerate": "30"} | options)
    if platform == "win32":
        return Input(f"video={_windows_name(camera)}", "dshow", options)
    return Input(_linux_device(camera), "v4l2", options)


def stream_input(url: str) -> Input:
    """A network stream."""
    # A packet lost over UDP spoils a whole group of frames.
    return Input(url, None, {"rtsp_transport": "tcp"} if url.startswith("rtsp") else {})


def _linux_device(camera: str) -> str:
    device = f"/dev/video{camera}" if camera.isdecimal() else camera
    if not Path(device).exists():
        there = ", ".join(sorted(str(path) for path in Path("/dev").glob("video*"))) or "none"
        raise MissingSourceError(f"There is no camera {device}; cameras found: {there}.")
    return device


def _windows_name(camera: str) -> str:
    if not camera.isdecimal():
        return camera
    from av.device import enumerate_input_devices  # Newer than the oldest PyAV that we accept.

    names = [
        device.name for device in enumerate_input_devices("dshow") if "video" in device.media_types
    ]
    if int(camera) >= len(names):
        raise MissingSourceError(
            f"There is no camera {camera}; cameras found: {', '.join(names) or 'none'}."
        )
    return names[int(camera)]


@dataclass(frozen=True)
class _Shot:
    """A decoded picture, its number in the stream and when it came (monotonic seconds)."""

    number: int
    captured: float
    picture: VideoFrame


class _Reader:
    """Decodes in its own thread and keeps the newest picture; owns the container."""

    def __init__(self, container: InputContainer, stream: VideoStream, *, pace: bool) -> None:
        self.failure: str | None = None
        self._container, self._stream, self._pace = container, stream, pace
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._waiting: list[_Shot] = []
        self._taken_any = False
        self._ended = False
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="hodor-live-reader", daemon=True)

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def start(self) -> None:
        self._thread.start()

    def take(self) -> _Shot | None:
        """Wait for a picture that was not taken yet; None when the input has ended."""
        with self._news:
            # Woken twice a second, since Windows delivers Ctrl-C only between waits.
            while not self._news.wait_for(self._has_news, timeout=0.5):
                pass
            self._taken_any = True
            return self._waiting.pop(0) if self._waiting else None

    def stop(self) -> int:
        """End the thread; give the number of frames dropped."""
        self._stop.set()
        with self._news:
            self._waiting, self._ended = [], True
            self._news.notify_all()
        self._thread.join(JOIN_SECONDS)
        return self._dropped

    def _has_news(self) -> bool:
        return bool(self._waiting) or self._ended

    def _run(self) -> None:
        began = time.monotonic()
        # Decoding in several threads would hold each picture back until the next ones come.
        self._stream.thread_type = "SLICE"
        try:
            with self._container:
                for number, picture in enumerate(self._pictures()):
                    if self._pace:
                        self._stop.wait(began + (picture.time or 0.0) - time.monotonic())
                    if self.stopped:
                        break
                    self._put(_Shot(number, time.monotonic(), picture))
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _pictures(self) -> Iterator[VideoFrame]:
        for packet in self._packets():
            try:
                yield from self._stream.decode(packet)
            except (av.error.InvalidDataError, av.error.EOFError):
                continue  # Streams lose packets; the next key frame mends the picture.

    def _packets(self) -> Iterator["Packet[VideoStream] | None"]:
        while not self.stopped:
            try:
                yield from self._container.demux(self._stream)
                return
            except av.error.BlockingIOError:
                self._stop.wait(0.005)  # AVFoundation has no new picture yet.
            except (av.FFmpegError, OSError) as error:
                self.failure = str(error)
                yield None  # The decoder still holds the last pictures.
                return

    def _put(self, shot: _Shot) -> None:
        with self._news:
            # The very first frame waits until it is taken: masks of the first frame belong to it.
            if len(self._waiting) > (0 if self._taken_any else 1):
                self._waiting.pop()
                self._dropped += 1
            self._waiting.append(shot)
            self._news.notify()
