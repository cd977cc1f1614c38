"""Reads damaged inputs in a process with little memory; says of each, in a line, how it ended.

python child.py SEEDS WORK FIRST LAST
"""

import json
import os
import resource
import shutil
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from random import Random

from fuzz.damage import damaged
from fuzz.readers import READERS

from hodor.errors import LIST_ITEM, HodorError

MEMORY = 4_000_000_000
"""Bytes of data; the program with PyTorch takes 0.6 GB."""

LONGEST = 4000
"""Characters of a line of a message: some list every problem of a folder in one."""

SECONDS = 40
"""Of the processor, not of the clock, for one input."""


def read(path: Path, kind: str) -> str:
    """How reading ends: "read", "refused", or what is wrong with the program."""
    try:
        READERS[kind](path)
    except HodorError as error:
        lines = str(error).splitlines()
        listed = all(line.startswith(LIST_ITEM) for line in lines[1:])
        short = max(map(len, lines), default=0) < LONGEST
        return "refused" if listed and short else f"long: {str(error)[:500]}"
    except Exception:
        return traceback.format_exc()
    return "read"


def inputs_in(folder: Path) -> list[Path]:
    """What a user would name: the files of a seed's folder, else its folders."""
    found = sorted(folder.iterdir())
    return found[:1]


def main(seeds: Path, work: Path, first: int, last: int) -> None:
    """Inputs `first` to `last`, each made of its number alone."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    everything = sorted(seeds.iterdir())
    for number in range(first, last):
        random = Random(number)
        folder = work / "input"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        seed = random.choice(everything)
        kind = seed.name.partition("-")[0]
        damaged(seed, folder, random)
        before = set(work.iterdir())
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # which ends the process, as a finding
        ended = next((read(path, kind) for path in inputs_in(folder)), "read")
        signal.setitimer(signal.ITIMER_PROF, 0)
        if set(work.iterdir()) != before:
            ended = "something was written outside of its folder"
        print(json.dumps({"number": number, "seed": seed.name, "ended": ended}), flush=True)


if __name__ == "__main__":
    # Libraries write to stderr what they find wrong; only the answers are read.
    with suppress(KeyboardInterrupt):
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    os._exit(0)
