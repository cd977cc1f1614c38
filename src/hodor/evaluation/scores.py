"""Folders of label maps scored against a benchmark: J, F and their statistics."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hodor.errors import DataError
from hodor.evaluation.benchmark import (
    Benchmark,
    BenchmarkSequence,
    is_scored,
    present_ids,
    read_result,
)
from hodor.evaluation.label_map_files import LabelMap
from hodor.evaluation.metrics import FRAMES_AT_LEAST, Statistics, measure_frame, statistics
from hodor.evaluation.problems import data_errors, named

BATCH = 24  # frames that a process takes at a time: few enough that all end at the same time


class FrameScore(NamedTuple):
    """J and F of one object in one frame, fractions of 1."""

    name: str
    j: float
    f: float


@dataclass(frozen=True)
class ObjectScores:
    """Statistics of one object's J and F over the scored frames, fractions of 1."""

    j: Statistics
    f: Statistics
    frames: tuple[FrameScore, ...] = ()
    """Of one object in order; empty for averages"""

    @property
    def j_and_f(self) -> float:
        """Average of the means of J and F."""
        return (self.j.mean + self.f.mean) / 2


@dataclass(frozen=True)
class Scores:
    """Scores of a whole benchmark: sequence name -> object id -> statistics."""

    sequences: dict[str, dict[int, ObjectScores]]
    groups: dict[str, dict[int, str]]
    """Sequence name -> object id -> "seen" or "unseen", where the benchmark tells them apart"""

    @property
    def mean(self) -> ObjectScores:
        """Every statistic averaged over all objects of all sequences, each counting the same."""
        return average([o for objects in self.sequences.values() for o in objects.values()])

    @property
    def by_group(self) -> dict[str, ObjectScores]:
        """Averages over objects of seen and of unseen classes; empty where not told apart."""
        members: dict[str, list[ObjectScores]] = {}
        for name, objects in self.sequences.items():
            for object_id, scores in objects.items():
                if group := self.groups.get(name, {}).get(object_id):
                    members.setdefault(group, []).append(scores)
        return {group: average(members[group]) for group in sorted(members)}

    @property
    def overall(self) -> float:
        """The one number of a benchmark: J&F, or the mean of J and F of both groups."""
        groups = self.by_group
        if len(groups) < 2:
            return self.mean.j_and_f
        return float(np.mean([scores.j_and_f for scores in groups.values()]))

    def to_json(self) -> dict[str, object]:
        """Plain dictionaries for ``json.dump``, all numbers fractions of 1.

        ``{"mean": {"J&F", "J", "F", "J-Recall", "J-Decay", "F-Recall", "F-Decay"},
        "sequences": {name: {"J&F", "J", "F", "objects": {id: as "mean"}}}}``, and where classes
        are told apart ``"groups": {"seen": as "mean", "unseen": ...}`` and ``"overall"``; ids are
        strings, as JSON has no other keys.
        """
        groups = {group: as_columns(scores) for group, scores in self.by_group.items()}
        return {
            "mean": as_columns(self.mean),
            **({"groups": groups, "overall": self.overall} if groups else {}),
            "sequences": {
                name: {
                    **_means(average(list(objects.values()))),
                    "objects": {str(i): as_columns(scores) for i, scores in objects.items()},
                }
                for name, objects in self.sequences.items()
            },
        }


def score_folder(results: Path, dataset: Benchmark, *, workers: int = 1) -> Scores:
    """J and F of the label maps in ``results``/SEQUENCE/FRAME.png.

    Only frames that are scored need be there. workers: processes to share the frames among; each
    starts afresh, so that a script that asks for more than one must guard its main part with
    ``if __name__ == "__main__"``.

    Raises DataError that lists all problems of all sequences: missing sequences and frames,
    unreadable files, wrong sizes, object ids that the reference does not have.
    """
    return score_folders([results], dataset, workers=workers)[0]


def score_folders(folders: Sequence[Path], dataset: Benchmark, *, workers: int = 1) -> list[Scores]:
    """As ``score_folder`` for several folders; their problems are told together."""
    if not is_scored(dataset):
        raise DataError(
            f"{dataset.title}: there is no annotation but what is given, so nothing can be scored "
            "here; --zip writes what the server takes"
        )
    missing = [_missing_in(folder, dataset) for folder in folders]
    looked_at = _measured(folders, dataset, workers, measure=not any(missing))
    _raise_all(folders, missing, looked_at)
    return [_scores(dataset, each) for each in looked_at]


def check_folders(folders: Sequence[Path], dataset: Benchmark, *, workers: int = 1) -> None:
    """Read all results without measuring them.

    Raises DataError that lists all problems, as ``score_folders`` would.
    """
    missing = [_missing_in(folder, dataset) for folder in folders]
    _raise_all(folders, missing, _measured(folders, dataset, workers, measure=False))


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
class _Task:
    """Some frames of one sequence in one folder of results."""

    folder: Path
    sequence: BenchmarkSequence
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Looked:
    """What was found in the frames of a task."""

    sequence: BenchmarkSequence
    measures: dict[str, dict[int, tuple[float, float]]]
    """Frame name -> object -> J and F"""
    unreadable: tuple[str, ...]
    wrong_sizes: tuple[str, ...]
    extra: dict[int, str]
    """Object that nobody gave -> file in which it is"""


def _measured(
    folders: Sequence[Path], dataset: Benchmark, workers: int, *, measure: bool
) -> list[list[_Looked]]:
    """Per folder, what was found in its tasks."""
    tasks = [
        _Task(folder, sequence, names[at : at + BATCH])
        for folder in folders
        for sequence in dataset.sequences
        for names in [sequence.scored_names]
        for at in range(0, len(names), BATCH)
    ]
    look = partial(_look, measure=measure)
    processes = min(workers, len(tasks))
    if processes <= 1:
        looked = [look(task) for task in tasks]
    else:
        # Spawn is what every platform has, and forking a process that runs PyTorch may hang.
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            looked = list(pool.map(look, tasks))
    found: dict[Path, list[_Looked]] = {folder: [] for folder in folders}
    for task, each in zip(tasks, looked, strict=True):
        found[task.folder].append(each)
    return [found[folder] for folder in folders]


def _missing_in(folder: Path, dataset: Benchmark) -> list[str]:
    """What a folder of results lacks, as problems; empty where every file is there."""
    if not folder.is_dir():
        return [f"{folder} is not a folder; give the one that holds a folder per sequence"]
    problems = []
    for sequence in dataset.sequences:
        where, names = folder / sequence.name, sequence.scored_names
        if len(sequence.names) < FRAMES_AT_LEAST and not names:
            problems.append(f"{sequence.name}: {len(sequence.names)} frames leave none to score")
        elif names and not where.is_dir():
            problems.append(f"{sequence.name}: the folder {where} is missing")
        elif missing := [f"{n}.png" for n in names if not (where / f"{n}.png").is_file()]:
            problems.append(f"{sequence.name}: missing {named(missing)}")
    return problems


def _look(task: _Task, *, measure: bool) -> _Looked:
    """Read results frame by frame; measure them where asked to."""
    sequence = task.sequence
    found = _Looked(sequence, {}, (), (), {})
    unreadable, wrong_sizes = [], []
    for name in task.names:
        path = task.folder / sequence.name / f"{name}.png"
        try:
            if not path.is_file():
                continue
            label_map = read_result(path, one_object=sequence.one_object)
        except DataError as error:
            unreadable.append(str(error))
            continue
        for object_id in _unexpected(label_map, sequence.object_ids):
            found.extra.setdefault(object_id, path.name)
        if label_map.shape != sequence.size:
            wrong_sizes.append(f"{path.name} ({label_map.shape[1]} x {label_map.shape[0]})")
        elif measure:
            found.measures[name] = _measure(sequence, name, label_map)
    return _Looked(sequence, found.measures, tuple(unreadable), tuple(wrong_sizes), found.extra)


def _measure(
    sequence: BenchmarkSequence, name: str, label_map: LabelMap
) -> dict[int, tuple[float, float]]:
    reference = sequence.label_map(name)
    ids = [i for i, names in sequence.scored.items() if name in names]
    return dict(zip(ids, measure_frame(reference, label_map, ids), strict=True))


def _unexpected(label_map: LabelMap, object_ids: tuple[int, ...]) -> set[int]:
    # A look at the largest id spares counting all pixels of nearly every map.
    if object_ids[-1] == len(object_ids) >= label_map.max():
        return set()
    return set(present_ids(label_map)).difference(object_ids)


def _raise_all(
    folders: Sequence[Path], missing: Sequence[list[str]], looked: Sequence[Sequence[_Looked]]
) -> None:
    """One error for all that is wrong in all folders, if anything is."""
    problems = {
        folder: [*lacking, *_wrong_files(each)]
        for folder, lacking, each in zip(folders, missing, looked, strict=True)
    }
    if any(problems.values()):
        raise data_errors(problems)


def _wrong_files(looked: Sequence[_Looked]) -> list[str]:
    """What is wrong with the files of a folder, one line for each kind and sequence."""
    problems = []
    for name, parts in _by_sequence(looked).items():
        sequence = parts[0].sequence
        height, width = sequence.size
        problems += [f"{name}: {text}" for part in parts for text in part.unreadable]
        if wrong := [text for part in parts for text in part.wrong_sizes]:
            problems.append(
                f"{name}: the reference is {width} x {height}, but not so {named(wrong)}"
            )
        extra: dict[int, str] = {}
        for part in parts:
            extra = part.extra | extra
        if extra:
            found = named(f"{i} (in {file})" for i, file in sorted(extra.items()))
            ids = named(sequence.object_ids)
            problems.append(f"{name}: the reference has only ids {ids}, the result also {found}")
    return problems


def _by_sequence(looked: Sequence[_Looked]) -> dict[str, list[_Looked]]:
    parts: dict[str, list[_Looked]] = {}
    for each in looked:
        parts.setdefault(each.sequence.name, []).append(each)
    return parts


def _scores(dataset: Benchmark, looked: Sequence[_Looked]) -> Scores:
    sequences = {}
    for name, parts in _by_sequence(looked).items():
        sequence = parts[0].sequence
        measures = {frame: of for part in parts for frame, of in part.measures.items()}
        sequences[name] = {
            i: _object_scores([FrameScore(frame, *measures[frame][i]) for frame in names])
            for i, names in sequence.scored.items()
            if names
        }
    groups = {s.name: dict(s.groups) for s in dataset.sequences if s.groups}
    return Scores(sequences, groups)


def _object_scores(frames: Sequence[FrameScore]) -> ObjectScores:
    j: NDArray[np.float64] = np.array([frame.j for frame in frames])
    f: NDArray[np.float64] = np.array([frame.f for frame in frames])
    return ObjectScores(statistics(j), statistics(f), tuple(frames))
