"""One page with everything that an evaluation says: pictures, curves, tables, settings.

The page needs nothing but itself: pictures are inside, curves are SVG, there is no script.
"""

import base64
import io
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hodor import __version__
from hodor.errors import HodorError
from hodor.evaluation.benchmark import Benchmark, BenchmarkSequence, read_result
from hodor.evaluation.comparison import compare, sequence_means
from hodor.evaluation.label_map_files import LabelMap, read_frame
from hodor.evaluation.runs import SequenceNote
from hodor.evaluation.scores import ObjectScores, Scores, as_columns
from hodor.files import write_text
from hodor.types import PlainValues
from hodor.video import draw_overlay

TEMPLATE = "page.html.j2"
WORST = 4
"""Sequences that are shown as pictures."""

MOMENTS = 4
"""Frames of each that are shown."""

PICTURE_WIDTH = 320
CHART = (340, 84)
PACKAGES = ("torch", "torchvision", "timm", "numpy", "opencv-python-headless", "pillow")


@dataclass(frozen=True)
class MethodResults:
    """A method's part of the page."""

    name: str
    about: str
    """In words, such as "baseline: optical flow"; what is not known of other people's results"""
    folder: Path
    scores: Scores
    notes: Mapping[str, SequenceNote] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _Moment:
    name: str
    j: str
    result: str
    """A picture as a data address"""
    truth: str


@dataclass(frozen=True)
class _Curve:
    method: str
    number: int
    j: str
    """Points of an SVG polyline"""
    confidence: str


def write_page(path: Path, dataset: Benchmark, methods: Sequence[MethodResults]) -> None:
    """Write a page about methods on a benchmark, the first held against the others.

    path: FILE.html. dataset: with frames. Raises HodorError where jinja2 is missing or the file
    cannot be written.
    """
    try:
        import jinja2
    except ImportError as error:
        raise HodorError(
            "--report needs the package jinja2: pip install 'hodor-vos[analysis]'"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["x100"] = lambda value: f"{100 * value:.1f}"
    environment.filters["signed"] = lambda value: f"{100 * value:+.1f}"
    text = environment.get_template(TEMPLATE).render(_content(dataset, methods))
    write_text(path, text)


def _content(dataset: Benchmark, methods: Sequence[MethodResults]) -> PlainValues:
    first, *others = methods
    means = {one.name: sequence_means(one.scores) for one in methods}
    ranked = sorted(means[first.name], key=means[first.name].__getitem__)
    sequences = {sequence.name: sequence for sequence in dataset.sequences}
    return {
        "title": dataset.title,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "methods": [_summary(one) for one in methods],
        "paired": {one.name: compare(first.scores, one.scores) for one in others},
        "means": means,
        "best": {name: max(means, key=lambda m: means[m][name]) for name in ranked},
        "first": first.name,
        "worst": [_shown(first, sequences[name], means) for name in ranked[:WORST]],
        "sequences": [_sequence(sequences[name], methods) for name in ranked],
        "chart": CHART,
        "versions": _versions(),
        "columns": list(as_columns(first.scores.mean)),
    }


def _summary(one: MethodResults) -> PlainValues:
    seconds = sum(note.seconds for note in one.notes.values())
    frames = sum(note.frames for note in one.notes.values())
    return {
        "name": one.name,
        "about": one.about,
        "numbers": as_columns(one.scores.mean),
        "overall": one.scores.overall,
        "groups": {group: as_columns(mean) for group, mean in one.scores.by_group.items()},
        "speed": f"{frames / seconds:.1f}" if seconds else "",
        "settings": _flat(one.settings),
    }


def _flat(settings: Mapping[str, object]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{name}": str(each) for name, each in value.items()}
        elif value is not None:
            flat[key] = str(value)
    return flat


def _versions() -> dict[str, str]:
    found = {"hodor": __version__, "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | {"machine": f"{platform.system()} {platform.machine()}"}


def _sequence(sequence: BenchmarkSequence, methods: Sequence[MethodResults]) -> PlainValues:
    """Curves and numbers of each of a sequence's objects."""
    name, objects = sequence.name, []
    for i in methods[0].scores.sequences[name]:
        scored = {one.name: one.scores.sequences[name][i] for one in methods}
        curves = [_curve(one, number, sequence, i) for number, one in enumerate(methods)]
        objects.append({"id": i, "scores": scored, "curves": curves})
    frames = next(iter(methods[0].scores.sequences[name].values())).frames
    return {"name": name, "objects": objects, "from": frames[0].name, "to": frames[-1].name}


def _curve(one: MethodResults, number: int, sequence: BenchmarkSequence, object_id: int) -> _Curve:
    frames = one.scores.sequences[sequence.name][object_id].frames
    note = one.notes.get(sequence.name)
    values = note.confidence.get(object_id, []) if note else []
    by_name = dict(zip(sequence.names, values, strict=False))
    confidence = [by_name.get(frame.name, math.nan) for frame in frames]
    known = [] if any(map(math.isnan, confidence)) else confidence
    return _Curve(one.name, number, _points([frame.j for frame in frames]), _points(known))


def _points(values: Sequence[float]) -> str:
    """Values in [0, 1] over the width of a chart, as SVG has points."""
    width, height = CHART
    step = width / max(len(values) - 1, 1)
    return " ".join(f"{n * step:.1f},{height * (1 - v):.1f}" for n, v in enumerate(values))


def _shown(
    one: MethodResults, sequence: BenchmarkSequence, means: Mapping[str, Mapping[str, float]]
) -> PlainValues:
    """Pictures of a sequence: evenly spread moments, and the one that is worst."""
    frames = _mean_j(one.scores.sequences[sequence.name])
    names = list(frames)
    places = np.linspace(0, len(names) - 1, min(MOMENTS, len(names))).round().astype(int)
    chosen = {names[place] for place in places} | {min(frames, key=frames.__getitem__)}
    moments = [
        _moment(one.folder, sequence, name, frames[name]) for name in names if name in chosen
    ]
    numbers = {method: mean[sequence.name] for method, mean in means.items()}
    return {"name": sequence.name, "moments": moments, "numbers": numbers}


def _mean_j(objects: Mapping[int, ObjectScores]) -> dict[str, float]:
    """Frame name -> J, averaged over the objects that are scored there."""
    found: dict[str, list[float]] = {}
    for scores in objects.values():
        for frame in scores.frames:
            found.setdefault(frame.name, []).append(frame.j)
    return {name: float(np.mean(found[name])) for name in sorted(found)}


def _moment(folder: Path, sequence: BenchmarkSequence, name: str, j: float) -> _Moment:
    frame = read_frame(sequence.frame_paths[sequence.names.index(name)])
    label_map = read_result(folder / sequence.name / f"{name}.png", one_object=sequence.one_object)
    ids = sequence.object_ids
    return _Moment(
        name,
        f"{100 * j:.0f}",
        _picture(frame, label_map, ids),
        _picture(frame, sequence.label_map(name), ids),
    )


def _picture(frame: NDArray[np.uint8], label_map: LabelMap, ids: Sequence[int]) -> str:
    drawn = draw_overlay(frame, label_map, ids)
    height = round(drawn.shape[0] * PICTURE_WIDTH / drawn.shape[1])
    small = cv2.resize(drawn, (PICTURE_WIDTH, height), interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(small, np.uint8)).save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
