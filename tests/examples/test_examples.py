"""The scripts of examples/: short, and they run as they stand."""

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from video.tiny_videos import write_video

from hodor.video import read_label_map, write_label_map
from hodor.weights import sha256

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def run(
    tmp_path: Path,
    bundled: Path,
    scene: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Runs a script where clip.mp4, first.png and photo.png are; gives what it prints."""
    tiny = bundled.with_name("tiny.safetensors")
    tiny.write_bytes(bundled.read_bytes())
    (bundled.parent / "sha256.json").write_text(
        json.dumps({file.stem: sha256(file) for file in (bundled, tiny)})
    )
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mp4", scene.frames[:3])
    write_label_map(tmp_path / "first.png", scene.labels[0])
    Image.fromarray(scene.frames[0]).save(tmp_path / "photo.png")

    def script(name: str, *words: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *words])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return script


def test_every_example_is_of_at_most_30_lines_and_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for file in EXAMPLES.glob("*.py"):
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 30
        assert f"examples/{file.name}" in listed


def test_the_video_example_writes_a_label_map_for_each_frame(
    run: Callable[..., str], scene: Any
) -> None:
    assert "frame 2: object 3: " in run("video.py", "clip.mp4", "first.png", "out")
    files = sorted(Path("out").iterdir())
    assert len(files) == 3
    assert (read_label_map(files[0]) == scene.labels[0]).all()


def test_the_camera_example_says_where_each_object_of_a_photo_is(run: Callable[..., str]) -> None:
    said = run("camera.py", "clip.mp4", "photo.png", "first.png")
    assert said.count("object 3 ") == said.count("object 7 ") == 3
    assert "object 3 at " in said


def test_the_references_example_looks_in_another_video_without_a_mask(
    run: Callable[..., str],
) -> None:
    said = run("references.py", "clip.mp4", "first.png", "clip.mp4")
    assert said.splitlines()[0].startswith("frame 0: [3")
    assert Path("objects.safetensors").is_file()


def test_the_tiles_example_cuts_a_picture_and_numbers_what_each_tile_shows(
    run: Callable[..., str], tmp_path: Path
) -> None:
    labels = np.zeros((210, 210), np.uint8)
    labels[10:30, 10:30], labels[150:170, 20:50], labels[150:170, 60:80] = 40, 41, 42
    labels[100:103, 10:20] = 43  # cut by the edge of a tile: 20 pixels above, 10 below
    write_label_map(tmp_path / "labels.png", labels)
    Image.fromarray(labels.astype(np.uint16) * 100).save(tmp_path / "picture.tif")
    run("tiles.py", "picture.tif", "labels.png", "tiles")
    names = [f"tile-{row}{column}.png" for row in (0, 1) for column in (0, 1)]
    assert sorted(file.name for file in Path("tiles/images").iterdir()) == names
    first, below = (read_label_map(Path("tiles/masks") / names[i]) for i in (0, 2))
    assert first.shape == (204, 204)
    assert set(np.unique(first)) == {0, 1}
    assert (first == 1).sum() == 4 * 20 * 20
    assert set(np.unique(below)) == {0, 1, 2}
