"""``hodor mask``."""

import math
import shlex
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console

from hodor.cli.app import App
from hodor.cli.intensity import IntensityOptions, with_intensity
from hodor.cli.lines import say, say_of
from hodor.errors import HodorError, MaskError, counted
from hodor.extras import check
from hodor.runs import read_frame, write_first_masks
from hodor.segmenter import prompts_of_words
from hodor.video import Frame
from hodor.video.grid import check_picture, write_grid

app = App()

DOUBTFUL = 0.8
"""An IoU to expect below which a mask is worth a look"""


@app.command()
@with_intensity
def mask(
    source: str = typer.Argument(..., help="Video file, folder or pattern of images."),
    box: list[str] = typer.Option(
        [],
        help="x0,y0,x1,y1 around an object, in pixels from the frame's upper left corner, as "
        "detectors give it. Again for a second object; 7=x0,y0,x1,y1 for the object of id 7.",
    ),
    point: list[str] = typer.Option(
        [], help="x,y on the object; may be repeated. 2=x,y for object 2."
    ),
    not_point: list[str] = typer.Option(
        [], "--not", help="x,y that is not the object; may be repeated. 2=x,y for object 2."
    ),
    frame: int = typer.Option(0, min=0, help="Number of the frame; the first is 0."),
    values: IntensityOptions = IntensityOptions(),
    out: Path | None = typer.Option(None, help="PNG to write: a palette image of object ids."),
    show: Path | None = typer.Option(
        None,
        help="Picture to write: the frame with numbered lines, to read boxes and points off, and "
        "what was found. Without boxes and points the frame alone.",
    ),
) -> None:
    """Make masks in one frame of SOURCE from boxes and points.

    hodor mask my.mp4 --show grid.png

    hodor mask my.mp4 --box 10,20,300,400 --out first.png

    hodor mask my.mp4 --point 120,80 --not 40,90 --frame 12 --out masks/00012.png
    """
    prompts = prompts_of_words(box, point, not_point)
    console = Console(stderr=True)
    levels = values.chosen
    if show is not None:
        check_picture(show)
    words = [source, *levels.words]
    if not prompts:
        _show_frame(console, words, read_frame(source, frame, intensity=levels), show)
        return
    check("onnx", "onnxruntime")
    if out is None or out.suffix.lower() != ".png":
        given = "--out is missing" if out is None else f"--out {out}"
        raise HodorError(f"{given}: masks are written as PNG; give a name that ends in .png")
    shown, found = write_first_masks(source, prompts, out, frame=frame, intensity=levels)
    for note in found.notes():
        say_of(console, "note", "yellow", note)
    for number, score in found.scores.items():
        area = int((found.label_map == number).sum())
        shown_score = math.floor(100 * min(score, 1)) / 100  # 0.80 is not under 0.8
        told = f"  object {number}: {counted(area, 'pixel')}, expected IoU {shown_score:.2f}"
        say(console, told)
    if doubtful := [number for number, score in found.scores.items() if score < DOUBTFUL]:
        say_of(console, "warning", "yellow", _advice(doubtful))
    say(console, f"masks of frame {frame} in {out}")
    if show is not None:
        write_grid(show, shown.pixels, found.label_map)
        say(console, f"drawn over the frame in {show}")
    say(console, _next(words, shown, out))


def _show_frame(console: Console, source: Sequence[str], frame: Frame, path: Path | None) -> None:
    """Write the frame with numbered lines. Raises MaskError where that was not asked for."""
    height, width = frame.pixels.shape[:2]
    video = shlex.join(source)
    if path is None:
        raise MaskError(
            "nothing shows an object: give --box x0,y0,x1,y1 or --point x,y, in pixels of the frame"
            f" ({width} x {height}) from its upper left corner. To read them off: hodor mask "
            f"{video} --show grid.png writes the frame with numbered lines; hodor studio {video} "
            "takes clicks"
        )
    times = write_grid(path, frame.pixels)
    larger = "" if times == 1 else f", drawn {times} times as large; numbers are the frame's pixels"
    say(
        console,
        f"frame {frame.index}, {width} x {height} pixels, with numbered lines in {path}{larger}",
    )
    later = f" --frame {frame.index} --out masks/{frame.name}.png" if frame.index else ""
    say(
        console,
        f"read a box off it: hodor mask {video} --box LEFT,TOP,RIGHT,BOTTOM"
        f"{later or ' --out first.png'}",
    )


def _advice(doubtful: list[int]) -> str:
    """What to do about masks whose outline is likely wrong."""
    which = f"object{'s' if len(doubtful) > 1 else ''} {', '.join(map(str, doubtful))}"
    return (
        f"the outline of {which} is doubtful, and tracking follows what it is given: look at it; a "
        "tighter --box, or --point and --not where it is wrong, mend it"
    )


def _next(source: Sequence[str], frame: Frame, out: Path) -> str:
    """How to follow them, or how to write them so that they can be followed."""
    named = out.stem == frame.name or (out.stem.isdecimal() and int(out.stem) == frame.index)
    if frame.index and not named:
        return (
            "to follow them, put them in a folder under their frame's name: "
            f"--out masks/{frame.name}.png"
        )
    masks = out.parent if frame.index else out
    words = ["hodor", "track", *source, "--masks", str(masks), "--out", "out"]
    return f"follow them: {shlex.join(words)}"
