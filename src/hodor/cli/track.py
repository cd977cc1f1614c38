"""``hodor track``."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hodor.cli.names import names_of
from hodor.cli.tracker_options import with_tracker_options
from hodor.errors import HodorError, MaskError
from hodor.formats import FormatsSink, Reading, as_label_maps, format_of
from hodor.tracking import Choices, References, Summary, Tracker, resume, track_video, write_summary
from hodor.tracking import Progress as Step
from hodor.video import (
    ImagesSource,
    LabelMapSink,
    LiveSource,
    OverlaySink,
    ReferenceMasks,
    RleSink,
    Sink,
    Source,
    open_reference_masks,
    open_source,
)
from hodor.weights import DEFAULT

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
STATE = ".state.safetensors"
RUN = ".run.json"
GIVEN = "given"


@app.command()
@with_tracker_options
def track(
    source: str | None = typer.Argument(
        None, help="Video file, folder or pattern of images, camera (0, camera:1) or stream URL."
    ),
    masks: Path | None = typer.Option(
        None,
        help="First frame's masks: palette PNG, 8/16-bit PNG of ids, or 0/255; or a folder with a "
        "file for each annotated frame; or CVAT, COCO and others, as hodor convert reads them.",
    ),
    references: Path | None = typer.Option(
        None, help="Objects from another video, as --save-references wrote them; needs no masks."
    ),
    out: Path = typer.Option(..., help="Folder for results."),
    model: str = typer.Option(
        DEFAULT,
        help="Bundled name, .safetensors file or hub:ORG/REPO; with --runtime onnx the folder that "
        "hodor export onnx wrote.",
    ),
    runtime: str = typer.Option(
        "torch", help="What runs the model: torch, or onnx, which needs no PyTorch."
    ),
    chosen: Choices = Choices(),
    overlay: bool = typer.Option(False, "--overlay", help="Also write overlay.mp4."),
    rle: bool = typer.Option(False, "--rle", help="Also write masks.json with COCO RLE."),
    formats: list[str] = typer.Option(
        [],
        "--format",
        help="Also write another format at the end, such as cvat, coco, youtube-vis or prores; may "
        "be repeated. hodor convert --help lists all.",
    ),
    name: list[str] = typer.Option(
        [], help="With --format: what an object is called, such as 1=cat; may be repeated."
    ),
    save_references: Path | None = typer.Option(
        None, help="Write the objects' descriptors, to follow them in another video."
    ),
    resume_run: bool = typer.Option(False, "--resume", help="Go on where a killed run stopped."),
    video_list: Path | None = typer.Option(
        None,
        "--list",
        help="Instead of SOURCE: a CSV file with columns source and masks (or references), and "
        "name if wanted; results in OUT/NAME.",
    ),
    workers: int = typer.Option(1, min=1, help="With --list: processes."),
    ray: str | None = typer.Option(
        None, help="With --list: address of a Ray cluster, auto, or local for one made here."
    ),
) -> None:
    """Follow objects through SOURCE, given their masks in one frame.

    Results in OUT: labels/ (a PNG of ids for each frame, under the frame's name), summary.json,
    and what --overlay and --rle add.

        hodor track my.mp4 --masks first.png --out out --overlay
        hodor track --list videos.csv --out out --workers 4
    """
    console = Console(stderr=True)
    if (source is None) == (video_list is None):
        raise typer.BadParameter("give either SOURCE or --list FILE.csv", param_hint="SOURCE")
    job = Job(
        source=source or "",
        masks=masks,
        references=references,
        out=out,
        model=model,
        runtime=runtime,
        overlay=overlay,
        rle=rle,
        formats=tuple(formats),
        names=tuple(name),
        save_references=save_references,
        resume=resume_run,
        **chosen.chosen,
    )
    if video_list is not None:
        from hodor.cli.track_list import track_list

        track_list(console, video_list, job, workers=workers, ray_address=ray)
        return
    summary, tracker = follow(job, lambda *run: _run(console, *run))
    tell(console, summary, tracker, out)


@dataclass(frozen=True, kw_only=True)
class Job(Choices):
    """One run of the command; fields are its options."""

    source: str
    masks: Path | None
    references: Path | None
    out: Path
    model: str
    runtime: str
    overlay: bool
    rle: bool
    formats: tuple[str, ...]
    names: tuple[str, ...]
    save_references: Path | None
    resume: bool

    def of(self, source: str, masks: Path | None, references: Path | None, out: Path) -> "Job":
        """The same with another video; it is resumed if it was begun."""
        begun = (out / RUN).is_file()
        return replace(
            self, source=source, masks=masks, references=references, out=out, resume=begun
        )


def follow(job: Job, run: Callable[..., Summary]) -> tuple[Summary, Tracker]:
    """Open all that a job names, and ``run`` it; everything is written when this returns.

    run: called with tracker, source, masks, sinks, file for the state and summary to go on from.
    """
    if job.masks is None and job.references is None:
        raise MaskError("nothing to follow: give --masks FILE (or FOLDER) or --references FILE")
    for wanted in job.formats:
        format_of(wanted)
    with open_source(job.source) as frames:
        if frames.live and job.resume:
            raise HodorError(f"{job.source}: a live source cannot be resumed; take another folder")
        _refuse_results(job.out, resume_run=job.resume)
        given, names = _given(job, frames)
        tracker = Tracker.from_pretrained(job.model, runtime=job.runtime, **job.chosen)
        settings: dict[str, Any] = {
            "source": job.source,
            "masks": None if job.masks is None else str(job.masks),
            "references": None if job.references is None else str(job.references),
            "model": job.model,
            "runtime": job.runtime,
            "options": str(tracker.options),
            "overlay": job.overlay,
            "rle": job.rle,
        }
        if job.formats:
            settings |= {"formats": list(job.formats), "names": list(job.names)}
        summary = _begin(job.out, settings, tracker, resume_run=job.resume)
        if summary is None and job.references is not None:
            tracker.add_references(References.load(job.references))
        summary = summary or Summary(frames.name)
        sinks = _sinks(job, frames, given, tracker, summary, names)
        summary = run(tracker, frames, given, sinks, job.out / STATE, summary)
    if isinstance(frames, LiveSource) and frames.dropped:
        summary.warnings.append(f"{frames.dropped} frames came too late and were dropped")
    write_summary(job.out / "summary.json", summary.to_dict(tracker))
    (job.out / RUN).unlink(missing_ok=True)
    if job.save_references is not None:
        # Last, so that a file that cannot be written costs nothing else.
        tracker.references().save(job.save_references)
    return summary, tracker


def _refuse_results(out: Path, *, resume_run: bool) -> None:
    """Raises HodorError if the folder holds results that a run would mix with its own."""
    if not resume_run:
        if (out / "labels").is_dir() and any((out / "labels").iterdir()):
            raise HodorError(
                f"{out}: holds results already; choose another folder, or go on with a stopped run "
                "by --resume"
            )
    elif (out / "summary.json").is_file() and not (out / RUN).is_file():
        raise HodorError(f"{out}: the run in it is finished; there is nothing to resume")


def _given(job: Job, source: Source) -> tuple[ReferenceMasks | None, dict[int, str]]:
    """Masks of any format, and names of objects; what is no image file is put into OUT/given."""
    if job.masks is None:
        return None, names_of(job.names)
    frames = source.names if isinstance(source, ImagesSource) else None
    reading = Reading(fps=source.fps, frames=frames)
    masks, names = as_label_maps(job.masks, job.out / GIVEN, reading)
    return open_reference_masks(masks), names | names_of(job.names)


def _begin(
    out: Path, settings: dict[str, Any], tracker: Tracker, *, resume_run: bool
) -> Summary | None:
    """Make the results' folder, or find where a killed run stopped (None: from the start)."""
    note, state = out / RUN, out / STATE
    if resume_run and _noted(note) not in (None, settings):
        raise HodorError(
            f"{out}: was begun with other settings ({note.read_text()}); resume with the same"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(settings), encoding="utf-8")
    except OSError as error:
        raise HodorError(f"{out}: cannot be written ({error.strerror})") from error
    if resume_run and state.is_file():
        return resume(tracker, state)
    state.unlink(missing_ok=True)
    return None


def _noted(note: Path) -> Any:
    """Settings of the run that was begun here; None where a kill came before they were noted."""
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _sinks(
    job: Job,
    source: Source,
    masks: ReferenceMasks | None,
    tracker: Tracker,
    summary: Summary,
    names: dict[int, str],
) -> list[Sink]:
    out, start = job.out, tracker.next_index
    largest = max([*tracker.ids, *(masks.ids if masks else ())], default=0)
    sinks: list[Sink] = [LabelMapSink(out / "labels", wide=largest > 255, resume_from=start)]
    if job.overlay:
        sinks.append(OverlaySink(out / "overlay.mp4", source.fps, resume_from=start))
    if job.rle:
        sinks.append(RleSink(out / "masks.json", video=source.name, resume_from=start))
    if job.formats:
        sinks.append(
            FormatsSink(
                out, job.formats, source=source, reopen=lambda: open_source(job.source),
                confidence=summary.confidence, names=names, resume_from=start,
            )
        )  # fmt: skip
    return sinks


def _run(
    console: Console,
    tracker: Tracker,
    source: Source,
    masks: ReferenceMasks | None,
    sinks: list[Sink],
    state: Path,
    summary: Summary | None,
) -> Summary:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[speed]}"),
    )
    # In a log file even a bar that is gone leaves an empty line.
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        length = source.length or source.estimated_length
        task = bar.add_task(source.name, total=length, completed=tracker.next_index, speed="")

        def report(step: Step) -> None:
            late = "" if step.latency is None else f", {1000 * step.latency:.0f} ms behind"
            speed = bar.tasks[0].speed
            text = "" if speed is None else f"{speed:.1f} frames/s{late}"
            bar.update(task, completed=step.frame.index + 1, speed=text)

        try:
            return track_video(
                tracker, source, masks, sinks, state=state, summary=summary, report=report
            )
        except KeyboardInterrupt:
            if not isinstance(source, LiveSource):
                console.print("stopped; the same command with --resume goes on from here")
            raise


def tell(console: Console, summary: Summary, tracker: Tracker, out: Path) -> None:
    """Say what was done, what was odd, and where the results are."""
    values = summary.to_dict(tracker)
    console.print(
        f"{summary.frames} frames, objects {', '.join(map(str, values['objects']))}: "
        f"{values['frames_per_second']:.1f} frames/s end to end on {values['device']} "
        f"({values['precision']}, size {tracker.options.size})",
        highlight=False,
    )
    for i, numbers in values["confidence"].items():
        known = [n for n in numbers if n is not None]
        lost = sum(n == 0 for n in known)
        mean = sum(known) / len(known)
        away = f", not visible in {lost} frames" if lost else ""
        console.print(f"  object {i}: mean confidence {mean:.2f}{away}", highlight=False)
    for warning in summary.warnings:
        console.print(f"[yellow]warning[/]: {warning}", highlight=False)
    console.print(f"results in {out}", highlight=False)
