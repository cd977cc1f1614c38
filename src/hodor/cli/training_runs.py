"""A training run with a bar on the screen, or lines in a log, for the commands that train."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hodor.cli.lines import say
from hodor.evaluation import davis_scores
from hodor.tracking import choose_device
from hodor.training import Listener, ProgressLines, Recipe, Validate, launched, train
from hodor.training import Progress as Update


def run(recipe: Recipe, out: Path, *, device: str, resume: bool, console: Console) -> Path:
    """Train, with a bar that shows loss and time left, or lines of it; the model's file."""
    launch = launched()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    shown = console.is_terminal and launch.first
    with Progress(*columns, console=console, disable=not shown) as bar:
        task = bar.add_task(recipe.name, total=recipe.optimisation.iterations, loss="")

        def report(update: Update) -> None:
            speed = 1 / max(update.seconds, 1e-9)
            loss = f"loss {update.loss:.3f}, IoU {update.iou:.2f}, {speed:.1f} it/s"
            bar.update(task, completed=update.step, loss=loss)

        def tell(line: str) -> None:
            say(bar.console, line)

        listener = Listener(
            report=report if shown else ProgressLines(tell).report,
            tell=tell,
            validate=_validate(recipe, device),
        )
        return train(
            recipe,
            out,
            device=choose_device(device),
            resume=resume,
            launch=launch,
            listener=listener,
        )


def _validate(recipe: Recipe, device: str) -> Validate | None:
    """What scores a model's file on the recipe's validation videos, if it has any."""
    wanted = recipe.validation
    if wanted is None:
        return None
    return davis_scores(recipe.root / wanted.davis, wanted.year, wanted.split, device)
