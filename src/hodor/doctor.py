"""What is installed and how it does: lines to paste into a report of a fault."""

import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from importlib.util import find_spec
from itertools import islice
from typing import Literal, NamedTuple

from hodor import __version__
from hodor.errors import HodorError, counted, one_line

PACKAGE = "hodor-vos"
LIBRARIES = ("torch", "torchvision", "timm", "numpy", "opencv-python-headless", "av", "pillow")
READ = ("h264", "hevc", "vp9", "av1", "prores", "mjpeg")
WRITE = ("libx264", "prores_ks", "ffv1")
STEPS = 5
"""Frames that are timed, after one that is not"""


class Finding(NamedTuple):
    """One line: what was looked at, and what was found there."""

    about: str
    found: str


def examine(model: str) -> Iterator[Finding]:
    """Look at versions, device, codecs, extras, models and the speed of one step.

    Nothing is raised: what cannot be found out is told as a finding.

    Args:
        model: name of the model whose step is timed.
    """
    looks: dict[str, Callable[[], str]] = {
        "hodor": _hodor,
        "system": platform.platform,
        "libraries": _libraries,
        "device": _device,
        "codecs": _codecs,
        "extras": _extras,
        "models": _models,
        "one step": lambda: _step(model),
    }
    for about, look in looks.items():
        try:
            found = look()
        except HodorError as error:
            found = f"failed: {one_line(error)}"
        except Exception as error:  # A doctor who faints helps nobody.
            found = f"failed: {type(error).__name__}: {one_line(error)}"
        yield Finding(about, found)


def _hodor() -> str:
    return f"{__version__}, Python {platform.python_version()}"


def _libraries() -> str:
    return ", ".join(f"{name} {_version(name) or 'missing'}" for name in LIBRARIES)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _device() -> str:
    if find_spec("torch") is None:
        return "PyTorch is not installed"
    import torch

    threads = f"{torch.get_num_threads()} of {counted(os.cpu_count() or 1, 'thread')}"
    if torch.cuda.is_available():
        free, total = (part / 2**30 for part in torch.cuda.mem_get_info())
        name = torch.cuda.get_device_name()
        return f"cuda {torch.version.cuda}: {name}, {free:.0f} of {total:.0f} GiB free; {threads}"
    if torch.backends.mps.is_available():
        return f"mps; {threads}"
    built = torch.version.cuda
    why = f"PyTorch is built for CUDA {built}, and sees no GPU" if built else "PyTorch without CUDA"
    return f"cpu, {threads}; {why}"


def _codecs() -> str:
    import av

    def listed(names: tuple[str, ...], mode: Literal["r", "w"]) -> str:
        return ", ".join(name if _has(name, mode) else f"{name} MISSING" for name in names)

    return f"reads {listed(READ, 'r')}; writes {listed(WRITE, 'w')} (PyAV {av.__version__})"


def _has(codec: str, mode: Literal["r", "w"]) -> bool:
    import av

    try:
        av.Codec(codec, mode)
    except ValueError:  # PyAV's unknown codec is one
        return False
    return True


def _extras() -> str:
    lacking: dict[str, list[str]] = {}
    for line in metadata.requires(PACKAGE) or ():
        found = re.match(r"([\w.-]+).*extra == ['\"]([\w-]+)['\"]", line)
        if found is None or found.group(2) == "all":
            continue
        missing = lacking.setdefault(found.group(2), [])
        if _version(found.group(1)) is None:
            missing.append(found.group(1))
    told = (
        f"{extra} yes" if not missing else f"{extra} NO ({', '.join(missing)})"
        for extra, missing in lacking.items()
    )
    return "; ".join(told) or "none are known of this installation"


def _models() -> str:
    from hodor.weights import bundled_models, model_path

    told = []
    for name in bundled_models():
        try:
            told.append(f"{name} {model_path(name).stat().st_size / 1e6:.1f} MB, intact")
        except HodorError as error:
            told.append(f"{name} BROKEN: {one_line(error)}")
    return "; ".join(told) or "none bundled"


def _step(model: str) -> str:
    from hodor.assets import sample_clip, sample_masks
    from hodor.tracking import Tracker
    from hodor.video import open_source, read_label_map

    tracker = Tracker.from_pretrained(model)
    seconds = []
    with open_source(str(sample_clip())) as source:
        for frame in islice(source.frames(), STEPS + 1):
            began = time.perf_counter()
            masks = read_label_map(sample_masks()) if frame.index == 0 else None
            result = tracker.step(frame.pixels, masks)
            seconds.append(time.perf_counter() - began)
    height, width = result.label_map.shape
    median = statistics.median(seconds[1:])
    runtime = tracker.runtime
    return (
        f"{1000 * median:.0f} ms for a frame of {width} x {height}, "
        f"{counted(len(result.ids), 'object')}, model {model}, on {runtime.device_name} "
        f"({runtime.precision})"
    )
