"""The zip that an evaluation server takes: written, and checked before it is uploaded."""

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from hodor.errors import DataError, explained
from hodor.evaluation.benchmark import Benchmark, BenchmarkSequence, present_ids
from hodor.evaluation.problems import data_error, named
from hodor.files import replacing
from hodor.video import open_picture

_SAME_TIME = (1980, 1, 1, 0, 0, 0)  # so that the same results give the same file


def write_submission(results: Path, dataset: Benchmark, path: Path) -> int:
    """Zip the frames that the server wants, in the folders that it wants.

    results: folder with SEQUENCE/FRAME.png. Returns the number of frames. Raises DataError that
    lists all frames that are missing; then nothing is written.
    """
    problems = []
    for sequence in dataset.sequences:
        where = results / sequence.name
        gone = [f"{name}.png" for name in sequence.wanted if not (where / f"{name}.png").is_file()]
        if gone:
            problems.append(f"{sequence.name}: missing {named(gone)}")
    if problems:
        raise data_error(results, problems)
    count = 0
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # PNGs are compressed already.
        with replacing(path) as fresh, zipfile.ZipFile(fresh, "w", zipfile.ZIP_STORED) as archive:
            for member, file in _members(results, dataset):
                archive.writestr(zipfile.ZipInfo(member, _SAME_TIME), file.read_bytes())
                count += 1
    return count


def _members(results: Path, dataset: Benchmark) -> Iterable[tuple[str, Path]]:
    for sequence in dataset.sequences:
        for name in sequence.wanted:
            inside = PurePosixPath(dataset.submission_folder, sequence.name, f"{name}.png")
            yield str(inside), results / sequence.name / f"{name}.png"


def check_submission(path: Path, dataset: Benchmark) -> None:
    """Look whether a zip is what the server takes, down to the pixels.

    Raises DataError that lists everything that is wrong: sequences and frames that are missing,
    in the wrong place or not wanted; files that are no PNGs of ids, of another size, or with
    objects that were not given up to then; a sequence in which nothing was found.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            problems = _problems(archive, dataset)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as a zip ({error})") from error
    if problems:
        raise data_error(path, problems)


def _problems(archive: zipfile.ZipFile, dataset: Benchmark) -> list[str]:
    members = {one.filename: one for one in archive.infolist() if not one.is_dir()}
    wanted = {member for member, _ in _members(Path(), dataset)}
    problems = _misplaced(members, wanted, dataset)
    if not wanted & set(members):
        return problems
    for sequence in dataset.sequences:
        found = {
            name: members[member]
            for name in sequence.wanted
            for member in [_member(dataset, sequence, name)]
            if member in members
        }
        if not found:
            problems.append(f"{sequence.name}: missing")
            continue
        if gone := [f"{name}.png" for name in sequence.wanted if name not in found]:
            problems.append(f"{sequence.name}: missing {named(gone)}")
        problems += _wrong_pixels(archive, sequence, found)
    return problems


def _member(dataset: Benchmark, sequence: BenchmarkSequence, name: str) -> str:
    return str(PurePosixPath(dataset.submission_folder, sequence.name, f"{name}.png"))


def _misplaced(
    members: Mapping[str, zipfile.ZipInfo], wanted: set[str], dataset: Benchmark
) -> list[str]:
    """Files that do not belong, and the advice where all lie one folder off."""
    extra = [member for member in members if member not in wanted]
    if not wanted & set(members):
        place = dataset.submission_folder or "the top of the zip"
        return [
            f"no file is where the server looks: sequences' folders must be in {place}, as in "
            f"{next(iter(sorted(wanted)))}; found {named(sorted(extra)) or 'nothing'}"
        ]
    return [f"not wanted: {named(sorted(extra))}"] if extra else []


def _wrong_pixels(
    archive: zipfile.ZipFile, sequence: BenchmarkSequence, found: Mapping[str, zipfile.ZipInfo]
) -> list[str]:
    height, width = sequence.size
    unreadable, sizes, strangers = [], [], []
    anything, given = False, set[int]()
    for name in sequence.names:
        given.update(sequence.given.get(name, ()))
        if name not in found:
            continue
        try:
            with open_picture(io.BytesIO(archive.read(found[name]))) as picture:
                mode, kind = picture.mode, picture.format
                label_map = np.asarray(picture)
        except (OSError, SyntaxError, ValueError, zipfile.BadZipFile) as error:
            unreadable.append(f"{name}.png ({error})")
            continue
        if kind != "PNG" or mode not in ("P", "L"):
            unreadable.append(f"{name}.png ({kind}, mode {mode})")
        elif label_map.shape != (height, width):
            sizes.append(f"{name}.png ({label_map.shape[1]} x {label_map.shape[0]})")
        else:
            ids = set(present_ids(label_map))
            anything = anything or bool(ids)
            if ids - given and not sequence.one_object:
                strangers.append(f"{name}.png ({named(sorted(ids - given))})")
    start = f"{sequence.name}: "
    problems = [f"{start}no 8-bit PNG of ids: {named(unreadable)}"] if unreadable else []
    if sizes:
        problems.append(f"{start}frames are {width} x {height}, but not so {named(sizes)}")
    if strangers:
        problems.append(f"{start}objects that were not given up to there: {named(strangers)}")
    if not (anything or unreadable or sizes):
        problems.append(f"{start}no object in any frame")
    return problems
