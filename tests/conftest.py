"""A tiny network with random weights, a scene to follow, and trackers made of both."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hodor.cli import main
from hodor.model import History, Hodor, HodorConfig, Pyramid
from hodor.tracking import Tracker, TrackerOptions
from hodor.weights import DEFAULT, catalogue, save_model, sha256

SEED = 6  # with it, both objects of the scene win pixels in every frame
SIZE = 64


@dataclass(frozen=True)
class Scene:
    """Two rectangles, ids 3 and 7, that move over noise."""

    frames: list[NDArray[np.uint8]]
    """(H, W, 3)"""
    labels: list[NDArray[np.uint8]]
    """(H, W)"""


class Ran(NamedTuple):
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


class Scripted(Hodor):
    """A network that finds objects where the test says.

    ``plan`` has an entry for every call of ``segment``: for each object a part of the map at
    stride 4 (rows, columns), or None for nowhere. Elsewhere the catch-all wins.
    """

    plan: list[Sequence[tuple[slice, slice] | None]]

    def segment(self, pyramid: Pyramid, history: History) -> torch.Tensor:
        background = self.config.background_channels
        count = background + history.objects.shape[2]
        logits = torch.zeros(1, count, *pyramid.f4.shape[-2:])
        logits[:, 0] = 5
        for number, place in enumerate(self.plan.pop(0), background):
            if place is not None:
                logits[:, number, *place] = 10
        return logits


def pytest_configure(config: pytest.Config) -> None:
    """Beside other processes of tests, one core each: threads without a core only wait."""
    if hasattr(config, "workerinput"):
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Beside other processes, files with slow tests come first: else one is left at the end."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PyTorch on one thread, in this process and its children.

    For networks as small as these a second thread only waits: very long where cores are busy.
    """
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def _network(seed: int, kind: type[Hodor], **changes: Any) -> Hodor:
    fields: dict[str, Any] = {
        "backbone": "mobilenetv2_035",
        "channels": 32,
        "heads": 4,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "deformable": False,
    }
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        network = kind(HodorConfig(**(fields | changes)))
        for value in network.parameters():
            if value.ndim > 1:
                # With the weights that training starts from, all pixels would look alike.
                value.normal_(std=(2 / value[0].numel()) ** 0.5)
    return network.eval()


@pytest.fixture(scope="session")
def make_network() -> Callable[..., Hodor]:
    """Makes a network of 0.3 million weights; arguments are a seed and fields of its config."""

    def make(seed: int = SEED, **changes: Any) -> Hodor:
        return _network(seed, Hodor, **changes)

    return make


@pytest.fixture(scope="session")
def make_tracker() -> Callable[..., Tracker]:
    """Makes a tracker on the CPU, in float32; arguments are a network and options."""

    def make(network: Hodor | None = None, **options: Any) -> Tracker:
        chosen = TrackerOptions(**({"size": SIZE} | options))
        network = network or _network(SEED, Hodor)
        return Tracker(network, chosen, device="cpu", precision="fp32")

    return make


@pytest.fixture
def scripted() -> Callable[..., Scripted]:
    """Makes a network that finds objects where the test says."""

    def make(*plan: Sequence[tuple[slice, slice] | None]) -> Scripted:
        network = _network(SEED, Scripted)
        assert isinstance(network, Scripted)
        network.plan = list(plan)
        return network

    return make


@pytest.fixture(scope="session")
def make_scene() -> Callable[..., Scene]:
    """Makes a number of frames of any size (H, W)."""

    def make(count: int, size: tuple[int, int] = (60, 90)) -> Scene:
        ground = np.random.default_rng(0).integers(0, 90, (*size, 3), np.uint8)
        rows, columns = size[0] / 60, size[1] / 90
        scene = Scene([], [])
        for t in range(count):
            frame, labels = ground.copy(), np.zeros(size, np.uint8)
            for number, colour, top, left, height, width in (
                (3, (220, 60, 40), 10, 8 + 2 * t % 40, 24, 24),
                (7, (40, 200, 220), 36, 60 - t % 40, 18, 20),
            ):
                place = (
                    slice(round(top * rows), round((top + height) * rows)),
                    slice(round(left * columns), round((left + width) * columns)),
                )
                frame[place], labels[place] = colour, number
            scene.frames.append(frame)
            scene.labels.append(labels)
        return scene

    return make


@pytest.fixture(scope="session")
def scene(make_scene: Callable[..., Scene]) -> Scene:
    """Twelve frames of 60 x 90 pixels."""
    return make_scene(12)


@pytest.fixture(scope="session")
def remembered() -> Callable[..., dict[int, list[int]]]:
    """Tells which ids a tracker's state describes, by frame."""

    def look(tracker: Tracker, kind: str = "recent") -> dict[int, list[int]]:
        memory = tracker.state_dict()["memory"]
        starts = [name.removesuffix(".index") for name in memory if name.endswith(".index")]
        return {
            int(memory[f"{start}.index"]): sorted(memory[f"{start}.ids"].tolist())
            for start in starts
            if start.startswith(f"{kind}.")
        }

    return look


@pytest.fixture(scope="session")
def tiny_network(make_network: Callable[..., Hodor]) -> Hodor:
    return make_network()


@pytest.fixture(scope="session")
def tiny_model(tiny_network: Hodor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network as a file that asks for a small size and window."""
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    about = {"name": "tiny", "tracking": {"size": SIZE, "window": 3}}
    save_model(path, tiny_network.config, tiny_network.state_dict(), about)
    return path


@pytest.fixture(scope="session")
def run_python() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs a program in a process of its own, with words for its ``sys.argv``."""

    def run(program: str, *words: object) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", program, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True)

    return run


@pytest.fixture
def hodor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Runs the command ``hodor`` with words, in this process."""

    def run(*words: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["hodor", *map(str, words)])
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        return Ran(code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def bundled(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny network in the place of the bundled models, under the default's name."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    path = folder / f"{DEFAULT}.safetensors"
    path.write_bytes(tiny_model.read_bytes())
    (folder / "sha256.json").write_text(json.dumps({DEFAULT: sha256(path)}))
    monkeypatch.setattr(catalogue, "_folder", lambda: folder)
    return path
