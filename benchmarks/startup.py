"""How long the command line and the package take to start.

python benchmarks/startup.py --save
"""

import subprocess
import sys

import torch
from common import parser, show

from hodor.profiling import medians

STARTS = {
    "python alone": [],
    "import hodor": ["import hodor"],
    "hodor --help": [
        "import sys; sys.argv = ['hodor', '--help']; from hodor.cli import main; main()"
    ],
}


def main() -> None:
    """Measure and print."""
    given = parser(__doc__, repeats=7).parse_args()

    def start(program: list[str]) -> None:
        words = [sys.executable, "-c", *(program or ["pass"])]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)

    works = {name: lambda p=program: start(p) for name, program in STARTS.items()}
    seconds = medians(works, given.repeats)
    rows = [{"start": name, "seconds": value} for name, value in seconds.items()]
    show("startup", rows, torch.device("cpu"), save=given.save)


if __name__ == "__main__":
    main()
