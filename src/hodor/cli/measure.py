"""``hodor measure``."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from hodor.cli.app import App
from hodor.cli.convert import RATE, checked_rate, read_options
from hodor.cli.intensity import CHANNEL, SLICE, IntensityOptions
from hodor.cli.lines import say, say_of
from hodor.cli.names import names_of
from hodor.errors import HodorError, counted, nobody_called
from hodor.formats import FORMATS, Track, read_track, with_video
from hodor.formats.track import UNNAMED
from hodor.measuring import (
    Measurement,
    Units,
    as_written,
    curves_figure,
    measure,
    write_measurements,
)
from hodor.measuring.table import check_table
from hodor.video import ChoiceError, Intensity, Source, open_source

app = App()


@app.command(name="measure")
def measure_command(
    given: Path = typer.Argument(
        ..., metavar="IN", help="OUT of hodor track, or masks in any format that convert reads."
    ),
    out: Path | None = typer.Option(
        None, help="Table to write, .csv or .parquet. Default: measurements.csv in IN or beside it."
    ),
    um_per_pixel: float | None = typer.Option(
        None,
        help="Micrometres that a pixel's side is long, such as 0.65. Default: what a TIFF of "
        "ImageJ or OME says, else pixels.",
    ),
    fps: str | None = typer.Option(
        None,
        metavar=RATE,
        help="Frames per second, where IN does not state them; else speeds are per frame. 1/15 is "
        "a frame every 15 s.",
    ),
    source: str | None = typer.Option(None, help="The video: gives frames' names and times."),
    channel: int | None = CHANNEL,
    z_slice: str | None = SLICE,
    from_format: str | None = typer.Option(
        None, "--from", help=f"Format of IN: {', '.join(FORMATS)}. Default: what it looks like."
    ),
    video: str | None = typer.Option(None, help="Which video, if IN holds several."),
    name: list[str] = typer.Option([], help="What an object is called, such as 1=cell."),
) -> None:
    """Measure objects over time: area, place, shape, speed; a row for each object and frame.

    Writes a table, and a picture with a curve for each object beside it.

    hodor measure out --um-per-pixel 0.65 --fps 4
    """
    console = Console(stderr=True)
    rate = checked_rate(fps)
    units = Units(um_per_pixel)  # refused before anything is read
    levels = IntensityOptions(channel=channel, z_slice=z_slice).chosen
    table = out or _beside(given)
    check_table(table)
    with ExitStack() as opened:
        shown = opened.enter_context(_timing(source, rate, levels)) if source else None
        track = read_track(given, from_format, read_options(shown, rate, video))
        if shown is not None:
            track = with_video(track, shown)
        called = names_of(name)
        track = replace(track, names={**track.names, **called})
        units = Units(um_per_pixel or track.um_per_pixel, track.timed)
        rows = _measured(track, units, console)
    there = {row.object for row in rows}
    if unknown := sorted(called.keys() - there):
        raise HodorError(nobody_called(unknown[0], called, there))
    write_measurements(rows, table, units)
    tell(rows, units, console)
    if taken := _taken(track, um_per_pixel, rate):
        say(console, f"  {taken}")
    for warning in track.warnings:
        say_of(console, "warning", "yellow", warning)
    say(console, f"table in {table}")
    _draw(rows, table.with_suffix(".png"), units, console)


def _draw(rows: Sequence[Measurement], picture: Path, units: Units, console: Console) -> None:
    """A curve for each object, where there is something that draws."""
    if find_spec("matplotlib") is None:
        say(console, "no picture of the curves: pip install 'hodor-vos[analysis]' draws one")
        return
    curves_figure(rows, picture, units)
    say(console, f"curves in {picture}")


def _timing(source: str, fps: float | None, levels: Intensity) -> Source:
    """The video, for its frames' names and times: those of all channels and slices are the same."""
    try:
        return open_source(source, fps=fps, intensity=levels)
    except ChoiceError as error:
        seen = replace(
            levels,
            channel=error.channel or levels.channel,
            z_slice=error.z_slice or levels.z_slice,
        )
        return open_source(source, fps=fps, intensity=seen)


def _taken(track: Track, um_per_pixel: float | None, fps: float | None) -> str:
    """What was taken from the file, since the user did not say it; "" for nothing."""
    taken = {}
    if um_per_pixel is None and track.um_per_pixel is not None:
        taken["--um-per-pixel"] = f"{track.um_per_pixel:.4g} µm per pixel"
    if fps is None and track.timed:
        slow = f"a frame every {1 / track.fps:.4g} s"
        taken["--fps"] = slow if track.fps < 1 else f"{track.fps:.4g} frames per second"
    if not taken:
        return ""
    replaces = "replaces it" if len(taken) == 1 else "replace them"
    return f"as the file says: {', '.join(taken.values())}; {' and '.join(taken)} {replaces}"


def tell(rows: list[Measurement], units: Units, console: Console) -> None:
    """Say in a line for each object how large and how fast it was."""
    for number in sorted({row.object for row in rows}):
        own = [row for row in rows if row.object == number]
        seen = [row for row in own if row.visible]
        areas = [row.area for row in seen] or [0.0]
        least, most = (plain_number(value) for value in (min(areas), max(areas)))
        speeds = [row.speed for row in seen if row.speed is not None]
        speed = (
            f", mean speed {sum(speeds) / len(speeds):.3g} {as_written(units.speed)}"
            if speeds
            else ""
        )
        called = "" if own[0].name == UNNAMED else f" ({own[0].name})"
        say(
            console,
            f"  object {number}{called}: visible in {len(seen)} of "
            f"{counted(len(own), 'frame')}, area {least} to {most} {as_written(units.area)}{speed}",
        )
    if not units.seconds:
        say(console, "  speeds are per frame: --fps RATE or --source VIDEO makes them per second")


def plain_number(value: float) -> str:
    """Four digits that count, without an exponent: 15,130."""
    return f"{float(f'{value:.4g}'):,.10g}"


def _measured(track: Track, units: Units, console: Console) -> list[Measurement]:
    columns = (SpinnerColumn(), TextColumn("rows: {task.completed}"))
    rows: list[Measurement] = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as p:
        for row in p.track(measure(track, units)):
            rows.append(row)
    return rows


def _beside(given: Path) -> Path:
    """Where the table goes by itself: into a run's folder; a folder of masks is left alone."""
    if (given / "labels").is_dir():
        return given / "measurements.csv"
    return given.with_name(f"{given.stem if given.is_file() else given.name}-measurements.csv")
