"""tools/harder_views.py: the same videos backwards and in leaps, laid out to be scored."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hodor.errors import DataError
from hodor.evaluation import DavisDataset
from hodor.video import write_label_map

TOOLS = Path(__file__).parents[2] / "tools"
FRAMES = 7

Make = Callable[[Path, Path, int, str, str], None]


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    """One video, whose object is in frames 0 to 5; each frame is as bright as its number."""
    root = tmp_path / "davis"
    for kind in ("JPEGImages", "Annotations"):
        (root / kind / "480p/one").mkdir(parents=True)
    for n in range(FRAMES):
        Image.new("L", (40, 40), n).convert("RGB").save(root / f"JPEGImages/480p/one/{n:05d}.png")
        mask = np.zeros((40, 40), np.uint8)
        mask[:20, :20] = n < FRAMES - 1
        write_label_map(root / f"Annotations/480p/one/{n:05d}.png", mask)
    (root / "ImageSets/2016").mkdir(parents=True)
    (root / "ImageSets/2016/train.txt").write_text("one\n")
    return root


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """The script's function."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import harder_views

    made: Make = harder_views.make
    return made


def brightness(folder: Path) -> list[int]:
    return [int(np.asarray(Image.open(f)).max()) for f in sorted(folder.iterdir())]


def test_videos_go_backwards_and_leap_and_begin_where_an_object_is(
    davis: Path, tmp_path: Path, make: Make
) -> None:
    make(davis, tmp_path / "out", 2016, "train", "480p")
    seen = {
        view: brightness(tmp_path / "out" / view / "JPEGImages/480p/one")
        for view in ("backwards", "leaps", "backwards-leaps")
    }
    assert seen["backwards"] == [5, 4, 3, 2, 1, 0]
    assert seen["leaps"] == [0, 3, 6]
    assert seen["backwards-leaps"] == [5, 2]
    # Each mask is that of its frame.
    masks = sorted((tmp_path / "out/leaps/Annotations/480p/one").iterdir())
    assert [bool(np.asarray(Image.open(m)).any()) for m in masks] == [True, True, False]
    dataset = DavisDataset(tmp_path / "out/backwards", 2016, "train")
    assert [sequence.object_ids for sequence in dataset.sequences] == [(1,)]


def test_a_video_without_a_mask_or_an_object_is_told_and_nothing_is_written(
    davis: Path, tmp_path: Path, make: Make
) -> None:
    gone = davis / "Annotations/480p/one/00003.png"
    gone.unlink()
    with pytest.raises(DataError, match="no label map for frame 00003"):
        make(davis, tmp_path / "out", 2016, "train", "480p")
    few = np.zeros((40, 40), np.uint8)
    few[:3, :3] = 1
    for n in range(FRAMES):
        write_label_map(davis / f"Annotations/480p/one/{n:05d}.png", few)
    with pytest.raises(DataError, match="no frame has 100 pixels"):
        make(davis, tmp_path / "out", 2016, "train", "480p")
    assert not (tmp_path / "out").exists()
