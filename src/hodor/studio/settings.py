"""What a session's settings say of its video and model, and whether that can be."""

from dataclasses import asdict, dataclass
from pathlib import Path

from hodor.errors import HodorError, one_line
from hodor.types import JsonObject, PlainValues
from hodor.video.limits import frame_count, frame_size
from hodor.weights import HUB


@dataclass(frozen=True)
class Video:
    """What a session is about. size: (H, W) in pixels. path: as absolute text. intensity: how
    deep greys become eight bits, as ``--intensity`` has it.
    """

    path: str
    name: str
    frames: int
    size: tuple[int, int]
    fps: float
    intensity: str = "auto"

    def to_dict(self) -> PlainValues:
        """As ``session.json`` has it."""
        return asdict(self)


def noted_model(noted: object) -> str | None:
    """The model that a session was begun with. What came in a file opens no connection.

    Raises:
        HodorError: it is one of the hub.
    """
    if noted is None:
        return None
    if str(noted).startswith(HUB):
        raise HodorError(
            f"this session was begun with the model {one_line(noted)}, which may have to be "
            "fetched: name it again with --model"
        )
    return str(noted)


def same_video(root: Path, noted: JsonObject | None, video: Video) -> None:
    """Check that a session is of this video.

    Raises:
        HodorError: it is of another.
    """
    if noted is None:
        return
    height, width = noted["size"]
    was = (frame_count(noted["frames"]), frame_size(height, width))
    if was != (video.frames, video.size):
        raise HodorError(
            f"{root}: this session is of a video of {was[0]} frames of {was[1][1]} x {was[1][0]}; "
            f"{video.path} has {video.frames} of {video.size[1]} x {video.size[0]}: take that "
            "video, or another folder"
        )
