"""``hodor convert``."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from hodor.cli.app import App
from hodor.cli.intensity import IntensityOptions, with_intensity
from hodor.cli.lines import say, say_of
from hodor.cli.matte_options import MatteOptions, with_matte_options
from hodor.cli.names import names_of
from hodor.errors import HodorError, counted, nobody_called, objects_listed
from hodor.formats import (
    FORMATS,
    Labelled,
    ReadOptions,
    Track,
    WriteOptions,
    format_of,
    noted_video,
    options_of,
    read_track,
    with_video,
    write_track,
)
from hodor.video import Source, label_map_objects, open_source

app = App()
NAMES = ", ".join(FORMATS)
RATE = "<number>|1/<number>"


@app.command()
@with_matte_options
@with_intensity
def convert(
    given: Path = typer.Argument(
        ..., metavar="IN", help="File or folder with masks, such as OUT of hodor track."
    ),
    out: Path = typer.Argument(..., help="File or folder to write; it must be new."),
    to: str = typer.Option(..., help=f"Format to write: {NAMES}."),
    from_format: str | None = typer.Option(
        None, "--from", help="Format to read. Default: what IN looks like."
    ),
    source: str | None = typer.Option(
        None,
        help="The video: gives the picture to prores, ffv1, rgba and yolo, and the frames' names, "
        "times and sizes where IN does not say. OUT of hodor track knows its own.",
    ),
    name: list[str] = typer.Option(
        [], help="What an object is called, such as 1=cat; give it for each object."
    ),
    values: IntensityOptions = IntensityOptions(),
    fps: str | None = typer.Option(
        None,
        metavar=RATE,
        help="Frames per second, where nothing states them; 1/15 is a frame every 15 s.",
    ),
    video: str | None = typer.Option(None, help="Which video, if IN holds several."),
    tolerance: float = typer.Option(
        1.0, min=0.0, help="How many pixels polygons may leave the masks' edges; 0 keeps all."
    ),
    files: str = typer.Option(
        "{name}.jpg",
        help="Names of image files, for formats that refer to them: {name} and {index} stand for a "
        "frame's.",
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace OUT if it is a file."),
    edges: MatteOptions = MatteOptions(),
) -> None:
    """Convert masks of a video, IN, to another format, OUT.

    hodor convert out cvat.xml --to cvat --name 1=cat
    hodor convert annotations.xml masks --to png
    """
    console = Console(stderr=True)
    format_of(to)
    rate = checked_rate(fps)
    called = names_of(name)
    _check_out(out, to, overwrite=overwrite)
    edges.mattes(called)  # refused before anything is read
    with _picture(console, given, source, to, rate, values) as shown:
        track = read_track(given, from_format, read_options(shown, rate, video))
        if shown is not None:
            track = with_video(track, shown, whole=format_of(to).whole)
        track = replace(track, names={**track.names, **called})
        mattes = edges.mattes(track.names)
        tally = _Tally(called)
        with _bar(console) as bar:
            write_track(tally.counting(track, bar), out, to, WriteOptions(tolerance, files, mattes))
    written = f"{counted(tally.frames, 'frame')}, {objects_listed(tally.ids)}: {out} ({to})"
    _tell(console, written, track.warnings)


MEDIA = (".mov", ".mp4", ".mkv", ".png", ".exr")
"""Of files that some formats write into a folder"""


def _check_out(out: Path, to: str, *, overwrite: bool) -> None:
    if format_of(to).folder and out.suffix.lower() in MEDIA:
        raise HodorError(
            f"{out}: {to} writes a folder of files; give the name of a folder, such as {out.stem}"
        )
    if out.is_file() and not overwrite:
        raise HodorError(f"{out} is there already; choose another name, or give --overwrite")


def _tell(console: Console, written: str, warnings: Sequence[str]) -> None:
    say(console, written)
    for warning in warnings:
        say_of(console, "warning", "yellow", warning)


def _picture(
    console: Console,
    given: Path,
    source: str | None,
    to: str,
    fps: float | None,
    values: IntensityOptions,
) -> AbstractContextManager[Source | None]:
    """The video, open: that which was named, or the run's own, if the format shows pictures.

    The run's channel and slice are those of its own video; another one has others.
    """
    own = noted_video(given)
    if source is None and own is not None and format_of(to).pixels:
        say(console, f"the picture is that of {own}")
        source = own
    if source is None:
        return nullcontext()
    of_run = own is not None and Path(source).absolute() == Path(own)
    levels = values.chosen_after(given) if of_run else values.chosen
    return open_source(source, fps=fps, intensity=levels)


def _bar(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("frames read: {task.completed}"))
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


class _Tally:
    """What went through; writers that look at a track twice begin to count anew.

    called: objects that the user named. That one of them is nowhere is known only at the end, early
    enough that nothing is left of what was written.
    """

    def __init__(self, called: Mapping[int, str]) -> None:
        self._called = called
        self.frames = 0
        self.ids: set[int] = set()

    def counting(self, track: Track, bar: Progress) -> Track:
        """The same track, counted."""
        task = bar.add_task("", total=None)

        def frames() -> Iterator[Labelled]:
            self.frames = 0
            for frame in track.frames():
                self.frames += 1
                self.ids.update(label_map_objects(frame.label_map))
                bar.update(task, completed=self.frames)
                yield frame
            if unknown := sorted(self._called.keys() - self.ids):
                raise HodorError(nobody_called(unknown[0], self._called, self.ids))

        return replace(track, frames=frames)


def checked_rate(fps: str | None) -> float | None:
    """Frames per second of a word such as ``25`` or ``1/15``. Raises HodorError for others."""
    if fps is None:
        return None
    try:
        rate = float(Fraction(fps))
    except (ValueError, ArithmeticError):
        rate = math.nan
    if not 0 < rate < math.inf:
        raise HodorError(
            f"--fps {fps}: give frames per second over 0, such as 25, or 1/15 for a frame every "
            "15 s"
        )
    return rate


def read_options(source: Source | None, fps: float | None, video: str | None) -> ReadOptions:
    """What a format may leave open, from the video where it is at hand.

    Raises:
        HodorError: the source is live.
    """
    if source is None:
        return ReadOptions(fps=fps, video=video)
    if source.live:
        raise HodorError(f"{source.name} is live, and its frames are gone; name a file or folder")
    return options_of(source, fps=fps, video=video)
