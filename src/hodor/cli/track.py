"""``hodor track``."""

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    TimeRemainingColumn,
)

from hodor.cli.app import App
from hodor.cli.batch_lines import tell_all, told
from hodor.cli.intensity import IntensityOptions, with_intensity
from hodor.cli.lines import say, say_of
from hodor.cli.matte_options import MatteOptions, with_matte_options
from hodor.cli.track_options import Crew, Shown, Written, with_crew, with_shown, with_written
from hodor.cli.tracker_options import with_tracker_options
from hodor.cli.where_to_look import called, where_to_look
from hodor.errors import HodorError, MaskError, MissingSourceError, counted, objects_listed
from hodor.extras import check
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
from hodor.video import Intensity, open_source
from hodor.video.limits import some
from hodor.video.sources import is_live, is_missing
from hodor.weights import DEFAULT

app = App()
GO_ON = "stopped; the same command with --resume goes on from here"
STOPPED = 130  # what shells expect of a command that Ctrl-C ended


@app.command()
@with_shown
@with_tracker_options
@with_written
@with_matte_options
@with_intensity
@with_crew
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
    shown: Shown = Shown(),
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
        help="Tune the model to the given masks first, for about so many seconds, which helps on "
        "some videos and harms others: compare; kept as OUT/adapted.safetensors. Try 30 or more.",
    ),
    values: IntensityOptions = IntensityOptions(),
    written: Written = Written(),
    edges: MatteOptions = MatteOptions(),
    resume_run: bool = typer.Option(False, "--resume", help="Go on where a killed run stopped."),
    crew: Crew = Crew(),
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
    videos = _several(source, crew.video_list, masks, references, written.save_references)
    tracker = partial(Tracker.from_pretrained, model, runtime=runtime, **chosen.by_name)
    outputs = written.outputs(edges)
    run = Run(out, tracker, outputs, adapt, values.chosen, resume_run, model)
    if any(shown.words):
        masks = _masks_shown(str(source), shown, run, alone=not videos and masks is None)
    if videos:
        _track_all(console, videos, run, crew, gpus=float(chosen.device.startswith("cuda")))
    else:
        _track_one(console, str(source), masks, references, run)


class Run(NamedTuple):
    """What holds for one video and for many."""

    out: Path
    tracker: Callable[[], Tracker]
    outputs: Outputs
    adapt: float | None
    intensity: Intensity
    resume: bool
    model: str


def _track_one(
    console: Console, source: str, masks: Path | None, references: Path | None, run: Run
) -> None:
    lacking = masks is not None and not masks.exists()
    if lacking or (masks is None and references is None):
        if is_missing(source):
            raise MissingSourceError(f"{source} does not exist; check the path.")
        raise MaskError(_how_to_begin(source, masks, run.intensity))
    if run.adapt is not None:
        say(
            console, f"tuning the model to the given masks: about {run.adapt:g} s and a little more"
        )
    with progress_bar(console, source) as progress:
        summary = track_to_folder(
            source, masks, references=references, progress=progress, **run._asdict()
        )
    tell(console, summary, run.out, run.outputs.besides(run.out))


def _how_to_begin(source: str, masks: Path | None, intensity: Intensity) -> str:
    """How to make a first mask. masks: a file that is not there; None: none was named."""
    video, of = shlex.join([source, *intensity.words]), ""
    if not is_live(source):
        with open_source(source, intensity=intensity) as frames:
            height, width = next(frames.frames()).pixels.shape[:2]
        of = f" of the frame ({width} x {height})"
    what = "nothing to follow: give --masks FILE, which shows"
    first = "first.png"
    if masks is not None:
        what = f"{masks} does not exist: --masks FILE shows"
        first = shlex.quote(str(masks)) if masks.suffix.lower() == ".png" else first
    return (
        f"{what} the objects of the first frame. To draw "
        f"it in the browser: hodor studio {video}. From a box in pixels{of}: hodor mask {video} "
        f"--box LEFT,TOP,RIGHT,BOTTOM --out {first}; to read it off: hodor mask "
        f"{video} --show grid.png. Objects of another video: --references FILE"
    )


def _how_to_begin_all(source: str, first: Path, count: int) -> str:
    name = first.stem if first.is_file() else first.name
    mask = f"masks/{name}.png"
    return (
        f"{source} holds {counted(count, 'video')}: give --masks FOLDER with a mask for each, such "
        f"as {mask}, or --references FILE for all. To make one: hodor studio "
        f"{shlex.quote(str(first))}, or hodor mask {shlex.quote(str(first))} --box "
        f"LEFT,TOP,RIGHT,BOTTOM --out {shlex.quote(mask)}"
    )


def _masks_shown(source: str, shown: Shown, run: Run, *, alone: bool) -> Path:
    """The file of masks that boxes and points make; alone: of one video without --masks."""
    if not alone:
        raise MaskError("boxes and points stand for --masks of one video; give either")
    check("onnx", "onnxruntime")
    prompts = prompts_of_words(*shown.words)
    path, found = masks_for_run(
        source, prompts, run.out, resume=run.resume, intensity=run.intensity
    )
    for note in [] if found is None else found.notes():
        say_of(Console(stderr=True), "note", "yellow", note)
    return path


def _several(
    source: str | None,
    video_list: Path | None,
    masks: Path | None,
    references: Path | None,
    save_references: Path | None,
) -> list[ListedVideo]:
    """The videos, where there are several."""
    if (source is None) == (video_list is None):
        raise typer.BadParameter("give either SOURCE or --list FILE.csv", param_hint="SOURCE")
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
            raise MaskError(_how_to_begin_all(str(source), found[0], len(found)))
        return [ListedVideo(path.stem, str(path), None, references) for path in found]
    return pair_videos(found, masks)


def _track_all(
    console: Console, videos: Sequence[ListedVideo], run: Run, crew: Crew, *, gpus: float
) -> None:
    """Track all videos that are not finished yet; tell of each as it ends, and report on all.

    Raises HodorError where, when all others are done, some videos failed.
    """
    waiting = unfinished(videos, run.out, resume=run.resume)
    if len(waiting) < len(videos):
        finished = len(videos) - len(waiting)
        are = "is" if finished == 1 else "are"
        say(console, f"{finished} of {counted(len(videos), 'video')} {are} finished already")
    failures: dict[str, str] = {}
    outcomes = track_many(
        waiting, run.out, tracker=run.tracker, outputs=run.outputs, adapt=run.adapt,
        intensity=run.intensity, model=run.model, workers=crew.workers, batch=crew.batch,
        ray_address=crew.ray, gpus=gpus,
    )  # fmt: skip
    try:
        for outcome in told(console, outcomes, len(waiting)):
            if outcome.value is None:
                failures[outcome.name] = str(outcome.error)
    except KeyboardInterrupt:
        _report_all(console, videos, run.out, failures)
        say(console, GO_ON)
        raise typer.Exit(STOPPED) from None
    written = _report_all(console, videos, run.out, failures)
    if failures:
        others = ", the others are finished" if len(failures) < len(videos) else ""
        raise HodorError(
            f"{len(failures)} of {counted(len(videos), 'video')} failed ({some(failures)}){others}"
            f"; the same command with --resume tries again. What went wrong is above and in "
            f"{written[0]}"
        )


def _report_all(
    console: Console, videos: Sequence[ListedVideo], out: Path, failures: Mapping[str, str]
) -> list[Path]:
    """Write the report on all videos and say what it comes to; the files."""
    reports = report_videos(videos, out, failures)
    written = write_report(reports, videos, out)
    tell_all(console, reports, written)
    return written


SILENCE = 60.0
"""Seconds of a run without a terminal after which there is a line, for logs"""


class _Lines:
    """How far a run is, said once a minute where there is no bar: a short one says nothing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = time.monotonic()
        self._first: tuple[int, float] | None = None

    def report(self, step: Step) -> None:
        """Say a frame, if the last line is long ago."""
        now = time.monotonic()
        # From the first frame on: what comes before it is the model's loading.
        done, began = self._first = self._first or (step.done, now)
        if now - self._said < SILENCE:
            return
        self._said = now
        of = "" if step.total is None else f" of {step.total}"
        rate = (step.done - done) / (now - began) if step.done > done else None
        speed = "" if rate is None else f", {rate:.{1 if rate >= 1 else 2}f} frames/s"
        say(self._console, f"frame {step.frame.index + 1}{of}{speed}")


@contextmanager
def progress_bar(
    console: Console, source: str, stopped: str = GO_ON
) -> Iterator[Callable[[Step], None]]:
    """What shows the progress of one video.

    stopped: what is said where the user stops it.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
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

        lines = None if shown else _Lines(console)

        def report(step: Step) -> None:
            nonlocal live
            live = step.latency is not None
            if lines is not None:
                lines.report(step)
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
                say(console, stopped)
            raise typer.Exit(STOPPED) from None


def tell(console: Console, summary: Summary, out: Path, besides: Sequence[Path] = ()) -> None:
    """Say what was done, what was odd, where to look first, and where the results are.

    besides: files and folders beside the label maps.
    """
    values = summary.to_dict()
    say(
        console,
        f"{counted(summary.frames, 'frame')}, {objects_listed(values['objects'])}: "
        f"{values['frames_per_second']:.1f} frames/s end to end on {values['device']} "
        f"({values['precision']}, size {values['options']['size']})",
    )
    for i, numbers in values["confidence"].items():
        known = [n for n in numbers if n is not None]
        lost = sum(n == 0 for n in known)
        mean = sum(known) / len(known)
        away = f", not visible in {counted(lost, 'frame')}" if lost else ""
        line = f"  {called(int(i), summary)}: mean confidence {mean:.2f}{away}"
        say(console, line)
    for warning in summary.warnings:
        say_of(console, "warning", "yellow", warning)
    if summary.adaptation is not None:
        came = summary.adaptation
        steps = counted(came.steps, "step")
        say(
            console,
            f"  the model was tuned to the given masks in {steps}: loss on clips kept "
            f"aside {came.before:.3f} -> {came.after:.3f}"
            + ("" if came.better else "; that is no better, so it is used as it was"),
        )
    say(console, where_to_look(summary, out))
    more = f": {out / 'labels'}, {', '.join(map(str, besides))}" if besides else ""
    say(console, f"results in {out}{more}")
