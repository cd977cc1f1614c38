"""onnxruntime's sessions: opened in one way, with errors that say what to do."""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol

from hodor.errors import HodorError, WeightsError
from hodor.types import AnyArray

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
QUIET = 3  # onnxruntime's level for errors


class NamedInput(Protocol):
    """What a network asks for."""

    @property
    def name(self) -> str:
        """As the file calls it."""


class ModelMetadata(Protocol):
    """What a file says of itself."""

    @property
    def custom_metadata_map(self) -> dict[str, str]:
        """By key."""


class Session(Protocol):
    """What is used of onnxruntime's ``InferenceSession``, which states no types."""

    def run(
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, AnyArray]
    ) -> list[AnyArray]:
        """Outputs, those named or all, of arrays by the inputs' names."""

    def get_inputs(self) -> Sequence[NamedInput]:
        """What it asks for."""

    def get_providers(self) -> list[str]:
        """What it runs on, the first choice first."""

    def get_modelmeta(self) -> ModelMetadata:
        """What the file says of itself."""


def open_sessions(
    files: dict[str, Path], device: str = "cpu", threads: int | None = None
) -> dict[str, Session]:
    """A session for each file, under the same name.

    Args:
        files: ONNX files by name.
        device: ``cpu`` or ``cuda``.
        threads: of one operation; None: as many as ``OMP_NUM_THREADS`` says, by which PyTorch
            goes too, else as there are cores.

    Raises:
        HodorError: onnxruntime is missing, or has no such device.
        WeightsError: a file is damaged, or no ONNX.
    """
    ort = _onnxruntime()
    provider = _provider(ort, device)
    options = ort.SessionOptions()
    options.intra_op_num_threads = _threads() if threads is None else threads
    options.log_severity_level = QUIET
    return {name: _session(ort, path, options, provider) for name, path in files.items()}


def _threads() -> int:
    """What the environment says; 0, onnxruntime's word for all cores, where it says nothing."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(first) if first.isdigit() else 0


def _onnxruntime() -> ModuleType:
    try:
        return import_module("onnxruntime")
    except ImportError as error:
        raise HodorError(
            f"running ONNX files needs {error.name}: pip install 'hodor-vos[onnx]'"
        ) from error


def _provider(ort: ModuleType, device: str) -> str:
    kind = device.partition(":")[0]
    if kind not in PROVIDERS:
        raise HodorError(
            f"device {device}: exported files run on {' or '.join(PROVIDERS)}; for others take "
            "the runtime torch"
        )
    if PROVIDERS[kind] not in ort.get_available_providers():
        raise HodorError(
            f"device {device}: this onnxruntime has no {PROVIDERS[kind]} (pip install "
            "onnxruntime-gpu brings it); use --device cpu"
        )
    return PROVIDERS[kind]


def _session(ort: ModuleType, path: Path, options: object, provider: str) -> Session:
    try:
        session: Session = ort.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:  # onnxruntime's own errors have no base but this
        first = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path}: onnxruntime cannot load it ({first})") from error
    if provider not in session.get_providers():
        raise HodorError(
            f"{path}: onnxruntime could not start {provider} (are CUDA and cuDNN installed?); use "
            "--device cpu"
        )
    return session
