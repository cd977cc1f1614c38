"""``hodor train finetune``: from a trained model to one for a user's own images or video."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from hodor.cli.held_out import HeldOutScores, Watched, score, watched_stills, watched_video
from hodor.cli.training_runs import run, training_room
from hodor.data import Videos
from hodor.errors import DataError, HodorError
from hodor.tracking import Tracker
from hodor.weights import DEFAULT, load_model, model_path

FEWEST = 5  # annotations: one is kept for measuring


def finetune(
    out: Path = typer.Option(..., help="Folder for the model, scores, pictures and the run."),
    images: Path | None = typer.Option(None, help="Folder of images."),
    annotations: Path | None = typer.Option(None, help="COCO instances JSON of the images."),
    masks: Path | None = typer.Option(
        None, help="Folder of masks with the names of the images, or of some of the frames."
    ),
    frames: Path | None = typer.Option(None, help="Folder of the frames of one video."),
    model: str = typer.Option(DEFAULT, help="Bundled name, file, or hub:ORG/REPO, to start from."),
    steps: int = typer.Option(300, min=10, help="Steps; a laptop does one in one or two seconds."),
    changes: list[str] = typer.Option(
        [], "--set", help="KEY=VALUE, overrides the settings that are chosen for you."
    ),
    device: str = typer.Option("auto", help="auto, cpu, cuda or mps."),
    resume: bool = typer.Option(False, "--resume", help="Go on with a run that was stopped."),
) -> None:
    """Adapt a trained model to your own images, or to a video with a few annotated frames.

    hodor train finetune --images photos --annotations instances.json --out mine

    hodor train finetune --images photos --masks masks --out mine

    hodor train finetune --frames frames --masks masks --out mine
    """
    training = training_room()
    console = Console(stderr=True)
    stated, sequences = prepare(training, images, annotations, masks, frames, model, steps, changes)
    for line in training.check_data(stated)[0]:
        console.print(line, highlight=False)
    before = score(Tracker.from_pretrained(model, device=device), sequences, out / "before")
    trained = run(training, stated, out, device=device, resume=resume, console=console)
    tracker = Tracker.from_pretrained(str(trained), device=device)
    after = score(tracker, sequences, out / "after")
    write(out, stated.data[0].without, before, after)
    show(console, model, trained, before, after)


def prepare(
    training: Any,
    images: Path | None,
    annotations: Path | None,
    masks: Path | None,
    frames: Path | None,
    model: str,
    steps: int,
    changes: list[str],
) -> tuple[Any, list[Watched]]:
    """The recipe, and the sequences that it must not see. Raises HodorError."""
    if (images is None) == (frames is None) or (annotations is None) == (masks is None):
        raise HodorError(
            "finetune: give --images with --annotations or --masks, or --frames with --masks"
        )
    if frames is not None and annotations is not None:
        raise HodorError("finetune: --frames goes with --masks, a folder of label maps")
    dataset = training.one_dataset(
        images=images, annotations=annotations, masks=masks, frames=frames
    )
    opened = training.open_dataset(dataset)
    stems = opened.stems()
    if len(stems) < FEWEST:
        raise DataError(
            f"{images or frames}: {len(stems)} annotated images; fine-tuning needs at least "
            f"{FEWEST}, of which one in five is kept for measuring"
        )
    kept = training.kept_for_measuring(stems)
    if isinstance(opened, Videos):
        # The first annotated frame is where tracking starts.
        kept = [stem for stem in kept if stem != stems[0]] or [stems[-1]]
        sequences = watched_video(opened, kept)
    else:
        others = tuple(stem for stem in stems if stem not in kept)
        measured = training.open_dataset(replace(dataset, without=others))
        sequences = watched_stills(measured, measured.stems())
    network = load_model(model)
    stated = training.finetune_recipe(
        replace(dataset, without=tuple(kept)),
        opened.shape(),
        str(model_path(model)) if Path(model).is_file() else model,
        network.config,
        dict(network.about.get("tracking", {})),
        parameters=sum(p.numel() for p in network.parameters()),
        steps=steps,
    )
    return training.changed(stated, changes), sequences


def write(out: Path, kept: tuple[str, ...], before: HeldOutScores, after: HeldOutScores) -> None:
    """Keep the scores beside the model."""
    values = {
        "held out": kept,
        "objects in frames": before.counted,
        "before": {"J&F": before.j_and_f, "J": before.j, "F": before.f},
        "after": {"J&F": after.j_and_f, "J": after.j, "F": after.f},
    }
    (out / "scores.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def show(
    console: Console, model: str, trained: Path, before: HeldOutScores, after: HeldOutScores
) -> None:
    """Print the scores as a table, and what to do with the model."""
    table = Table(title=f"annotations kept aside: {before.counted} objects in frames")
    for column in ("model", "J&F", "J", "F"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for name, scores in ((model, before), (str(trained), after)):
        numbers = (scores.j_and_f, scores.j, scores.f)
        table.add_row(name, *(f"{100 * value:.1f}" for value in numbers))
    console.print(table)
    if after.j_and_f <= before.j_and_f:
        console.print("the model has not become better on what was kept aside", style="bold")
    console.print(
        f"pictures in {trained.parent}/before and {trained.parent}/after; use it: "
        f"hodor track my.mp4 --masks first.png --model {trained} --out tracked",
        highlight=False,
    )
