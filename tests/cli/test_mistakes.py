"""What people get wrong first is told in a line that says what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.tracks import track_of
from PIL import Image

from hodor.cli.number_words import joined_numbers
from hodor.formats import write_track


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with masks/, the one frame of clip/, and files that are called like videos."""
    monkeypatch.chdir(tmp_path)
    write_track(track_of([np.eye(9, dtype=np.uint8)] * 2), "masks", "png")
    for name in ("my.mp4", "my.mov"):
        (tmp_path / name).write_bytes(b"a video")
    (tmp_path / "clip").mkdir()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "clip/00000.png")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("convert my.mp4 new --to png", "hodor track makes"),
        ("measure my.mp4", "hodor track makes"),
        ("convert masks new.json --to COCO", "Did you mean coco?"),
        ("convert masks new --to mov", "Did you mean prores?"),
        ("convert masks new.mov --to prores", "a folder, such as new"),
        ("mask my.mp4 --point 0.4,0.5 --out first.png", "looks like shares of the frame"),
        ("track clips --out out", "clips does not exist"),
        ("mask my.mp4 --out new.png --box 10,5 20,5 300,0 400", "without spaces"),
        ("mask my.mp4 --out new.png --box 10 20 300", "give 4 numbers x0,y0,x1,y1 without"),
        ("mask my.mp4 --out new.png --box 10,2,9,9 5,5,8,8", "and --box again for another"),
        ("mask my.mp4 --out new.png --box 10,5 20,5 300,0 400,25", "--box 10.5,20.5,300.0,400.25"),
        ("mask my.mp4 --out new.png --box 2=10,5,20,5,300,0,40,2", "--box 2=10.5,20.5,300.0,40.2"),
        ("mask my.mp4 --out new.png --box 10,5;20,5;300,0;40,2", "--box 10.5,20.5,300.0,40.2"),
        ("mask my.mp4 --out new.png --point 10,5 20,5", "--point 10.5,20.5"),
        ("mask my.mp4 --out new.png --box 10;20;300;400", "write --box 10,20,300,400"),
        ("track clip --masks my.mp4 --out out", "my.mp4 is a video, and masks are pictures"),
        ("track clip --masks my.mov --out out", "mattes are given by their folder: --masks ."),
        ("track clip --references masks/00000.png --out out", "given by --masks masks/00000.png"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(
    hodor: Callable[..., Any], here: Path, words: str, told: str
) -> None:
    ran = hodor(*words.split())
    assert ran.code == 1
    assert told in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not list(here.glob("new*"))


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("--box 10 20 300 400 my.mp4", "--box 10,20,300,400 my.mp4"),
        ("my.mp4 --box 10, 20, 300, 400", "my.mp4 --box 10,20,300,400"),
        ("--box 10,20 300,400 my.mp4", "--box 10,20,300,400 my.mp4"),
        ("--box 2=1.5 -3 300 400 0", "--box 2=1.5,-3,300,400 0"),
        ("--box 10,20,300,400 0", "--box 10,20,300,400 0"),
        ("--point 5 6 --not 7 8", "--point 5,6 --not 7,8"),
        ("--box one 2 3 4", "--box one 2 3 4"),
        ("--boxes 1 2 3 4", "--boxes 1 2 3 4"),
    ],
)
def test_numbers_with_spaces_between_them_are_one_box_or_point(words: str, read: str) -> None:
    assert joined_numbers(words.split(), ["--box", "--point", "--not"]) == read.split()
    assert joined_numbers(words.split(), ["--masks"]) == words.split()
