"""``hodor track --list``: many videos, on processes of this machine or on a Ray cluster."""

import csv
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hodor.cli.track_job import RUN, Job, follow
from hodor.errors import LIST_ITEM, HodorError
from hodor.jobs import run_jobs
from hodor.tracking import Summary, track_video

COLUMNS = ("source", "masks", "references", "name")


@dataclass(frozen=True)
class Listed:
    """One line of the list."""

    name: str
    source: str
    masks: Path | None
    references: Path | None


def read_list(path: Path) -> list[Listed]:
    """The videos of a CSV file; relative paths are taken from its folder.

    Raises HodorError that lists everything that is wrong with it.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            lines = list(reader)
            head = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HodorError(f"{path} cannot be read as CSV ({error})") from error
    if "source" not in head or set(head) - set(COLUMNS):
        raise HodorError(
            f"{path}: its first line must name columns among {', '.join(COLUMNS)}, with source; "
            f"found {', '.join(map(str, head)) or 'nothing'}"
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
        raise HodorError(f"{path} has {len(problems)} problems; nothing was tracked:{lines_of}")
    return found


def _line(line: dict[str, str], number: int, folder: Path, problems: list[str]) -> Listed:
    values = {name: (line.get(name) or "").strip() for name in COLUMNS}
    source = values["source"]
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
    return Listed(name, source, paths.get("masks"), paths.get("references"))


def track_list(
    console: Console, path: Path, job: Job, *, workers: int, ray_address: str | None
) -> None:
    """Track all videos of a list that are not finished yet; tell of each as it ends.

    Raises HodorError where results are there already and are not to be resumed, or, when all
    others are done, where some videos failed.
    """
    if job.masks or job.references or job.save_references:
        raise HodorError("track: with --list, masks and references stand in the list")
    listed = read_list(path)
    finished = {one.name for one in listed if _finished(job.out / one.name)}
    begun = [one.name for one in listed if (job.out / one.name).exists()]
    if begun and not job.resume:
        raise HodorError(
            f"{job.out}: holds results of {begun[0]} already; choose another folder, or go on by "
            "--resume"
        )
    if finished:
        console.print(f"{len(finished)} of {len(listed)} videos are finished already")
    jobs = {one.name: (job, one) for one in listed if one.name not in finished}
    failures = []
    outcomes = run_jobs(
        track_listed, jobs, workers=workers, ray_address=ray_address,
        gpus=float(job.device.startswith("cuda")),
    )  # fmt: skip
    for outcome in outcomes:
        if outcome.error is None:
            console.print(f"{outcome.name}: {outcome.value}", highlight=False)
        else:
            failures.append(f"{outcome.name}: {outcome.error}")
            console.print(f"[red]{outcome.name}[/]: {outcome.error}", highlight=False)
    if failures:
        raise HodorError(
            f"{len(failures)} of {len(jobs)} videos failed, the others are finished; --resume "
            "tries again. " + "; ".join(failures)
        )


def track_listed(argument: tuple[Job, Listed]) -> str:
    """Track one video of a list; what a lost worker has done of it is gone on with."""
    common, one = argument
    job = common.of(one.source, one.masks, one.references, common.out / one.name)

    def run(*parts: object) -> Summary:
        tracker, source, masks, sinks, state, summary = parts
        return track_video(tracker, source, masks, sinks, state=state, summary=summary)  # type: ignore[arg-type]

    summary, _ = follow(job, run)
    speed = summary.tracked / summary.seconds if summary.seconds else 0.0
    warnings = f", {len(summary.warnings)} warnings" if summary.warnings else ""
    return f"{summary.frames} frames, {speed:.1f} frames/s{warnings}"


def _finished(out: Path) -> bool:
    return (out / "summary.json").is_file() and not (out / RUN).is_file()
