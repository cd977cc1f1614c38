"""NPZ: label maps and what belongs to them as NumPy arrays in one compressed file."""

import io
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hodor.files import whole_file
from hodor.formats.format import Format
from hodor.formats.reading import ReadOptions
from hodor.formats.track import HIGHEST_ID, Labelled, Survey, Track, narrow, survey
from hodor.formats.writing import WriteOptions
from hodor.types import AnyArray
from hodor.video import LabelMap
from hodor.video.limits import frame_count, frame_index, frame_size, rate_of, some, whole

LABELS = "label_maps.npy"
LEVEL = 3  # of deflate


def write_npz(track: Track, path: Path, _: WriteOptions) -> None:
    """Arrays, for ``numpy.load``: label_maps (T, H, W), and for each frame frame_index, frame_name
    and time (s); ids (O,) of objects with object_name and confidence (T, O), NaN where not known;
    video and fps.
    """
    seen = survey(track, one_size="NPZ")
    with (
        whole_file(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive,
    ):
        indices, times, confidence = _write_label_maps(track, seen, archive)
        for name, values in {
            "frame_index": np.array(indices, np.int64),
            "frame_name": np.array(seen.names, np.str_),
            "time": np.array(times, np.float64),
            "ids": np.array(seen.ids, np.int64),
            "object_name": np.array([track.name_of(i) for i in seen.ids], np.str_),
            "confidence": confidence,
            "video": np.array(track.video),
            "fps": np.array(track.fps),
        }.items():
            _add(archive, name, values)


def _write_label_maps(
    track: Track, seen: Survey, archive: zipfile.ZipFile
) -> tuple[list[int], list[float], NDArray[np.float32]]:
    """Write one label map after another: those of a long video do not fit in memory.

    Gives indices, times and confidence (T, O).
    """
    kind: type[np.uint8] | type[np.uint16] = (
        np.uint8 if max(seen.ids, default=0) <= 255 else np.uint16
    )
    shape = (seen.count, *seen.size)
    indices, times = [], []
    confidence = np.full((seen.count, len(seen.ids)), np.nan, np.float32)
    with archive.open(LABELS, "w", force_zip64=True) as file:
        about = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
        npy.write_array_header_2_0(file, about)
        for at, frame in enumerate(track.frames()):
            file.write(np.ascontiguousarray(frame.label_map.astype(kind)).tobytes())
            indices.append(frame.index)
            times.append(frame.time)
            for place, i in enumerate(seen.ids):
                confidence[at, place] = frame.confidence.get(i, np.nan)
    return indices, times, confidence


def _add(archive: zipfile.ZipFile, name: str, values: AnyArray) -> None:
    file = io.BytesIO()
    npy.write_array(file, values, allow_pickle=False)
    archive.writestr(f"{name}.npy", file.getvalue())


def read_npz(path: Path, options: ReadOptions) -> Track:
    """What `write_npz` wrote, or any file with an array label_maps (T, H, W); a frame at a time."""
    with zipfile.ZipFile(path) as archive:
        if LABELS not in archive.namelist():
            held = some(name.removesuffix(".npy") for name in archive.namelist())
            raise ValueError(f"it holds {held or 'nothing'}, and no label_maps")
        with archive.open(LABELS) as file:
            (count, height, width), _ = _header(file)
        frame_size(height, width)
        frame_count(count)
        about = {
            name: _array(archive, name) for name in ABOUT if f"{name}.npy" in archive.namelist()
        }
    for name in PER_FRAME & about.keys():
        if len(about[name]) != count:
            raise ValueError(f"{name} is of {len(about[name])} frames, label_maps of {count}")
    ids = [whole(i, "an id") for i in about.get("ids", np.zeros(0)).tolist()]
    given = (str(name) for name in about.get("object_name", np.zeros(0)))
    names = dict(zip(ids, given, strict=False))
    rate = options.fps or rate_of(float(about.get("fps", options.rate)))

    def frames() -> Iterator[Labelled]:
        for at, label_map in enumerate(_label_maps(path)):
            confidence = {}
            if "confidence" in about:
                row = about["confidence"][at]
                known = {i: float(c) for i, c in zip(ids, row, strict=True)}
                confidence = {i: c for i, c in known.items() if c == c}
            index = frame_index(int(about["frame_index"][at])) if "frame_index" in about else at
            yield Labelled(
                index=index,
                name=str(about["frame_name"][at]) if "frame_name" in about else options.name_of(at),
                time=float(about["time"][at]) if "time" in about else index / rate,
                label_map=label_map,
                confidence=confidence,
            )

    timed = "fps" in about
    return Track(frames, str(about.get("video", path.stem)), rate, names, timed=timed)


PER_FRAME = frozenset({"frame_index", "frame_name", "time", "confidence"})
ABOUT = sorted(PER_FRAME | {"ids", "object_name", "video", "fps"})

MOST_BYTES = 256_000_000
"""Of an array other than label_maps: names of 100 characters take 400 MB for a million frames."""


def _array(archive: zipfile.ZipFile, name: str) -> AnyArray:
    """An array of an archive. Raises ValueError if it is none, or too large for what it is."""
    with archive.open(f"{name}.npy") as file:
        shape, _, kind = _about(file)
    size = math.prod(shape) * kind.itemsize
    if kind.hasobject or size > MOST_BYTES:
        raise ValueError(f"{name} is {shape} {kind}; up to {MOST_BYTES:,} bytes are read")
    with archive.open(f"{name}.npy") as file:
        return np.asarray(npy.read_array(file, allow_pickle=False))


def _about(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, whether columns come first, and kind of the numbers."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, kind = read(file)
    return shape, fortran, kind


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    shape, fortran, kind = _about(file)
    if len(shape) != 3 or fortran or kind.kind not in "uib":
        raise ValueError(
            f"label_maps is {shape} {kind}, not (T, H, W) of whole numbers, row by row"
        )
    return shape, kind


def _label_maps(path: Path) -> Iterator[LabelMap]:
    with zipfile.ZipFile(path) as archive, archive.open(LABELS) as file:
        (count, height, width), kind = _header(file)
        for _ in range(count):
            data = file.read(height * width * kind.itemsize)
            if len(data) < height * width * kind.itemsize:
                raise ValueError("label_maps is cut off")
            yield _as_ids(np.frombuffer(data, kind).reshape(height, width))


def _as_ids(values: AnyArray) -> LabelMap:
    """Whole numbers (H, W) of any width as uint8 or uint16. Raises ValueError if one is no id."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low < 0 or high > HIGHEST_ID:
        raise ValueError(f"label_maps holds {low} to {high}; ids are 1 to {HIGHEST_ID}")
    return narrow(values.astype(np.uint16))


NPZ = Format(
    title="NumPy (NPZ)",
    about="Label maps as an array",
    what="NPZ file with label_maps (T, H, W)",
    read=read_npz,
    write=write_npz,
    file="npz.npz",
    looks_like=lambda look: look.suffix == ".npz",
)
