"""A folder of label maps scored against a benchmark: J, F and their statistics."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from hodor.errors import DataError
from hodor.evaluation.davis import (
    DavisDataset,
    DavisSequence,
    present_ids,
    read_davis_label_map,
    read_reference,
)
from hodor.evaluation.label_map_files import LabelMap
from hodor.evaluation.metrics import (
    FRAMES_AT_LEAST,
    Statistics,
    measure_frame,
    object_measures,
    statistics,
)
from hodor.evaluation.problems import data_error, named


@dataclass(frozen=True)
class ObjectScores:
    """Statistics of one object's J and F over the scored frames, fractions of 1."""

    j: Statistics
    f: Statistics

    @property
    def j_and_f(self) -> float:
        """Average of the means of J and F."""
        return (self.j.mean + self.f.mean) / 2


@dataclass(frozen=True)
class Scores:
    """Scores of a whole benchmark: sequence name -> object id -> statistics."""

    sequences: dict[str, dict[int, ObjectScores]]

    @property
    def mean(self) -> ObjectScores:
        """Every statistic averaged over all objects of all sequences, each counting the same."""
        return average([o for objects in self.sequences.values() for o in objects.values()])

    def to_json(self) -> dict[str, object]:
        """Plain dictionaries for ``json.dump``, all numbers fractions of 1.

        ``{"mean": {"J&F", "J", "F", "J-Recall", "J-Decay", "F-Recall", "F-Decay"},
        "sequences": {name: {"J&F", "J", "F", "objects": {id: as "mean"}}}}``; ids are strings,
        as JSON has no other keys.
        """
        return {
            "mean": as_columns(self.mean),
            "sequences": {
                name: {
                    **_means(average(list(objects.values()))),
                    "objects": {str(i): as_columns(scores) for i, scores in objects.items()},
                }
                for name, objects in self.sequences.items()
            },
        }


def score_folder(results: Path, dataset: DavisDataset, *, workers: int = 1) -> Scores:
    """J and F of the label maps in ``results``/SEQUENCE/FRAME.png.

    The first and the last frame of a sequence are not scored and need not be there. workers:
    processes to share the sequences among; each starts afresh, so that a script that asks for
    more than one must guard its main part with ``if __name__ == "__main__"``.

    Raises DataError that lists all problems of all sequences: missing sequences and frames,
    unreadable files, wrong sizes, object ids that the reference does not have.
    """
    if not results.is_dir():
        raise DataError(f"{results} is not a folder; give the one that holds a folder per sequence")
    complete = not any(_missing(results, sequence) for sequence in dataset.sequences)
    examine = partial(_examine, results, score=complete)
    outcomes = _mapped(examine, dataset.sequences, workers)
    if problems := [problem for outcome in outcomes for problem in outcome.problems]:
        raise data_error(results, problems)
    return Scores({outcome.name: outcome.objects for outcome in outcomes})


def average(scores: Sequence[ObjectScores]) -> ObjectScores:
    """Every statistic averaged over objects, each counting the same; at least one."""
    return ObjectScores(
        j=_average_statistics([s.j for s in scores]),
        f=_average_statistics([s.f for s in scores]),
    )


def as_columns(scores: ObjectScores) -> dict[str, float]:
    """The seven numbers of a DAVIS table by their usual names, fractions of 1."""
    return {
        **_means(scores),
        "J-Recall": scores.j.recall,
        "J-Decay": scores.j.decay,
        "F-Recall": scores.f.recall,
        "F-Decay": scores.f.decay,
    }


def _means(scores: ObjectScores) -> dict[str, float]:
    return {"J&F": scores.j_and_f, "J": scores.j.mean, "F": scores.f.mean}


def _average_statistics(all_statistics: Sequence[Statistics]) -> Statistics:
    return Statistics(
        mean=float(np.mean([s.mean for s in all_statistics])),
        recall=float(np.mean([s.recall for s in all_statistics])),
        decay=float(np.mean([s.decay for s in all_statistics])),
    )


@dataclass(frozen=True)
class _Outcome:
    name: str
    objects: dict[int, ObjectScores]
    problems: list[str]


def _mapped(
    examine: Callable[[DavisSequence], _Outcome], sequences: Sequence[DavisSequence], workers: int
) -> list[_Outcome]:
    if workers <= 1 or len(sequences) == 1:
        return [examine(sequence) for sequence in sequences]
    # Spawn is what every platform has, and forking a process that runs PyTorch may hang.
    processes = min(workers, len(sequences))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(examine, sequences))


def _missing(results: Path, sequence: DavisSequence) -> list[str]:
    """What the results lack for a sequence, as problems; empty where every file is there."""
    if len(sequence.names) < FRAMES_AT_LEAST:
        return [f"{sequence.name}: {len(sequence.names)} frames leave none to score; give more"]
    if not (results / sequence.name).is_dir():
        return [f"{sequence.name}: the folder {results / sequence.name} is missing"]
    missing = [path.name for path in _scored_paths(results, sequence) if not path.is_file()]
    return [f"{sequence.name}: missing {named(missing)}"] if missing else []


def _scored_paths(results: Path, sequence: DavisSequence) -> list[Path]:
    return [results / sequence.name / f"{name}.png" for name in sequence.names[1:-1]]


def _examine(results: Path, sequence: DavisSequence, *, score: bool) -> _Outcome:
    """Read a sequence's results frame by frame; score them where asked to."""
    problems = _missing(results, sequence)
    wrong_sizes: list[str] = []
    extra: dict[int, str] = {}
    frames = []
    paths = zip(_scored_paths(results, sequence), sequence.label_map_paths[1:-1], strict=True)
    for path, reference_path in paths:
        try:
            if not path.is_file():
                continue
            label_map = read_davis_label_map(path, sequence.year)
        except DataError as error:
            problems.append(f"{sequence.name}: {error}")
            continue
        for object_id in _unexpected(label_map, sequence.object_ids):
            extra.setdefault(object_id, path.name)
        if label_map.shape != sequence.size:
            wrong_sizes.append(f"{path.name} ({label_map.shape[1]} x {label_map.shape[0]})")
        elif score:
            reference = read_reference(reference_path, sequence.year)
            frames.append(measure_frame(reference, label_map, sequence.object_ids))
    problems += _wrong_sizes(sequence, wrong_sizes) + _extra_ids(sequence, extra)
    if problems or not score:
        return _Outcome(sequence.name, {}, problems)
    return _Outcome(sequence.name, _object_scores(frames, sequence.object_ids), [])


def _unexpected(label_map: LabelMap, object_ids: tuple[int, ...]) -> set[int]:
    # A look at the largest id spares counting all pixels of nearly every map.
    if object_ids[-1] == len(object_ids) >= label_map.max():
        return set()
    return set(present_ids(label_map)).difference(object_ids)


def _wrong_sizes(sequence: DavisSequence, wrong: list[str]) -> list[str]:
    height, width = sequence.size
    text = f"{sequence.name}: the reference is {width} x {height}, but not so {named(wrong)}"
    return [text] if wrong else []


def _extra_ids(sequence: DavisSequence, extra: dict[int, str]) -> list[str]:
    found = named(f"{object_id} (in {name})" for object_id, name in sorted(extra.items()))
    ids = named(sequence.object_ids)
    text = f"{sequence.name}: the first reference map has only ids {ids}, the result also {found}"
    return [text] if extra else []


def _object_scores(
    frames: list[list[tuple[float, float]]], object_ids: Sequence[int]
) -> dict[int, ObjectScores]:
    return {
        object_id: ObjectScores(j=statistics(measures.j), f=statistics(measures.f))
        for object_id, measures in object_measures(frames, object_ids).items()
    }
