"""The machine: what it is, the most it can do, and what this process took of it."""

import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn import functional as F

from hodor import __version__

PRECISIONS = {torch.float32: "fp32", torch.bfloat16: "bf16"}
PRODUCT = {"cpu": 2048}  # side of the square matrices: the smallest that a CPU is fastest with ...
LARGE_PRODUCT = 8192  # ... and that an accelerator is
CONVOLUTION = (256, 128, 232)  # channels, rows, columns: F4 of a frame of 512 x 928


class Yardstick(NamedTuple):
    """Work that shows what a machine can do."""

    flop: float
    work: Callable[[], object]


def yardsticks(device: torch.device, dtype: torch.dtype) -> dict[str, Yardstick]:
    """A large matrix product and a large 3x3 convolution, channels-last."""
    side = PRODUCT.get(device.type, LARGE_PRODUCT)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    c, h, w = CONVOLUTION
    x, kernel = (
        torch.randn(shape, device=device, dtype=dtype).to(memory_format=torch.channels_last)
        for shape in ((1, c, h, w), (c, c, 3, 3))
    )
    return {
        "product": Yardstick(2.0 * side**3, lambda: a @ b),
        "convolution": Yardstick(
            2.0 * kernel.numel() * h * w, lambda: F.conv2d(x, kernel, padding=1)
        ),
    }


def peak_memory(device: torch.device) -> tuple[int | None, str]:
    """The most bytes used so far, and of what: the process, or the GPU's memory for tensors.

    None where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device), "tensors in the GPU's memory"
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux's getrusage gives a child at least what its parent used when it was started.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024, "resident memory of the process"
    if sys.platform == "darwin":
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used, "resident memory of the process"
    return None, "not told by this system"


def describe_machine(device: torch.device) -> dict[str, str | int]:
    """Device, threads and versions, for a report."""
    return {
        "device": device.type,
        "name": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
    }


def versions() -> dict[str, str]:
    """Of what decides the speed."""
    return {"hodor": __version__, "torch": torch.__version__, "python": platform.python_version()}


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
