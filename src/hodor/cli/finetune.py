"""``hodor train finetune``: from a trained model to one for a user's own images or video."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import typer
from rich.console import Console
from rich.table import Table

from hodor.cli.lines import say
from hodor.cli.training_runs import run
from hodor.data import Stills, Videos
from hodor.errors import DataError, HodorError, counted
from hodor.evaluation import (
    AnnotatedSequence,
    HeldOutScores,
    score_held_out,
    still_sequences,
    video_sequences,
)
from hodor.extras import check, check_any
from hodor.files import write_json
from hodor.tracking import Tracker
from hodor.training import (
    Recipe,
    changed,
    check_data,
    finetune_recipe,
    kept_for_measuring,
    one_dataset,
    open_dataset,
)
from hodor.training.checkpoints import LATEST
from hodor.video.limits import some
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
    check("train", "pydantic")
    check_any("train", "lightning_fabric", "lightning")
    if not resume and (out / LATEST).is_file():
        raise HodorError(
            f"{out}: holds a run already; go on with --resume or choose another folder"
        )
    console = Console(stderr=True)
    stated, sequences = prepare(images, annotations, masks, frames, model, steps, changes)
    for line in check_data(stated)[0]:
        say(console, line)
    kept = stated.data[0].without
    aside = f"the {counted(len(kept), 'annotation')} kept aside ({some(kept)})"
    say(console, f"scoring {model} on {aside}, then {steps} steps of training")
    before = score_held_out(
        Tracker.from_pretrained(model, device=device), sequences, out / "before"
    )
    trained = run(stated, out, device=device, resume=resume, console=console)
    say(console, "scoring the tuned model in the same way")
    tracker = Tracker.from_pretrained(str(trained), device=device)
    after = score_held_out(tracker, sequences, out / "after")
    write(out, stated.data[0].without, before, after)
    show(console, model, trained, before, after)


def prepare(
    images: Path | None,
    annotations: Path | None,
    masks: Path | None,
    frames: Path | None,
    model: str,
    steps: int,
    changes: list[str],
) -> tuple[Recipe, list[AnnotatedSequence]]:
    """The recipe, and the sequences that it must not see. Raises HodorError."""
    if (images is None) == (frames is None) or (annotations is None) == (masks is None):
        raise HodorError(
            "finetune: give --images with --annotations or --masks, or --frames with --masks"
        )
    if frames is not None and annotations is not None:
        raise HodorError("finetune: --frames goes with --masks, a folder of label maps")
    dataset = one_dataset(images=images, annotations=annotations, masks=masks, frames=frames)
    opened = open_dataset(dataset)
    stems = opened.stems()
    if len(stems) < FEWEST:
        raise DataError(
            f"{images or frames}: {counted(len(stems), 'annotated image')}; fine-tuning needs "
            f"at least {FEWEST}, of which one in five is kept for measuring"
        )
    kept = kept_for_measuring(stems)
    if isinstance(opened, Videos):
        # The first annotated frame is where tracking starts.
        kept = [stem for stem in kept if stem != stems[0]] or [stems[-1]]
        sequences = video_sequences(opened, kept)
    else:
        others = tuple(stem for stem in stems if stem not in kept)
        measured = cast(Stills, open_dataset(replace(dataset, without=others)))
        sequences = still_sequences(measured, measured.stems())
    network = load_model(model)
    stated = finetune_recipe(
        replace(dataset, without=tuple(kept)),
        opened.shape(),
        str(model_path(model)) if Path(model).is_file() else model,
        network.config,
        dict(network.metadata.get("tracking", {})),
        parameters=sum(p.numel() for p in network.parameters()),
        steps=steps,
    )
    return changed(stated, changes), sequences


def write(out: Path, kept: tuple[str, ...], before: HeldOutScores, after: HeldOutScores) -> None:
    """Keep the scores beside the model."""
    values = {
        "held out": kept,
        "objects in frames": before.counted,
        "before": {"J&F": before.j_and_f, "J": before.j, "F": before.f},
        "after": {"J&F": after.j_and_f, "J": after.j, "F": after.f},
    }
    write_json(out / "scores.json", values)


def show(
    console: Console, model: str, trained: Path, before: HeldOutScores, after: HeldOutScores
) -> None:
    """Print the scores as a table, and what to do with the model."""
    table = Table(title=f"annotations kept aside: {counted(before.counted, 'mask')}")
    for column in ("model", "J&F", "J", "F"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for name, scores in ((model, before), (str(trained), after)):
        numbers = (scores.j_and_f, scores.j, scores.f)
        table.add_row(name, *(f"{100 * value:.1f}" for value in numbers))
    console.print(table)
    if after.j_and_f <= before.j_and_f:
        say(console, "the model has not become better on what was kept aside", "bold")
    say(
        console,
        f"pictures in {trained.parent}/before and {trained.parent}/after; use it: "
        f"hodor track my.mp4 --masks first.png --model {trained} --out tracked",
    )
