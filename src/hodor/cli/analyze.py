"""``hodor analyze``: descriptors as data, and the paper's figures from them."""

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from hodor import __version__, analysis
from hodor.cli.analysed import as_video, chosen_frames, chosen_sequences, own_videos
from hodor.cli.app import App
from hodor.cli.benchmarks import Named, with_benchmark
from hodor.cli.lines import say
from hodor.errors import HodorError, counted
from hodor.evaluation import Execution, Method, read_notes, run_method, score_folder
from hodor.files import write_json
from hodor.tracking import References, Tracker
from hodor.weights import DEFAULT

app = App(no_args_is_help=True)


def _picture(out: Path) -> Path:
    """Refuse a kind of picture that is not written, before anything is computed."""
    if out.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise HodorError(
            f"--out {out}: the name of a picture ends in .png, .pdf or .svg; found "
            f"{out.suffix or 'no ending'}"
        )
    return out


MODEL = typer.Option(DEFAULT, help="Bundled name, .safetensors file or hub:ORG/REPO.")
DEVICE = typer.Option("auto", help="auto, cpu, cuda or mps.")
SIZE = typer.Option(None, min=64, help="Shorter side in pixels. Default: the model's.")
TABLE = typer.Argument(help="Descriptors, as hodor analyze export wrote them.")
OUT_PICTURE = typer.Option(..., help="Picture to write: .png, .pdf or .svg.", callback=_picture)
SEQUENCES = typer.Option(None, help="Names with commas between. Default: all.")
SHOWN = 8  # rows of a table on the screen


@app.command()
@with_benchmark
def export(
    videos: list[str] = typer.Argument(None, help="Videos or folders of images."),
    masks: list[Path] = typer.Option([], help="For each of VIDEOS its masks, in the same order."),
    benchmark: Named = Named(),
    out: Path = typer.Option(..., help="Parquet file to write."),
    model: str = MODEL,
    size: int | None = SIZE,
    device: str = DEVICE,
) -> None:
    """Write all descriptors of videos, or of a benchmark, to a Parquet file.

    hodor analyze export --davis DAVIS --year 2016 --out descriptors.parquet

    hodor analyze export my.mp4 --masks first.png --out mine.parquet
    """
    if videos:
        found = own_videos(videos, masks)
    else:
        dataset = benchmark.open()
        found = [as_video(sequence) for sequence in dataset.sequences]
    tracker = Tracker.from_pretrained(model, size=size, device=device)
    about = {"model": model, "options": vars(tracker.options), "hodor": __version__}
    with _progress("frames") as advance:
        rows = analysis.describe_videos(tracker, found, advance)
        count = analysis.write_table(out, rows, model=tracker.fingerprint, about=about)
    say(Console(), f"{counted(count, 'descriptor')} in {out}")


@app.command()
def retrieval(
    table: Path = TABLE,
    out: Path = OUT_PICTURE,
    json_file: Path | None = typer.Option(None, "--json", help="Write the curve as JSON."),
) -> None:
    """Figure S1: every descriptor against all others, precision and recall.

    hodor analyze retrieval descriptors.parquet --out s1.png
    """
    found = analysis.retrieval(analysis.read_table(table))
    analysis.retrieval_figure(found, out, f"Retrieval, {table.stem}")
    if json_file is not None:
        write_json(json_file, found.to_json())
    at = {level: found.precision[round(100 * level)] for level in (0.1, 0.5, 0.8, 1.0)}
    text = ", ".join(f"{precision:.2f} at recall {level:.1f}" for level, precision in at.items())
    say(
        Console(),
        f"{counted(found.descriptors, 'descriptor')} of {counted(found.instances, 'object')}: mAP "
        f"{found.average_precision:.3f}, precision {text}; guessing gives {found.chance:.2f}\n"
        f"picture in {_listed(out, json_file)}",
    )


@app.command()
def tsne(
    table: Path = TABLE,
    out: Path = OUT_PICTURE,
    page: Path | None = typer.Option(None, help="Also a page with crops on hover: FILE.html."),
    most: int = typer.Option(500, min=1, help="Crops in the picture; dots for the others."),
) -> None:
    """Figure S2: descriptors of objects by t-SNE, their crops at their places.

    hodor analyze tsne descriptors.parquet --out s2.png --page s2.html
    """
    objects = analysis.read_table(table).objects
    points = analysis.tsne(objects.vectors)
    _scatter(objects, points, out, page, f"t-SNE, {table.stem}", most)


@app.command()
def pca(
    table: Path = TABLE,
    out: Path = OUT_PICTURE,
    page: Path | None = typer.Option(None, help="Also a page with crops on hover: FILE.html."),
    most: int = typer.Option(500, min=1, help="Crops in the picture; dots for the others."),
) -> None:
    """Figure S3: descriptors of objects by their two main components.

    hodor analyze pca descriptors.parquet --out s3.png --page s3.html
    """
    objects = analysis.read_table(table).objects
    points, (first, second) = analysis.pca(objects.vectors)
    title = f"PCA ({100 * first:.0f} % and {100 * second:.0f} % of the variance), {table.stem}"
    _scatter(objects, points, out, page, title, most)


@app.command()
@with_benchmark
def heatmaps(
    benchmark: Named = Named(),
    sequences: str | None = SEQUENCES,
    frame: str | None = typer.Option(None, help="Its name. Default: the middle one."),
    out: Path = typer.Option(..., help="Folder for a picture of each sequence."),
    model: str = MODEL,
    size: int | None = SIZE,
    device: str = DEVICE,
) -> None:
    """Figures S4 and S5: where the catch-all and each background descriptor claim a frame.

    hodor analyze heatmaps --davis DAVIS --year 2016 --sequences goat,camel --out heatmaps
    """
    dataset = benchmark.open()
    tracker = Tracker.from_pretrained(model, size=size, device=device)
    for sequence in chosen_sequences(dataset, sequences):
        maps = analysis.heatmaps(tracker, as_video(sequence), frame)
        analysis.heatmap_figure(maps, out / f"{sequence.name}.png")
        say(Console(), out / f"{sequence.name}.png")


def _place(word: str) -> tuple[float, float]:
    """X and y of ``x,y``."""
    try:
        x, y = (float(part) for part in word.split(","))
    except ValueError:
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)) or (0 < x < 1 and 0 < y < 1):
        raise HodorError(
            f"--pixel {word}: give two numbers x,y in pixels of the frame, from its upper left "
            "corner, such as --pixel 120,80"
        )
    return x, y


@app.command()
@with_benchmark
def attention(
    benchmark: Named = Named(),
    sequences: str | None = SEQUENCES,
    frame: str | None = typer.Option(None, help="Its name. Default: the middle one."),
    pixel: str | None = typer.Option(
        None, help="X,Y in pixels of the frame. Default: the middle of the first object."
    ),
    out: Path = typer.Option(..., help="Folder for a picture of each sequence."),
    model: str = MODEL,
    size: int | None = SIZE,
    device: str = DEVICE,
) -> None:
    """Where descriptors look in their frame, and which descriptors pixels listen to.

    hodor analyze attention --davis DAVIS --year 2016 --sequences goat --out attention
    """
    marked = None if pixel is None else _place(pixel)
    chosen = chosen_sequences(benchmark.open(), sequences)
    if marked is not None:
        for sequence in chosen:
            analysis.check_pixel(marked, sequence.size, sequence.name)
    tracker = Tracker.from_pretrained(model, size=size, device=device)
    for sequence in chosen:
        found = analysis.attention(tracker, as_video(sequence), frame)
        analysis.attention_figure(found, out / f"{sequence.name}.png", marked)
        say(Console(), out / f"{sequence.name}.png")


@app.command()
@with_benchmark
def grid(
    results: Path = typer.Argument(help="A method's label maps: SEQUENCE/FRAME.png."),
    benchmark: Named = Named(),
    sequences: str | None = SEQUENCES,
    frames: int = typer.Option(5, min=1, help="Evenly spread, the given first frame left out."),
    names: str | None = typer.Option(None, help="Or these, with commas between."),
    out: Path = OUT_PICTURE,
) -> None:
    """Figure 4: masks over chosen sequences and frames.

    hodor analyze grid OUT/small --davis DAVIS --year 2016 --sequences goat,camel --out fig4.png
    """
    dataset = benchmark.open()
    rows = {
        one.name: chosen_frames(one, results / one.name, frames, names)
        for one in chosen_sequences(dataset, sequences)
    }
    analysis.grid_figure(rows, out)
    say(Console(), out)


@app.command()
@with_benchmark
def window(
    windows: str = typer.Option("1,2,4,7,10", help="Numbers of frames, with commas between."),
    benchmark: Named = Named(),
    out: Path = OUT_PICTURE,
    json_file: Path | None = typer.Option(None, "--json", help="Write the numbers as JSON."),
    keep: Path | None = typer.Option(None, help="Folder for label maps, to go on after a stop."),
    model: str = MODEL,
    size: int | None = SIZE,
    keep_reference: bool | None = typer.Option(None, help="See hodor track."),
    device: str = DEVICE,
    workers: int = typer.Option(1, min=1, help="Processes; speeds are of each one."),
) -> None:
    """Figure 5: J&F against the window, and speed against it.

    hodor analyze window --davis DAVIS --year 2016 --out fig5.png
    """
    dataset = benchmark.open()
    scores, speeds = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for w in _numbers(windows):
            folder = (keep or Path(scratch)) / f"window-{w}"
            method = Method(
                f"window {w}",
                model,
                size=size,
                window=w,
                keep_reference=keep_reference,
                device=device,
            )
            with _progress(method.name) as advance:
                run_method(
                    method,
                    dataset,
                    folder,
                    Execution(workers),
                    resume=keep is not None,
                    report=advance,
                )
            scores[w] = score_folder(folder, dataset, workers=workers).mean.j_and_f
            notes = read_notes(dataset, folder).values()
            speeds[w] = sum(n.frames for n in notes) / sum(n.seconds for n in notes)
            say(Console(), f"window {w}: J&F {100 * scores[w]:.1f}, {speeds[w]:.1f} frames/s")
    analysis.window_figure(scores, speeds, out, f"{model}, {dataset.title}")
    if json_file is not None:
        rows = [{"window": w, "J&F": scores[w], "frames_per_second": speeds[w]} for w in scores]
        write_json(json_file, rows)
    say(Console(), f"picture in {_listed(out, json_file)}")


@app.command()
def find(
    videos: list[str] = typer.Argument(help="Videos, folders of images, or one .parquet table."),
    references: Path = typer.Option(
        ..., help="The object, as hodor track --save-references wrote it."
    ),
    out: Path | None = typer.Option(None, help="Page with thumbnails: FILE.html."),
    json_file: Path | None = typer.Option(None, "--json", help="Write the whole ranking."),
    every: int = typer.Option(5, min=1, help="Look at each so manieth frame of a video."),
    model: str = MODEL,
    size: int | None = SIZE,
    device: str = DEVICE,
) -> None:
    """In which videos and frames is this object? The nearest descriptors come first.

    hodor analyze find --references cat.safetensors holiday1.mp4 holiday2.mp4 --out found.html
    """
    wanted = References.load(references)
    if len(videos) == 1 and videos[0].endswith(".parquet"):
        found = analysis.find_in_table(wanted, analysis.read_table(Path(videos[0])))
    else:
        tracker = Tracker.from_pretrained(model, size=size, device=device)
        with _progress("frames") as advance:
            found = analysis.find_in_videos(
                wanted, tracker, own_videos(videos, []), every=every, report=advance
            )
    _tell(found)
    if out is not None:
        analysis.found_page(found, out, f"Where is {references.stem}?")
    if json_file is not None:
        rows = [
            {"video": one.row.sequence, "frame": one.row.frame, "index": one.row.index,
             "object": one.wanted, "distance": one.distance, "box": one.row.box,
             "confidence": one.row.confidence}
            for one in found
        ]  # fmt: skip
        write_json(json_file, rows)
    if out is not None or json_file is not None:
        say(Console(), f"ranking in {_listed(out, json_file)}")


def _tell(found: Sequence[analysis.Found]) -> None:
    if not found:
        say(Console(), "found nowhere")
        return
    table = Table(title="nearest first")
    for column in ("video", "frame", "object", "distance", "confidence"):
        table.add_column(column, justify="left" if column == "video" else "right")
    for one in found[:SHOWN]:
        table.add_row(
            one.row.sequence, one.row.frame, str(one.wanted), f"{one.distance:.2f}",
            f"{one.row.confidence or 0:.2f}",
        )  # fmt: skip
    console = Console()
    console.print(table)
    videos = list(analysis.by_video(found).items())[:SHOWN]
    say(
        console,
        "videos by their nearest frame: "
        + ", ".join(f"{name} {distance:.2f}" for name, distance in videos),
    )


def _scatter(
    objects: analysis.DescriptorTable,
    points: NDArray[np.float32],
    out: Path,
    page: Path | None,
    title: str,
    most: int,
) -> None:
    crops = analysis.read_crops(objects.rows)
    groups = [f"{sequence} {number}" for sequence, number in objects.instances]
    analysis.scatter_figure(points, crops, groups, out, title, most=most)
    if page is not None:
        analysis.hover_page(points, crops, objects.rows, page, title)
    say(Console(), f"{counted(len(points), 'descriptor')} in {_listed(out, page)}")


def _listed(*files: Path | None) -> str:
    """The files that were written: "a.png, b.json"."""
    return ", ".join(str(file) for file in files if file is not None)


def _numbers(words: str) -> list[int]:
    parts = [word.strip() for word in words.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise HodorError(f"--windows {words!r}: write numbers from 1 with commas between, as 1,4,7")
    return sorted({int(part) for part in parts})


@contextmanager
def _progress(what: str) -> Iterator[Callable[..., None]]:
    """A bar without an end on a terminal; what it gives is called after each step."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda name, _frames=1: bar.update(task, advance=1, description=f"{what}: {name}")
