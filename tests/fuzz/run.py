"""Fuzzing of every reader: each damaged input is read, or refused in one line.

    python tests/fuzz/run.py --inputs 20000
    python tests/fuzz/run.py --inputs 2000 --kind run,session

Inputs are read in children with limits on memory and time, and an input is made of its number
alone, so that `--first NUMBER --inputs 1 --keep FOLDER` makes it again. What was found is said at
the end, and the exit code is 1.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz.seeds import seeds

GOOD = ("read", "refused")


@dataclass(frozen=True)
class Finding:
    """An input that ended neither in a result nor in one line."""

    number: int
    seed: str
    ended: str


def fuzz(first: int, count: int, work: Path, kind: str = "") -> tuple[Counter[str], list[Finding]]:
    """How inputs ended, and those that should not have ended so.

    Args:
        first: number of the first input.
        count: of inputs.
        work: an empty folder; the last input stays in it.
        kind: what the names of seeds begin with that are used, such as "run,session"; "" for all.
    """
    for seed in seeds(work / "seeds"):
        if not seed.name.startswith(tuple(kind.split(","))):
            shutil.rmtree(seed)
    ends: Counter[str] = Counter()
    findings = []
    at, last = first, first + count
    while at < last:
        answers, code = _child(work, at, last)
        for answer in answers:
            ends[answer.ended if answer.ended in GOOD else "found"] += 1
            findings += [] if answer.ended in GOOD else [answer]
        at = answers[-1].number + 1 if answers else at
        if at < last:
            findings.append(Finding(at, "?", f"the child ended with {code}"))
            ends["found"] += 1
            at += 1
    return ends, findings


def _answers(printed: bytes) -> list[bytes]:
    """Lines that are answers: OpenEXR prints warnings among them."""
    return [line for line in printed.splitlines() if line.startswith(b"{")]


def _child(work: Path, first: int, last: int) -> tuple[list[Finding], int]:
    """What a child said, and how it ended."""
    here = Path(__file__).resolve().parent
    command = [sys.executable, str(here / "child.py"), str(work / "seeds"), str(work / "work")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(here.parent), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with (work / "stderr.txt").open("wb") as stderr:
        done = subprocess.run(
            [*command, str(first), str(last)],
            stdout=subprocess.PIPE, stderr=stderr, env=environment, check=False,
        )  # fmt: skip
    return [Finding(**json.loads(line)) for line in _answers(done.stdout)], done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="an empty folder for seeds and the last input")
    parser.add_argument("--kind", default="", help="begins the names of the seeds that are used")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.keep or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        ends, findings = fuzz(given.first, given.inputs, work, given.kind)
    for one in findings:
        print(f"--first {one.number} ({one.seed}): {one.ended}")
    print(", ".join(f"{count} {end}" for end, count in sorted(ends.items())))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
