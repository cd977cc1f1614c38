"""``hodor evaluate``."""

import json
import tempfile
from contextlib import nullcontext
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress

from hodor.errors import HodorError
from hodor.evaluation import (
    DavisDataset,
    Reliability,
    judge,
    reliability,
    reliability_table,
    score_folder,
    score_table,
    track_dataset,
    write_csv,
)
from hodor.tracking import Tracker

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def evaluate(
    results: Path | None = typer.Argument(
        None, help="Folder with a sub-folder of label PNGs for each sequence."
    ),
    model: str | None = typer.Option(None, help="Track with this model, then score."),
    davis: Path = typer.Option(..., help="Root of a folder in DAVIS layout."),
    year: int = typer.Option(2017, help="2016 (one object) or 2017 (several)."),
    split: str = typer.Option("val", help="Name of the list in ImageSets/YEAR."),
    json_file: Path | None = typer.Option(None, "--json", help="Write scores as JSON."),
    csv: Path | None = typer.Option(None, "--csv", help="Folder for the two CSV tables."),
    out: Path | None = typer.Option(None, help="With --model: keep the label maps here."),
    size: int | None = typer.Option(None, min=64, help="With --model: shorter side in pixels."),
    window: int | None = typer.Option(None, min=1, help="With --model: frames remembered."),
    keep_reference: bool | None = typer.Option(None, help="With --model: see hodor track."),
    device: str = typer.Option("auto", help="auto, cpu, cuda or mps."),
    precision: str = typer.Option("auto", help="auto, fp32 or bf16."),
    workers: int = typer.Option(1, min=1, help="Processes that score."),
    objects: bool = typer.Option(False, help="Show every object, not only sequences."),
) -> None:
    """Score RESULTS, or a model's tracks, with J and F as the DAVIS toolkit defines them.

    hodor evaluate --model small --davis DAVIS --year 2017
    """
    if (results is None) == (model is None):
        raise HodorError("evaluate: give either a folder of RESULTS or --model NAME")
    console = Console()
    dataset = DavisDataset(davis, year, split, with_frames=model is not None)
    trust: Reliability | None = None
    keep = nullcontext(str(out)) if out else tempfile.TemporaryDirectory()
    with keep as scratch:
        folder = results or Path(scratch)
        if model is not None:
            tracker = Tracker.from_pretrained(
                model,
                size=size,
                window=window,
                keep_reference=keep_reference,
                device=device,
                precision=precision,
            )
            with Progress(console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task("tracking", total=sum(len(s.names) for s in dataset.sequences))
                tracked = track_dataset(tracker, dataset, folder, lambda: bar.advance(task))
            frames = sum(len(s.names) for s in dataset.sequences)
            console.print(f"{frames} frames tracked at {frames / tracked.seconds:.1f} frames/s")
            trust = reliability(judge(folder, dataset, tracked.confidence))
        scores = score_folder(folder, dataset, workers=workers)
    console.print(score_table(scores, objects=objects))
    if trust is not None:
        console.print(reliability_table(trust))
    try:
        if csv is not None:
            write_csv(scores, csv)
        if json_file is not None:
            json_file.parent.mkdir(parents=True, exist_ok=True)
            values = scores.to_json() | ({} if trust is None else {"confidence": trust.to_json()})
            json_file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise HodorError(
            f"{error.filename}: the scores could not be written ({error.strerror}); they are above"
        ) from error
