"""``hodor export onnx``."""

from pathlib import Path

import typer
from rich.console import Console

from hodor.cli.app import App
from hodor.cli.lines import say
from hodor.errors import HodorError
from hodor.weights import DEFAULT

app = App(no_args_is_help=True, help="Write a model in the formats of other runtimes.")


@app.callback()
def _export() -> None:
    pass


@app.command()
def onnx(
    out: Path = typer.Option(..., help="Folder for features.onnx, describe.onnx, segment.onnx."),
    model: str = typer.Option(DEFAULT, help="Bundled name, .safetensors file or hub:ORG/REPO."),
    height: int | None = typer.Option(
        None, min=32, help="Of the only image that the files take, a multiple of 32; with --width."
    ),
    width: int | None = typer.Option(None, min=32, help="Default: any height and any width."),
) -> None:
    """Write the network's parts as ONNX, for any number of objects and remembered frames.

    Follow a video with them, without PyTorch:

        hodor export onnx --out small-onnx
        hodor track my.mp4 --masks first.png --out out --runtime onnx --model small-onnx
    """
    from hodor.onnx import export
    from hodor.tracking import network_fingerprint
    from hodor.weights import load_model

    if (height is None) != (width is None):
        raise HodorError("export: --height and --width go together; leave both out for any size")
    network = load_model(model)
    size = None if height is None or width is None else (height, width)
    written = export(network, out, network_fingerprint(network), size)
    console = Console(stderr=True)
    for path in written:
        say(console, f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    taken = "any size" if size is None else f"{size[0]} x {size[1]} (height x width) only"
    say(console, f"images of {taken}, any number of objects and frames")
