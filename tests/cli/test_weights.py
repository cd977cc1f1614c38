"""``hodor weights``: what is bundled is intact, and checkpoints of others are turned into ours."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from recordings import recorded_network, released_state
from torch import Tensor

from hodor.weights import bundled_models, bundled_scores, load_model, model_path, read_info, sha256

pytestmark = pytest.mark.slow

Hodor = Callable[..., Any]


@pytest.fixture(scope="module")
def released() -> dict[str, Tensor]:
    return released_state()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[[object], Path]:
    """Saves an object as a training run would."""

    def save(value: object) -> Path:
        path = tmp_path / "250000.pth"
        torch.save(value, path)
        return path

    return save


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def test_a_released_checkpoint_becomes_a_model_with_its_values(
    hodor: Hodor, released: Any, checkpoint: Any, tmp_path: Path
) -> None:
    out = tmp_path / "new/paper.safetensors"
    training = {"model": released, "optimizer": {"lr": 1e-4}, "iterations": 250_000}
    ran = hodor("weights", "convert", checkpoint(training), out)
    assert ran.code == 0, ran.err
    assert "5 encoder and 5 decoder layers" in ran.err
    network = load_model(out)
    expected = recorded_network().state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())
    about = read_info(out).metadata
    assert about["name"] == "250000"
    assert about["tracking"]["size"] == 512
    assert about["tracking"]["window"] == 7


def test_what_the_tensors_do_not_tell_can_be_said(
    hodor: Hodor, released: Any, checkpoint: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out.safetensors"
    words = ("--encoder-positions", "--no-decoder-positions")
    assert hodor("weights", "convert", checkpoint(released), out, *words).code == 0
    config = read_info(out).config
    assert config.encoder_positions
    assert not config.decoder_positions


def test_missing_extra_and_misshaped_tensors_are_named(
    hodor: Hodor, released: Any, checkpoint: Any, tmp_path: Path
) -> None:
    broken = dict(released)
    del broken["decoder.instance_query_proj.bias"]
    broken["decoder.conv_5x.weight"] = torch.zeros(3)
    broken["encoder.attn_layers.2.ffn.0.bias"] = torch.zeros(7)
    ran = hodor("weights", "convert", checkpoint({"model": broken}), tmp_path / "out.safetensors")
    assert ran.code == 1
    assert ran.err.startswith("hodor: released checkpoint: ")
    assert ran.err.count("\n") == 1
    assert "tensor for decoder.head.objects.bias is missing" in ran.err
    assert "decoder.conv_5x.weight is not known" in ran.err
    assert "encoder.attn_layers.2.ffn.0.bias is (7,), expected (1024,)" in ran.err
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_refused_and_not_run(
    hodor: Hodor, tmp_path: Path, how: str
) -> None:
    made, path = tmp_path / "made", tmp_path / "evil.pth"
    if how == "torch":
        torch.save({"model": Malicious(made)}, path)
    else:
        path.write_bytes(pickle.dumps({"model": Malicious(made)}))
    ran = hodor("weights", "convert", path, tmp_path / "out.safetensors")
    assert ran.code == 1
    assert ran.err.startswith(f"hodor: {path}: not a PyTorch checkpoint that can be read without")
    assert ran.err.count("\n") == 1
    assert "weights_only" not in ran.err, "PyTorch's advice to run it is not passed on"
    assert not made.exists()
    assert not (tmp_path / "out.safetensors").exists()
    torch.load(path, weights_only=False) if how == "torch" else pickle.loads(path.read_bytes())
    assert made.exists(), "run by someone careless, it does make its file"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "expected a dict of tensors"),
        ({"model": {"weight": torch.zeros(2)}}, "not a released HODOR checkpoint"),
        ({"epoch": 3, "state": {}}, "not a released HODOR checkpoint"),
    ],
)
def test_other_checkpoints_are_refused(
    hodor: Hodor, checkpoint: Any, tmp_path: Path, value: object, message: str
) -> None:
    ran = hodor("weights", "convert", checkpoint(value), tmp_path / "out.safetensors")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert message in ran.err


def test_a_file_that_is_no_checkpoint_is_refused(hodor: Hodor, tmp_path: Path) -> None:
    path = tmp_path / "readme.pth"
    path.write_text("words")
    ran = hodor("weights", "convert", path, tmp_path / "out.safetensors")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "readme.pth: not a PyTorch checkpoint" in ran.err


def test_a_bundled_model_is_listed_described_and_verified(hodor: Hodor, bundled: Path) -> None:
    assert "small: 1.4 MB" in hodor("weights", "list").out
    described = json.loads(hodor("weights", "info", "small").out)
    assert described["sha256"] == sha256(bundled)
    assert described["parameters"] == 324_804
    assert described["config"]["backbone"] == "mobilenetv2_035"
    assert described["metadata"]["name"] == "tiny"
    ran = hodor("weights", "verify")
    assert ran.code == 0
    assert ran.out.startswith("small: intact (")


def test_scores_of_bundled_models_are_in_points(hodor: Hodor, bundled: Path) -> None:
    assert hodor("weights", "list").out == "small: 1.4 MB\n"
    measured = {"J&F": 85.4, "J": 83.2, "F": 87.5}
    (bundled.parent / "scores.json").write_text(json.dumps({"small": measured}))
    assert hodor("weights", "list").out == (
        "small: 1.4 MB, J&F 85.4 on ten sequences of DAVIS 2016 val\n"
    )
    described = json.loads(hodor("weights", "info", "small").out)
    assert described["scores"] == {"ten sequences of DAVIS 2016 val": measured}
    assert "scores" not in described["metadata"]


def test_a_damaged_model_is_noticed(hodor: Hodor, bundled: Path, tmp_path: Path) -> None:
    damaged = bytearray(bundled.read_bytes())
    damaged[-1000] ^= 1
    bundled.write_bytes(damaged)
    for words in (["verify"], ["info", "small"]):
        ran = hodor("weights", *words)
        assert (ran.code, ran.err.count("\n")) == (1, 1)
        assert f"{bundled}: damaged: sha256 is" in ran.err
        assert "intact" not in ran.out
    bundled.unlink()
    assert "the bundled model is missing; install" in hodor("weights", "verify").err


@pytest.mark.skipif(not bundled_models(), reason="this checkout has no bundled models yet")
def test_the_bundled_models_are_intact_and_described(hodor: Hodor) -> None:
    ran = hodor("weights", "verify")
    assert ran.code == 0, ran.err
    for name in bundled_models():
        assert f"{name}: intact" in ran.out
        about = read_info(model_path(name)).metadata
        assert about["name"]
        assert about["tracking"]


@pytest.mark.skipif(not bundled_models(), reason="this checkout has no bundled models yet")
@pytest.mark.parametrize("name", bundled_models())
def test_cards_docs_and_readme_say_the_scores_that_were_measured(name: str) -> None:
    scores = bundled_scores(name)
    assert scores.keys() == {"J&F", "J", "F"}
    assert all(10 < value < 100 for value in scores.values())
    told = [f"{scores[key]:.1f}" for key in ("J&F", "J", "F")]
    root = Path(__file__).parents[2]
    card = (model_path(name).parent / f"{name}.md").read_text(encoding="utf-8")
    first = next(line for line in card.splitlines() if line.startswith("| ten sequences"))
    assert all(number in first for number in told)
    pages = {"docs/weights.md": f"| `{name}`", "README.md": "|"}
    for page, beginning in pages.items():
        text = (root / page).read_text(encoding="utf-8").splitlines()
        assert any(
            line.startswith("|") and beginning in line and all(number in line for number in told)
            for line in text
        ), page
