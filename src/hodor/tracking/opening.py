"""A model's name, or a network, to what runs it; only that runtime's library is loaded."""

from pathlib import Path
from typing import TYPE_CHECKING

from hodor.errors import HodorError
from hodor.tracking.runtime import AnyRuntime, Runtime

if TYPE_CHECKING:
    import torch

    from hodor.model import Hodor
    from hodor.tracking.torch.runtime import TorchRuntime

RUNTIMES = ("torch", "onnx")


def open_runtime(
    model: str,
    runtime: str,
    device: "str | torch.device",
    precision: str,
    step: str = "plain",
) -> AnyRuntime:
    """A model and what runs it.

    Args:
        model: as for ``Tracker.from_pretrained``; for ``onnx`` the folder of an export.
        runtime: ``torch`` or ``onnx``.
        device, precision, step: as for ``Tracker``.

    Raises:
        HodorError: no such model, or what runs it is not installed or not to be had here.
    """
    if runtime == "onnx":
        from hodor.onnx import OnnxNetwork
        from hodor.tracking.onnx.runtime import OnnxRuntime

        if precision not in ("auto", "fp32"):
            raise HodorError(f"precision {precision!r}: exported files compute in fp32")
        if step != "plain":
            raise HodorError(f"step {step!r}: exported files have the step plain alone")
        return OnnxRuntime(OnnxNetwork.open(Path(model), str(device)))
    if runtime != "torch":
        raise HodorError(f"runtime {runtime!r}: it must be one of {', '.join(RUNTIMES)}")
    from hodor.tracking.torch.runtime import TorchRuntime
    from hodor.weights import load_model

    return TorchRuntime(load_model(model), device, precision, step)


def runtime_for(
    network: "Hodor | AnyRuntime", device: "str | torch.device", precision: str, step: str
) -> AnyRuntime:
    """What runs a network.

    Args:
        network: PyTorch's, of which frames go through a copy; or a runtime, which comes back.
        device, precision, step: as for ``Tracker``; a runtime has its own.

    Raises:
        HodorError: the device, precision or step is not to be had, or this is a network's name.
    """
    if isinstance(network, Runtime):
        return network
    if isinstance(network, (str, Path)):
        raise HodorError(
            f"{str(network)!r} is a name, and a tracker is made of a network; "
            f"Tracker.from_pretrained({str(network)!r}) opens one by its name"
        )
    from hodor.tracking.torch.runtime import TorchRuntime

    return TorchRuntime(network, device, precision, step)


def torch_runtime(runtime: AnyRuntime) -> "TorchRuntime":
    """A runtime as PyTorch's.

    Raises:
        HodorError: it runs exported files.
    """
    if runtime.name == "torch":
        from hodor.tracking.torch.runtime import TorchRuntime

        if isinstance(runtime, TorchRuntime):
            return runtime
    raise HodorError(
        f"this needs PyTorch's network, and the tracker runs on {runtime.name}; take the runtime "
        "torch"
    )
