"""MOTS: a line of text for each frame and object, with COCO run lengths."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from hodor.errors import MaskError
from hodor.files import whole_file
from hodor.formats.reading import UNLIKE, Reading, wrong
from hodor.formats.rle import decode, encode
from hodor.formats.track import Shapes, Track, categories, flattened, masks_of, survey
from hodor.formats.writing import Writing

PER_CLASS = 1000
"""Ids are 1000 times the class plus the object's number."""

CLASSES = {"car": 1, "pedestrian": 2}
"""The classes of KITTI MOTS; others are numbered from 3 on."""


def write_mots(track: Track, path: Path, _: Writing) -> None:
    """Lines "frame id class height width rle", frames from 0, as KITTI MOTS and its evaluation.

    Raises MaskError for an object id above 999, for which the form has no room.
    """
    seen = survey(track)
    if seen.ids and seen.ids[-1] >= PER_CLASS:
        raise MaskError(
            f"MOTS has room for object ids up to {PER_CLASS - 1}; found {seen.ids[-1]}. Choose "
            "another format."
        )
    others = [name for name in categories(track, seen.ids) if name not in CLASSES]
    classes = CLASSES | {name: number for number, name in enumerate(others, 3)}
    with whole_file(path) as temporary, temporary.open("w", encoding="ascii") as file:
        for frame in track.frames():
            for i, mask in masks_of(frame.label_map):
                kind = classes[track.name_of(i)]
                height, width = mask.shape
                counts = encode(mask)["counts"]
                file.write(
                    f"{frame.index} {PER_CLASS * kind + i} {kind} {height} {width} {counts}\n"
                )


def read_mots(path: Path, reading: Reading) -> Track:
    """Frames without an object have no line: those between others are empty, those after the last
    one are known only if the video is at hand. Ids lose their class where they carry one.
    """
    names = {number: name for name, number in CLASSES.items()}
    lines: dict[int, list[tuple[int, tuple[int, int], str]]] = defaultdict(list)
    called: dict[int, str] = {}
    try:
        for text in path.read_text(encoding="ascii").splitlines():
            frame, i, kind, height, width, counts = text.split()
            number = int(i) % PER_CLASS if int(i) // PER_CLASS == int(kind) else int(i)
            if kind == "10":
                continue  # What is to be ignored is no object.
            lines[int(frame)].append((number, (int(height), int(width)), counts))
            called[number] = names.get(int(kind), f"class {kind}")
    except (OSError, *UNLIKE) as error:
        raise wrong(path, "file of MOTS", error) from error
    if not lines:
        raise MaskError(f"{path} holds no objects.")
    size = reading.size or next(iter(lines.values()))[0][1]
    count = max(max(lines) + 1, len(reading.frames or ()))
    warnings: list[str] = []

    def frames() -> Iterator[Shapes]:
        for index in range(count):
            try:
                masks = [(i, decode({"size": s, "counts": c})) for i, s, c in lines.get(index, [])]
            except ValueError as error:
                raise wrong(path, "file of MOTS", error) from error
            yield Shapes(index, reading.name_of(index), index / reading.rate, size, masks)

    return Track(
        flattened(frames, warnings), path.stem, reading.rate, called, warnings, reading.timed
    )
