"""What the scripts share: a table on the screen and a file of results."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from hodor import keep_freed_memory
from hodor.profiling import describe_machine
from hodor.profiling.machine import versions

RESULTS = Path(__file__).parent / "results"


def parser(what: str | None, repeats: int = 5) -> argparse.ArgumentParser:
    """Options that every script has."""
    keep_freed_memory()  # as the command line does
    made = argparse.ArgumentParser(description=what)
    made.add_argument("--repeats", type=int, default=repeats, help="rounds; the median counts")
    made.add_argument("--save", action="store_true", help=f"write JSON to {RESULTS.name}/")
    return made


def show(
    name: str, rows: Sequence[dict[str, Any]], device: torch.device, *, save: bool, **about: Any
) -> None:
    """Print rows as a table; save them with what they are about and the machine."""
    table = Table(title=", ".join([name, *(f"{key} {value}" for key, value in about.items())]))
    for column in rows[0]:
        table.add_column(column.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    Console(width=120).print(table)
    if save:
        RESULTS.mkdir(exist_ok=True)
        whole = {
            "about": about,
            "rows": list(rows),
            "machine": describe_machine(device),
            "versions": versions(),
        }
        path = RESULTS / f"{name}.json"
        path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
