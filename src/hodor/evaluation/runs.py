"""A method on a whole benchmark: sequence by sequence, on many workers, and on after a kill.

A method's folder holds SEQUENCE/FRAME.png and, hidden, ``.hodor/run.json`` with the settings and
``.hodor/SEQUENCE.json`` for each finished sequence: what is noted there is not done again.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hodor.errors import MALFORMED, HodorError, counted, one_line
from hodor.evaluation.benchmark import Benchmark, BenchmarkSequence
from hodor.evaluation.methods import Method, steps
from hodor.evaluation.tracked import write_steps
from hodor.files import write_json
from hodor.jobs import run_jobs
from hodor.types import JsonObject, PlainValues

NOTES = ".hodor"


@dataclass(frozen=True)
class SequenceNote:
    """What running one sequence took and said."""

    seconds: float
    """Reading and writing included"""
    frames: int
    confidence: dict[int, list[float]]
    """Object -> confidence in each frame, in [0, 1]; NaN before it was given"""

    def to_json(self) -> PlainValues:
        """Plain values; None stands for NaN, which JSON does not have."""
        plain = {
            str(i): [None if math.isnan(v) else round(v, 4) for v in values]
            for i, values in self.confidence.items()
        }
        return asdict(self) | {"confidence": plain}

    @classmethod
    def from_json(cls, values: JsonObject) -> "SequenceNote":
        """What ``to_json`` gave."""
        confidence = {
            int(i): [math.nan if v is None else v for v in numbers]
            for i, numbers in values["confidence"].items()
        }
        return cls(values["seconds"], values["frames"], confidence)


@dataclass(frozen=True)
class Execution:
    """Where the work is done: processes here, or a Ray cluster; all of it, or one part of n."""

    workers: int = 1
    ray_address: str | None = None
    shard: tuple[int, int] = (1, 1)

    @classmethod
    def of(cls, workers: int, ray_address: str | None, shard: str | None) -> "Execution":
        """From words of the command line; ``shard`` is "2/5".

        Raises HodorError where it is not.
        """
        if shard is None:
            return cls(workers, ray_address)
        part, _, parts = shard.partition("/")
        if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
            raise HodorError(f"shard {shard!r}: write I/N with I from 1 to N, such as 2/5")
        return cls(workers, ray_address, (int(part), int(parts)))

    def mine(self, sequences: Sequence[BenchmarkSequence]) -> list[BenchmarkSequence]:
        """The sequences of this shard: every n-th, so that shards are about equally long."""
        part, parts = self.shard
        return list(sequences[part - 1 :: parts])


def run_method(
    method: Method,
    dataset: Benchmark,
    folder: Path,
    execution: Execution,
    *,
    resume: bool = False,
    report: Callable[[str, int], None] = lambda _name, _frames: None,
) -> None:
    """Run a method on the sequences of a benchmark, or of this shard, that are not done yet.

    folder: gets label maps and notes. resume: go on with what is there, which must have been made
    with the same settings. report: called with name and number of frames after each sequence.

    Raises HodorError where the folder holds results and ``resume`` is not set, where its settings
    are others, or where sequences failed; all others are done nevertheless.
    """
    settings = {"benchmark": dataset.title, **method.settings()}
    # Shards on several machines may share a folder: each but the first finds it begun.
    _begin(folder, settings, resume=resume or execution.shard[1] > 1)
    mine = [s for s in execution.mine(dataset.sequences) if not _note_path(folder, s).is_file()]
    frames = {sequence.name: len(sequence.names) for sequence in mine}
    jobs = {sequence.name: _Job(method, sequence, folder.resolve()) for sequence in mine}
    failures = []
    outcomes = run_jobs(
        run_sequence,
        jobs,
        workers=execution.workers,
        ray_address=execution.ray_address,
        gpus=float(method.device.startswith("cuda")),
    )
    for outcome in outcomes:
        if outcome.error is None:
            report(outcome.name, frames[outcome.name])
        else:
            failures.append(f"{outcome.name}: {outcome.error}")
    if failures:
        raise HodorError(
            f"{method.name}: {len(failures)} of {counted(len(mine), 'sequence')} failed, the "
            "others are kept; --resume tries again. " + "; ".join(failures)
        )


def undone(dataset: Benchmark, folder: Path) -> list[str]:
    """Sequences of a benchmark that a method's folder does not hold yet."""
    return [s.name for s in dataset.sequences if not _note_path(folder, s).is_file()]


def read_notes(dataset: Benchmark, folder: Path) -> dict[str, SequenceNote]:
    """Sequence name -> note, for those that are done."""
    paths = {s.name: _note_path(folder, s) for s in dataset.sequences}
    notes = {}
    for name, path in paths.items():
        if path.is_file():
            try:
                notes[name] = SequenceNote.from_json(_read_note(path))
            except MALFORMED as error:
                raise _damaged(path, error) from error
    return notes


def _read_note(path: Path) -> JsonObject:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, *MALFORMED) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> HodorError:
    return HodorError(
        f"{path} is damaged ({one_line(error)}); remove it, and what it is about is done again by "
        "--resume"
    )


def read_settings(folder: Path) -> JsonObject | None:
    """Settings that a folder's results were made with; None for other people's."""
    path = folder / NOTES / "run.json"
    return _read_note(path) if path.is_file() else None


@dataclass(frozen=True)
class _Job:
    method: Method
    sequence: BenchmarkSequence
    folder: Path


def run_sequence(job: _Job) -> None:
    """Run a method on one sequence, and note that it is done."""
    began = time.perf_counter()
    sequence = job.sequence
    confidence = write_steps(steps(job.method, sequence), sequence, job.folder)
    known = confidence if job.method.baseline is None else {}
    note = SequenceNote(time.perf_counter() - began, len(sequence.names), known)
    write_json(_note_path(job.folder, sequence), note.to_json())


def _note_path(folder: Path, sequence: BenchmarkSequence) -> Path:
    return folder / NOTES / f"{sequence.name}.json"


def _begin(folder: Path, settings: PlainValues, *, resume: bool) -> None:
    before = read_settings(folder)
    holds = folder.is_dir() and any(folder.iterdir())
    if holds and not resume:
        raise HodorError(
            f"{folder}: holds results already; choose another folder, or go on by --resume"
        )
    # As JSON gives it back, with lists for tuples.
    settings = json.loads(json.dumps(settings))
    if before is not None and before != settings:
        changed = sorted(k for k in {*before, *settings} if before.get(k) != settings.get(k))
        raise HodorError(
            f"{folder}: was begun with other settings (not the same: {', '.join(changed)}); "
            "resume with the same, or choose another folder"
        )
    write_json(folder / NOTES / "run.json", settings)
