"""Many videos, each to a folder of its own, on processes of this machine or on a Ray cluster."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hodor.errors import LIST_ITEM, HodorError, counted, one_line
from hodor.files import safe_name
from hodor.jobs import Outcome, attempt, run_jobs
from hodor.runs.folder import Outputs, is_begun, is_finished, track_to_folder
from hodor.runs.summary import Summary
from hodor.tracking import Tracker
from hodor.types import Json
from hodor.video import AUTO, Intensity

COLUMNS = ("source", "masks", "references", "name")


@dataclass(frozen=True)
class ListedVideo:
    """One line of the list."""

    name: str
    source: str
    masks: Path | None
    references: Path | None


def read_list(path: Path) -> list[ListedVideo]:
    """The videos of a CSV file; relative paths are taken from its folder.

    Raises HodorError that lists everything that is wrong with it.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            between = _between(file.readline())
            file.seek(0)
            reader = csv.DictReader(file, delimiter=between, skipinitialspace=True)
            head = reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
            lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HodorError(f"{path} cannot be read as CSV ({one_line(error)})") from error
    if "source" not in head or set(head) - set(COLUMNS):
        raise HodorError(
            f"{path}: its first line must name columns among {', '.join(COLUMNS)}, with source; "
            f"found {one_line(', '.join(map(str, head))) or 'nothing'}"
        )
    problems: list[str] = []
    found = [_line(line, n, path.parent, problems) for n, line in enumerate(lines, 2)]
    names = [one.name for one in found]
    problems += [
        f"two videos are called {name}; give a column name, since results go to OUT/NAME"
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if not found:
        problems.append("it names no video")
    if problems:
        lines_of = "".join(f"\n{LIST_ITEM}{problem}" for problem in problems)
        count = counted(len(problems), "problem")
        raise HodorError(f"{path} has {count}; nothing was tracked:{lines_of}")
    return found


def _between(head: str) -> str:
    """What stands between columns: spreadsheets write semicolons where commas are decimal."""
    return ";" if ";" in head and "," not in head else ","


def _line(
    line: Mapping[str | None, Json], number: int, folder: Path, problems: list[str]
) -> ListedVideo:
    values = {name: (line.get(name) or "").strip() for name in COLUMNS}
    source = values["source"]
    if None in line:  # where DictReader puts what is too much
        problems.append(f"line {number}: more cells than columns; put names with commas in quotes")
    if not source:
        problems.append(f"line {number}: no source")
    elif "://" not in source:
        source = str(folder / source)
        if not Path(source).exists() and "*" not in source:
            problems.append(f"line {number}: {source} does not exist")
    paths = {name: folder / values[name] for name in ("masks", "references") if values[name]}
    problems += [
        f"line {number}: {path} does not exist" for path in paths.values() if not path.exists()
    ]
    if not paths:
        problems.append(f"line {number}: neither masks nor references, so nothing to follow")
    name = values["name"] or Path(source).stem
    if source:
        try:
            safe_name(name, "the name")
        except HodorError as error:
            problems.append(f"line {number}: {error}")
    return ListedVideo(name, source, paths.get("masks"), paths.get("references"))


def unfinished(videos: Sequence[ListedVideo], out: Path, *, resume: bool) -> list[ListedVideo]:
    """Videos whose results in ``out``/NAME are not whole.

    Raises:
        HodorError: there are results already, and they are not to be gone on with.
    """
    begun = [video.name for video in videos if (out / video.name).exists()]
    if begun and not resume:
        raise HodorError(
            f"{out}: holds results of {begun[0]} already; choose another folder, or go on by "
            "--resume"
        )
    return [video for video in videos if not is_finished(out / video.name)]


def track_many(
    videos: Sequence[ListedVideo],
    out: Path,
    *,
    tracker: Callable[[], Tracker],
    outputs: Outputs,
    adapt: float | None = None,
    intensity: Intensity = AUTO,
    model: str | None = None,
    workers: int = 1,
    batch: int = 1,
    ray_address: str | None = None,
    gpus: float = 0,
) -> Iterator[Outcome[Summary]]:
    """Track each video to ``out``/NAME; one that was begun is gone on with.

    Args:
        videos: what is to be tracked; see ``unfinished``.
        out: the folder of the folders.
        tracker: makes the tracker of a video; can be pickled.
        outputs: what is written for each video.
        adapt, intensity, model: as for ``track_to_folder``.
        workers, ray_address, gpus: as for ``hodor.jobs.run_jobs``.
        batch: so many videos at a time in this process, a thread each, whose frames go through the
            network in one go; see ``hodor.tracking.Together``. Not with workers, Ray or ``adapt``.

    Yields:
        As a video ends, its outcome: a ``Summary``, or what was wrong in one line.

    Raises:
        HodorError: a batch is asked for together with what it does not go with.
    """
    if batch > 1 and (workers > 1 or ray_address is not None):
        raise HodorError("batch: one process computes all of it; leave out workers and Ray")
    if batch > 1 and adapt is not None:
        raise HodorError(
            "batch: adapt makes a model for each video, and a batch has one for all; leave out "
            "either"
        )
    jobs = {
        video.name: _Job(video, out / video.name, tracker, outputs, adapt, intensity, model)
        for video in videos
    }
    if batch > 1 and len(jobs) > 1:
        return _track_together(jobs, tracker, batch)
    return run_jobs(_track, jobs, workers=workers, ray_address=ray_address, gpus=gpus)


class _Job(NamedTuple):
    video: ListedVideo
    out: Path
    tracker: Callable[[], Tracker]
    outputs: Outputs
    adapt: float | None
    intensity: Intensity
    model: str | None


def _track_together(
    jobs: Mapping[str, _Job], tracker: Callable[[], Tracker], batch: int
) -> Iterator[Outcome[Summary]]:
    """Track in ``batch`` threads, which compute in common; leaving it stops them resumably."""
    from hodor.tracking import Together  # brings PyTorch

    together = Together(tracker())
    pool = ThreadPoolExecutor(batch, "hodor-track")
    try:
        outcomes = [
            pool.submit(attempt, _track, name, job._replace(tracker=together.tracker))
            for name, job in jobs.items()
        ]
        for outcome in as_completed(outcomes):
            yield outcome.result()
    finally:
        together.stop()
        pool.shutdown(cancel_futures=True)


def _track(job: _Job) -> Summary:
    """Track one video of a list; what a lost worker has done of it is gone on with."""
    return track_to_folder(
        job.video.source,
        job.video.masks,
        job.out,
        tracker=job.tracker,
        references=job.video.references,
        outputs=job.outputs,
        adapt=job.adapt,
        intensity=job.intensity,
        model=job.model,
        resume=is_begun(job.out),
    )
