"""Exported parts compute what the network does, and say what they are."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from hodor.errors import HodorError, WeightsError
from hodor.model import History, Hodor, HodorConfig, Pyramid, patch_masks, to_stride_8
from hodor.onnx import FILES, OnnxNetwork, export

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

MakeNetwork = Callable[..., Hodor]

FORMS: dict[str, dict[str, Any]] = {
    "bundled's form": {
        "pooling": "soft",
        "normalize_first": True,
        "fusion": "full",
        "encoder_positions": True,
        "backbone_norms": "folded",
    },
    "released": {"backbone": "swin_tiny", "deformable": True},
    "padded as TensorFlow does": {"backbone": "mobilenet_edgetpu_100.mlcommons"},
    "one object at a time": {"joint_objects": False},
    "barebones": {"barebones": True, "embeddings": False},
    "hard masking, paper's FFN, other grid": {
        "masking": "hard",
        "ffn_layers": 3,
        "background_grid": (2, 5),
        "catch_all": False,
    },
}
TINY = HodorConfig(
    backbone="mobilenetv2_035", channels=32, heads=4, encoder_layers=1, decoder_layers=0
)
# Height, width, objects, frames: none of them as in the recorded run.
SHAPES = [(64, 64, 1, 1), (96, 160, 5, 2), (160, 128, 12, 8)]


@pytest.fixture(scope="module")
def exported(make_network: MakeNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx") / "tiny"
    export(make_network(), folder, "the fingerprint")
    return folder


def arrays(tensor: torch.Tensor) -> NDArray[Any]:
    return np.asarray(tensor.numpy())


@pytest.mark.parametrize("form", FORMS)
def test_each_part_computes_what_the_network_does_at_any_size(
    make_network: MakeNetwork, tmp_path: Path, form: str
) -> None:
    network = make_network(**FORMS[form])
    export(network, tmp_path, "print")
    ours = OnnxNetwork.open(tmp_path, threads=1)
    config, g = network.config, torch.Generator().manual_seed(0)
    for h, w, objects, frames in SHAPES[: 1 if form == "released" else 3]:
        image = torch.randn(1, 3, h, w, generator=g)
        masks = (torch.rand(1, objects, h, w, generator=g) > 0.8).float()
        cells = config.cells * (1 if config.joint_objects else objects)
        object_valid = torch.rand(1, frames, objects, generator=g) > 0.4
        object_valid[:, -1] = True
        background_valid = torch.rand(1, frames, generator=g) > 0.4
        background_valid[:, -1] = True
        history = History(
            torch.randn(1, frames, objects, config.channels, generator=g),
            torch.randn(1, frames, cells, config.channels, generator=g),
            object_valid,
            background_valid if config.joint_objects else None,
        )
        with torch.no_grad():
            pyramid = network.extract(image)
            described = network.describe(pyramid, masks)
            logits = network.segment(pyramid, history)
            alone = masks if config.joint_objects else masks.transpose(0, 1)
            cut = to_stride_8(patch_masks(alone, config.background_grid)[1]).flatten(0, 1)
        found = ours.extract(arrays(image))
        np.testing.assert_allclose(found.f4, pyramid.f4, atol=5e-5)
        np.testing.assert_allclose(found.f8, pyramid.f8, atol=5e-5)
        got = ours.describe(found, arrays(to_stride_8(masks)), arrays(cut[None]))
        np.testing.assert_allclose(got[0], described.objects, atol=1e-4)
        np.testing.assert_allclose(got[1], described.background, atol=1e-4)
        segmented = ours.segment(
            found,
            arrays(history.objects),
            arrays(history.background),
            arrays(object_valid),
            arrays(background_valid),
        )
        assert segmented.shape == logits.shape
        np.testing.assert_allclose(segmented, logits, atol=2e-3)


def test_files_are_valid_and_say_what_they_are(exported: Path, make_network: MakeNetwork) -> None:
    for part, name in FILES.items():
        model = onnx.load(str(exported / name))
        onnx.checker.check_model(model, full_check=True)
        assert [one.version for one in model.opset_import if one.domain == ""] == [16]
        said = {one.key: one.value for one in model.metadata_props}
        assert said["part"] == part
        assert said["model_sha256"] == "the fingerprint"
        assert said["hodor_version"]
    info = OnnxNetwork.open(exported).info
    assert info.config == make_network().config
    assert info.size is None


def test_a_network_in_training_is_exported_as_it_infers_and_left_as_it_was(
    make_network: MakeNetwork, tmp_path: Path
) -> None:
    network = make_network(deformable=True)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export(network, tmp_path, "print")
    assert network.training
    assert all(value.requires_grad for value in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    network.eval()
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network.extract(image).f4
    found = OnnxNetwork.open(tmp_path).extract(arrays(image)).f4
    np.testing.assert_allclose(found, expected, atol=5e-5)


class Rigid(Hodor):
    """A network whose features depend on the height in a way that a recording cannot know."""

    def extract(self, images: torch.Tensor) -> Pyramid:
        pyramid = super().extract(images)
        return Pyramid(pyramid.f4 * int(images.shape[2]), pyramid.f8)


def test_an_export_that_would_be_wrong_at_other_sizes_is_refused_and_the_older_stays(
    exported: Path, tmp_path: Path
) -> None:
    rigid = Rigid(TINY).eval()
    shutil.copytree(exported, tmp_path / "older")
    with pytest.raises(HodorError, match=r"features.onnx does not .* 1 x 3 x 96 x 160 .*off by"):
        export(rigid, tmp_path / "older", "print")
    assert OnnxNetwork.open(tmp_path / "older").info.fingerprint == "the fingerprint"
    assert len(list((tmp_path / "older").iterdir())) == 3
    export(rigid, tmp_path / "fixed", "print", size=(96, 160))


def test_a_fixed_size_is_in_the_graph_and_other_sizes_are_told(
    make_network: MakeNetwork, tmp_path: Path
) -> None:
    export(make_network(), tmp_path, "print", size=(64, 96))
    graph = onnx.load(str(tmp_path / "segment.onnx")).graph
    shapes = {
        one.name: [d.dim_value or d.dim_param for d in one.type.tensor_type.shape.dim]
        for one in graph.input
    }
    assert shapes["f8"][2:] == [8, 12]
    assert shapes["object_history"][:3] == [1, "frames", "objects"]
    ours = OnnxNetwork.open(tmp_path)
    assert ours.extract(np.zeros((1, 3, 64, 96), np.float32)).f8.shape[2:] == (8, 12)
    with pytest.raises(HodorError, match=r"takes images of 64 x 96 only, .*makes 64 x 128"):
        ours.extract(np.zeros((1, 3, 64, 128), np.float32))


def test_a_size_that_no_pyramid_has_is_told(make_network: MakeNetwork, tmp_path: Path) -> None:
    with pytest.raises(HodorError, match=r"64 x 100 .*must be multiples of 32"):
        export(make_network(), tmp_path, "print", size=(64, 100))


@pytest.mark.parametrize("place", ["file", "file/within"])
def test_a_place_that_can_be_no_folder_is_told(
    make_network: MakeNetwork, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(WeightsError, match=r"the folder could not be made .*; give another"):
        export(make_network(), tmp_path / place, "print")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_missing_package_is_named(
    exported: Path, make_network: MakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(HodorError, match=r"export needs onnx: pip install 'hodor-vos\[onnx\]'"):
        export(make_network(), exported, "print")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(HodorError, match=r"files needs onnxruntime: .*'hodor-vos\[onnx\]'"):
        OnnxNetwork.open(exported)


def test_any_of_the_files_stands_for_all(exported: Path) -> None:
    assert OnnxNetwork.open(exported / "describe.onnx").info.fingerprint == "the fingerprint"


def broken(kind: str, exported: Path, folder: Path) -> None:
    shutil.copytree(exported, folder)
    if kind == "a file is missing":
        (folder / "segment.onnx").unlink()
    elif kind == "damaged":
        (folder / "segment.onnx").write_bytes((exported / "segment.onnx").read_bytes()[:5000])
    elif kind == "parts confused":
        shutil.copy(exported / "features.onnx", folder / "describe.onnx")
    elif kind == "of two models":
        export(Hodor(TINY), folder, "two")
        shutil.copy(exported / "features.onnx", folder)
    else:
        node = onnx.helper.make_node("Relu", ["x"], ["y"])
        kinds = [onnx.helper.make_tensor_value_info(n, 1, [1]) for n in "xy"]
        graph = onnx.helper.make_graph([node], "other", kinds[:1], kinds[1:])
        opset = [onnx.helper.make_opsetid("", 16)]
        model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
        onnx.save(model, str(folder / "features.onnx"))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("a file is missing", r"not a folder that hodor export onnx wrote \(segment.onnx missing"),
        ("damaged", r"segment.onnx: onnxruntime cannot load it \("),
        ("parts confused", r"describe.onnx: an ONNX file, but not the part 'describe'"),
        ("of two models", r"its files are of different exports"),
        ("not ours", r"features.onnx: an ONNX file, but not the part .*format None"),
    ],
)
def test_what_is_no_export_is_told_in_one_line(
    exported: Path, tmp_path: Path, kind: str, message: str
) -> None:
    broken(kind, exported, tmp_path / "broken")
    with pytest.raises(WeightsError, match=message) as told:
        OnnxNetwork.open(tmp_path / "broken")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("device", ["mps", "cuda", "cuda:1", "gpu"])
def test_a_device_that_is_not_to_be_had_is_told(exported: Path, device: str) -> None:
    import onnxruntime

    if device != "mps" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime runs on CUDA")
    with pytest.raises(HodorError, match=f"device {device}: "):
        OnnxNetwork.open(exported, device)


def test_processes_that_share_a_machine_share_its_cores(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for said, threads in (("3", 3), ("2,1", 2), ("", 0)):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        session = OnnxNetwork.open(exported).sessions["features"]
        assert session.get_session_options().intra_op_num_threads == threads


def test_pyramids_are_named_as_the_networks(exported: Path) -> None:
    pyramid = OnnxNetwork.open(exported).extract(np.zeros((1, 3, 64, 64), np.float32))
    assert pyramid._fields == (*Pyramid._fields, "keys")
    assert pyramid.keys is None  # this network does not match
