"""The network, pure PyTorch: no files, no video, no global state."""

from hodor.model.backbone import fold_batch_norms, load_backbone_weights
from hodor.model.config import HodorConfig
from hodor.model.decoder import Descriptors, History
from hodor.model.deform import deform_conv2d, deform_conv2d_plain
from hodor.model.inference import inference_copy
from hodor.model.network import SIZE_MULTIPLE, Hodor, normalise, object_probabilities
from hodor.model.patches import (
    background_cells,
    objects_to_stride_8,
    patch_masks,
    to_stride_8,
)
from hodor.model.pyramid import Pyramid
from hodor.model.released import convert_released, released_name

__all__ = [
    "SIZE_MULTIPLE",
    "Descriptors",
    "History",
    "Hodor",
    "HodorConfig",
    "Pyramid",
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
    "released_name",
    "to_stride_8",
]
