"""``hodor demo``."""

import shutil
from pathlib import Path

import typer
from rich.console import Console

from hodor.assets import sample_clip, sample_masks
from hodor.cli.app import App
from hodor.cli.lines import say
from hodor.cli.track import progress_bar, tell
from hodor.runs import Outputs, track_to_folder
from hodor.tracking import Tracker

app = App()


@app.command()
def demo(
    out: Path = typer.Option(Path("demo-out"), help="Folder for results; made anew."),
    device: str = typer.Option("auto", help="auto, cpu, cuda or mps."),
) -> None:
    """Follow the objects of a bundled clip with the bundled model, and say where to look."""
    console = Console(stderr=True)
    say(console, "Following three objects through the bundled sample clip ...")
    for part in ("labels", "overlay.mp4", "summary.json"):
        old = out / part
        shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    clip = str(sample_clip())
    with progress_bar(console, clip, "stopped") as progress:
        summary = track_to_folder(
            clip,
            sample_masks(),
            out,
            tracker=Tracker.from_pretrained(device=device),
            outputs=Outputs(overlay=True),
            progress=progress,
        )
    tell(console, summary, out)
    say(
        console,
        f"  {out / 'overlay.mp4'}: the clip with what was found\n"
        f"  {out / 'labels'}: a PNG of object ids for each frame\n"
        f"  {out / 'summary.json'}: options, speed, confidence over time",
    )
