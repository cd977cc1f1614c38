"""``hodor weights``."""

import json
import warnings
from pathlib import Path

import torch
import typer
from rich.console import Console

from hodor.cli.app import App
from hodor.cli.lines import say
from hodor.errors import WeightsError
from hodor.model import Hodor, HodorConfig, convert_released
from hodor.weights import (
    bundled_models,
    bundled_scores,
    model_path,
    read_info,
    save_model,
    sha256,
    verify,
)

TEN = "ten sequences of DAVIS 2016 val"

app = App(no_args_is_help=True, help="List, describe, check and convert models.")


@app.command("list")
def list_models() -> None:
    """List the bundled models."""
    for name in bundled_models():
        scores = bundled_scores(name)
        path = model_path(name)
        told = f", J&F {scores['J&F']:.1f} on {TEN}" if scores else ""
        about = read_info(path)
        size = f"{path.stat().st_size / 1e6:.1f} MB"
        if about.beside is not None:
            size += f" beside {about.beside}"
        use = "; non-commercial" if "non-commercial" in about.metadata.get("licence", "") else ""
        typer.echo(f"{name}: {size}{told}{use}")


@app.command()
def info(model: str = typer.Argument(help="Bundled name, file or hub:ORG/REPO.")) -> None:
    """Show what a model is: parameters, config, training, scores, licence."""
    path = model_path(model)
    described = read_info(path)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in Hodor(described.config).parameters())
    told = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "parameters": parameters,
        "config": described.config.to_dict(),
        "metadata": described.metadata,
    }
    if scores := bundled_scores(model):
        # What stands in the file was measured before it was written; these are of today.
        told["metadata"] = {k: v for k, v in described.metadata.items() if k != "scores"}
        told["scores"] = {TEN: scores}
    typer.echo(json.dumps(told, indent=1))


@app.command("verify")
def verify_models() -> None:
    """Check the bundled models against their sha256."""
    for name, expected in bundled_models().items():
        verify(model_path(name), expected)
        typer.echo(f"{name}: intact ({expected[:12]}...)")


@app.command()
def convert(
    official: Path = typer.Argument(help="A checkpoint of the authors' code (.pth)."),
    out: Path = typer.Argument(help="The .safetensors file to write."),
    encoder_positions: bool = typer.Option(
        False, help="The checkpoint was trained with POS_ENCODINGS_IN_FMQ (the released were not)."
    ),
    decoder_positions: bool = typer.Option(
        True, help="The checkpoint was trained with POS_ENCODINGS_IN_FQM (the released were)."
    ),
) -> None:
    """Turn a released checkpoint into a model of ours; nothing in it is run."""
    if not official.is_file():
        raise WeightsError(f"{official}: no such file")
    try:
        with warnings.catch_warnings(action="ignore"):  # of old pickles; what matters is told below
            checkpoint = torch.load(official, map_location="cpu", weights_only=True)
    except Exception as error:
        # What PyTorch says is not passed on: it advises to run the code in the file.
        raise WeightsError(
            f"{official}: not a PyTorch checkpoint that can be read without running code; give a "
            ".pth file of the authors' code"
        ) from error
    if not isinstance(checkpoint, dict):
        raise WeightsError(f"{official}: expected a dict of tensors, found {type(checkpoint)}")
    config, state = convert_released(
        checkpoint, encoder_positions=encoder_positions, decoder_positions=decoder_positions
    )
    paper = {"size": 512, "window": 7, "keep_reference": False, "decode_new": True}
    save_model(out, config, state, {"name": official.stem, "tracking": paper})
    say(Console(stderr=True), f"{out}: {len(state)} tensors, {_layers(config)}")


def _layers(config: HodorConfig) -> str:
    return f"{config.encoder_layers} encoder and {config.decoder_layers} decoder layers"
