"""One process or many: where a run's parts are, and how their gradients meet."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from hodor.errors import RecipeError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Launch:
    """How many processes were started, by ``torchrun`` or a scheduler, or one."""

    each: int = 1
    """Processes on a machine"""
    machines: int = 1
    rank: int = 0
    """Which of all processes this one is"""

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    @property
    def processes(self) -> int:
        """In all."""
        return self.each * self.machines


def launched(environment: Mapping[str, str] = os.environ) -> Launch:
    """What ``torchrun`` started; a process that it did not start is alone.

    Args:
        environment: variables; ``torchrun`` sets WORLD_SIZE, LOCAL_WORLD_SIZE and RANK.
    """
    if "TORCHELASTIC_RUN_ID" not in environment:
        return Launch()
    each = int(environment["LOCAL_WORLD_SIZE"])
    return Launch(each, int(environment["WORLD_SIZE"]) // each, int(environment["RANK"]))


class Processes:
    """The processes of a run, through Lightning Fabric.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; several processes take one GPU each.
        launch: how many there are.
    """

    def __init__(self, device: torch.device | str, launch: Launch) -> None:
        self.fabric = _fabric(torch.device(device), launch)
        self.fabric.launch()
        self.device: torch.device = self.fabric.device
        self.rank: int = self.fabric.global_rank
        self.count: int = self.fabric.world_size

    @property
    def first(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def share(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> nn.Module:
        """The module, with gradients that are averaged over all processes; on the device."""
        shared: nn.Module = self.fabric.setup(module, optimiser)[0]
        return shared

    def apart(self, module: nn.Module, last: bool) -> AbstractContextManager[object]:
        """Around all backward passes of a step but the last: gradients do not meet yet.

        module: what ``share`` gave.
        """
        if self.count == 1 or last:
            return nullcontext()
        return self.fabric.no_backward_sync(module)  # type: ignore[arg-type]

    def backward(self, loss: Tensor) -> None:
        """Gradients of a loss, a scalar, into the module's parameters."""
        self.fabric.backward(loss)

    def sum(self, value: Tensor) -> Tensor:
        """The sum over all processes of a tensor that has the same shape in each."""
        if self.count == 1:
            return value
        return cast(Tensor, self.fabric.all_reduce(value, reduce_op="sum"))


def _fabric(device: torch.device, launch: Launch) -> "Fabric":
    many = launch.processes > 1
    if many and device.index is not None:
        raise RecipeError(
            f"--device {device}: several processes take one GPU each; write {device.type}"
        )
    environments = _lightning(".plugins.environments")
    # Named, not guessed: a process that torchrun did not start is alone, whatever its scheduler
    # has set. Parts of the pyramid that nothing reads get no gradient.
    if many:
        environment = environments.TorchElasticEnvironment()
        strategy = _lightning(".strategies").DDPStrategy(find_unused_parameters=True)
    else:
        environment, strategy = environments.LightningEnvironment(), "auto"
    fabric: Fabric = _lightning("").Fabric(
        accelerator=device.type,
        devices=launch.each if many or device.index is None else [device.index],
        num_nodes=launch.machines,
        strategy=strategy,
        plugins=[environment],
    )
    return fabric


def _lightning(part: str) -> ModuleType:
    """A part of Fabric, which comes alone or in the package ``lightning``."""
    try:
        return import_module(f"lightning_fabric{part}")
    except ModuleNotFoundError:
        return import_module(f"lightning.fabric{part}")
