"""Models by name, by path and on the hub."""

import re
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from hodor.errors import MissingModelError, WeightsError
from hodor.weights import DEFAULT, bundled_models, load_model, model_path, sha256, verify


def test_a_bundled_model_is_loaded_by_name(bundled: Path) -> None:
    assert list(bundled_models()) == [DEFAULT]
    assert model_path(DEFAULT) == bundled
    assert load_model().metadata["name"] == "tiny"


def test_a_damaged_bundled_model_is_not_loaded(bundled: Path) -> None:
    damaged = bytearray(bundled.read_bytes())
    damaged[-1] ^= 128
    bundled.write_bytes(damaged)
    with pytest.raises(WeightsError, match=r"damaged: sha256 is .*install the package again"):
        load_model()


def test_a_file_is_loaded_by_its_path(tiny_model: Path) -> None:
    assert model_path(str(tiny_model)) == tiny_model
    assert load_model(tiny_model).metadata["name"] == "tiny"


def test_an_unknown_name_is_told_with_the_known_ones(bundled: Path) -> None:
    with pytest.raises(WeightsError, match=r"model 'huge': no bundled model of that name \(small"):
        load_model("huge")


def test_verifying_compares_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"weights")
    verify(path, sha256(path))
    with pytest.raises(WeightsError, match="damaged"):
        verify(path, "0" * 64)
    with pytest.raises(WeightsError, match="is missing"):
        verify(tmp_path / "none", "0" * 64)


@pytest.mark.parametrize(
    ("name", "repository", "revision"),
    [("hub:org/repo", "org/repo", None), ("hub:org/repo@v2", "org/repo", "v2")],
)
def test_a_model_on_the_hub_is_fetched_by_name_and_revision(
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    repository: str,
    revision: str | None,
) -> None:
    asked: list[Any] = []

    def fetch(repo: str, file: str, *, revision: str | None) -> str:
        asked.append((repo, file, revision))
        return str(tiny_model)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    assert load_model(name).metadata["name"] == "tiny"
    assert asked == [(repository, "model.safetensors", revision)]


@pytest.mark.parametrize(
    "error", [LocalEntryNotFoundError("no network"), ValueError("bad name"), OSError("no route")]
)
def test_a_model_that_cannot_be_fetched_is_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(WeightsError, match=r"hub:org/repo: model\.safetensors could not"):
        load_model("hub:org/repo")


def test_a_folder_in_place_of_a_model_is_told_with_what_is_in_it(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match=r"holds no model; give a .safetensors file"):
        model_path(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(MissingModelError, match=r"a folder; give .* in it: .*model.safetensors$"):
        model_path(str(tmp_path))


@pytest.mark.parametrize("given", ["", "segment.onnx"])
def test_an_exported_model_is_told_with_the_runtime_that_opens_it(
    given: str, tmp_path: Path
) -> None:
    (tmp_path / "segment.onnx").write_bytes(b"")
    wanted = rf"--runtime onnx --model {re.escape(str(tmp_path))},"
    with pytest.raises(MissingModelError, match=wanted):
        model_path(str(tmp_path / given))
