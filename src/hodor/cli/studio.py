"""``hodor studio``."""

import shlex
from functools import partial
from pathlib import Path

import typer
from rich.console import Console

from hodor import studio as room
from hodor.cli.app import App
from hodor.cli.intensity import CHANNEL, INTENSITY_HELP, SLICE
from hodor.cli.lines import say, say_of
from hodor.errors import HodorError
from hodor.video import Intensity, slice_of

app = App()


@app.command()
def studio(
    source: str = typer.Argument(
        ...,
        help="Video file, folder or pattern of images; OUT of hodor track, to correct what it "
        "found; or a session's folder, to go on.",
    ),
    session: Path | None = typer.Option(
        None,
        help="Folder of the session. Default: NAME.studio beside the video, or OUT/studio.",
    ),
    model: str | None = typer.Option(
        None, help="Bundled name, .safetensors file or hub:ORG/REPO. Default: the session's."
    ),
    size: int | None = typer.Option(
        None, min=64, help="Shorter side at which the network sees frames. Default: the model's."
    ),
    device: str = typer.Option("auto", help="auto, cpu, cuda or mps."),
    intensity: str | None = typer.Option(
        None, help=f"{INTENSITY_HELP} Default: the session's or the run's, else auto."
    ),
    channel: int | None = CHANNEL,
    z_slice: str | None = SLICE,
    frame: int = typer.Option(0, min=0, help="Frame to begin with; the first is 0."),
    host: str = typer.Option(
        "127.0.0.1",
        help="Address to listen on. Any other than this lets others on the network in who have "
        "the page's address, unencrypted.",
    ),
    port: int | None = typer.Option(None, min=1, max=65535, help="Default: a free one."),
    browser: bool = typer.Option(
        True, "--browser/--no-browser", help="Open the page in the browser."
    ),
) -> None:
    """Draw masks in the browser, follow them through SOURCE, correct, export.

    The session is a folder of plain files: close page or server at any time, and go on by
    ``hodor studio FOLDER``.

        hodor studio my.mp4
        hodor studio out
        hodor studio my.studio --port 8000 --no-browser
    """
    console = Console(stderr=True)
    serve = room.serve  # a missing extra is told before anything is made
    levels = None if intensity is None else Intensity.parse(intensity)
    settings = room.TrackerSettings(model, size, device)
    opened = room.open_studio(source, session, settings, levels, channel, slice_of(z_slice))
    _check_frame(opened, frame, source)
    folder = opened.session.folder.root

    def ready(address: str) -> None:
        say(console, f"hodor studio is at {address}\nsession: {folder}; Ctrl-C ends")

    warn = partial(say_of, console, "warning", "yellow")
    serve(opened, host=host, port=port, browser=browser, frame=frame, ready=ready, warn=warn)
    again = shlex.quote(str(room.to_open_again(folder)))
    say(console, f"go on by: hodor studio {again}")


def _check_frame(opened: room.Studio, frame: int, source: str) -> None:
    last = opened.session.video.frames - 1
    if frame > last:
        raise HodorError(f"--frame {frame}: {source} ends with frame {last}")
