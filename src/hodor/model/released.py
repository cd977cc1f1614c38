"""Checkpoints of the authors' code, as ours.

Only names are translated; values stay. The released network carries tensors that no output
depends on (the pyramid's output convolutions and norms at strides 16 and 32, a second projection
of F4, Swin's index tables): they are checked to be known, then left out.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TypedDict, Unpack

import torch
from torch import Tensor

from hodor.errors import WeightsError
from hodor.model.config import HodorConfig
from hodor.model.network import Hodor

GRIDS = {1: (1, 1), 2: (1, 2), 4: (2, 2), 9: (3, 3), 12: (3, 4), 16: (4, 4)}

_UNUSED = re.compile(
    r"decoder\.fmap_proj_4x\.|feature_extractor\.norm_layers\.[234]\.|"
    r"feature_extractor\.bb_fpn\.1\.fpn_convs\.[23]\.|.*\.relative_position_index$|"
    r".*\.attn_mask$"
)

# Their name (a pattern) to ours, tried in order.
_NAMES = (
    (r"feature_extractor\.bb_fpn\.0\.(.*)", r"backbone.\1"),
    (r"feature_extractor\.bb_fpn\.1\.lateral_convs\.(\d)\.conv\.(.*)", r"pyramid.lateral.\1.\2"),
    (r"feature_extractor\.bb_fpn\.1\.fpn_convs\.(\d)\.conv\.(.*)", r"pyramid.output.\1.\2"),
    (r"feature_extractor\.norm_layers\.(\d)\.(.*)", r"pyramid.norms.\1.\2"),
    (r"encoder\.fg_query_embed", r"object_embedding"),
    (r"encoder\.bg_query_embed", r"background_embedding"),
    (r"encoder\.norm\.(.*)", r"encoder.norm.\1"),
    (r"encoder\.attn_layers\.(\d+)\.self_attn\.(.*)", r"encoder.layers.\1.self_attention.\2"),
    (
        r"encoder\.attn_layers\.(\d+)\.cross_attn\.scaling_factors",
        r"encoder.layers.\1.cross_attention.alpha",
    ),
    (
        r"encoder\.attn_layers\.(\d+)\.cross_attn\.(q|k|v|out)_proj\.(.*)",
        r"encoder.layers.\1.cross_attention.<\2>.\3",
    ),
    (r"encoder\.attn_layers\.(\d+)\.ffn\.0\.(.*)", r"encoder.layers.\1.ffn.layers.0.\2"),
    (r"encoder\.attn_layers\.(\d+)\.ffn\.3\.(.*)", r"encoder.layers.\1.ffn.layers.1.\2"),
    (r"encoder\.attn_layers\.(\d+)\.norm1\.(.*)", r"encoder.layers.\1.self_norm.\2"),
    (r"encoder\.attn_layers\.(\d+)\.norm2\.(.*)", r"encoder.layers.\1.cross_norm.\2"),
    (r"encoder\.attn_layers\.(\d+)\.norm3\.(.*)", r"encoder.layers.\1.ffn_norm.\2"),
    (
        r"decoder\.attn_layers\.(\d+)\.self_attn_conv_substitute\.0\.conv_offsets\.(.*)",
        r"decoder.layers.\1.conv.offsets.\2",
    ),
    (
        r"decoder\.attn_layers\.(\d+)\.self_attn_conv_substitute\.0\.conv_deform\.(.*)",
        r"decoder.layers.\1.conv.conv.\2",
    ),
    (
        r"decoder\.attn_layers\.(\d+)\.self_attn_conv_substitute\.2\.(.*)",
        r"decoder.layers.\1.conv_norm.\2",
    ),
    (
        r"decoder\.attn_layers\.(\d+)\.cross_attn\.q_proj\.(.*)",
        r"decoder.layers.\1.attention.query.\2",
    ),
    (
        r"decoder\.attn_layers\.(\d+)\.([kv])_proj_([fb]g)\.(.*)",
        r"decoder.layers.\1.attention.<\3>_<\2>.\4",
    ),
    (r"decoder\.attn_layers\.(\d+)\.norm1\.(.*)", r"decoder.layers.\1.attention_norm.\2"),
    (r"decoder\.attn_layers\.(\d+)\.norm2\.(.*)", r"decoder.layers.\1.ffn_norm.\2"),
    (r"decoder\.attn_layers\.(\d+)\.fc1\.(.*)", r"decoder.layers.\1.ffn.layers.0.\2"),
    (r"decoder\.attn_layers\.(\d+)\.fc2\.(.*)", r"decoder.layers.\1.ffn.layers.1.\2"),
    (r"decoder\.norm_fmap\.(.*)", r"decoder.norm.\1"),
    (r"decoder\.conv_4x_reduce\.(.*)", r"decoder.head.reduce.\1"),
    (r"decoder\.conv_4x\.(.*)", r"decoder.head.fuse.\1"),
    (r"decoder\.catch_all_conv\.(.*)", r"decoder.head.catch_all.\1"),
    (r"decoder\.instance_query_proj\.(.*)", r"decoder.head.objects.\1"),
    (r"decoder\.bg_query_proj\.(.*)", r"decoder.head.background.\1"),
)
_WORDS = {
    "<q>": "query",
    "<k>": "key",
    "<v>": "value",
    "<out>": "output",
    "<fg>": "object",
    "<bg>": "background",
}


class ReleasedChoices(TypedDict, total=False):
    """Fields of ``HodorConfig`` that the tensors of a checkpoint do not tell."""

    encoder_positions: bool
    decoder_positions: bool


def convert_released(
    checkpoint: Mapping[str, object], **choices: Unpack[ReleasedChoices]
) -> tuple[HodorConfig, dict[str, Tensor]]:
    """Turn a released checkpoint into a config and a state dict of ours.

    Args:
        checkpoint: what ``torch.load(..., weights_only=True)`` returns: a dict with the state
            dict under ``model``, or the state dict itself.
        choices: ``encoder_positions`` and ``decoder_positions``, fields of ``HodorConfig`` that
            tensors do not tell, if they are not the released ones.

    Raises:
        WeightsError: a tensor is missing, unknown or has another shape; up to ten are named.
    """
    theirs = checkpoint.get("model", checkpoint)
    if not isinstance(theirs, Mapping) or not all(torch.is_tensor(v) for v in theirs.values()):
        raise WeightsError(
            "not a released HODOR checkpoint: expected tensors by name, or a dict with such under "
            f"'model'; found keys {', '.join(map(str, list(checkpoint)[:5]))}"
        )
    config = replace(config_of_released(theirs), **choices)
    ours: dict[str, Tensor] = {}
    names: dict[str, str] = {}
    problems = []
    for name, value in theirs.items():
        if _UNUSED.match(name):
            continue
        translated = released_name(name)
        if translated is None:
            problems.append(f"{name} is not known")
        else:
            ours[translated], names[translated] = value.float(), name
    problems += _misfits(config, ours, names)
    if problems:
        more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise WeightsError("released checkpoint: " + "; ".join(problems[:10]) + more)
    return config, ours


def released_name(theirs: str) -> str | None:
    """Our name for a tensor of the released network, or None if it has none."""
    for pattern, replacement in _NAMES:
        if re.fullmatch(pattern, theirs):
            ours = re.sub(pattern, replacement, theirs)
            for sign, word in _WORDS.items():
                ours = ours.replace(sign, word)
            return ours
    return None


def config_of_released(state: Mapping[str, Tensor]) -> HodorConfig:
    """What the tensors tell of a released network's config."""

    def layers(part: str) -> int:
        numbers = [re.match(rf"{part}\.attn_layers\.(\d+)\.", name) for name in state]
        return max((int(found[1]) + 1 for found in numbers if found), default=0)

    if "encoder.bg_query_embed" not in state or "encoder.fg_query_embed" not in state:
        raise WeightsError(
            "not a released HODOR checkpoint: encoder.fg_query_embed or encoder.bg_query_embed is "
            f"missing; it holds {len(state)} tensors such as {', '.join(list(state)[:3])}"
        )
    cells = state["encoder.bg_query_embed"].shape[0]
    if cells not in GRIDS:
        raise WeightsError(f"released checkpoint: {cells} background cells; known are {[*GRIDS]}")
    return HodorConfig(
        channels=state["encoder.fg_query_embed"].shape[0],
        encoder_layers=layers("encoder"),
        decoder_layers=layers("decoder"),
        background_grid=GRIDS[cells],
        normalize_first="encoder.norm.weight" in state or "decoder.norm_fmap.weight" in state,
    )


def _misfits(
    config: HodorConfig, ours: Mapping[str, Tensor], names: Mapping[str, str]
) -> list[str]:
    """What keeps ``ours`` from filling the network; ``names`` gives the file's own names."""
    with torch.device("meta"):
        expected = Hodor(config).state_dict()
    missing = [f"the tensor for {name} is missing" for name in expected if name not in ours]
    shapes = [
        f"{names[name]} is {tuple(value.shape)}, expected {tuple(expected[name].shape)}"
        for name, value in ours.items()
        if name in expected and value.shape != expected[name].shape
    ]
    extra = [f"{names[name]} does not belong" for name in ours if name not in expected]
    return missing + shapes + extra
