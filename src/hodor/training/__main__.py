"""``python -m hodor.training``: training where there are only PyTorch, timm and Fabric.

Takes a recipe as JSON, which ``hodor train RECIPE --resolve FILE`` writes elsewhere.
"""

import argparse
import sys
import time
from pathlib import Path

import torch

from hodor.errors import HodorError
from hodor.training import Listener, Progress, launched, load_recipe, read_plain, train

EVERY = 30.0  # seconds between lines


class Lines:
    """Prints a step now and then, with the time that is left."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.first: int | None = None
        self.shown = 0.0

    def report(self, at: Progress) -> None:
        """Print ``at``, if the last line is long ago."""
        now = time.monotonic()
        if self.first is None:
            self.first, self.began = at.step - 1, now - at.seconds
        if now - self.shown < EVERY and at.step < at.of:
            return
        self.shown = now
        left = (now - self.began) / (at.step - self.first) * (at.of - at.step)
        print(
            f"{at.step}/{at.of} loss {at.loss:.3f} IoU {at.iou:.2f} "
            f"{1 / max(at.seconds, 1e-9):.2f} it/s, {left / 3600:.1f} h left",
            file=sys.stderr,
            flush=True,
        )


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(prog="python -m hodor.training", description=__doc__)
    parser.add_argument("recipe", help="JSON of a recipe; or what hodor train takes")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    given = parser.parse_args()
    listener = Listener(report=Lines().report, tell=lambda line: print(line, file=sys.stderr))
    try:
        path = Path(given.recipe)
        recipe = read_plain(path) if path.suffix == ".json" else load_recipe(given.recipe)
        train(
            recipe,
            given.out,
            device=given.device,
            resume=given.resume,
            launch=launched(),
            listener=listener,
        )
    except HodorError as error:
        sys.exit("hodor: " + " ".join(str(error).split()))


if __name__ == "__main__":
    main()
