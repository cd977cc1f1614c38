"""What readers share: opening files with errors that name them, and what else is known."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hodor.errors import MaskError
from hodor.video import DEFAULT_FPS


@dataclass(frozen=True)
class Reading:
    """What a file may leave open.

    fps: frames per second. frames: names of the video's frames in order, where it is at hand;
    formats that only count frames take their names from it. size: (H, W) of its frames. video:
    which one, if a file holds several.
    """

    fps: float | None = None
    frames: Sequence[str] | None = None
    size: tuple[int, int] | None = None
    video: str | None = None

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.fps or DEFAULT_FPS

    @property
    def timed(self) -> bool:
        """Whether the rate is the user's word."""
        return self.fps is not None

    def name_of(self, index: int) -> str:
        """The name of the frame at a position."""
        if self.frames is not None and index < len(self.frames):
            return self.frames[index]
        return f"{index:05d}"


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises MaskError naming it."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise MaskError(f"{path} cannot be read as JSON ({_one_line(error)}).") from error


def wrong(path: Path, what: str, error: Exception) -> MaskError:
    """The error of a file that is not as its format says."""
    found = f"{type(error).__name__}: {_one_line(error)}"
    return MaskError(f"{path} is no {what} that can be read ({found}); export it again.")


# What the parts of a file that are missing, or are something else, raise.
UNLIKE = (KeyError, IndexError, TypeError, ValueError, AttributeError)


def stem(name: str) -> str:
    """The name of a frame, of its file's name with folders of either slash."""
    return PurePosixPath(name.replace("\\", "/")).stem


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
