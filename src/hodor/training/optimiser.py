"""AdamW in groups, its learning rate over time, and the moving average of weights."""

import math
from collections.abc import Iterator

import torch
from torch import nn

from hodor.model import Hodor
from hodor.training.settings import Optimisation


def make_optimiser(network: Hodor, settings: Optimisation) -> torch.optim.AdamW:
    """AdamW over what learns; the backbone in a group of its own.

    Parameters under ``frozen`` prefixes, and the backbone at rate 0, stop requiring gradients.
    """
    frozen = (*settings.frozen, *(["backbone."] if settings.backbone_rate == 0 else []))
    groups: dict[str, list[nn.Parameter]] = {"backbone": [], "rest": []}
    for name, parameter in network.named_parameters():
        if name.startswith(frozen):
            parameter.requires_grad_(False)
        else:
            groups["backbone" if name.startswith("backbone.") else "rest"].append(parameter)
    rates = {"backbone": settings.backbone_rate, "rest": 1.0}
    return torch.optim.AdamW(
        [
            {"params": params, "lr": settings.learning_rate * rates[name], "rate": rates[name]}
            for name, params in groups.items()
            if params
        ],
        weight_decay=settings.weight_decay,
    )


def learning_rate(settings: Optimisation, step: int) -> float:
    """Rate of ``step`` (S4: linear warm-up, then division by ten at given steps)."""
    if step < settings.warmup:
        share = step / settings.warmup
        return settings.warmup_start + share * (settings.learning_rate - settings.warmup_start)
    if settings.decay == "cosine":
        span = max(1, settings.iterations - settings.warmup)
        share = min(1.0, (step - settings.warmup) / span)
        return settings.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
    if settings.decay == "step":
        return settings.learning_rate * 0.1 ** sum(step >= at for at in settings.decay_at)
    return settings.learning_rate


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of ``rate``."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["rate"]


class Average:
    """A moving average of a network's parameters.

    Args:
        network: what is averaged.
        decay: share of the old average that stays at each step; less in the first steps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.values = {name: value.detach().clone() for name, value in _floats(network)}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take one step's weights in."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, value in _floats(network):
            self.values[name].lerp_(value.detach(), 1 - decay)


def _floats(network: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    return (
        (name, value) for name, value in network.state_dict().items() if value.is_floating_point()
    )
