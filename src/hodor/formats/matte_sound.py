"""The sound of the video beside a matte's picture, copied as the picture is written."""

import math

from av.container import OutputContainer
from av.error import FFmpegError

from hodor.errors import SourceError
from hodor.video import Sound
from hodor.video.sound import SoundCopy


class MatteSound:
    """Packets of sound that are written no earlier than the pictures that they sound with."""

    def __init__(self, sound: Sound, target: OutputContainer, container: str) -> None:
        """target: a file that has its picture's stream, and that nothing was written to.

        container: how warnings call its kind. Raises SourceError where the sound's file is gone.
        """
        self._target = target
        self._opened, _ = sound.input.open()
        self._copy = SoundCopy(
            self._opened, sound.input.label, sound.begin(), math.inf, "the mattes", container
        )
        self._copy.add_to(target)
        self._packets = self._copy.packets()
        self._next = next(self._packets, None)

    @property
    def warnings(self) -> list[str]:
        """What was not copied, complete at the end."""
        return self._copy.warnings

    def write_up_to(self, time: float) -> None:
        """Write all that begins before a time in seconds."""
        while (packet := self._next) is not None:
            if packet.pts is None or not packet.time_base or packet.pts * packet.time_base >= time:
                return
            self._next = next(self._packets, None)
            self._target.mux(packet)

    def close(self) -> None:
        """Let go of the sound's file."""
        self._opened.close()


def sound_beside(
    sound: Sound | None, target: OutputContainer, container: str, warnings: list[str]
) -> MatteSound | None:
    """The sound for a matte; None where there is none, or it cannot be read, which is told."""
    if sound is None:
        return None
    try:
        return MatteSound(sound, target, container)
    except (SourceError, FFmpegError, OSError) as error:
        told = f"the mattes have no sound: that of {sound.input.label} cannot be copied ({error})"
        if told not in warnings:
            warnings.append(told)
        return None
