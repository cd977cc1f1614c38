"""NPZ: label maps and what belongs to them as NumPy arrays in one compressed file."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hodor.files import whole_file
from hodor.formats.reading import UNLIKE, Reading, wrong
from hodor.formats.track import Labelled, Survey, Track, survey
from hodor.formats.writing import Writing
from hodor.video import LabelMap

LABELS = "label_maps.npy"
LEVEL = 3  # of deflate

# What reading an archive raises that is cut off, or whose bytes have changed.
DAMAGED = (OSError, EOFError, zipfile.BadZipFile, zlib.error, *UNLIKE)


def write_npz(track: Track, path: Path, _: Writing) -> None:
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
    kind: type[Any] = np.uint8 if max(seen.ids, default=0) <= 255 else np.uint16
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


def _add(archive: zipfile.ZipFile, name: str, values: NDArray[Any]) -> None:
    file = io.BytesIO()
    npy.write_array(file, values, allow_pickle=False)
    archive.writestr(f"{name}.npy", file.getvalue())


def read_npz(path: Path, reading: Reading) -> Track:
    """What `write_npz` wrote, or any file with an array label_maps (T, H, W); a frame at a time."""
    try:
        # First, since NumPy advises to unpickle whatever it does not know.
        with zipfile.ZipFile(path) as archive, archive.open(LABELS) as file:
            _header(file)
        with np.load(path, allow_pickle=False) as arrays:
            about = {name: arrays[name] for name in arrays.files if f"{name}.npy" != LABELS}
        ids = [int(i) for i in about.get("ids", ())]
        given = (str(name) for name in about.get("object_name", ()))
        names = dict(zip(ids, given, strict=False))
        rate = reading.fps or float(about.get("fps", reading.rate))
    except DAMAGED as error:
        raise wrong(path, "NPZ file with label_maps (T, H, W)", error) from error

    def frames() -> Iterator[Labelled]:
        for at, label_map in enumerate(_label_maps(path)):
            confidence = {}
            if "confidence" in about:
                row = about["confidence"][at]
                known = {i: float(c) for i, c in zip(ids, row, strict=True)}
                confidence = {i: c for i, c in known.items() if c == c}
            yield Labelled(
                index=int(about["frame_index"][at]) if "frame_index" in about else at,
                name=str(about["frame_name"][at]) if "frame_name" in about else reading.name_of(at),
                time=float(about["time"][at]) if "time" in about else at / rate,
                label_map=label_map,
                confidence=confidence,
            )

    timed = bool(reading.fps) or "fps" in about
    return Track(frames, str(about.get("video", path.stem)), rate, names, timed=timed)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, kind = read(file)
    if len(shape) != 3 or fortran or kind not in (np.uint8, np.uint16):
        raise ValueError(f"label_maps is {shape} {kind}, not (T, H, W) uint8 or uint16")
    return shape, kind


def _label_maps(path: Path) -> Iterator[LabelMap]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(LABELS) as file:
            (count, height, width), kind = _header(file)
            for _ in range(count):
                data = file.read(height * width * kind.itemsize)
                yield np.frombuffer(data, kind).reshape(height, width)
    except DAMAGED as error:
        raise wrong(path, "NPZ file with label_maps (T, H, W)", error) from error
