"""``hodor track``."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hodor.cli.app import App
from hodor.cli.matte_options import MatteOptions, with_matte_options
from hodor.cli.names import names_of
from hodor.cli.tracker_options import with_tracker_options
from hodor.cli.where_to_look import called, where_to_look
from hodor.errors import HodorError, MaskError
from hodor.extras import check
from hodor.jobs import Outcome
from hodor.runs import (
    ListedVideo,
    Outputs,
    Summary,
    find_videos,
    masks_for_run,
    pair_videos,
    read_list,
    report_videos,
    track_many,
    track_to_folder,
    unfinished,
    write_report,
)
from hodor.runs import Progress as Step
from hodor.segmenter import prompts_of_words
from hodor.tracking import Tracker, TrackerOverrides
from hodor.video import Intensity
from hodor.weights import DEFAULT

app = App()
STOPPED = 130  # what shells expect of a command that Ctrl-C ended
WRITTEN = "What is written"
MANY = "Many videos"
SHOWN = "Instead of masks"


@app.command()
@with_tracker_options
@with_matte_options
def track(
    source: str | None = typer.Argument(
        None,
        help="Video file, folder or pattern of images, camera (0, camera:1) or stream URL; or a "
        "folder or pattern of videos, with --masks FOLDER: masks have the videos' names.",
    ),
    masks: Path | None = typer.Option(
        None,
        help="First frame's masks: palette PNG, 8/16-bit PNG of ids, or 0/255; or a folder with a "
        "file for each annotated frame; or CVAT, COCO and others, as hodor convert reads them.",
    ),
    box: list[str] = typer.Option(
        [],
        help="x0,y0,x1,y1 around an object in the first frame, in pixels; may be repeated. As for "
        "hodor mask.",
        rich_help_panel=SHOWN,
    ),
    point: list[str] = typer.Option(
        [], help="x,y on an object in the first frame; may be repeated.", rich_help_panel=SHOWN
    ),
    not_point: list[str] = typer.Option(
        [], "--not", help="x,y that is not the object; may be repeated.", rich_help_panel=SHOWN
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
    chosen: TrackerOverrides = TrackerOverrides(),
    adapt: float | None = typer.Option(
        None,
        min=1.0,
        help="Tune the model to the given masks first, for about so many seconds: better masks "
        "of this video, kept as OUT/adapted.safetensors. 30 is a good number.",
    ),
    intensity: str = typer.Option(
        "auto",
        help="How greys of more than 8 bits become 8, the same in all frames: auto stretches what "
        "the video holds, full takes 0 to 65535, LOW:HIGH takes these values.",
    ),
    overlay: bool = typer.Option(
        False, "--overlay", help="Also write overlay.mp4.", rich_help_panel=WRITTEN
    ),
    rle: bool = typer.Option(
        False, "--rle", help="Also write masks.json with COCO RLE.", rich_help_panel=WRITTEN
    ),
    formats: list[str] = typer.Option(
        [],
        "--format",
        help="Also write another format at the end, such as cvat, coco, youtube-vis or prores; may "
        "be repeated. hodor convert --help lists all.",
        rich_help_panel=WRITTEN,
    ),
    name: list[str] = typer.Option(
        [],
        help="What an object is called, such as 1=cat, here, in other formats and in the studio; "
        "may be repeated.",
        rich_help_panel=WRITTEN,
    ),
    edges: MatteOptions = MatteOptions(),
    save_references: Path | None = typer.Option(
        None,
        help="Write the objects' descriptors, to follow them in another video.",
        rich_help_panel=WRITTEN,
    ),
    resume_run: bool = typer.Option(False, "--resume", help="Go on where a killed run stopped."),
    video_list: Path | None = typer.Option(
        None,
        "--list",
        help="Instead of SOURCE: a CSV file with columns source and masks (or references), and "
        "name if wanted; results in OUT/NAME.",
        rich_help_panel=MANY,
    ),
    workers: int = typer.Option(
        1, min=1, help="For several videos: processes.", rich_help_panel=MANY
    ),
    ray: str | None = typer.Option(
        None,
        help="For several videos: address of a Ray cluster, auto, or local for one made here.",
        rich_help_panel=MANY,
    ),
) -> None:
    """Follow objects through SOURCE, given their masks in one frame.

    Results in OUT: labels/ (a PNG of ids for each frame, under the frame's name), summary.json,
    and what --overlay and --rle add.

        hodor track my.mp4 --masks first.png --out out --overlay
        hodor track my.mp4 --box 10,20,300,400 --out out
        hodor track clips --masks masks --out out --workers 4
        hodor track --list videos.csv --out out
    """
    console = Console(stderr=True)
    if (source is None) == (video_list is None):
        raise typer.BadParameter("give either SOURCE or --list FILE.csv", param_hint="SOURCE")
    levels = Intensity.parse(intensity)
    outputs = Outputs(
        overlay=overlay, rle=rle, formats=tuple(formats), names=names_of(name),
        mattes=edges.mattes(names_of(name)),
        save_references=save_references,
    )  # fmt: skip
    tracker = partial(Tracker.from_pretrained, model, runtime=runtime, **chosen.by_name)
    videos = _several(source, video_list, masks, references, save_references)
    if box or point or not_point:
        if videos or masks is not None:
            raise MaskError("boxes and points stand for --masks of one video; give either")
        shown = (box, point, not_point)
        masks = _shown(str(source), out, shown, resume=resume_run, intensity=levels)
    if videos:
        crew = Crew(workers, ray, gpus=float(chosen.device.startswith("cuda")))
        _track_all(
            console, videos, out, tracker, outputs, crew,
            adapt=adapt, intensity=levels, resume=resume_run, model=model,
        )  # fmt: skip
        return
    if masks is None and references is None:
        raise MaskError(_how_to_begin(str(source)))
    if adapt is not None:
        console.print(f"tuning the model to the given masks: about {adapt:g} s and a little more")
    with _bar(console, str(source)) as progress:
        summary = track_to_folder(
            str(source), masks, out, tracker=tracker, references=references, outputs=outputs,
            adapt=adapt, intensity=levels, resume=resume_run, model=model, progress=progress,
        )  # fmt: skip
    tell(console, summary, out)


def _how_to_begin(source: str) -> str:
    video = shlex.quote(source)
    return (
        "nothing to follow: give --masks FILE, which shows the objects of the first frame. To draw "
        f"it in the browser: hodor studio {video}. From a box: hodor mask {video} --box "
        "LEFT,TOP,RIGHT,BOTTOM --out first.png. Objects of another video: --references FILE"
    )


def _shown(
    source: str,
    out: Path,
    words: tuple[list[str], list[str], list[str]],
    *,
    resume: bool,
    intensity: Intensity,
) -> Path:
    """The file of masks that boxes and points make."""
    check("onnx", "onnxruntime")
    prompts = prompts_of_words(*words)
    return masks_for_run(source, prompts, out, resume=resume, intensity=intensity)


class Crew(NamedTuple):
    """Who tracks the videos of a list."""

    workers: int
    ray_address: str | None
    gpus: float


def _several(
    source: str | None,
    video_list: Path | None,
    masks: Path | None,
    references: Path | None,
    save_references: Path | None,
) -> list[ListedVideo]:
    """The videos, where there are several."""
    if video_list is not None:
        if masks or references or save_references:
            raise HodorError("track: with --list, masks and references stand in the list")
        return read_list(video_list)
    found = find_videos(str(source))
    if not found:
        return []
    if save_references:
        raise HodorError(f"{source}: --save-references is of one video; here are {len(found)}")
    if masks is None:
        if references is None:
            raise MaskError(
                f"{source} holds {len(found)} videos: give --masks FOLDER with a mask for each, "
                f"such as FOLDER/{found[0].stem}.png, or --references FILE for all"
            )
        return [ListedVideo(path.stem, str(path), None, references) for path in found]
    return pair_videos(found, masks)


def _track_all(
    console: Console,
    videos: Sequence[ListedVideo],
    out: Path,
    tracker: Callable[[], Tracker],
    outputs: Outputs,
    crew: Crew,
    *,
    adapt: float | None,
    intensity: Intensity,
    resume: bool,
    model: str,
) -> None:
    """Track all videos that are not finished yet; tell of each as it ends, and report on all.

    Raises HodorError where, when all others are done, some videos failed.
    """
    waiting = unfinished(videos, out, resume=resume)
    if len(waiting) < len(videos):
        finished = len(videos) - len(waiting)
        console.print(f"{finished} of {len(videos)} videos are finished already")
    failures: dict[str, str] = {}
    outcomes = track_many(
        waiting, out, tracker=tracker, outputs=outputs, adapt=adapt, intensity=intensity,
        model=model, **crew._asdict(),
    )  # fmt: skip
    try:
        for outcome in _with_bar(console, outcomes, len(waiting)):
            if outcome.error is None:
                console.print(f"{outcome.name}: {_in_short(outcome.value)}", highlight=False)
            else:
                failures[outcome.name] = outcome.error
                console.print(f"[red]{outcome.name}[/]: {outcome.error}", highlight=False)
    except KeyboardInterrupt:
        write_report(report_videos(videos, out, failures), videos, out)
        console.print("stopped; the same command with --resume goes on from here")
        raise typer.Exit(STOPPED) from None
    written = write_report(report_videos(videos, out, failures), videos, out)
    console.print(f"report in {' and '.join(map(str, written))}", highlight=False)
    if failures:
        told = "; ".join(f"{name}: {error}" for name, error in failures.items())
        raise HodorError(
            f"{len(failures)} of {len(waiting)} videos failed, the others are finished; --resume "
            f"tries again. {told}"
        )


def _with_bar(console: Console, outcomes: Iterator[Outcome], count: int) -> Iterator[Outcome]:
    """The same outcomes, with a bar that says how much time is left."""
    columns = (
        TextColumn("videos"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        yield from bar.track(outcomes, total=count)


def _in_short(summary: Summary) -> str:
    speed = summary.tracked / summary.seconds if summary.seconds else 0.0
    warnings = f", {len(summary.warnings)} warnings" if summary.warnings else ""
    return f"{summary.frames} frames, {speed:.1f} frames/s{warnings}"


@contextmanager
def _bar(console: Console, source: str) -> Iterator[Callable[[Step], None]]:
    """What shows the progress of one video; a stop by the user says how to go on."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[speed]}"),
    )
    live = False
    # In a log file even a bar that is gone leaves an empty line.
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task(Path(source).name, total=None, speed="")

        def report(step: Step) -> None:
            nonlocal live
            live = step.latency is not None
            if step.done == 1:  # a run that is gone on with begins where it stopped
                bar.reset(task, total=step.total, completed=step.frame.index)
            late = "" if step.latency is None else f", {1000 * step.latency:.0f} ms behind"
            speed = bar.tasks[0].speed
            text = "" if speed is None else f"{speed:.1f} frames/s{late}"
            bar.update(task, completed=step.frame.index + 1, speed=text)

        try:
            yield report
        except KeyboardInterrupt:
            if not live:
                console.print("stopped; the same command with --resume goes on from here")
            raise typer.Exit(STOPPED) from None


def tell(console: Console, summary: Summary, out: Path) -> None:
    """Say what was done, what was odd, where to look first, and where the results are."""
    values = summary.to_dict()
    console.print(
        f"{summary.frames} frames, objects {', '.join(map(str, values['objects']))}: "
        f"{values['frames_per_second']:.1f} frames/s end to end on {values['device']} "
        f"({values['precision']}, size {values['options']['size']})",
        highlight=False,
    )
    for i, numbers in values["confidence"].items():
        known = [n for n in numbers if n is not None]
        lost = sum(n == 0 for n in known)
        mean = sum(known) / len(known)
        away = f", not visible in {lost} frames" if lost else ""
        line = f"  {called(int(i), summary)}: mean confidence {mean:.2f}{away}"
        console.print(line, highlight=False, markup=False)
    for warning in summary.warnings:
        console.print(f"[yellow]warning[/]: {warning}", highlight=False)
    if summary.adaptation is not None:
        came = summary.adaptation
        console.print(
            f"  the model was tuned to the given masks in {came.steps} steps: loss on clips kept "
            f"aside {came.before:.3f} -> {came.after:.3f}"
            + ("" if came.better else "; that is no better, so it is used as it was"),
            highlight=False,
        )
    console.print(where_to_look(summary, out), highlight=False, markup=False, soft_wrap=True)
    console.print(f"results in {out}", highlight=False)
