"""How long a training step takes and how much memory it needs, by the options that change that.

Every row is a process of its own, which trains a few steps of one recipe; all rows see the same
clips. Compiling happens in the first steps, which do not count, and is reported by itself.

    python benchmarks/training.py --stills DIR/images:DIR/masks --backbone FILE --save

    python benchmarks/training.py --recipe paper/static --stills ... --device cuda --save
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from common import parser, show

from hodor.tracking import choose_device
from hodor.training import Listener, Progress, load_recipe, train

ROWS = {
    "fp32": ("precision=fp32",),
    "bf16": ("precision=bf16",),
    "fp32, save_memory": ("precision=fp32", "running.save_memory=true"),
    "fp32, at_once 1": ("precision=fp32", "running.at_once=1"),
    "fp32, compile": ("precision=fp32", "running.compile=true"),
    "bf16, compile": ("precision=bf16", "running.compile=true"),
}


def run(changes: list[str], recipe: str, folder: Path, device: str, warm: int) -> dict[str, Any]:
    """Train; seconds of the first steps together, the median of the others, and memory."""
    seconds = []
    began = time.perf_counter()

    def report(at: Progress) -> None:
        seconds.append(at.seconds)

    plan = load_recipe(recipe, changes)
    train(plan, folder, device=choose_device(device), listener=Listener(report=report))
    total = time.perf_counter() - began
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [line for line in map(json.loads, lines) if "memory_gb" in line]
    return {
        "seconds_a_step": statistics.median(seconds[warm:]),
        "clips_a_second": plan.optimisation.batch / statistics.median(seconds[warm:]),
        "warming_up_s": sum(seconds[:warm]),
        "memory_GB": max(line["memory_gb"] for line in steps),
        "whole_s": total,
    }


def main() -> None:
    """Measure every row, round by round; or one of them, when this script calls itself."""
    options = parser(__doc__, repeats=3)
    options.add_argument("--recipe", default="small-3")
    options.add_argument("--stills", required=True, help="IMAGES:MASKS")
    options.add_argument("--backbone", help="safetensors; its weights do not change the speed")
    options.add_argument("--steps", type=int, default=8, help="of a row in a round")
    options.add_argument("--warm", type=int, default=3, help="of them not counted")
    options.add_argument("--device", default="auto")
    options.add_argument("--rows", nargs="*", default=list(ROWS))
    options.add_argument("--set", dest="changes", action="append", default=[])
    options.add_argument("--one", help="for calling itself")
    given = options.parse_args()
    images, _, masks = given.stills.partition(":")
    stills = {"kind": "masks", "images": str(Path(images).resolve())}
    stills["masks"] = str(Path(masks).resolve())
    changes = [
        f"data={json.dumps([stills])}",
        "initial={}" if given.backbone is None else f"initial={{backbone: {given.backbone}}}",
        f"optimisation.iterations={given.steps}",
        "checkpoint_every=1000000",
        "pictures_every=1000000",
        *given.changes,
    ]
    if given.one is not None:
        row, folder = given.one.split("=", 1)
        found = run([*changes, *ROWS[row]], given.recipe, Path(folder), given.device, given.warm)
        print(json.dumps(found))
        return
    rows = [{"row": row} | measured(row, given.repeats) for row in given.rows]
    plain = rows[0]["seconds_a_step"]
    for row in rows:
        row["time_against_first"] = row["seconds_a_step"] / plain
    about = {"recipe": given.recipe, "threads": torch.get_num_threads(), "rounds": given.repeats}
    device = choose_device(given.device)
    show(
        f"training-{given.recipe.replace('/', '-')}-{device.type}",
        rows,
        device,
        save=given.save,
        **about,
    )


def measured(row: str, rounds: int) -> dict[str, float]:
    """Medians of several processes."""
    found = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            one = [sys.executable, *sys.argv, "--one", f"{row}={folder}/run"]
            out = subprocess.run(one, check=True, stdout=subprocess.PIPE, text=True).stdout
            found.append(json.loads(out.splitlines()[-1]))
    return {key: statistics.median(one[key] for one in found) for key in found[0]}


if __name__ == "__main__":
    main()
