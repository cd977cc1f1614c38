"""``hodor export onnx``, and ``hodor track --runtime onnx`` where there is no PyTorch."""

import re
import tomllib
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from hodor.assets import sample_clip, sample_masks
from hodor.video import read_label_map

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

EVERY = 8  # of the sample's frames: at 9 the cup, behind the astronaut, is lost in one

GUIDE = Path(__file__).parents[2] / "docs/guides/onnx.md"
PROJECT = Path(__file__).parents[2] / "pyproject.toml"

WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder

class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "timm", "huggingface_hub", "onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from hodor.cli import main
main()
"""


def plain_name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


def with_what_they_need(packages: list[str]) -> set[str]:
    """Packages and those that come with them."""
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = plain_name(waiting.pop())
        if name in found:
            continue
        found.add(name)
        with suppress(PackageNotFoundError):  # of another system
            waiting += [one for one in requires(name) or [] if "extra ==" not in one]
    return found


def with_the_guides_packages_only() -> str:
    """The same program without any package of ours that the guide does not list."""
    listed = re.search(r"^pip install (numpy .*)$", GUIDE.read_text(encoding="utf-8"), re.M)
    assert listed
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    ours = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {plain_name(one) for one in ours} - with_what_they_need(listed[1].split())
    modules = sorted(
        module
        for module, packages in packages_distributions().items()
        if any(plain_name(package) in names for package in packages)
    )
    assert {"torch", "timm", "skimage"} <= set(modules)
    blocked = '("torch", "torchvision", "timm", "huggingface_hub", "onnx")'
    assert blocked in WITHOUT_TORCH
    return WITHOUT_TORCH.replace(blocked, repr(modules))


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shots")
    with av.open(str(sample_clip())) as video:
        for t, frame in enumerate(video.decode(video=0)):
            if t % EVERY == 0:
                pixels = frame.to_ndarray(format="rgb24", threads=1)
                Image.fromarray(pixels).save(folder / f"{t:05d}.png")
    return folder


def test_the_bundled_model_gives_the_same_labels_with_the_guides_packages_and_without_pytorch(
    hodor: Callable[..., Any], run_python: Callable[..., Any], shots: Path, tmp_path: Path
) -> None:
    ran = hodor("export", "onnx", "--out", tmp_path / "small")
    assert ran.code == 0, ran.err
    assert "any size, any number of objects" in ran.err
    words = ["track", shots, "--masks", sample_masks(), "--device", "cpu"]
    onnx = ["--runtime", "onnx", "--model", tmp_path / "small"]
    program = with_the_guides_packages_only()
    done = run_python(program, *words, "--out", tmp_path / "onnx", *onnx)
    assert done.returncode == 0, done.stderr
    assert hodor(*words, "--precision", "fp32", "--out", tmp_path / "torch").code == 0
    names = sorted(path.name for path in (tmp_path / "torch/labels").iterdir())
    assert len(names) == 72 // EVERY
    differ, seen = [], set()
    for name in names:
        ours, theirs = (read_label_map(tmp_path / of / "labels" / name) for of in ("onnx", "torch"))
        differ.append((ours != theirs).mean())
        if name != names[0]:  # whose masks are given
            seen |= set(np.unique(ours).tolist())
    assert max(differ) <= 1e-3
    assert seen == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "command", ["track VIDEO --masks MASKS --out out", "export onnx --out out", "weights list"]
)
def test_without_pytorch_what_needs_it_says_so_in_one_line(
    run_python: Callable[..., Any], command: str
) -> None:
    files = {"VIDEO": sample_clip(), "MASKS": sample_masks()}
    done = run_python(WITHOUT_TORCH, *(files.get(word, word) for word in command.split()))
    assert done.returncode == 1
    assert done.stderr.startswith("hodor: this needs torch, which is not installed: pip install")
    assert "--runtime onnx" in done.stderr
    assert done.stderr.count("\n") == 1


def test_height_without_width_is_told(hodor: Callable[..., Any], tmp_path: Path) -> None:
    ran = hodor("export", "onnx", "--out", tmp_path, "--height", 256)
    assert ran.code == 1
    assert "--height and --width go together" in ran.err
