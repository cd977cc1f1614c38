"""The network as ONNX files: written with PyTorch, run with onnxruntime alone."""

from importlib import import_module
from typing import TYPE_CHECKING

from hodor.onnx.files import FILES, ExportInfo, files_of
from hodor.onnx.network import OnnxNetwork, OnnxPyramid
from hodor.onnx.sessions import Session, open_sessions

if TYPE_CHECKING:
    from hodor.onnx.exporting import export

__all__ = [
    "FILES",
    "ExportInfo",
    "OnnxNetwork",
    "OnnxPyramid",
    "Session",
    "export",
    "files_of",
    "open_sessions",
]


def __getattr__(name: str) -> object:
    if name != "export":
        raise AttributeError(f"module 'hodor.onnx' has no attribute {name!r}")
    return import_module("hodor.onnx.exporting").export  # brings PyTorch
