"""What people get wrong first is told in a line that says what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.tracks import track_of

from hodor.formats import write_track


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with masks/ and a file that is called like a video."""
    monkeypatch.chdir(tmp_path)
    write_track(track_of([np.eye(9, dtype=np.uint8)] * 2), "masks", "png")
    (tmp_path / "my.mp4").write_bytes(b"a video")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("convert my.mp4 new --to png", "hodor track makes"),
        ("measure my.mp4", "hodor track makes"),
        ("convert masks new.json --to COCO", "Did you mean coco?"),
        ("convert masks new.mov --to prores", "a folder, such as new"),
        ("mask my.mp4 --point 0.4,0.5 --out first.png", "looks like shares of the frame"),
        ("track clips --out out", "clips does not exist"),
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
