"""Formats beside a run: made at its end, whatever happens before."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from formats.tracks import COUNT, FPS, SIZE, label_map_at, pixels_at
from PIL import Image

from hodor.errors import HodorError, MaskError
from hodor.formats import FORMATS, FormatsSink, read_track
from hodor.video import ImagesSource, Source, open_source

NAMES = ("coco", "cvat", "npz", "prores", "png")
IDS = [1, 7, 300]


def a_source() -> Source:
    return open_source(np.stack([pixels_at(index) for index in range(COUNT)]), fps=FPS)


def open_sink(folder: Path, resume_from: int = 0, formats: tuple[str, ...] = NAMES) -> FormatsSink:
    nan = float("nan")
    return FormatsSink(
        folder,
        formats,
        source=a_source(),
        reopen=a_source,
        confidence={1: [0.5] * COUNT, 300: [nan, nan, *[0.75] * (COUNT - 2)]},
        names={300: "猫"},
        resume_from=resume_from,
    )


def write(sink: FormatsSink, start: int = 0, stop: int = COUNT) -> None:
    for frame in list(a_source().frames())[start:stop]:
        sink.write(frame, label_map_at(frame.index), IDS)


def contents(folder: Path) -> dict[str, bytes]:
    """Of all files; NPZ notes the time of its making, so it counts by what is in it."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix != ".npz"
    }


def run(script: str, folder: Path, expected: int) -> None:
    """Run a script that may import this file."""
    tests = Path(__file__).parent.parent
    paths = os.pathsep.join([*sys.path, str(tests)])
    command = [sys.executable, "-c", script, str(folder)]
    environment = os.environ | {"PYTHONPATH": paths}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == expected, done.stderr


HEAD = """
import os, sys
from pathlib import Path
from formats.test_sink import *
sink = open_sink(Path(sys.argv[1]))
"""
KILLED_WHILE_TRACKING = """
write(sink, 0, 3)
sink.commit()
write(sink, 3, 5)
os._exit(9)
"""
KILLED_WHILE_FINISHING = """
from dataclasses import replace
FORMATS["npz"] = replace(FORMATS["npz"], write=lambda *_: os._exit(9))
write(sink)
sink.commit()
sink.close()
"""


@pytest.mark.parametrize(
    ("script", "resume_from"),
    [(KILLED_WHILE_TRACKING, 3), (KILLED_WHILE_FINISHING, COUNT)],
    ids=["while tracking", "while finishing"],
)
def test_a_killed_run_gives_the_files_of_one_that_was_not_killed(
    script: str, resume_from: int, tmp_path: Path
) -> None:
    with open_sink(tmp_path / "whole") as sink:
        write(sink)
    run(HEAD + script, tmp_path / "killed", 9)
    finished = (tmp_path / "killed/cvat.xml").exists()
    assert finished == (script is KILLED_WHILE_FINISHING)
    with open_sink(tmp_path / "killed", resume_from) as sink:
        write(sink, resume_from)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == sorted(
        FORMATS[name].file for name in NAMES
    )
    for name in NAMES:
        for index, frame in enumerate(
            read_track(tmp_path / "killed" / FORMATS[name].file).frames()
        ):
            np.testing.assert_array_equal(frame.label_map, label_map_at(index))


def test_confidence_and_names_are_in_the_files(tmp_path: Path) -> None:
    with open_sink(tmp_path, formats=("coco", "label-studio")) as sink:
        write(sink)
    for name in ("coco", "label-studio"):
        track = read_track(tmp_path / FORMATS[name].file)
        assert track.names == {1: "object", 7: "object", 300: "猫"}
        frames = list(track.frames())
        assert frames[0].confidence == {1: 0.5}
        assert frames[5].confidence == {1: 0.5, 300: 0.75}


def test_an_error_leaves_what_was_committed_to_be_resumed(tmp_path: Path) -> None:
    def fail() -> None:
        with open_sink(tmp_path) as sink:
            write(sink, 0, 3)
            sink.commit()
            raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["..track.json.parts.jsonl"]
    with open_sink(tmp_path, 3, ("rle",)) as sink:
        write(sink, 3)
    assert len(list(read_track(tmp_path / "rle.json").frames())) == COUNT


def test_what_is_there_already_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "cvat.xml").write_text("the work of a week")
    with pytest.raises(HodorError, match=r"cvat\.xml is there already"):
        open_sink(tmp_path)
    assert (tmp_path / "cvat.xml").read_text() == "the work of a week"


def test_an_unknown_format_is_told_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"'cvta' is no format; choose one of png, .*cvat"):
        open_sink(tmp_path, formats=("cvta",))


def test_a_camera_has_no_picture_for_mattes(tmp_path: Path) -> None:
    source = ImagesSource([], name="camera")
    source.live = True
    with pytest.raises(HodorError, match="prores needs the video's picture again"):
        FormatsSink(tmp_path, ("prores",), source=source, reopen=a_source, confidence={})


def test_sizes_are_those_of_the_frames(tmp_path: Path) -> None:
    with open_sink(tmp_path, formats=("rgba",)) as sink:
        write(sink)
    with Image.open(tmp_path / "rgba/1/00002.png") as image:
        rgba = np.asarray(image)
    assert rgba.shape == (*SIZE, 4)
    np.testing.assert_array_equal(rgba[..., :3], pixels_at(2))
    np.testing.assert_array_equal(rgba[..., 3] == 255, label_map_at(2) == 1)


def test_a_format_that_has_no_room_for_it_does_not_cost_the_others(tmp_path: Path) -> None:
    with open_sink(tmp_path, formats=("mots", "coco")) as sink:
        for frame in a_source().frames():
            sink.write(frame, np.full(SIZE, 1000, np.uint16), [1000])
        with pytest.raises(HodorError, match=r"mots: .* up to 999.* All other results are"):
            sink.close()
        (tmp_path / "mots.txt").write_text("given up")
    assert len(list(read_track(tmp_path / "coco.json").frames())) == COUNT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coco.json", "mots.txt"]
