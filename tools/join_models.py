"""Give a model what another one corrects its masks by, and tokens: where training starts from.

    python tools/join_models.py tiny runs/small-10/model.safetensors runs/tiny-0
    python tools/join_models.py small runs/small-10/model.safetensors runs/base-0 \
        --tokens dinov2_vits14.safetensors --pictures data/static/duts/images

    python tools/join_models.py runs/small-12/model.safetensors runs/small-12/model.safetensors \
        runs/small-13-0 --refiner-channels 48

Args: a model, one with a refiner and matching, a folder for ``model.safetensors``. With --tokens,
weights of DINOv2 ViT-S/14 in the layout of timm, the network matches by its tokens too, first along
directions in which they differ most from place to place in the pictures. With --refiner-channels it
has more of these than the corrector; the new ones add nothing before they are trained.
"""

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from models import in_corner, write_network
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from hodor.model import Hodor, normalise
from hodor.weights import load_model

PICTURES = 120
EVERY = 4  # of a picture's tokens
SHARE = 0.5  # before a sigmoid: of the tokens in the keys


def joined(model: str, corrector: str, *, tokens: bool, channels: int | None = None) -> Hodor:
    """The network of ``model`` with the refiner and matcher of ``corrector``."""
    ours, theirs = load_model(model), load_model(corrector)
    config = replace(
        ours.config,
        refiner_channels=channels or theirs.config.refiner_channels,
        match_channels=theirs.config.match_channels,
        tokens="dinov2_small" if tokens else "none",
    )
    network = Hodor(config)
    parts = {k: v for k, v in theirs.state_dict().items() if k.startswith(("refiner.", "matcher."))}
    fresh = network.state_dict()
    parts = {k: with_new_channels(k, v, fresh[k]) for k, v in parts.items()}
    network.load_state_dict(ours.state_dict() | parts, strict=False)
    network.metadata = ours.metadata
    return network.eval()


def with_new_channels(name: str, weights: Tensor, fresh: Tensor) -> Tensor:
    """A refiner's weights in a wider one, which then computes the same.

    New channels are as they are before training, but nothing listens to them yet.
    """
    if weights.shape == fresh.shape:
        return weights
    wide = fresh.clone()
    old = weights.shape[0]
    if name == "refiner.matched.weight":
        nn.init.kaiming_uniform_(wide, a=math.sqrt(5))  # a fresh one has zeros
    if weights.ndim > 1:
        wide[:old, weights.shape[1] :] = 0
    return in_corner(weights, wide)


@torch.no_grad()
def match_by_tokens(network: Hodor, weights: dict[str, Tensor], pictures: list[Path]) -> None:
    """Fill a network's transformer, and let its matcher begin with the tokens' main components."""
    if network.tokens is None or network.matcher is None or network.matcher.tokens is None:
        raise SystemExit("the network does not match by tokens")
    network.tokens.load_published({name: value.float() for name, value in weights.items()})
    seen = []
    for path in pictures:
        pixels = np.array(Image.open(path).convert("RGB"))
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
        found = F.normalize(network.tokens(normalise(network.config, image)), dim=1)
        seen.append(found[0].flatten(1).T[::EVERY])
    tokens = torch.cat(seen)
    middle = tokens.mean(0)
    _, _, directions = torch.linalg.svd(tokens - middle, full_matrices=False)
    kept = directions[: network.config.match_channels]
    network.matcher.tokens.weight.copy_(kept[..., None, None])
    network.matcher.tokens.bias.copy_(-(kept @ middle))
    network.matcher.share.fill_(SHARE)


def main() -> None:
    """Parse and join."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("corrector")
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokens", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--refiner-channels", type=int)
    given = parser.parse_args()
    network = joined(
        given.model,
        given.corrector,
        tokens=given.tokens is not None,
        channels=given.refiner_channels,
    )
    if given.tokens is not None:
        if given.pictures is None:
            parser.error("--tokens needs --pictures")
        pictures = sorted(given.pictures.glob("*.jpg"))
        step = max(1, len(pictures) // PICTURES)
        match_by_tokens(network, load_file(given.tokens), pictures[::step])
    write_network(network, given.out)


if __name__ == "__main__":
    main()
