"""``python -m hodor.training``: training where there are only PyTorch, timm and Fabric.

Takes a recipe as JSON, which ``hodor train RECIPE --resolve FILE`` writes elsewhere.
"""

import argparse
import sys
from pathlib import Path

import torch

from hodor.errors import HodorError
from hodor.training import Listener, ProgressLines, launched, load_recipe, read_plain, train


def say(line: str) -> None:
    """Print a line at once, beside what others read from the output."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(prog="python -m hodor.training", description=__doc__)
    parser.add_argument("recipe", help="JSON of a recipe; or what hodor train takes")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    given = parser.parse_args()
    listener = Listener(report=ProgressLines(say).report, tell=say)
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
