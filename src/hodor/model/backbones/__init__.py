"""Backbones: features of images at strides 4 to 32. Each is a module behind one protocol."""

from collections.abc import Mapping

from torch import Tensor

from hodor.model.backbones.base import Backbone
from hodor.model.backbones.swin import SwinTiny
from hodor.model.backbones.timm import TimmBackbone, fold_batch_norms
from hodor.model.config import HodorConfig

__all__ = ["Backbone", "fold_batch_norms", "load_backbone_weights", "make_backbone"]


def make_backbone(config: HodorConfig) -> Backbone:
    """The backbone that ``config`` names, with random weights.

    Raises:
        WeightsError: there is none of that name.
    """
    if config.backbone == "swin_tiny":
        return SwinTiny(config.drop_path)
    fold = config.backbone_norms == "folded"
    return TimmBackbone(config.backbone, fold=fold, coarsest=config.coarsest)


def load_backbone_weights(backbone: Backbone, weights: Mapping[str, Tensor]) -> None:
    """Fill ``backbone`` with pretrained ``weights``, in the layout that timm or Swin saves.

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """
    backbone.load_published({name: value.float() for name, value in weights.items()})
