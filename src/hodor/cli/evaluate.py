"""``hodor evaluate``."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress
from typer.core import TyperGroup

from hodor.cli.app import App
from hodor.cli.benchmarks import ALL_FRAMES, Named, with_benchmark
from hodor.cli.last_resort import INTERRUPTED
from hodor.cli.lines import how_far, say
from hodor.cli.shared_options import shared_options
from hodor.cli.tracker_options import with_tracker_options
from hodor.errors import HodorError, counted
from hodor.evaluation import (
    BASELINES,
    Benchmark,
    Execution,
    Method,
    MethodResults,
    Reliability,
    Scores,
    check_folders,
    check_submission,
    compare,
    comparison_table,
    is_scored,
    judge,
    read_notes,
    read_settings,
    reliability,
    reliability_table,
    run_method,
    score_folders,
    score_table,
    table_2,
    undone,
    write_csv,
    write_page,
    write_submission,
)
from hodor.files import write_json, write_text
from hodor.tracking import TrackerOverrides
from hodor.types import JsonObject, Untyped


class Scoring(TyperGroup):
    """``hodor evaluate WORDS`` scores, unless the first word names another command."""

    left_out = "score"

    def parse_args(self, ctx: Untyped, args: list[str]) -> list[str]:
        """Put the command's name in where it is left out."""
        if not args or args[0] not in self.commands:
            args = [self.left_out, *args]
        return super().parse_args(ctx, args)


@dataclass(frozen=True)
class Outputs:
    """Files that are asked for."""

    json_file: Path | None = None
    csv: Path | None = None
    report: Path | None = None
    table2: Path | None = None
    zip_file: Path | None = None


with_outputs = shared_options(
    Outputs,
    {
        "json_file": typer.Option("--json", help="Write scores as JSON."),
        "csv": typer.Option(help="Folder for the two CSV tables of each method."),
        "report": typer.Option(help="Write a page with everything: FILE.html."),
        "table2": typer.Option(help="Write rows as in the paper's Table 2: FILE.md."),
        "zip_file": typer.Option("--zip", help="Write what the server takes."),
    },
    "What is written",
)


@dataclass(frozen=True)
class Sharing:
    """Who tracks and scores."""

    workers: int = 1
    shard: str | None = None
    ray: str | None = None


with_sharing = shared_options(
    Sharing,
    {
        "workers": typer.Option(min=1, help="Processes that track and score."),
        "shard": typer.Option(
            help="I/N: run only the I-th of N parts, for several machines with one OUT."
        ),
        "ray": typer.Option(
            help="Run on a Ray cluster: its address, auto, or local for one made here."
        ),
    },
    "Processes and machines",
)

app = App(cls=Scoring)


@app.command(Scoring.left_out)
@with_benchmark
@with_tracker_options
@with_outputs
@with_sharing
def score(
    results: list[str] = typer.Argument(
        None,
        help="Folders with a sub-folder of label PNGs for each sequence; NAME=FOLDER names it.",
    ),
    model: list[str] = typer.Option(
        [], help="Track with this model, then score; NAME=MODEL names it. May be repeated."
    ),
    baseline: list[str] = typer.Option(
        [], help=f"Run this baseline too: {', '.join(BASELINES)}. May be repeated."
    ),
    benchmark: Named = Named(),
    sequences: str | None = typer.Option(
        None,
        help="With --davis: only these of the list, such as camel,goat.",
        rich_help_panel="Benchmark",
    ),
    all_frames: bool = ALL_FRAMES,
    outputs: Outputs = Outputs(),
    out: Path | None = typer.Option(
        None, help="Keep label maps of models and baselines in OUT/NAME."
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on with what is in OUT."),
    chosen: TrackerOverrides = TrackerOverrides(),
    sharing: Sharing = Sharing(),
    objects: bool = typer.Option(
        False, help="Show every object, and of several methods each one's own table too."
    ),
) -> None:
    """Score results, models and baselines with J and F as the DAVIS toolkit defines them.

    Several are shown side by side: the first, models before results, against each other one.

    hodor evaluate --model small --baseline flow --davis DAVIS --year 2017 --report report.html

    hodor evaluate check-zip FILE.zip --davis DAVIS --split test-dev   looks before you upload
    """
    console = Console()
    theirs = [_named(word) for word in results or []]
    methods = _methods(Method("", **chosen.by_name), model, baseline)
    names = [name for name, _ in theirs] + [method.name for method in methods]
    going_on = resume or sharing.shard is not None
    _check_words(names, out if methods else None, outputs, going_on=going_on, part=sequences)
    folders = {name: Path(folder) for name, folder in theirs}
    execution = Execution.of(sharing.workers, sharing.ray, sharing.shard)
    shown = bool(methods) or outputs.report is not None
    dataset = benchmark.open(all_frames=all_frames, with_frames=shown, only=sequences)
    if outputs.zip_file is not None:
        _check_server(dataset, "--zip")
    with _stop_told(out, methods), ExitStack() as stack:
        base = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if methods and folders and is_scored(dataset):
            check_folders(list(folders.values()), dataset, workers=sharing.workers)
        ours = {method.name: base / method.name for method in methods}
        if _run_all(console, dataset, methods, ours, execution, resume=resume):
            folders = _models_first(folders | ours, methods)
            many = sharing.workers
            _conclude(console, dataset, folders, methods, outputs, workers=many, objects=objects)


def _check_server(dataset: Benchmark, asked: str) -> None:
    """Raises HodorError where nobody scores what is sent."""
    if all(sequence.one_object for sequence in dataset.sequences):
        raise HodorError(
            f"{asked}: there is no server for DAVIS 2016; its annotation is public, and "
            "hodor evaluate scores by it. --out FOLDER keeps the label maps"
        )


@contextmanager
def _stop_told(out: Path | None, methods: Sequence[Method]) -> Iterator[None]:
    """Say at Ctrl-C how to go on, where there is something to go on with."""
    try:
        yield
    except KeyboardInterrupt:
        if not methods:
            raise
        on = "the same command with --resume goes on from here"
        if out is None:
            on = "nothing is kept without --out FOLDER, by which --resume could go on"
        say(Console(stderr=True), f"stopped; {on}")
        raise typer.Exit(INTERRUPTED) from None


def _conclude(
    console: Console,
    dataset: Benchmark,
    folders: Mapping[str, Path],
    methods: Sequence[Method],
    outputs: Outputs,
    *,
    workers: int,
    objects: bool,
) -> None:
    """Score what is in the folders, tell it, and write what is asked for."""
    if outputs.zip_file is not None:
        count = write_submission(next(iter(folders.values())), dataset, outputs.zip_file)
        check_submission(outputs.zip_file, dataset)
        told = f"{counted(count, 'frame')} in {outputs.zip_file}; it is as the server takes it"
        say(console, told)
        if not is_scored(dataset):
            return
    found = score_folders(list(folders.values()), dataset, workers=workers)
    scores = dict(zip(folders, found, strict=True))
    trust_ = _reliability_of(dataset, methods, folders)
    _show(console, scores, trust_, objects=objects)
    _write(console, scores, trust_, dataset, outputs)
    if outputs.report is not None:
        _report(outputs.report, dataset, folders, methods, scores)
        say(console, f"report in {outputs.report}")


@app.command("check-zip")
@with_benchmark
def check_zip(
    file: Path = typer.Argument(help="A zip for an evaluation server."),
    benchmark: Named = Named(),
) -> None:
    """Look whether FILE is what the benchmark's server takes; list all that is wrong.

    hodor evaluate check-zip mine.zip --youtube-vos YTVOS
    """
    dataset = benchmark.open()
    _check_server(dataset, "check-zip")
    check_submission(file, dataset)
    frames = sum(len(sequence.wanted) for sequence in dataset.sequences)
    say(
        Console(),
        f"{file}: {counted(frames, 'frame')} of {dataset.title}, as the server takes them",
    )


def _methods(common: Method, models: Sequence[str], baselines: Sequence[str]) -> list[Method]:
    """Models and baselines with common options; what a baseline needs of a model, the first has."""
    tracked = [replace(common, name=name, model=which) for name, which in map(_named, models)]
    first = tracked[0].model if tracked else None
    return tracked + [replace(common, name=one, model=first, baseline=one) for one in baselines]


def _named(word: str) -> tuple[str, str]:
    """NAME=REST as name and rest; else a name that the word itself suggests.

    The rest stays a word: what it names, a bundled model or a folder, depends on where it stands.
    """
    name, sign, rest = word.partition("=")
    if sign and "/" not in name:
        return name, rest
    path = Path(word)
    if path.is_dir():
        return path.resolve().name, word
    # A training run's folder tells more than its model.safetensors.
    stem = path.parent.name if path.stem == "model" and path.parent.name else path.stem
    return stem.replace(":", "-"), word


def _check_words(
    names: Sequence[str], out: Path | None, outputs: Outputs, *, going_on: bool, part: str | None
) -> None:
    """What can be said of the words before anything is read.

    Args:
        names: of results, models and baselines.
        out: only if methods are run.
        outputs: what is asked for.
        going_on: whether by --resume or --shard others' results in ``out`` are gone on with.
        part: --sequences, if not all are scored.
    """
    if not names:
        raise HodorError(
            "evaluate: give a folder of RESULTS, --model NAME or --baseline NAME; see --help"
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise HodorError(
            f"evaluate: two methods are called {twice[0]}; give names, as in mine={twice[0]}"
        )
    if going_on and out is None:
        raise HodorError("evaluate: --resume and --shard need --out and a model or baseline to run")
    if outputs.zip_file is not None and len(names) > 1:
        raise HodorError(f"evaluate: --zip holds one method's results, found {len(names)} methods")
    if outputs.zip_file is not None and part:
        raise HodorError("--zip is for a server, which wants every sequence: no --sequences")


def _run(
    console: Console,
    method: Method,
    dataset: Benchmark,
    folder: Path,
    execution: Execution,
    *,
    resume: bool,
) -> None:
    sequences = execution.mine(dataset.sequences)
    total = sum(len(sequence.names) for sequence in sequences)
    err, began, done = Console(stderr=True), time.monotonic(), 0
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(method.name, total=total)

        def report(name: str, frames: int) -> None:
            nonlocal done
            done += frames
            bar.advance(task, frames)
            if not err.is_terminal:
                far = how_far(done, total, time.monotonic() - began)
                say(err, f"{method.name}: {name} tracked (frames: {far})")

        run_method(method, dataset, folder, execution, resume=resume, report=report)
    notes = read_notes(dataset, folder).values()
    frames, seconds = sum(n.frames for n in notes), sum(n.seconds for n in notes)
    speed = f" at {frames / seconds:.1f} frames/s for each worker" if seconds else ""
    say(console, f"{method.name}: {counted(frames, 'frame')} tracked{speed}")


def _run_all(
    console: Console,
    dataset: Benchmark,
    methods: Sequence[Method],
    folders: Mapping[str, Path],
    execution: Execution,
    *,
    resume: bool,
) -> bool:
    """Track with each method, into its folder; whether nothing is left to other shards."""
    for method in methods:
        _run(console, method, dataset, folders[method.name], execution, resume=resume)
    left = {name for method in methods for name in undone(dataset, folders[method.name])}
    if left:
        are = "is" if len(left) == 1 else "are"
        told = f"{counted(len(left), 'sequence')} {are} left to other shards: scores come last"
        say(console, told)
    return not left


def _models_first(folders: Mapping[str, Path], methods: Sequence[Method]) -> dict[str, Path]:
    """Models come first and are held against the others."""
    models = {method.name for method in methods if method.baseline is None}
    return dict(sorted(folders.items(), key=lambda item: item[0] not in models))


def _reliability_of(
    dataset: Benchmark, methods: Sequence[Method], folders: Mapping[str, Path]
) -> dict[str, Reliability]:
    """How far each model's confidence can be trusted."""
    found = {}
    for method in methods:
        if method.baseline is None:
            notes = read_notes(dataset, folders[method.name])
            confidence = {name: note.confidence for name, note in notes.items()}
            found[method.name] = reliability(judge(folders[method.name], dataset, confidence))
    return found


def _show(
    console: Console,
    scores: Mapping[str, Scores],
    trust_: Mapping[str, Reliability],
    *,
    objects: bool,
) -> None:
    for name, found in scores.items():
        if len(scores) == 1 or objects:
            console.print(score_table(found, objects=objects, title=name))
        if name in trust_:
            console.print(reliability_table(trust_[name], name))
    if len(scores) > 1:
        first, *others = scores
        paired = {name: compare(scores[first], scores[name]) for name in others}
        console.print(comparison_table(scores, paired))


def _write(
    console: Console,
    scores: Mapping[str, Scores],
    trust_: Mapping[str, Reliability],
    dataset: Benchmark,
    outputs: Outputs,
) -> None:
    if outputs.csv is not None:
        for name, found in scores.items():
            write_csv(found, outputs.csv if len(scores) == 1 else outputs.csv / name)
    if outputs.table2 is not None:
        write_text(outputs.table2, table_2(dataset.title, scores))
    if outputs.json_file is not None:
        write_json(outputs.json_file, _as_json(scores, trust_))
    wrote = (outputs.csv, outputs.table2, outputs.json_file)
    if files := [str(path) for path in wrote if path is not None]:
        say(console, f"scores in {', '.join(files)}")


def _as_json(scores: Mapping[str, Scores], trust_: Mapping[str, Reliability]) -> JsonObject:
    each = {
        name: found.to_json() | ({"confidence": trust_[name].to_json()} if name in trust_ else {})
        for name, found in scores.items()
    }
    if len(each) == 1:
        return next(iter(each.values()))
    first, *others = scores
    paired = {name: compare(scores[first], scores[name]).to_json() for name in others}
    return {"methods": each, "first": first, "paired": paired}


def _report(
    path: Path,
    dataset: Benchmark,
    folders: Mapping[str, Path],
    methods: Sequence[Method],
    scores: Mapping[str, Scores],
) -> None:
    about = {method.name: method.about for method in methods}
    parts = [
        MethodResults(
            name,
            about.get(name, f"results in {folder.name}/"),
            folder,
            scores[name],
            read_notes(dataset, folder),
            read_settings(folder) or {},
        )
        for name, folder in folders.items()
    ]
    write_page(path, dataset, parts)
