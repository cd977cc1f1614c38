"""``hodor track``."""

from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hodor.cli.track_job import Job, follow
from hodor.cli.track_list import track_list
from hodor.cli.tracker_options import with_tracker_options
from hodor.tracking import Choices, Summary, Tracker, track_video
from hodor.tracking import Progress as Step
from hodor.video import LiveSource, ReferenceMasks, Sink, Source
from hodor.weights import DEFAULT

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
        **chosen.by_name,
    )
    if video_list is not None:
        track_list(console, video_list, job, workers=workers, ray_address=ray)
        return
    summary, tracker = follow(job, lambda *run: _run(console, *run))
    tell(console, summary, tracker, out)


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
