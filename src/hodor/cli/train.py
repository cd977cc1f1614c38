"""``hodor train``."""

import os
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hodor.errors import HodorError
from hodor.tracking import choose_device

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def train(
    recipe: str = typer.Argument(help="A YAML file, or a bundled recipe: small-1, small-2."),
    out: Path = typer.Option(..., help="Folder for checkpoints, log, pictures and the model."),
    changes: list[str] = typer.Option(
        [], "--set", help="KEY=VALUE, overrides the recipe: --set optimisation.batch=4."
    ),
    device: str = typer.Option("auto", help="auto, cpu, cuda or mps."),
    resume: bool = typer.Option(False, "--resume", help="Go on from the folder's checkpoint."),
    check: bool = typer.Option(False, "--check", help="Only check recipe and data, then stop."),
) -> None:
    """Train a model from annotated still images, as RECIPE states.

    hodor train my.yaml --out runs/my
    """
    try:
        from hodor.training import load_recipe, make_batches
        from hodor.training import train as run
    except ImportError as error:
        raise HodorError(
            f"training needs more packages ({error.name} is missing): "
            "pip install 'hodor-vos[train]'"
        ) from error
    console = Console(stderr=True)
    stated = load_recipe(recipe, changes)
    if check:
        batches = make_batches(stated)
        counts = ", ".join(str(len(one)) for one in batches.sets)
        batches.make(0)
        console.print(f"{stated.name}: recipe and data are in order ({counts} images)")
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(stated.name, total=stated.optimisation.iterations, loss="")
        model = run(
            stated,
            out,
            device=choose_device(device),
            resume=resume,
            report=lambda p: bar.update(
                task,
                completed=p.step,
                loss=f"loss {p.loss:.3f}, IoU {p.iou:.2f}, {1 / max(p.seconds, 1e-9):.1f} it/s",
            ),
        )
    console.print(
        f"model in {model}; try it: hodor track my.mp4 --masks first.png --model {model} --out out"
        f"{os.linesep}pictures and curves: tensorboard --logdir {out}",
        highlight=False,
    )
