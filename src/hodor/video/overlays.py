"""The overlay video: objects drawn over the frames, resumable after a kill."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from hodor.errors import HodorError, SourceError, explained, one_line
from hodor.files import make_room, replacing
from hodor.video.drawing import PLAIN, Colour, draw_overlay
from hodor.video.frames import Frame, LabelMap
from hodor.video.overlay_parts import TICKS, Codec, Head, OpenPart, Parts
from hodor.video.sinks import Finishing
from hodor.video.sound import Sound

SQUARE = Fraction(1)


class OverlaySink(Finishing):
    """MP4 video (H.264, yuv420p) of the frames with their objects, at the frames' own times.

    The first frame's size is the video's, odd sides extended by a pixel; frames of other sizes
    are scaled to fit, with black bars. Until `close` the video is in parts, one per commit, in the
    hidden folder `.<name>.parts` beside it. warnings: messages for the user.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float,
        *,
        pixel_aspect: Fraction = SQUARE,
        sound: Sound | None = None,
        alpha: float = 0.45,
        colours: Mapping[int, Colour] = PLAIN,
        names: Mapping[int, str] = PLAIN,
        codec: Codec | None = None,
        resume_from: int = 0,
    ) -> None:
        """fps: the source's nominal rate, for the encoder and the last frame's duration.
        pixel_aspect: the source's, which players are told. sound: the source's, copied in `close`,
        as far as MP4 takes it. colours, names: as for `draw_overlay`.
        codec: else H.264 if PyAV has an encoder for it, or MPEG-4. resume_from: index of the first
        frame to come; the frame before it was the last before a commit; 0 for a new run.
        Raises HodorError if the parts do not end there.
        """
        self._path = Path(path)
        self._rate = Fraction(fps).limit_denominator(1001)
        self._alpha, self._pixel_aspect = alpha, pixel_aspect
        self._colours, self._names = dict(colours), dict(names)
        self._resume_from, self._sound = resume_from, sound
        self._open: OpenPart | None = None
        self.warnings: list[str] = []
        make_room(self._path)
        self._parts = Parts(self._path.with_name(f".{self._path.name}.parts"))
        with explained(self._parts.folder):
            self._parts.resume(resume_from)
        self._codec = self._parts.head.codec if self._parts.head else codec or self._choose_codec()

    def write(self, frame: Frame, label_map: LabelMap, ids: Sequence[int]) -> None:
        """Draw a label map (H, W) over its frame and encode it."""
        picture = draw_overlay(
            frame.pixels, label_map, ids,
            alpha=self._alpha, colours=self._colours, names=self._names,
        )  # fmt: skip
        with explained(self._path):
            head = self._parts.head or self._begin(picture)
            before = self._open or self._parts.last
            # Encoders refuse times that stand still or go back, as broken files and clocks have.
            tick = max(round(frame.time * TICKS[head.codec]), before.last + 1 if before else 0)
            if self._open is None:
                self._open = OpenPart(self._parts, head, frame.index, tick, self._rate)
            self._open.write(_letterbox(picture, head.height, head.width), frame.index, tick)

    def commit(self) -> None:
        """Finish the open part; the next frame begins a new one."""
        if self._open is not None:
            part, self._open = self._open, None
            with explained(self._path):
                try:
                    self._parts.add(part.finish())
                except BaseException:
                    part.drop()
                    raise

    def close(self) -> None:
        """Join the parts into the final file and remove them."""
        self.commit()
        if self._parts.last is None:
            return
        with explained(self._path):
            with replacing(self._path, flush=True) as temporary:
                self._join(temporary)
            self._parts.remove()

    def _join(self, target: Path) -> None:
        if self._sound is not None:
            try:
                self.warnings += self._parts.join(target, self._rate, self._sound)
            except (av.FFmpegError, ValueError, SourceError) as error:
                # The picture is worth more: it is joined alone, where that can be done.
                self.warnings.append(
                    f"{self._path} has no sound: {self._sound.input.label}'s cannot be copied "
                    f"({one_line(error)})"
                )
            else:
                return
        self._parts.join(target, self._rate)

    def abandon(self) -> None:
        """Drop the open part; the finished ones stay."""
        if self._open is not None:
            part, self._open = self._open, None
            part.drop()

    def _begin(self, picture: NDArray[np.uint8]) -> Head:
        if self._resume_from > 0:
            raise HodorError(
                f"{self._path} cannot be resumed from frame {self._resume_from}: its parts "
                f"({self._parts.folder.name}) are gone; start anew."
            )
        height, width = picture.shape[:2]
        aspect = self._pixel_aspect
        head = Head(
            height + height % 2,
            width + width % 2,
            self._codec,
            aspect.numerator,
            aspect.denominator,
        )
        self._parts.begin(head)
        return head

    def _choose_codec(self) -> Codec:
        if "libx264" in av.codecs_available:
            return "libx264"
        self.warnings.append(
            f"The installed PyAV has no H.264 encoder; {self._path} is MPEG-4 (larger, and not "
            "shown by browsers)."
        )
        return "mpeg4"


def _letterbox(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Extend by the one pixel that makes sides even, or scale to fit, centred on black."""
    rows, columns = picture.shape[:2]
    if (rows + rows % 2, columns + columns % 2) != (height, width):
        scale = min(height / rows, width / columns)
        rows, columns = max(1, round(rows * scale)), max(1, round(columns * scale))
        shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = cv2.resize(picture, (columns, rows), interpolation=shrinks)
        top, left = (height - rows) // 2, (width - columns) // 2
        framed = np.zeros((height, width, 3), np.uint8)
        framed[top : top + rows, left : left + columns] = scaled
        return framed
    return np.pad(picture, ((0, height - rows), (0, width - columns), (0, 0)), mode="edge")
