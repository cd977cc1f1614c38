"""The masks that a user gives: which file belongs to which frame, all checked before the run."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from hodor.errors import MaskError
from hodor.video.black_and_white import HALF
from hodor.video.frames import Frame, LabelMap, numbered_name
from hodor.video.label_maps import (
    IGNORED_REGIONS,
    MASK_SUFFIXES,
    hold_ids,
    label_map_objects,
    read_label_map,
    with_ignored,
)

NUMBER = re.compile(r"([0-9]{1,18})(?:[^0-9]{0,8})\Z")

LISTED = 10
"""At most so many problems or files are listed in a message."""


def open_reference_masks(
    path: str | Path,
    source_names: Sequence[str] | None = None,
    *,
    size: tuple[int, int] | None = None,
    numbered: bool = False,
    length: int | None = None,
) -> "ReferenceMasks":
    """Open one mask file, or a folder with a file per annotated frame.

    One file belongs to the frame that it is called as, 00002.png to frame 00002; under any other
    name to frame 0.
    A folder's file belongs to the frame of the same name; where the frame's name is a number, to
    the frame of the number that the file's name ends with: 7.png, 00007.png and frame_000007.png
    all belong to frame 7 of a video. Every file is read once here, so that a long run does not end
    at a bad one. Whether white (255) is an id is decided once for the folder.

    Args:
        path: of the file or folder.
        source_names: the names of all frames, where they are known.
        size: (H, W) of the frames, where known.
        numbered: whether frames are called by their numbers, as those of every video are, so that
            files without a number belong to none.
        length: number of frames of a video, where it is known.

    Raises:
        MaskError: masks cannot be read, or none belongs to a frame; all is told in one line.
    """
    path = Path(path)
    if not path.exists():
        raise MaskError(f"{path} does not exist; give a mask file or a folder of masks.")
    if path.is_file():
        shaded = _check([path], [], size, white_is_id=False)
        if not _is_later_frame(path.stem, source_names, length):
            return ReferenceMasks(first=path, shaded=shaded, ignoring=with_ignored([path]))
        said = [f"{path.name} is called as frame {path.stem}, and was taken for its mask"]
        by_name = {path.stem: path}
        return ReferenceMasks(
            by_name=by_name, shaded=shaded, ignoring=with_ignored([path]), said=said
        )
    files = sorted(file for file in path.iterdir() if _is_mask(file))
    if not files:
        raise MaskError(f"{path} holds no masks; give a folder of PNG files, one a frame.")
    white_is_id = _hold_ids(files)
    shaded = _check(files, _clashes(files, source_names or ()), size, white_is_id=white_is_id)
    by_name = {file.stem: file for file in files}
    masks = ReferenceMasks(
        by_name=by_name, shaded=shaded, white_is_id=white_is_id, ignoring=with_ignored(files)
    )
    if source_names is not None:
        masks.expect(source_names)
    elif numbered:
        masks.expect_numbers()
    return masks


def _is_later_frame(name: str, source_names: Sequence[str] | None, length: int | None) -> bool:
    """Whether a name is that of a frame after the first, as frames themselves are called."""
    if source_names is not None:
        return name in source_names and name != source_names[0]
    numbered = _is_number(name) and name == numbered_name(int(name))
    return numbered and length is not None and 0 < int(name) < length


class ReferenceMasks:
    """Label maps by frame. Only paths are kept; a map is read when its frame comes."""

    def __init__(
        self,
        *,
        first: Path | None = None,
        by_name: Mapping[str, Path] | None = None,
        shaded: Sequence[Path] = (),
        white_is_id: bool = False,
        ignoring: Sequence[Path] = (),
        said: Sequence[str] = (),
    ) -> None:
        """first: file of frame 0. by_name: files by their frames' names. shaded: files in which
        shades between black and white were split. white_is_id: whether 255 is an id in greyscale
        files, as it is where some of them hold ids. ignoring: files with regions that are no
        objects (10000 in MOTS). said: what else is to be told of them.
        """
        self._said = list(said)
        if ignoring:
            self._said.append(f"{IGNORED_REGIONS} were left out ({len(ignoring)})")
        self._ignoring = frozenset(ignoring)
        self._shaded = tuple(shaded)
        self._first = first
        self._by_name = dict(by_name or {})
        self._white_is_id = white_is_id
        self._by_number = {
            number: path
            for name, path in self._by_name.items()
            if (number := _number_at_end(name)) is not None
        }
        self._unused = {path for path in (first, *self._by_name.values()) if path is not None}
        self._earliest: int | None = None

    def for_frame(self, frame: Frame) -> LabelMap | None:
        """The frame's label map, (H, W) uint8 or uint16, or None.

        Raises MaskError if its size is not the frame's, or if the file has changed for the worse.
        """
        if self._earliest is None:
            self._earliest = frame.index
        path = self._first if frame.index == 0 else None
        path = path or self._path_of(frame.name)
        if path is None:
            return None
        self._unused.discard(path)
        label_map = self._read(path)
        if label_map.shape != frame.pixels.shape[:2]:
            raise MaskError(
                f"{path} is {_size(label_map.shape)}{_but(label_map.shape, frame.pixels.shape[:2])}"
            )
        return label_map

    @property
    def ids(self) -> list[int]:
        """Object ids in all files, ascending; reads every file once."""
        files = {self._first, *self._by_name.values()} - {None}
        maps = (self._read(file) for file in files if file is not None)
        found = (label_map_objects(label_map) for label_map in maps)
        return sorted({number for objects in found for number in objects})

    def _read(self, path: Path) -> LabelMap:
        return read_label_map(path, white_is_id=self._white_is_id, ignored=path in self._ignoring)

    @property
    def warnings(self) -> list[str]:
        """What was guessed of the files."""
        if not self._shaded:
            return list(self._said)
        count = len(self._shaded)
        files = "1 mask is" if count == 1 else f"{count} masks are"
        which = _some([path.name for path in self._shaded])
        return [
            *self._said,
            f"{files} black and white with shades at the edges ({which}): pixels from {HALF} of "
            "255 on are object 1",
        ]

    def unmatched(self, names: Iterable[str]) -> list[str]:
        """Mask files that belong to none of the frames `names`, by file name."""
        matched = {self._path_of(name) for name in names}
        return sorted(path.name for path in self._by_name.values() if path not in matched)

    def unused(self) -> list[str]:
        """Mask files that no frame has asked for, by file name; final after the run.

        In a run that began later than at frame 0, masks that belong before its beginning count as
        used; by name this is known only of numbered masks.
        """
        earliest = self._earliest or 0
        before = {path for number, path in self._by_number.items() if number < earliest}
        if earliest > 0 and self._first is not None:
            before.add(self._first)
        return sorted(path.name for path in self._unused - before)

    def expect(self, names: Sequence[str]) -> None:
        """Raises MaskError if not a single mask belongs to one of the frames `names`."""
        stray = self.unmatched(names)
        if self._by_name and len(stray) == len(self._by_name):
            raise MaskError(
                f"No mask belongs to any frame: the masks are {_some(stray)}; the frames are "
                f"{_some(names)}. Give each mask the name of its frame."
            )

    def expect_numbers(self) -> None:
        """Raises MaskError if no mask's name ends with a number, as frames of a video need it."""
        if self._by_name and not self._by_number:
            raise MaskError(
                f"No mask belongs to any frame: the masks are {_some(sorted(self._by_name))}; the "
                "frames of a video are called by their numbers, such as 00000. Give each mask the "
                "number of its frame."
            )

    def _path_of(self, name: str) -> Path | None:
        path = self._by_name.get(name)
        if path is None and _is_number(name):
            path = self._by_number.get(int(name))
        return path


def _hold_ids(files: Sequence[Path]) -> bool:
    """Whether white is an id; files that cannot be read are told by `_check`."""
    for file in files:
        try:
            if hold_ids([file]):
                return True
        except MaskError:
            continue
    return False


def _check(
    files: Sequence[Path], problems: list[str], size: tuple[int, int] | None, *, white_is_id: bool
) -> list[Path]:
    """Files in which shades were split. Raises MaskError with all that is wrong."""
    shaded: list[Path] = []
    for file in files:
        try:
            shape = read_label_map(file, shaded, white_is_id=white_is_id).shape
        except MaskError as error:
            problems.append(str(error))
            continue
        if size is not None and shape != size:
            problems.append(f"{file} is {_size(shape)}{_but(shape, size)}")
    if problems:
        head = f"{len(problems)} problems with the masks: " if len(problems) > 1 else ""
        rest = f" ... and {len(problems) - LISTED} more." if len(problems) > LISTED else ""
        raise MaskError(head + " ".join(problems[:LISTED]) + rest)
    return shaded


def _clashes(files: Sequence[Path], source_names: Collection[str]) -> list[str]:
    """Files that belong to the same frame: of one stem, or of one number without own frames."""
    by_frame: dict[str, list[Path]] = {}
    numbered = any(map(_is_number, source_names)) or not source_names
    for file in files:
        number = _number_at_end(file.stem) if numbered else None
        own = file.stem in source_names or number is None
        by_frame.setdefault(file.stem if own else str(number), []).append(file)
    return [
        f"{' and '.join(map(str, same))} belong to the same frame; keep one."
        for same in by_frame.values()
        if len(same) > 1
    ]


def _is_mask(path: Path) -> bool:
    named_so = path.suffix.lower() in MASK_SUFFIXES and not path.name.startswith(".")
    return named_so and path.is_file()


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal()


def _number_at_end(name: str) -> int | None:
    """7 of "00007", "frame_000007" and "0007_mask"; None where there is none."""
    match = NUMBER.search(name)
    return int(match[1]) if match else None


def _size(shape: Sequence[int]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"


def _but(shape: Sequence[int], size: Sequence[int]) -> str:
    mend = "resize the mask with nearest-neighbour"
    if tuple(shape) == tuple(size)[::-1]:
        mend = "its sides are swapped: the video is shown turned, so turn the mask by a quarter too"
    return f", but the frame is {_size(size)}; {mend}."


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]} ... {names[-1]}"
