"""``hodor track``: from a video and a mask to files, and what is told when that cannot be."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from video.tiny_videos import write_video

from hodor.video import read_label_map, write_label_map

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

Hodor = Callable[..., Any]

COMMAND = "from hodor.cli import main; main()"


@pytest.fixture
def here(
    tmp_path: Path, scene: Any, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[object]]:
    """A folder with video.mp4 and first.png; gives the words of a run in it."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "video.mp4", scene.frames)
    write_label_map(tmp_path / "first.png", scene.labels[0])
    (tmp_path / "text").write_text("words, and nothing but words, in a file of no kind")

    def words(*more: object, **changes: object) -> list[object]:
        named = {"masks": "first.png", "out": "out", "model": tiny_model, "device": "cpu"} | changes
        options = [part for key, value in named.items() if value for part in (f"--{key}", value)]
        return ["track", *(more or ["video.mp4"]), *options]

    return words


def test_a_run_writes_what_was_asked_for_and_says_where(hodor: Hodor, here: Any) -> None:
    ran = hodor(*here("video.mp4", "--overlay", "--rle", "--size", 96, "--keep-reference"))
    assert ran.code == 0, ran.err
    out = Path("out")
    assert sorted(path.name for path in out.iterdir()) == [
        "labels",
        "masks.json",
        "overlay.mp4",
        "summary.json",
    ]
    assert [path.name for path in sorted((out / "labels").iterdir())] == [
        f"{t:05d}.png" for t in range(12)
    ]
    with av.open("out/overlay.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 12
    summary = json.loads((out / "summary.json").read_text())
    assert summary["frames"] == 12
    assert summary["objects"] == [3, 7]
    assert summary["frames_per_second"] > 0
    assert summary["model"]["name"] == "tiny"
    assert {k: summary["options"][k] for k in ("size", "window", "keep_reference")} == {
        "size": 96,
        "window": 3,
        "keep_reference": True,
    }
    assert [len(values) for values in summary["confidence"].values()] == [12, 12]
    assert "12 frames, objects 3, 7" in ran.err
    assert "results in out: out/labels, out/overlay.mp4, out/masks.json" in ran.err
    there = r"look first at object \d .*: hodor studio out --frame \d|correct: hodor studio out"
    assert re.search(there, ran.err)
    assert ran.out == ""


def test_the_studio_is_named_where_the_video_is_a_file_and_objects_by_their_names(
    hodor: Hodor, here: Any
) -> None:
    wrong = hodor(*here("video.mp4", "--colors", "3=reddish"))
    assert "'reddish' is no colour" in wrong.err
    names = ("--name", "3=[red] camel", "--name", "9=cat")
    ran = hodor(*here("video.mp4", *names, "--colors", "3=red,7=#00ff88"))
    assert "object 3 ([red] camel): mean confidence" in ran.err
    assert "warning: --name 9=cat: there is no object 9; objects are 3, 7" in ran.err
    summary = json.loads(Path("out/summary.json").read_text())
    assert summary["names"] == {"3": "[red] camel"}  # of objects that are there
    assert summary["colours"] == {"3": "#ff0000", "7": "#00ff88"}
    assert summary["given"] == {"3": [0], "7": [0]}
    assert {name: Path(path).name for name, path in summary["inputs"].items() if path} == {
        "source": "video.mp4",
        "masks": "first.png",
        "model": Path(summary["inputs"]["model"]).name,
    }


def test_each_option_of_the_tracker_arrives(hodor: Hodor, here: Any) -> None:
    chosen = {
        "size": 96,
        "window": 2,
        "search_radius": 0.25,
        "crop_margin": 0.3,
        "min_confidence_ratio": 0.1,
    }
    chosen |= {"min_similarity": 0.05, "keep_reference": False, "keep_every": 3}
    words = """--size 96 --window 2 --search-radius 0.25 --crop-margin 0.3
    --min-confidence-ratio 0.1
        --min-similarity 0.05 --no-keep-reference --keep-every 3 --precision fp32 --step fixed"""
    ran = hodor(*here("video.mp4", *words.split()))
    assert ran.code == 0, ran.err
    summary = json.loads(Path("out/summary.json").read_text())
    assert {name: summary["options"][name] for name in chosen} == chosen
    assert (summary["device"], summary["precision"]) == ("cpu", "float32")
    assert summary["step"] == "fixed"


def test_results_have_the_names_of_images_and_the_masks_ids(
    hodor: Hodor, here: Any, scene: Any, tmp_path: Path
) -> None:
    (tmp_path / "shots").mkdir()
    for t in range(3):
        Image.fromarray(scene.frames[t]).save(tmp_path / f"shots/shot {t + 8}.png")
    wide = np.where(scene.labels[0] == 7, 300, 0).astype(np.uint16)
    write_label_map(tmp_path / "first.png", wide, wide=True)
    ran = hodor(*here("shots"))
    assert ran.code == 0, ran.err
    names = [path.name for path in sorted(Path("out/labels").iterdir())]
    assert names == ["shot 10.png", "shot 8.png", "shot 9.png"]
    np.testing.assert_array_equal(read_label_map("out/labels/shot 8.png"), wide)
    for name in names:
        with Image.open(f"out/labels/{name}") as image:
            assert image.mode.startswith("I"), "all frames of a run have the same depth"


def test_objects_can_be_followed_in_another_video_by_references(hodor: Hodor, here: Any) -> None:
    first = hodor(*here("video.mp4", "--save-references", "objects.safetensors"))
    assert first.code == 0, first.err
    assert Path("objects.safetensors").stat().st_size < 100_000
    again = hodor(*here(masks=None, references="objects.safetensors", out="again"))
    assert again.code == 0, again.err
    assert json.loads(Path("again/summary.json").read_text())["objects"] == [3, 7]


def test_warnings_are_told(hodor: Hodor, here: Any, scene: Any, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for t in (0, 77):
        write_label_map(tmp_path / f"masks/{t:05d}.png", scene.labels[0])
    ran = hodor(*here(masks="masks"))
    assert ran.code == 0
    assert "warning: masks that belong to no frame: 00077.png" in ran.err


def rgb_mask(folder: Path) -> None:
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[10:20, 10:20] = 200, 0, 0
    Image.fromarray(pixels).save(folder / "wrong.png")


def wrong_size(folder: Path) -> None:
    write_label_map(folder / "wrong.png", np.ones((90, 60), np.uint8))


def results(folder: Path) -> None:
    (folder / "out/labels").mkdir(parents=True)
    (folder / "out/labels/00000.png").write_bytes(b"precious")


def foreign_tensors(folder: Path) -> None:
    save_file({"weight": torch.zeros(2)}, folder / "foreign.safetensors")


def finished(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/summary.json").write_text("{}")


def begun_otherwise(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/.run.json").write_text('{"source": "another.mp4"}')


def nothing(_: Path) -> None:
    pass


ERRORS: dict[str, tuple[Callable[[Path], None], list[object], dict[str, object], str]] = {
    "no such video": (nothing, ["none.mp4"], {}, "none.mp4 does not exist"),
    "not a video": (nothing, ["text"], {}, "text"),
    "no masks": (nothing, [], {"masks": None}, "nothing to follow: give --masks"),
    "no masks, shown a way": (nothing, [], {"masks": None}, "hodor studio video.mp4"),
    "no masks, shown another": (nothing, [], {"masks": None}, "hodor mask video.mp4 --box"),
    "no such mask": (nothing, [], {"masks": "none.png"}, "none.png does not exist"),
    "a mask of colours": (rgb_mask, [], {"masks": "wrong.png"}, "wrong.png holds colours"),
    "a mask of another size": (wrong_size, [], {"masks": "wrong.png"}, "wrong.png is 60 x 90"),
    "a mask that is none": (nothing, [], {"masks": "text"}, "text cannot be read as a mask"),
    "results in the folder": (results, [], {}, "out: holds results already"),
    "a file for a folder": (nothing, [], {"out": "text"}, "text: cannot be written"),
    "no such model": (nothing, [], {"model": "huge"}, "'huge': no bundled model of that name"),
    "a model that is none": (nothing, [], {"model": "text"}, "text: not a safetensors file"),
    "another's tensors": (
        foreign_tensors,
        [],
        {"model": "foreign.safetensors"},
        "safetensors without a hodor config",
    ),
    "no such references": (
        nothing,
        [],
        {"masks": None, "references": "none"},
        "none: no such file; expected references",
    ),
    "no such precision": (nothing, [], {"precision": "half"}, "it must be auto, fp32 or bf16"),
    "no such step": (nothing, [], {"step": "fast"}, "it must be plain, fixed or captured"),
    "a step for CUDA alone": (nothing, [], {"step": "captured"}, "cpu has none; take fixed"),
    "resuming a finished run": (finished, ["video.mp4", "--resume"], {}, "out: the run in it is"),
    "resuming another run": (begun_otherwise, ["video.mp4", "--resume"], {}, "other settings"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_that_a_user_can_mend_is_one_line(
    hodor: Hodor, here: Any, tmp_path: Path, name: str
) -> None:
    prepare, words, changes, message = ERRORS[name]
    prepare(tmp_path)
    ran = hodor(*here(*words, **changes))
    assert ran.code == 1
    assert ran.err.startswith("hodor: ")
    assert ran.err.count("\n") == 1
    assert message in ran.err
    assert ran.out == ""


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.slow
def test_a_missing_cuda_is_one_line_and_no_traceback(
    run_python: Callable[..., Any], here: Any
) -> None:
    done = run_python(COMMAND, *here(device="cuda"))
    assert done.returncode == 1
    assert done.stderr.startswith("hodor: device cuda: not available here")
    assert done.stderr.count("\n") == 1


def test_what_is_in_the_folder_already_is_left_alone(
    hodor: Hodor, here: Any, tmp_path: Path
) -> None:
    results(tmp_path)
    assert hodor(*here()).code == 1
    assert Path("out/labels/00000.png").read_bytes() == b"precious"


def test_a_corrected_command_can_use_the_folder_of_a_wrong_one(
    hodor: Hodor, here: Any, tmp_path: Path
) -> None:
    wrong_size(tmp_path)
    assert hodor(*here(masks="wrong.png")).code == 1
    ran = hodor(*here())
    assert ran.code == 0, ran.err


def test_resuming_where_nothing_was_begun_begins(hodor: Hodor, here: Any) -> None:
    ran = hodor(*here("video.mp4", "--resume"))
    assert ran.code == 0, ran.err
    assert len(list(Path("out/labels").iterdir())) == 12


def test_a_run_killed_while_it_noted_its_settings_can_be_resumed(
    hodor: Hodor, here: Any, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/.run.json").write_text("")
    ran = hodor(*here("video.mp4", "--resume"))
    assert ran.code == 0, ran.err
