"""A model's curve of confidence: from the network's own mean probability to the J to expect.

    python tools/calibrate.py runs/tiny-8/model.safetensors PATH/data/static/duts about.json

Args: a model, a folder with ``images`` and ``masks``, of which one in twenty is held out, and the
JSON file for ``bundle_model.py --about`` into which the curve goes as ``calibration``. It is
measured on 24 clips of several objects, another draw than those that docs/weights.md has scores of.
"""

import argparse
import json
import tempfile
from pathlib import Path

from hodor.evaluation import (
    Execution,
    Method,
    calibration_curve,
    judge,
    moving_stills_benchmark,
    read_notes,
    run_method,
)
from hodor.weights import read_model, save_model

DRAW = 1  # of the clips: scores are of draw 0


def curve_of(model: Path, stills: Path) -> list[tuple[float, float]]:
    """The curve of a model as it tracks, by what it says without one."""
    network = read_model(model)
    without = {k: v for k, v in network.metadata.items() if k != "calibration"}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        plain = folder / "model.safetensors"
        save_model(plain, network.config, network.state_dict(), without)
        clips = moving_stills_benchmark(
            stills / "images", stills / "masks", folder / "clips", seed=DRAW
        )
        run_method(Method("plain", str(plain)), clips, folder / "out", Execution())
        notes = read_notes(clips, folder / "out")
        confidence = {name: note.confidence for name, note in notes.items()}
        return calibration_curve(judge(folder / "out", clips, confidence))


def main() -> None:
    """Parse, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "stills", "about"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    about = json.loads(given.about.read_text()) if given.about.is_file() else {}
    about["calibration"] = curve_of(given.model, given.stills)
    given.about.write_text(json.dumps(about, indent=1) + "\n")
    print(about["calibration"])


if __name__ == "__main__":
    main()
