"""What is wrong with a source or a model can be told by the class of the error."""

import os
from pathlib import Path

import pytest
from PIL import Image

from hodor.errors import (
    ClosedSourceError,
    DamagedSourceError,
    HodorError,
    MissingModelError,
    MissingSourceError,
    NotAVideoError,
    SourceError,
    WeightsError,
)
from hodor.video import open_source
from hodor.weights import model_path


@pytest.fixture
def things(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/notes.txt").write_text("nothing to see")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "text.png").write_text("no picture")
    Image.effect_noise((64, 64), 9).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "locked.png").write_bytes(whole)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nowhere.mp4", MissingSourceError),
        ("nowhere/*.png", MissingSourceError),
        ("folder", NotAVideoError),
        ("text.png", NotAVideoError),
        ("empty.mp4", DamagedSourceError),
        ("noise.mp4", DamagedSourceError),
        ("cut.png", DamagedSourceError),
    ],
)
def test_a_source_that_cannot_be_used_says_by_its_class_why(
    things: Path, name: str, kind: type[SourceError]
) -> None:
    with pytest.raises(kind), open_source(things / name) as source:
        list(source.frames())


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() == 0, reason="whoever may read all cannot be kept out"
)
def test_a_source_without_rights_is_told_from_one_that_is_missing(things: Path) -> None:
    (things / "locked.png").chmod(0)
    with pytest.raises(ClosedSourceError), open_source(things / "locked.png") as source:
        list(source.frames())


def test_a_model_that_is_not_there_is_told_from_one_that_is_damaged(things: Path) -> None:
    with pytest.raises(MissingModelError):
        model_path("smalll")
    assert issubclass(MissingModelError, WeightsError)
    assert issubclass(SourceError, HodorError)
