"""What every track is checked for, whatever format it comes from or goes to."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from hodor.errors import HodorError, MaskError
from hodor.files import safe_name
from hodor.formats.reading import ReadOptions, readable
from hodor.formats.track import Labelled, Track
from hodor.video.limits import MOST_PIXELS, frame_index

NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML has no form for, and halves of characters, which no file can hold."""


@dataclass
class _Checks:
    """Goes through the frames of a track."""

    video: str
    names: dict[str, str] = field(default_factory=dict)
    last: int = -1

    def check(self, frame: Labelled) -> Labelled:
        """The frame, its confidence without what is no number.

        Raises HodorError if its name cannot name a file, or is another frame's, or if it is out of
        order.
        """
        try:
            name = safe_name(frame.name, "the frame's name")
        except HodorError as error:
            raise MaskError(f"{self.video}: {error}") from error
        # Some file systems know no capital letters.
        if (twin := self.names.get(name.casefold())) is not None:
            both = f"{twin} and {name}" if twin != name else f"twice {name}"
            raise MaskError(
                f"{self.video} has two frames of one name ({both}), so that one would take the "
                "other's place; read each video by itself."
            )
        self.names[name.casefold()] = name
        if frame_index(frame.index) <= self.last:
            raise ValueError(f"frame {name} ({frame.index}) comes after frame {self.last}")
        self.last = frame.index
        if not math.isfinite(frame.time):
            raise ValueError(f"frame {name} is at {frame.time} seconds")
        if frame.label_map.size > MOST_PIXELS:
            raise ValueError(f"frame {name} has {frame.label_map.size:,} pixels")
        if all(map(math.isfinite, frame.confidence.values())):
            return frame
        known = {i: value for i, value in frame.confidence.items() if math.isfinite(value)}
        return replace(frame, confidence=known)


def checked_reading(track: Track, path: Path, what: str, options: ReadOptions) -> Track:
    """A track that was read of a file: what goes wrong in a frame is a MaskError that names it.

    Args:
        track: as a reader gave it.
        path: of the file.
        what: the file should be.
        options: with which it was read.
    """

    def frames() -> Iterator[Labelled]:
        checks = _Checks(str(path))
        with readable(path, what):
            given = track.frames()
        while True:
            with readable(path, what):
                frame = next(given, None)
                if frame is not None:
                    frame = checks.check(frame)
            if frame is None:
                return
            yield frame

    return replace(track, frames=frames, timed=track.timed or options.timed)


def checked_writing(track: Track) -> Track:
    """A track that any file can hold.

    Names of objects and of the video lose what no text holds. Reading a frame raises HodorError if
    it is out of order, or its name cannot name a file or is another frame's.
    """

    def frames() -> Iterator[Labelled]:
        checks = _Checks(track.video)
        for frame in track.frames():
            try:
                checked = checks.check(frame)
            except ValueError as error:
                raise HodorError(f"{track.video}: {error}") from error
            yield checked

    names = {number: plain_text(name) for number, name in track.names.items()}
    return replace(track, frames=frames, video=plain_text(track.video), names=names)


def plain_text(text: str) -> str:
    """A text for files: what is no character, or is none in XML, becomes U+FFFD."""
    return NO_TEXT.sub("\ufffd", text)
