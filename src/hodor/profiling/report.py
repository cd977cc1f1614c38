"""A measurement on paper."""

from collections.abc import Mapping

from rich.table import Table

from hodor.errors import counted
from hodor.profiling.measure import Measurement
from hodor.profiling.operations import Counts


def bench_table(found: Measurement) -> Table:
    """Stages with their time, share of the step, work, speed and share of the machine's peak."""
    s = found.settings
    table = Table(
        title=f"{s['model']}, {s['height']} x {s['width']} seen at {s['image'][0]} x "
        f"{s['image'][1]}, {counted(s['objects'], 'object')}, window {s['window']}, "
        f"{s['precision']}",
        caption="\n".join(_notes(found)),
        caption_justify="left",
    )
    table.add_column("stage", no_wrap=True)
    for column in ("ms", "% of step", "GFLOP", "GFLOP/s", "% of peak"):
        table.add_column(column, justify="right")
    for name, seconds in found.stages.items():
        share = None if name == "decode" else seconds / found.seconds_per_frame
        table.add_row(name, *_cells(seconds, share, found.stage_gflop.get(name, 0.0), found))
    table.add_section()
    cells = _cells(found.seconds_per_frame, 1.0, found.gflop_per_frame, found)
    table.add_row("whole step", *cells, style="bold")
    return table


def operations_table(found: Mapping[str, Counts]) -> Table:
    """What each stage asks of the device: operations, waiting for values, and uploads."""
    table = Table(
        title="operations of a step",
        caption="reads: Python waits for a tensor's values, on a GPU at most so often\n"
        "uploads: arrays and numbers that become tensors, on a GPU at most so many",
        caption_justify="left",
    )
    table.add_column("stage", no_wrap=True)
    for column in ("operations", "reads", "uploads", "kB up"):
        table.add_column(column, justify="right")
    for stage, counts in found.items():
        table.add_row(stage, *_counted(counts))
    table.add_section()
    totals = Counts(*(sum(counts) for counts in zip(*found.values(), strict=True)))
    table.add_row("whole step", *_counted(totals), style="bold")
    return table


def _counted(counts: Counts) -> list[str]:
    size = f"{counts.upload_bytes / 1000:.1f}"
    return [str(counts.operations), str(counts.reads), str(counts.uploads), size]


def _cells(seconds: float, share: float | None, gflop: float, found: Measurement) -> list[str]:
    speed = gflop / seconds if seconds > 0 else 0.0
    return [
        f"{1000 * seconds:.2f}",
        "" if share is None else f"{100 * share:.1f}",
        *(
            (f"{gflop:.2f}", f"{speed:.0f}", f"{100 * speed / found.peak_gflops:.1f}")
            if gflop
            else ("", "", "")
        ),
    ]


def _notes(found: Measurement) -> list[str]:
    memory = found.peak_memory_bytes
    used = "unknown" if memory is None else f"{memory / 2**20:.0f} MiB"
    return [
        f"{1 / found.seconds_per_frame:.1f} frames/s, decoding and writing left out",
        f"{100 * found.share_of_peak:.1f} % of the machine's {found.peak_gflops:.0f} GFLOP/s",
        f"peak memory {used}, {found.memory_of}",
        f"decode: a file of this size, {found.settings['codec']}",
        "stages are medians of other steps than the whole one: they add up to it roughly",
        f"{found.machine['name']}, {counted(int(found.machine['threads']), 'thread')}",
    ]
