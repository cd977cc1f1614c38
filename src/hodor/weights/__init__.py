"""Models as files: bundled ones, the hub, checks."""

from hodor.weights.catalogue import (
    DEFAULT,
    HUB,
    bundled_models,
    bundled_scores,
    load_model,
    model_path,
    verify,
)
from hodor.weights.files import ModelInfo, read_info, read_model, save_model, sha256

__all__ = [
    "DEFAULT",
    "HUB",
    "ModelInfo",
    "bundled_models",
    "bundled_scores",
    "load_model",
    "model_path",
    "read_info",
    "read_model",
    "save_model",
    "sha256",
    "verify",
]
