"""Put a trained model into the package: half precision, with its options, log and sha256.

    python tools/bundle_model.py small runs/small-1 runs/small-2 --about about.json

Args: a name, the run folders in order (the last one's model is taken; with --shares 1 1 2 the mean
of the last three runs' weights, of which the last counts twice; with --mean-of small FILE the mean
of models that are named), and a JSON file with what ``ModelInfo.metadata`` adds to the recipe:
tracking options, data and licence notes. Scores are measured of what is bundled, and go into
``scores.json`` by hand. With --corrections 0.5 half of what the refiner
adds to logits is taken. DINOv2 is part of ``base`` alone; the others that see by it take it there.
"""

import argparse
import gzip
import json
from pathlib import Path

import torch
from models import in_corner
from torch import Tensor

from hodor.weights import model_path, read_info, read_model, save_model, sha256

BUNDLED = Path(__file__).parents[1] / "src/hodor/weights/bundled"


def mean_of(models: list[Path], shares: list[float], like: Path | None = None) -> dict[str, Tensor]:
    """The mean of the weights of models, of which each has its share.

    The last one's network is taken. What another lacks of it comes from those that have it, but
    for the refiner's look at what was matched: there it stands for zeros. One whose refiner has
    fewer channels has those of ``like``, a model in which nothing listens to them.
    """
    states = [read_model(path).state_dict() for path in models]
    if like is not None:
        wide = read_model(like).state_dict()
        states = [widened(state, wide) for state in states]
    return {k: _mean([s.get(k) for s in states], shares, k) for k in states[-1]}


def widened(state: dict[str, Tensor], wide: dict[str, Tensor]) -> dict[str, Tensor]:
    """A model's weights with a refiner of as many channels as ``wide`` has."""
    before = len(state["refiner.own.weight"])
    if before == len(wide["refiner.own.weight"]):
        return state
    filled = dict(state)
    for name, values in wide.items():
        if name in state:
            filled[name] = in_corner(state[name], values)
        elif name.startswith("refiner.matched."):
            filled[name] = values.clone()
            filled[name][:before] = 0
    return filled


def _mean(weights: list[Tensor | None], shares: list[float], name: str) -> Tensor:
    """The mean of one tensor of several models, of which the last has it."""
    there = [(w, share) for w, share in zip(weights, shares, strict=True) if w is not None]
    all_of_it = sum(shares if name.startswith("refiner.matched.") else [s for _, s in there])
    total = torch.stack([share * w.double() for w, share in there]).sum(0)
    return (total / all_of_it).to(there[-1][0])


def bundle(
    name: str,
    runs: list[Path],
    about: dict[str, object],
    shares: list[float],
    corrections: float,
    mean_of_these: list[str],
    like: Path | None,
    eight_bit: list[str],
) -> Path:
    """Write model, logs and sha256; give the model's path."""
    models = [run / "model.safetensors" for run in runs[-len(shares) :]]
    if mean_of_these:
        models = [model_path(one) for one in mean_of_these]
        shares = shares if len(shares) == len(models) else [1.0] * len(models)
    info = read_info(models[-1])
    # The recipes themselves are in the package; a run's own copy holds paths of its machine.
    recipes = [run.name for run in runs]
    described = info.metadata | about | {"name": name, "recipe": recipes}
    described.pop("scores", None)  # of a model before this one
    path = BUNDLED / f"{name}.safetensors"
    state = mean_of(models, shares, like)
    for name_of_last in ("refiner.out.weight", "refiner.out.bias"):
        if name_of_last in state:
            state[name_of_last] *= corrections
    # A transformer that nobody trained here is most of a file; in 8 bits it is half of that, and
    # one file of it is enough for all that are bundled.
    eight_bit = ["tokens.", *eight_bit]
    tokens = name == "base"
    save_model(
        path, info.config, state, described, dtype=torch.float16, eight_bit=eight_bit, tokens=tokens
    )
    for run in runs:
        with gzip.GzipFile(BUNDLED / f"{run.name}-log.jsonl.gz", "wb", mtime=0) as file:
            file.write((run / "log.jsonl").read_bytes())
    listing = BUNDLED / "sha256.json"
    known = json.loads(listing.read_text()) if listing.is_file() else {}
    listing.write_text(json.dumps(known | {name: sha256(path)}, indent=1) + "\n")
    return path


def main() -> None:
    """Parse and bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--about", type=Path, required=True)
    parser.add_argument(
        "--shares", nargs="+", type=float, default=[1.0], help="of the last runs in the mean"
    )
    parser.add_argument(
        "--corrections", type=float, default=1.0, help="factor on what the refiner adds"
    )
    parser.add_argument(
        "--mean-of", nargs="+", default=[], help="models or files, in place of the last runs'"
    )
    parser.add_argument(
        "--widened-like", type=Path, help="whose refiner's channels narrower models get"
    )
    parser.add_argument(
        "--eight-bit", nargs="+", default=[], help="beginnings of the names of matrices to store so"
    )
    given = parser.parse_args()
    about = json.loads(given.about.read_text())
    path = bundle(
        given.name, given.runs, about, given.shares, given.corrections, given.mean_of,
        given.widened_like, given.eight_bit,
    )  # fmt: skip
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
