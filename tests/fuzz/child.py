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
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
from fuzz.damage import damaged

from hodor.errors import HodorError
from hodor.formats import ReadOptions, read_track, write_track

MEMORY = 4_000_000_000
"""Bytes of addresses; the program's libraries take 1.5 GB of them."""

SECONDS = 40
"""Of the processor, not of the clock, for one input."""

FRAMES = 40
"""At most so many frames are read."""


def read(path: Path) -> str:
    """How reading ends: "read", "refused", or what is wrong with the program."""
    out = path.parent / "out"
    try:
        track = read_track(path, options=ReadOptions(size=(48, 64)))
        few = 0
        for frame in islice(track.frames(), FRAMES):
            few += frame.label_map.size < 10_000
            if frame.label_map.dtype not in (np.uint8, np.uint16) or frame.label_map.ndim != 2:
                return f"a label map is {frame.label_map.dtype} {frame.label_map.shape}"
        if 0 < few < FRAMES:
            write_track(track, out, "png")
    except HodorError as error:
        text = str(error)
        return "refused" if text.count("\n") == 0 and len(text) < 2000 else f"long: {text[:500]}"
    except Exception:
        return traceback.format_exc()
    return "read"


def inputs_in(folder: Path) -> list[Path]:
    """What a user would name: the files of a seed's folder, else its folders."""
    found = sorted(folder.iterdir())
    return found[:1]


def main(seeds: Path, work: Path, first: int, last: int) -> None:
    """Inputs `first` to `last`, each made of its number alone."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    everything = sorted(seeds.iterdir())
    for number in range(first, last):
        random = Random(number)
        folder = work / "input"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        seed = random.choice(everything)
        damaged(seed, folder, random)
        before = set(work.iterdir())
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # which ends the process, as a finding
        ended = next((read(path) for path in inputs_in(folder)), "read")
        signal.setitimer(signal.ITIMER_PROF, 0)
        if set(work.iterdir()) != before:
            ended = "something was written outside of its folder"
        print(json.dumps({"number": number, "seed": seed.name, "ended": ended}), flush=True)


if __name__ == "__main__":
    # Libraries write to stderr what they find wrong; only the answers are read.
    with suppress(KeyboardInterrupt):
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    os._exit(0)
