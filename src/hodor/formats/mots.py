"""MOTS: a line of text for each frame and object, with COCO run lengths."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np

from hodor.errors import MaskError
from hodor.files import whole_file
from hodor.formats.format import Format
from hodor.formats.frame_numbers import number_in
from hodor.formats.identity import renumbered
from hodor.formats.left_out import LeftOut
from hodor.formats.reading import ReadOptions
from hodor.formats.track import Shapes, Track, categories, flattened, masks_of, survey
from hodor.formats.writing import WriteOptions
from hodor.video import box_of_rle, decode_rle, encode_rle
from hodor.video.limits import frame_index, frame_size, whole

PARTS = 6
"""Of a line."""

PER_CLASS = 1000
"""Ids are 1000 times the class plus the object's number."""

CLASSES = {"car": 1, "pedestrian": 2}
"""The classes of KITTI MOTS; others are numbered from 3 on."""

IGNORED = "10"
"""The class of regions that are no objects; evaluation leaves them out."""

IGNORED_ID = "10000"
"""Their id, whatever class a line gives them."""


def write_mots(track: Track, path: Path, _: WriteOptions) -> None:
    """Lines "frame id class height width rle", frames from 0, as KITTI MOTS and its evaluation.

    The first and the last frame have a line even without an object: a region to be ignored that
    has no pixel. So the file says where it begins and ends.

    Raises MaskError for an object id above 999, for which the form has no room.
    """
    seen = survey(track)
    if seen.ids and seen.ids[-1] >= PER_CLASS:
        raise MaskError(
            f"MOTS has room for object ids up to {PER_CLASS - 1}; found {seen.ids[-1]}. Choose "
            "another format."
        )
    others = [name for name in categories(track, seen.ids) if name not in CLASSES]
    free = (number for number in count(3) if number != int(IGNORED))
    classes = CLASSES | dict(zip(others, free, strict=False))
    with whole_file(path) as temporary, temporary.open("w", encoding="ascii") as file:
        for place, frame in enumerate(track.frames(), 1):
            objects = masks_of(frame.label_map)
            if place == 1 and (frame.index > 0 or not objects):
                file.write(_nothing(0, seen.size))
            if place == seen.count > 1 and not objects:
                file.write(_nothing(frame.index, seen.size))
            for i, mask in objects:
                kind = classes[track.name_of(i)]
                height, width = mask.shape
                counts = encode_rle(mask)["counts"]
                file.write(
                    f"{frame.index} {PER_CLASS * kind + i} {kind} {height} {width} {counts}\n"
                )


def _nothing(index: int, size: tuple[int, int]) -> str:
    counts = encode_rle(np.zeros(size, np.bool_))["counts"]
    return f"{index} {PER_CLASS * int(IGNORED)} {IGNORED} {size[0]} {size[1]} {counts}\n"


def read_mots(path: Path, options: ReadOptions) -> Track:
    """Frames without an object have no line: those between others are empty, those after the last
    one are known only if the video is at hand. Ids lose their class where they carry one, unless
    objects of two classes share a number.

    Whether the first frame is 0 (KITTI) or 1 (MOTChallenge) is not in the file: a lowest number of
    1 means the latter. Regions of class 10 or of id 10000 are to be ignored, and are
    counted in a warning.
    """
    found = _parse(path)
    if not found.frames:
        raise MaskError(f"{path} holds no objects.")
    warnings: list[str] = []
    base = _base(found, options, warnings)
    found.left_out.tell(path.name, warnings)
    numbers = _numbers(found, warnings)
    free = renumbered(numbers.values(), warnings, what="id")
    ids = {whole_id: free[number] for whole_id, number in numbers.items()}
    names = {ids[whole_id]: name for whole_id, name in found.called.items()}
    size = options.size or found.size
    length = max(max(found.frames) + 1 - base, len(options.frames or ()))

    def frames() -> Iterator[Shapes]:
        for index in range(length):
            objects = found.objects.get(index + base, [])
            masks = ((ids[i], decode_rle({"size": s, "counts": c})) for i, s, c in objects)
            yield Shapes(index, options.name_of(index), index / options.rate, size, masks)

    return Track(flattened(frames, warnings), path.stem, options.rate, names, warnings)


@dataclass
class _Found:
    """What is in a file."""

    size: tuple[int, int] = (0, 0)
    """(H, W) of the first line"""
    frames: set[int] = field(default_factory=set)
    objects: dict[int, list[tuple[int, tuple[int, int], str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By frame: whole id, size, run lengths"""
    called: dict[int, str] = field(default_factory=dict)
    """Names of classes by whole id"""
    in_class: dict[int, int] = field(default_factory=dict)
    """Numbers without the class, by whole id"""
    left_out: LeftOut = field(default_factory=LeftOut)


def _parse(path: Path) -> _Found:
    names = {number: name for name, number in CLASSES.items()}
    found = _Found()
    for text in path.read_text(encoding="utf-8-sig").splitlines():
        if not text.strip():
            continue
        if len(parts := text.split()) != PARTS:
            raise ValueError(
                "a line is frame, id, class, height, width and run lengths with spaces between "
                f"them, not {text.strip()[:60]}"
            )
        frame, i, kind, height, width, counts = parts
        index, size = frame_index(frame), frame_size(height, width)
        found.size = size if not found.frames else found.size
        found.frames.add(index)
        if kind == IGNORED or i == IGNORED_ID:
            if box_of_rle({"size": size, "counts": counts}) is not None:
                found.left_out.add(
                    f"regions to be ignored ({'class 10' if kind == IGNORED else 'id 10000'})"
                )
            continue
        number, own = whole(i, "an id"), whole(kind, "a class")
        found.in_class[number] = number % PER_CLASS if number // PER_CLASS == own else number
        found.objects[index].append((number, size, counts))
        found.called[number] = names.get(own, f"class {kind}")
    return found


def _numbers(found: _Found, warnings: list[str]) -> dict[int, int]:
    """Numbers of objects by their whole ids: without the class, where that leaves them apart."""
    if len(set(found.in_class.values())) == len(found.in_class):
        return found.in_class
    warnings.append(
        "objects of different classes have one number, so that ids are whole, with the class "
        f"({', '.join(map(str, sorted(found.in_class)[:3]))}, ...)"
    )
    return {whole_id: whole_id for whole_id in found.in_class}


def _base(found: _Found, options: ReadOptions, warnings: list[str]) -> int:
    """The number of the first frame: 0 or 1."""
    lowest = min(found.frames)
    if lowest == 0:
        return 0
    if options.frames:
        # Numbers are those in the names of frames, or go up to the number of frames.
        beyond = max(found.frames) >= len(options.frames)
        return int(beyond or number_in(options.frames[0]) == 1)
    base = int(lowest == 1)
    told = "the first" if base else f"number {lowest} of a video that begins at 0"
    warnings.append(f"MOTS does not say where frames begin: {lowest} was taken for {told}")
    return base


MOTS = Format(
    title="MOTS (TXT)",
    about="Run-length masks in one text file",
    what="file of MOTS",
    read=read_mots,
    write=write_mots,
    file="mots.txt",
    looks_like=lambda look: look.suffix == ".txt",
)
