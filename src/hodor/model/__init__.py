"""The network, pure PyTorch: no files, no video, no global state.

Names are loaded when first used: what needs only a config, such as following a video with exported
files, does so without PyTorch.
"""

from typing import TYPE_CHECKING

from hodor.lazy import names_of

if TYPE_CHECKING:
    from hodor.model.backbones import fold_batch_norms, load_backbone_weights
    from hodor.model.config import SIZE_MULTIPLE, HodorConfig
    from hodor.model.deform import deform_conv2d, deform_conv2d_plain
    from hodor.model.descriptors import Descriptors, History
    from hodor.model.inference import inference_copy
    from hodor.model.matching import Remembered, places_of
    from hodor.model.network import Hodor, normalise, object_probabilities
    from hodor.model.patches import (
        background_cells,
        objects_to_stride_8,
        patch_masks,
        to_stride_8,
    )
    from hodor.model.pyramid import Pyramid
    from hodor.model.refiner import Prior
    from hodor.model.released import convert_released, released_name

__all__ = [
    "SIZE_MULTIPLE",
    "Descriptors",
    "History",
    "Hodor",
    "HodorConfig",
    "Prior",
    "Pyramid",
    "Remembered",
    "background_cells",
    "convert_released",
    "deform_conv2d",
    "deform_conv2d_plain",
    "fold_batch_norms",
    "inference_copy",
    "load_backbone_weights",
    "normalise",
    "object_probabilities",
    "objects_to_stride_8",
    "patch_masks",
    "places_of",
    "released_name",
    "to_stride_8",
]

_FILE = {
    "SIZE_MULTIPLE": "config",
    "Descriptors": "descriptors",
    "History": "descriptors",
    "Hodor": "network",
    "HodorConfig": "config",
    "Prior": "refiner",
    "Pyramid": "pyramid",
    "Remembered": "matching",
    "background_cells": "patches",
    "convert_released": "released",
    "deform_conv2d": "deform",
    "deform_conv2d_plain": "deform",
    "fold_batch_norms": "backbones",
    "inference_copy": "inference",
    "load_backbone_weights": "backbones",
    "normalise": "network",
    "object_probabilities": "network",
    "objects_to_stride_8": "patches",
    "patch_masks": "patches",
    "places_of": "matching",
    "released_name": "released",
    "to_stride_8": "patches",
}

__getattr__ = names_of(__name__, _FILE)
