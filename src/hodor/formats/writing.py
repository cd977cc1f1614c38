"""How files of formats are made, without holding a video in memory."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from hodor.errors import HodorError
from hodor.formats.matte_edges import PLAIN, Mattes


@dataclass(frozen=True)
class WriteOptions:
    """How to write.

    tolerance: how far, in pixels, polygons may leave the edges of masks. files: names of the
    frames' image files for formats that refer to them; {name} and {index} stand for a frame's.
    mattes: edges and files of mattes.
    """

    tolerance: float = 1.0
    files: str = "{name}.jpg"
    mattes: Mattes = PLAIN

    def file_of(self, name: str, index: int) -> str:
        """The image file of a frame. Raises HodorError if all frames would get the same."""
        if self.video_of("a", 1) == self.video_of("b", 2):
            raise self._no_pattern("all frames get one name")
        return self.video_of(name, index)

    def video_of(self, name: str, index: int = 0) -> str:
        """The file of a video, whose name may stand as it is. Raises HodorError for no pattern."""
        try:
            return self.files.format(name=name, index=index)
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise self._no_pattern(error) from error

    def _no_pattern(self, why: object) -> HodorError:
        return HodorError(
            f"{self.files!r} is no pattern for names of files ({why}); write it with {{name}}"
            " or {index}, such as frames/{name}.jpg or {index:06d}.png"
        )


def line(record: object) -> str:
    """JSON in one line, letters of all alphabets as they are."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


class ByObject:
    """Text gathered frame by frame, to be read object by object; it waits on the disk."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed in close
        self._places: dict[int, list[tuple[int, int]]] = defaultdict(list)

    def add(self, number: int, text: str) -> None:
        """Keep a text of an object."""
        data = text.encode()
        self._places[number].append((self._file.tell(), len(data)))
        self._file.write(data)

    def of(self, number: int) -> Iterator[str]:
        """An object's texts in the order in which they came; call after the last `add`."""
        for start, length in self._places.get(number, []):
            self._file.seek(start)
            yield self._file.read(length).decode()

    def close(self) -> None:
        """Let go of what waits."""
        self._file.close()
