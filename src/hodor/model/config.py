"""Every choice that makes a network, as plain data."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal, Self, get_args, get_origin, get_type_hints

from hodor.errors import WeightsError, one_line
from hodor.types import Json, JsonObject

SIZE_MULTIPLE = 32  # sides of an image are padded to a multiple of this
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)

TIMM_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?\Z")
"""A model of timm and its tag. Names with a scheme, such as hf-hub:, make timm ask the network."""

LARGEST = {"channels": 4096, "heads": 256, "encoder_layers": 64, "decoder_layers": 64}
"""More than any network needs: beyond, a damaged file would only fill the memory."""
MOST_CELLS = 1024
NUMBERS: dict[type, tuple[type, ...]] = {int: (int,), float: (int, float)}


@dataclass(frozen=True)
class HodorConfig:
    """A network, stated whole. The defaults are the released network, since weights exist for it.

    Where paper and released code differ, the paper's form has a name here too; ``paper()`` takes
    them all. Values are checked when the config is made.

    Raises:
        WeightsError: a value is not among the allowed ones, or values do not fit together.
    """

    backbone: str = "swin_tiny"
    """``swin_tiny`` (ours, as the paper's) or any timm name with features at strides 4 to 32."""
    backbone_norms: Literal["batch", "folded"] = "batch"
    """``folded`` merges a timm backbone's batch norms into its convolutions, for good: faster."""
    coarsest: Literal[16, 32] = 32
    """Stride of the last features that a timm backbone gives; 16 leaves out its stages at stride
    32, which are a third of a small network's parameters."""
    pixel_mean: tuple[float, float, float] = IMAGENET_MEAN
    """Subtracted from RGB values in 0..255."""
    pixel_std: tuple[float, float, float] = IMAGENET_STD
    """Divides RGB values after the mean is subtracted."""

    channels: int = 256
    fine_channels: int | None = None
    """Channels at stride 4, where most of a small network's time goes; None: as many as
    ``channels`` (paper)."""
    heads: int = 8
    encoder_layers: int = 5
    decoder_layers: int = 5
    zero_layers: Literal["none", "paper"] = "none"
    """What stands in for zero layers: nothing (released), or a three-layer MLP in the encoder and
    two 3x3 convolutions in the decoder (paper, section 4.3)."""
    barebones: bool = False
    """No encoder, no decoder: pooled features times F4 (Table 3, row 8)."""
    joint_objects: bool = True
    """All objects in one pass, or each alone with the logits merged (Table 3, row 1)."""
    masking: Literal["soft", "none", "hard"] = "soft"
    """How masks enter the encoder's attention (Eq. 2; Table 3, rows 2 and 3)."""
    alpha_inside_scaling: bool = False
    """Eq. 2 divides alpha by the root of the width with the logits; the released code does not."""
    pooling: Literal["hard", "soft"] = "hard"
    """First descriptors: mean over pixels with mask > 0.5, without gradient (released), or the
    mean weighted by the mask, with gradients (paper, section 3.1)."""
    deformable: bool = True
    """Deformable or plain 3x3 convolution in the decoder (Table 3, row 9)."""
    background_grid: tuple[int, int] = (3, 3)
    """Rows and columns of background cells (section 3; Table 3, row 10)."""
    catch_all: bool = True
    """The extra background logit that no descriptor stands behind (Eq. S1)."""
    embeddings: bool = True
    """Learned embeddings of objects and cells on queries and keys (released; not in the paper)."""
    encoder_positions: bool = False
    """Sine position code on the encoder's keys."""
    decoder_positions: bool = True
    """Sine position code on the decoder's queries."""
    normalize_first: bool = False
    """The pre-norm form of both transformers."""
    ffn_layers: Literal[2, 3] = 2
    """Fully connected layers in an FFN: two (released) or three (paper)."""
    fusion: Literal["quarter", "full"] = "quarter"
    """F4 added to the first quarter of the upsampled channels (released) or to all (Eq. 4)."""
    logit_projection: bool = True
    """Descriptors pass a linear layer before the product with F4 (released), or not (Eq. 4)."""

    refiner_channels: int = 0
    """Channels of the maps of one object in the refiner, which corrects its logits from pixels and
    from the last masks carried along by motion; 0: no refiner (paper)."""

    match_channels: int = 0
    """Channels of the keys by which places of a frame are matched with those of remembered frames,
    for the refiner; 0: no matching (paper)."""
    tokens: Literal["none", "dinov2_small"] = "none"
    """A transformer whose tokens places are matched by too: DINOv2 ViT-S/14, or none (paper)."""

    dropout: float = 0.1
    drop_path: float = 0.2
    """Stochastic depth of ``swin_tiny``, rising linearly over its blocks."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            value = getattr(self, name)
            if get_origin(hint) is Literal and value not in get_args(hint):
                allowed = ", ".join(map(repr, get_args(hint)))
                found = one_line(repr(value))
                raise WeightsError(f"config: {name} is {found}; it must be one of {allowed}")
            if hint in (int, float) and not isinstance(value, NUMBERS[hint]):
                raise WeightsError(f"config: {name} is {one_line(repr(value))}, not a number")
        if not (0 <= self.dropout < 1 and 0 <= self.drop_path < 1):
            raise WeightsError(
                f"config: dropout {self.dropout} and drop_path {self.drop_path} must be in [0, 1)"
            )
        if not TIMM_NAME.match(self.backbone):
            raise WeightsError(
                f"config: backbone is {one_line(ascii(self.backbone))}; it must be swin_tiny or "
                "the plain name of a timm model"
            )
        for name, most in LARGEST.items():
            if getattr(self, name) > most:
                raise WeightsError(f"config: {name} is {getattr(self, name)}; at most {most}")
        if self.stride_4_channels > LARGEST["channels"] or self.cells > MOST_CELLS:
            raise WeightsError(
                f"config: fine_channels may be at most {LARGEST['channels']}, and background_grid "
                f"have at most {MOST_CELLS} cells"
            )
        if self.heads < 1 or self.channels < 1:
            raise WeightsError("config: channels and heads must be 1 or more")
        if self.channels % (2 * self.heads) or self.channels % 16:
            raise WeightsError(
                f"config: channels is {self.channels} with {self.heads} heads; it must be a "
                "multiple of 16 and of twice the heads"
            )
        if self.stride_4_channels % 16:
            raise WeightsError("config: fine_channels must be a multiple of 16")
        if self.stride_4_channels != self.channels and (
            self.barebones or not self.logit_projection
        ):
            raise WeightsError(
                "config: fine_channels must equal channels without a logit projection (it maps "
                "descriptors to stride 4)"
            )
        if self.refiner_channels < 0 or (self.refiner_channels and not self.joint_objects):
            raise WeightsError(
                f"config: refiner_channels is {self.refiner_channels}; it must be 0 or more, and 0 "
                "where joint_objects is false"
            )
        if self.match_channels < 0 or (self.match_channels and not self.refiner_channels):
            raise WeightsError(
                f"config: match_channels is {self.match_channels}; it must be 0 or more, and 0 "
                "without a refiner"
            )
        if self.tokens != "none" and not self.match_channels:
            raise WeightsError("config: tokens serve matching, so match_channels must be over 0")
        if self.backbone == "swin_tiny" and self.coarsest != 32:
            raise WeightsError("config: coarsest 16 is for timm backbones; swin_tiny ends at 32")
        if min(self.encoder_layers, self.decoder_layers) < 0 or min(self.background_grid) < 1:
            raise WeightsError("config: layers must be 0 or more, background_grid 1 or more")

    @property
    def cells(self) -> int:
        """Number of background cells, G."""
        return self.background_grid[0] * self.background_grid[1]

    @property
    def stride_4_channels(self) -> int:
        """Channels of F4 and of the head."""
        return self.fine_channels or self.channels

    @property
    def background_channels(self) -> int:
        """Number of background channels that stand before the objects in the logits."""
        if not self.joint_objects:
            return 1
        return self.cells + (self.catch_all and not self.barebones)

    @classmethod
    def paper(cls, **changes: Json) -> Self:
        """The network as the paper's text and equations state it; ``changes`` override fields."""
        forms: JsonObject = {
            "alpha_inside_scaling": True,
            "pooling": "soft",
            "ffn_layers": 3,
            "fusion": "full",
            "logit_projection": False,
            "embeddings": False,
            "decoder_positions": False,
            "zero_layers": "paper",
        }
        return cls(**(forms | changes))

    @classmethod
    def from_dict(cls, values: Mapping[str, Json]) -> Self:
        """The config that ``to_dict`` wrote; lists become tuples.

        Raises:
            WeightsError: an unknown field, or a value that is not allowed.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise WeightsError(
                f"config: unknown field {', '.join(unknown)}; known are {', '.join(sorted(known))}"
            )
        fixed: JsonObject = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        try:
            return cls(**fixed)
        except (TypeError, ValueError, OverflowError) as error:
            raise WeightsError(f"config: a value is of the wrong kind ({error})") from error

    def to_dict(self) -> JsonObject:
        """All fields as plain values, for JSON."""
        return asdict(self)
