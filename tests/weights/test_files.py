"""One file is a whole model; a file that is not one is refused before anything is built of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from hodor.errors import WeightsError
from hodor.model import Hodor, HodorConfig
from hodor.weights import load_model, model_path, read_info, read_model, save_model, sha256

ABOUT = {"name": "one", "scores": {"J&F": 0.5}, "tracking": {"size": 64}, "data": ["a", "b"]}


@pytest.fixture
def saved(tiny_network: Hodor, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(path, tiny_network.config, tiny_network.state_dict(), ABOUT)
    return path


def changed(path: Path, change: Callable[[dict[str, Any], dict[str, str]], None]) -> Path:
    """Rewrite a model file with other tensors or metadata."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change(tensors, metadata)
    save_file(tensors, path, metadata)
    return path


def test_a_saved_model_comes_back_whole(saved: Path, tiny_network: Hodor) -> None:
    network = read_model(saved)
    assert network.config == tiny_network.config
    assert network.metadata == ABOUT
    assert not network.training
    expected = tiny_network.state_dict()
    assert list(network.state_dict()) == list(expected)
    for name, value in network.state_dict().items():
        assert value.dtype == expected[name].dtype
        assert torch.equal(value, expected[name])


def test_large_matrices_may_take_a_quarter_of_the_room(
    saved: Path, tiny_network: Hodor, tmp_path: Path
) -> None:
    path = tmp_path / "small.safetensors"
    save_model(
        path, tiny_network.config, tiny_network.state_dict(), ABOUT, eight_bit=["encoder.", "deco"]
    )
    assert path.stat().st_size < 0.95 * saved.stat().st_size
    shrunk = 0
    for name, value in read_model(path).state_dict().items():
        expected = tiny_network.state_dict()[name]
        if torch.equal(value, expected):
            continue
        shrunk += 1
        assert name.startswith(("encoder.", "decoder."))
        step = expected.flatten(1).abs().amax(1) / 127
        off = (value - expected).flatten(1).abs().amax(1)
        assert (off <= 0.51 * step).all(), name
    assert shrunk > 3


def test_a_file_without_dinov2_has_that_of_the_bundled_base(tmp_path: Path) -> None:
    base = load_model("base")
    own = tmp_path / "own.safetensors"
    save_model(own, base.config, base.state_dict(), ABOUT, dtype=torch.float16, tokens=False)
    assert own.stat().st_size < 10e6
    assert not any(name.startswith("tokens.") for name in load_file(own))
    theirs = base.state_dict()
    for name, value in read_model(own).state_dict().items():
        torch.testing.assert_close(value, theirs[name], atol=1e-7, rtol=1e-3)


def test_the_bundled_base_video_is_base_in_what_it_has_of_dinov2_alone() -> None:
    assert not any(name.startswith("tokens.") for name in load_file(model_path("base-video")))
    ours, theirs = (load_model(name).state_dict() for name in ("base-video", "base"))
    assert ours.keys() == theirs.keys()
    learned = {name for name, value in ours.items() if not torch.equal(value, theirs[name])}
    assert not any(name.startswith("tokens.") for name in learned)
    assert {"refiner.own.weight", "matcher.project.weight"} < learned


def test_a_file_with_a_part_of_dinov2_is_refused(tmp_path: Path) -> None:
    base = load_model("base")
    own = tmp_path / "own.safetensors"
    save_model(own, base.config, base.state_dict(), ABOUT, dtype=torch.float16)
    changed(own, lambda tensors, _: tensors.pop("tokens.body.cls_token"))
    with pytest.raises(WeightsError, match=r"tokens\.body\.cls_token is missing"):
        read_model(own)


def test_config_and_description_are_read_without_the_tensors(saved: Path) -> None:
    info = read_info(saved)
    assert info.config == HodorConfig(
        backbone="mobilenetv2_035",
        channels=32,
        heads=4,
        encoder_layers=1,
        decoder_layers=1,
        deformable=False,
    )
    assert info.metadata == ABOUT


def test_a_model_stored_in_half_precision_is_half_as_large(
    saved: Path, tiny_network: Hodor, tmp_path: Path
) -> None:
    half = tmp_path / "half.safetensors"
    state = tiny_network.state_dict()
    save_model(half, tiny_network.config, state, {}, dtype=torch.float16)
    assert half.stat().st_size < 0.6 * saved.stat().st_size
    network = load_model(half)
    assert all(value.dtype == torch.float32 for value in network.parameters())
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=1e-3, atol=1e-6)


def test_a_new_model_replaces_an_old_one_and_leaves_nothing_else(
    saved: Path, tiny_network: Hodor
) -> None:
    save_model(saved, tiny_network.config, tiny_network.state_dict(), {"name": "two"})
    assert read_info(saved).metadata == {"name": "two"}
    assert list(saved.parent.iterdir()) == [saved]


def test_a_place_that_cannot_be_written_is_an_error(tiny_network: Hodor, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "taken", tmp_path / "file" / "model.safetensors"):
        with pytest.raises(WeightsError, match="the model could not be written") as told:
            save_model(path, tiny_network.config, tiny_network.state_dict(), {})
        assert str(path) in str(told.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]


def test_a_file_that_ends_too_early_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-4096])
    with pytest.raises(WeightsError, match="not a safetensors file"):
        read_model(saved)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip, as torch.save writes", b"\0" * 64])
def test_other_files_are_refused_with_a_way_out(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"not a safetensors file.*hodor weights convert"):
        load_model(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.safetensors: no such file"):
        read_info(tmp_path / "none.safetensors")


def test_other_peoples_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bert.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match=r"without a hodor config \(format None, expected"):
        load_model(path)


def test_missing_extra_and_misshaped_tensors_are_named(saved: Path) -> None:
    def change(tensors: dict[str, Any], _: dict[str, str]) -> None:
        del tensors["decoder.head.objects.bias"]
        tensors["decoder.tail.weight"] = torch.zeros(3)
        tensors["object_embedding"] = torch.zeros(16)

    with pytest.raises(WeightsError) as told:
        read_model(changed(saved, change))
    assert str(told.value) == (
        f"{saved}: decoder.head.objects.bias is missing; decoder.tail.weight does not belong; "
        "object_embedding is (16,), expected (32,)"
    )


def test_of_many_wrong_tensors_ten_are_named(saved: Path) -> None:
    def change(tensors: dict[str, Any], _: dict[str, str]) -> None:
        for number in range(13):
            tensors[f"extra.{number}"] = torch.zeros(1)

    with pytest.raises(WeightsError, match=r"extra\.\d+ does not belong; and 3 more$"):
        read_model(changed(saved, change))


def test_a_config_of_a_later_version_is_refused_by_name(saved: Path) -> None:
    def change(_: dict[str, Any], metadata: dict[str, str]) -> None:
        metadata["config"] = metadata["config"].replace("{", '{"telepathy": true, ', 1)

    with pytest.raises(WeightsError, match="unknown field telepathy"):
        read_model(changed(saved, change))


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "abc") == known
