"""``hodor train``: a recipe, or ``finetune`` on one's own data."""

import os
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress
from typer.core import TyperGroup

from hodor import extras
from hodor.cli.app import App
from hodor.cli.finetune import finetune
from hodor.cli.lines import say
from hodor.cli.training_runs import run
from hodor.errors import HodorError
from hodor.files import write_json
from hodor.training import Recipe, check_data, load_recipe, make_batches, to_plain
from hodor.types import Untyped


class RecipeUnlessNamed(TyperGroup):
    """``hodor train RECIPE`` means ``hodor train recipe RECIPE``."""

    def parse_args(self, ctx: Untyped, args: list[str]) -> list[str]:
        """Put the command's name in where it was left out."""
        if args and args[0] not in (*self.commands, "--help"):
            args = ["recipe", *args]
        return super().parse_args(ctx, args)


app = App(
    cls=RecipeUnlessNamed,
    no_args_is_help=True,
    help="Train a model as a recipe states, or fine-tune one on your own images or video.",
)


@app.command()
def recipe(
    recipe: str = typer.Argument(
        help="A YAML file, or a bundled recipe, such as paper/static, released/static, small-1."
    ),
    out: Path | None = typer.Option(
        None, help="Folder for checkpoints, log, pictures and the model."
    ),
    changes: list[str] = typer.Option(
        [], "--set", help="KEY=VALUE, overrides the recipe: --set optimisation.batch=4."
    ),
    scale: float | None = typer.Option(
        None, help="Shrink schedule, resolution and model together; over 0, at most 1."
    ),
    device: str = typer.Option("auto", help="auto, cpu, cuda or mps."),
    resume: bool = typer.Option(False, "--resume", help="Go on from the folder's checkpoint."),
    check: bool = typer.Option(
        False, "--check", help="Show the recipe whole, read the data (a sample), then stop."
    ),
    every_file: bool = typer.Option(
        False, "--check-every-file", help="As --check, and read every file."
    ),
    resolve: Path | None = typer.Option(
        None, help="Write the recipe whole as JSON, for python -m hodor.training, then stop."
    ),
) -> None:
    """Train a model as RECIPE states. The word "recipe" may be left out.

    hodor train my.yaml --out runs/my

    torchrun --nproc-per-node 4 -m hodor train my.yaml --out runs/my
    """
    extras.check("train", "pydantic")
    stated = load_recipe(recipe, changes, scale=scale)
    console = Console(stderr=True)
    if resolve is not None:
        write_json(resolve, to_plain(stated))
    if check or every_file:
        show_check(stated, console, every=every_file)
    if resolve is not None or check or every_file:
        return
    extras.check_any("train", "lightning_fabric", "lightning")
    if out is None:
        raise HodorError("hodor train: --out FOLDER is missing: it is where the run goes")
    model = run(stated, out, device=device, resume=resume, console=console)
    say(
        console,
        f"model in {model}; try it: hodor track my.mp4 --masks first.png --model {model} --out out"
        f"{os.linesep}pictures and curves: tensorboard --logdir {out}",
    )


def show_check(stated: Recipe, console: Console, *, every: bool) -> None:
    """Print the recipe with all defaults, and what its data is. Raises HodorError for trouble."""
    typer.echo(stated.to_yaml())
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None)
        lines, troubles = check_data(
            stated,
            every=every,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for line in lines:
        say(console, line)
    if troubles:
        raise HodorError("; ".join(troubles))
    make_batches(stated).make(0)
    say(console, f"{stated.name}: recipe and data are in order")


app.command()(finetune)
