"""``hodor bench``."""

from collections.abc import Mapping
from pathlib import Path

import typer
from rich.console import Console

from hodor.cli.app import App
from hodor.errors import HodorError, reason
from hodor.files import write_json
from hodor.profiling import (
    BenchOptions,
    Counts,
    Stepper,
    bench_table,
    measure,
    operations_table,
)
from hodor.types import PlainValues
from hodor.weights import DEFAULT

app = App()


@app.command()
def bench(
    model: str = typer.Option(
        DEFAULT, help="As for hodor track, or swin_tiny: the paper's network, random weights."
    ),
    height: int = typer.Option(480, min=16, help="Of a frame, in pixels."),
    width: int = typer.Option(854, min=16, help="Of a frame, in pixels."),
    size: int | None = typer.Option(
        None, min=64, help="Shorter side seen by the network. Default: the model's (paper: 512)."
    ),
    objects: int = typer.Option(3, min=1, help="How many are followed."),
    window: int | None = typer.Option(
        None, min=1, help="Past frames remembered. Default: the model's (paper: 7)."
    ),
    precision: str = typer.Option("auto", help="auto, fp32 or bf16."),
    device: str = typer.Option("auto", help="auto, cpu, cuda or mps."),
    repeats: int = typer.Option(5, min=1, help="Rounds; the median counts."),
    step: str = typer.Option("plain", help="plain; fixed: at fixed shapes; captured: CUDA graphs."),
    ops: bool = typer.Option(
        False, help="Count operations, waiting and uploads by stage, in place of measuring time."
    ),
    json_file: Path | None = typer.Option(None, "--json", help="Write all of it as JSON."),
) -> None:
    """Measure the tracker on this machine: time by stage, work, share of the peak, memory.

    hodor bench --model swin_tiny --precision fp32

    hodor bench --ops
    """
    options = BenchOptions(
        model, height, width, size, objects, window, precision, device, repeats, step
    )
    if ops:
        counts = Stepper(options).operations()
        table, numbers = operations_table(counts), _named(counts)
    else:
        found = measure(options)
        table, numbers = bench_table(found), found.to_json()
    Console().print(table)
    if json_file is not None:
        try:
            write_json(json_file, numbers)
        except HodorError as error:
            why = reason(error.__cause__ or error)
            raise HodorError(
                f"{json_file}: could not be written ({why}); the numbers are above"
            ) from error


def _named(counts: Mapping[str, Counts]) -> PlainValues:
    return {stage: each._asdict() for stage, each in counts.items()}
