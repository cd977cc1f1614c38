"""Released checkpoints become models of ours, or say what is wrong with them."""

import pytest
import torch
from recordings import released_state

from hodor.errors import WeightsError
from hodor.model import convert_released


def test_the_config_follows_from_the_tensors() -> None:
    config, _ = convert_released({"model": released_state("c4a")}, encoder_positions=True)
    assert (config.encoder_layers, config.decoder_layers) == (2, 3)
    assert config.background_grid == (2, 2)
    assert config.encoder_positions
    assert convert_released(released_state("c4b"))[0].normalize_first


def test_a_missing_an_extra_and_a_misshaped_tensor_are_named() -> None:
    state = released_state("c4d")
    del state["decoder.conv_4x.0.weight"]
    state["decoder.surprise"] = torch.zeros(3)
    state["decoder.bg_query_proj.bias"] = torch.zeros(7)
    with pytest.raises(WeightsError) as told:
        convert_released(state)
    assert "the tensor for decoder.head.fuse.0.weight is missing" in str(told.value)
    assert "decoder.surprise is not known" in str(told.value)
    assert "decoder.bg_query_proj.bias is (7,), expected (256,)" in str(told.value)


def test_something_else_is_refused() -> None:
    with pytest.raises(WeightsError, match="not a released HODOR checkpoint"):
        convert_released({"epoch": 3, "weights": [1, 2]})
    with pytest.raises(WeightsError, match="fg_query_embed"):
        convert_released({"layer.weight": torch.zeros(2)})
