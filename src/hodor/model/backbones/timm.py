"""Any timm model with features at strides 4 to 16 or 32."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import timm
from timm.models.efficientnet import EfficientNetFeatures
from timm.models.mobilenetv3 import MobileNetV3Features
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hodor.errors import WeightsError
from hodor.model.backbones.base import Backbone, check_weights
from hodor.model.learning import learned_in_float32


class TimmBackbone(Backbone):
    """Any timm model that gives features at strides 4, 8, 16 and, if wanted, 32.

    Args:
        name: timm's, with a tag if it has one.
        fold: whether batch norms are merged into convolutions from the outset.
        coarsest: 16 or 32.

    Raises:
        WeightsError: timm has no such model, or not with these features.
    """

    def __init__(self, name: str, *, fold: bool, coarsest: int = 32) -> None:
        super().__init__()
        self.name, self.fold, self.coarsest = name, fold, coarsest
        self.body, self.channels = _timm_features(name, [4, 8, 16, 32][: 3 + (coarsest == 32)])
        if fold:
            fold_batch_norms(self.body)
        for module in self.body.modules():
            if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
                plain = partial(type(module).forward, module)
                module.forward = partial(learned_in_float32, plain)  # type: ignore[method-assign]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of ``images`` (B, 3, h, w) at strides 4, 8, 16 (, 32): each (B, C_i, ., .)."""
        return list(self.body(images))

    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """See ``Backbone``; the layout is timm's.

        A folded backbone takes unfolded weights: they are loaded into a twin with its batch norms,
        which is then folded.
        """
        twin = TimmBackbone(self.name, fold=False, coarsest=self.coarsest).body
        check_weights(self.name, twin.state_dict(), weights)
        twin.load_state_dict(weights, strict=False)
        if self.fold:
            fold_batch_norms(twin)
        self.body.load_state_dict(twin.state_dict())

    def fetch(self) -> Mapping[str, Tensor]:
        """See ``Backbone``."""
        try:
            body = timm.create_model(self.name, pretrained=True, features_only=True)
        except Exception as error:  # what timm raises depends on where it looks for the weights
            reason = " ".join(str(error).split())
            raise WeightsError(
                f"initial.backbone timm: the weights of {self.name} could not be fetched "
                f"({reason}); check the network and the name, or give a safetensors file"
            ) from error
        return cast(Mapping[str, Tensor], body.state_dict())

    def prepare_for_inference(self) -> None:
        """See ``Backbone``."""
        fold_batch_norms(self.body)


def _timm_features(name: str, wanted: Sequence[int]) -> tuple[nn.Module, tuple[int, ...]]:
    """A timm feature extractor and its channels at the wanted strides.

    The tags ``.mlcommons`` and ``.tensorflow`` name networks converted from TensorFlow graphs:
    these pad as TensorFlow does, and MLCommons' EdgeTPU graph has no activation after its second
    convolution.
    """
    plain, _, tag = name.partition(".")
    converted = tag in ("mlcommons", "tensorflow")
    options: dict[str, Any] = {"pad_type": "same"} if converted else {}
    try:
        probe: Any = timm.create_model(plain, features_only=True, pretrained=False, **options)
        strides = probe.feature_info.reduction()
        levels = [max(i for i, s in enumerate(strides) if s == want) for want in wanted]
        model: Any = timm.create_model(
            plain, features_only=True, pretrained=False, out_indices=levels, **options
        )
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(
            f"backbone {name!r}: not swin_tiny and not a timm model with features at strides "
            f"{', '.join(map(str, wanted))} ({error})"
        ) from error
    if tag == "mlcommons":
        model.blocks[0][0].bn1.act = nn.Identity()
    if isinstance(model, EfficientNetFeatures | MobileNetV3Features):
        # timm keeps the blocks after the last wanted features, and runs them, for nothing.
        model.blocks = model.blocks[: max(model._stage_out_idx)]
    return model, tuple(model.feature_info.channels())


def fold_batch_norms(module: nn.Module) -> None:
    """Merge each batch norm into the convolution before it, in place; activations stay.

    The merged network computes what the original computes in evaluation mode.
    """
    before: nn.Conv2d | None = None
    name_before = ""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and before is not None:
            norm = child.eval()
            module.add_module(name_before, fuse_conv_bn_eval(before.eval(), norm))
            # timm's batch norms carry the activation that follows them.
            module.add_module(name, cast(nn.Module, getattr(child, "act", nn.Identity())))
        fold_batch_norms(child)
        before, name_before = (child, name) if isinstance(child, nn.Conv2d) else (None, "")
