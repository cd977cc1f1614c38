"""A training run with a bar on the screen, for the commands that train."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hodor.errors import HodorError
from hodor.tracking import choose_device


def training_room() -> Any:
    """The room ``training``; its extra may be missing."""
    try:
        import pydantic  # noqa: F401  (checks recipes)

        from hodor import training
    except ImportError as error:
        raise HodorError(
            f"training needs more packages ({error.name} is missing): "
            "pip install 'hodor-vos[train]'"
        ) from error
    return training


def run(
    training: Any, stated: Any, out: Path, *, device: str, resume: bool, console: Console
) -> Path:
    """Train, with a bar that shows loss and time left; the model's file."""
    launch = training.launched()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    with Progress(*columns, console=console, disable=not launch.first) as bar:
        task = bar.add_task(stated.name, total=stated.optimisation.iterations, loss="")
        listener = training.Listener(
            report=lambda p: bar.update(
                task,
                completed=p.step,
                loss=f"loss {p.loss:.3f}, IoU {p.iou:.2f}, {1 / max(p.seconds, 1e-9):.1f} it/s",
            ),
            tell=lambda line: bar.console.print(line, highlight=False),
            validate=validator(stated, device),
        )
        model: Path = training.train(
            stated,
            out,
            device=choose_device(device),
            resume=resume,
            launch=launch,
            listener=listener,
        )
    return model


def validator(stated: Any, device: str) -> Any:
    """What scores a model's file on the recipe's validation videos, or None."""
    if stated.validation is None:
        return None
    from hodor.cli.scoring import davis_scores

    wanted = stated.validation
    return davis_scores(stated.root / wanted.davis, wanted.year, wanted.split, device)
