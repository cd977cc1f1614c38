"""A process that stops where a test says, so that it can be killed there: no clock decides."""

import os
import subprocess
import threading
from pathlib import Path

# Python reads this file when it starts, in the process and in those that it starts.
SITE = """
import importlib.abc, importlib.util, itertools, os, sys

MODULE, NAMES = os.environ["HELD_AFTER"].split(":")
*OWNERS, NAME = NAMES.split(".")
CALLS, FOLDER = int(os.environ["HELD_CALLS"]), os.environ["HELD_IN"]


def hold(module):
    owner = module
    for one in OWNERS:
        owner = getattr(owner, one)
    original, calls = getattr(owner, NAME), itertools.count(1)

    def held(*given, **named):
        result = original(*given, **named)
        if next(calls) == CALLS:
            try:
                os.close(os.open(f"{FOLDER}/held", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return result  # another process is the one
            with open(f"{FOLDER}/told", "w") as told:
                told.write(str(os.getpid()))
            open(f"{FOLDER}/never").read()
        return result

    setattr(owner, NAME, held)


class Holding(importlib.abc.MetaPathFinder):
    looking = False

    def find_spec(self, name, path=None, target=None):
        if name != MODULE or self.looking:
            return None
        self.looking = True
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (run(module), hold(module))
        return spec


sys.meta_path.insert(0, Holding())
"""


class Held:
    """Where and when a process is to stop.

    Args:
        folder: an empty one, for pipes between the test and the process.
        after: ``module:function`` or ``module:Class.method``, once it has returned.
        calls: how often it must have been called in one process.
    """

    def __init__(self, folder: Path, after: str, calls: int = 1) -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "sitecustomize.py").write_text(SITE)
        for name in ("told", "never"):
            os.mkfifo(folder / name)
        paths = [str(folder), os.environ.get("PYTHONPATH", "")]
        self.environment = os.environ | {
            "HELD_AFTER": after,
            "HELD_CALLS": str(calls),
            "HELD_IN": str(folder),
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }

    def wait(self, process: "subprocess.Popen[str]") -> int:
        """The id of the process that stopped: the one given, or one that it started."""
        told = self.folder / "told"

        def ended() -> None:
            process.wait()
            told.open("w").close()  # lets the reader go, if nothing stopped

        threading.Thread(target=ended, daemon=True).start()
        number = told.read_text()
        assert number, "the process ended before it came to where it should stop"
        return int(number)
