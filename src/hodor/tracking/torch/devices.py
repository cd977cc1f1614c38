"""Where PyTorch computes, and in what precision."""

from pathlib import Path

import torch

from hodor.errors import HodorError


def choose_device(device: str | torch.device) -> torch.device:
    """The device that ``auto``, or a name, stands for.

    Raises:
        HodorError: this machine or this PyTorch does not have it.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first = str(error).splitlines()[0]
        raise HodorError(
            f"device {device}: not available here ({first}); use --device auto or cpu"
        ) from error
    return chosen


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """The dtype that ``auto``, ``fp32`` or ``bf16`` stands for.

    ``auto`` is bfloat16 where the processor has it natively, float32 elsewhere: emulated bfloat16
    is many times slower.

    Raises:
        HodorError: an unknown name.
    """
    if precision == "auto":
        native = (device.type == "cuda" and torch.cuda.is_bf16_supported(False)) or (
            device.type == "cpu" and _native_on_processor(Path("/proc/cpuinfo"))
        )
        return torch.bfloat16 if native else torch.float32
    known = {"fp32": torch.float32, "bf16": torch.bfloat16}
    if precision not in known:
        raise HodorError(f"precision {precision!r}: it must be auto, fp32 or bf16")
    return known[precision]


def _native_on_processor(listing: Path) -> bool:
    """Whether a CPU has bfloat16 natively.

    oneDNN says yes for every x86 with AVX-512, and emulates it on those without the instructions.

    Args:
        listing: where Linux lists what a processor has; missing elsewhere.
    """
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    if not listing.is_file():
        return True
    text = listing.read_text(errors="replace")
    return "avx512" not in text or "avx512_bf16" in text or "amx_bf16" in text
