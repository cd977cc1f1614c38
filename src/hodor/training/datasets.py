"""A recipe's data: opened, counted, checked."""

from collections.abc import Callable
from pathlib import Path

from hodor.data import (
    Cached,
    ClipBatches,
    CocoInstances,
    Found,
    MaskFolder,
    ObjectRules,
    Stills,
    VideoRules,
    Videos,
    VideoStills,
    davis,
    examine,
    youtube_vos,
)
from hodor.errors import DataError, counted
from hodor.training.settings import DataSet, Recipe

SHOWN = 5  # broken files that are named for each kind of trouble


def open_datasets(recipe: Recipe) -> list[Stills | Videos]:
    """All datasets of a recipe.

    Raises:
        DataError: data is missing or broken; all datasets' problems are listed.
    """
    sets: list[Stills | Videos] = []
    problems = []
    for dataset in recipe.data:
        try:
            sets.append(_open(recipe.root, dataset, recipe.clips.rules()))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("; ".join(problems))
    return sets


def open_dataset(dataset: DataSet) -> Stills | Videos:
    """One dataset by itself, with our rules for objects. Paths are taken as they are.

    Raises:
        DataError: it is missing or broken.
    """
    return _open(Path(), dataset, ObjectRules())


def make_batches(recipe: Recipe, *, sharing: int = 1) -> ClipBatches:
    """The recipe's clips.

    Args:
        recipe: the run.
        sharing: processes that will each keep a part of ``cache_gb``.

    Raises:
        DataError: data is missing or broken; all datasets' problems are listed.
    """
    sets = open_datasets(recipe)
    stills = sum(not isinstance(one, Videos) for one in sets)
    each = int(recipe.cache_gb * 1e9 / max(1, stills) / sharing)
    return ClipBatches(
        [one if isinstance(one, Videos) else Cached(one, each) for one in sets],
        [dataset.weight for dataset in recipe.data],
        recipe.clips,
        recipe.optimisation.batch,
        recipe.seed,
        recipe.optimisation.group,
        motion=recipe.model.refiner_channels > 0,
    )


def _open(root: Path, dataset: DataSet, rules: ObjectRules) -> Stills | Videos:
    images = root / dataset.images
    if dataset.kind in ("masks", "coco"):
        beside = dataset.masks if dataset.kind == "masks" else dataset.annotations
        make = MaskFolder if dataset.kind == "masks" else CocoInstances
        return make(
            images,
            root / (beside or ""),
            held_out=dataset.held_out,
            without=dataset.without,
            short_side=dataset.short_side,
            rules=rules,
        )
    videos = _open_videos(root, dataset, rules)
    return VideoStills(videos) if dataset.as_stills else videos


def _open_videos(root: Path, dataset: DataSet, objects: ObjectRules) -> Videos:
    rules = VideoRules(
        annotated=dataset.annotated,
        span=dataset.span,
        reference=dataset.reference,
        order=dataset.order,
        short_side=dataset.short_side,
        objects=objects,
        without=dataset.without,
    )
    images = root / dataset.images
    if dataset.kind == "davis":
        return davis(images, dataset.year, dataset.split, rules)
    if dataset.kind in ("youtube-vos", "mose"):
        return youtube_vos(images, dataset.split, rules)
    listed = None if dataset.listed is None else root / dataset.listed
    return Videos(images, root / (dataset.masks or ""), rules, listed=listed)


def check_data(
    recipe: Recipe, *, every: bool = False, progress: Callable[[int, int], None] = lambda *_: None
) -> tuple[list[str], list[str]]:
    """Read a recipe's data and say what is there.

    Args:
        recipe: the run.
        every: read every file; else a sample of large datasets.
        progress: called with the number of items read and in all, while one dataset is read.

    Returns:
        A line for each dataset, and a line for each kind of trouble.

    Raises:
        DataError: a dataset cannot be opened; all such problems are listed.
    """
    lines, troubles = [], []
    for number, (dataset, opened) in enumerate(
        zip(recipe.data, open_datasets(recipe), strict=True)
    ):
        done = 0

        def one_more(total: int = len(opened)) -> None:
            nonlocal done
            done += 1
            progress(done, total)

        found = examine(opened, every=every, progress=one_more)
        what = "video" if isinstance(opened, Videos) else "image"
        lines.append(_line(number, dataset, found, what))
        if found.broken:
            shown = "; ".join(found.broken[:SHOWN]) + (" ..." if len(found.broken) > SHOWN else "")
            troubles.append(
                f"data.{number}: {len(found.broken)} of {counted(found.read, what)} that were "
                f"read cannot be used: {shown}"
            )
    return lines, troubles


def _line(number: int, dataset: DataSet, found: Found, what: str) -> str:
    read = "all read" if found.read == found.items else f"{found.read} of them read"
    usable = found.read - len(found.broken)
    text = (
        f"data.{number}: {dataset.kind} {dataset.images}: {counted(found.items, what)}, {read}, "
        f"{usable} usable with {counted(found.objects, 'object')}"
    )
    return f"{text}; {', '.join(found.notes)}" if found.notes else text


def counts(batches: ClipBatches) -> list[dict[str, object]]:
    """What a run learns from, for its record."""
    return [
        {"items": len(one), "kind": kind, "notes": one.notes()}
        for one, kind in zip(batches.sets, batches.kinds, strict=True)
    ]
