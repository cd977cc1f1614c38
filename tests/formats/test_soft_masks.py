"""Soft masks: from a run's folder into mattes, at full size, with every shade of their edges."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hodor.errors import HodorError, MaskError
from hodor.formats import Mattes, WriteOptions, read_track, write_track
from hodor.runs import Outputs
from hodor.video import SoftMask, read_soft_mask, write_label_map, write_soft_masks

SIZE = (48, 64)
COUNT = 3
SOFT = WriteOptions(mattes=Mattes(soft=True, called={1: "ball"}))


def ball(index: int) -> SoftMask:
    """A disc whose edge is eight pixels wide."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    away = np.hypot(rows - 24, columns - 25 - 5 * index)
    return np.clip((14 - away) / 8 + 0.5, 0, 1).astype(np.float32)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What hodor track --alpha soft leaves."""
    out = tmp_path / "out"
    (out / "labels").mkdir(parents=True)
    for t in range(COUNT):
        write_label_map(out / f"labels/{t:05d}.png", (ball(t) >= 0.5).astype(np.uint8))
        write_soft_masks(out / "soft", f"{t:05d}", {1: ball(t)})
    about = {"source": "v", "frames": COUNT, "source_fps": 25, "confidence": {"1": [1, 0.9, 0.9]}}
    (out / "summary.json").write_text(json.dumps(about))
    return out


def _exr(path: Path) -> NDArray[np.floating]:
    exr = pytest.importorskip("OpenEXR", reason="needs the extra [exr]")
    with exr.File(str(path / "00001.exr"), separate_channels=True) as file:
        (name,) = file.channels()
        plane = np.array(file.channels()[name].pixels)
    assert (name, plane.dtype) == ("ball", np.float16)
    return plane.astype(np.float32)


def _png(path: Path) -> NDArray[np.floating]:
    with Image.open(path / "ball/00001.png") as image:
        return np.asarray(image)[..., 3].astype(np.float32) / 255


def _video(path: Path) -> NDArray[np.floating]:
    (file,) = [file for file in path.iterdir() if file.suffix in (".mov", ".mkv")]
    with av.open(str(file)) as container:
        _, frame, *_ = container.decode(video=0)
        rgba = frame.reformat(format="rgba64le", threads=1).to_ndarray()
    return rgba[..., 3].astype(np.float32) / 65535


@pytest.mark.parametrize(
    ("name", "opacity", "off"),
    [
        ("exr", _exr, 1e-3),
        ("rgba", _png, 1 / 255),
        ("prores", _video, 1 / 255),
        ("ffv1", _video, 1 / 255),
    ],
)
def test_every_shade_of_an_edge_is_in_the_matte_and_is_read_back(
    name: str, opacity: Callable[[Path], SoftMask], off: float, run: Path, tmp_path: Path
) -> None:
    write_track(read_track(run), tmp_path / name, name, SOFT)
    found = opacity(tmp_path / name)
    assert found.shape == SIZE
    np.testing.assert_allclose(found, ball(1), atol=off)
    back = list(read_track(tmp_path / name).frames())
    assert len(back) == COUNT
    for t, frame in enumerate(back):
        edge = np.abs(ball(t) - 0.5) < 0.01  # which rounding may tip over
        np.testing.assert_array_equal((frame.label_map == 1)[~edge], (ball(t) >= 0.5)[~edge])


def test_hard_mattes_stay_hard_where_soft_masks_are_at_hand(run: Path, tmp_path: Path) -> None:
    write_track(read_track(run), tmp_path / "rgba", "rgba", WriteOptions())
    with Image.open(tmp_path / "rgba/1/00001.png") as image:
        assert set(np.unique(np.asarray(image)[..., 3])) == {0, 255}


def test_masks_that_are_hard_alone_are_not_passed_off_as_soft(run: Path, tmp_path: Path) -> None:
    with pytest.raises(MaskError, match="no soft masks here, only hard ones; hodor track --alpha"):
        write_track(read_track(run / "labels"), tmp_path / "rgba", "rgba", SOFT)
    assert not (tmp_path / "rgba").exists()


def test_soft_masks_grow_and_feather_as_hard_ones_do() -> None:
    hard = (ball(0) >= 0.5).astype(np.uint8)
    for grow in (-2.0, 2.5):
        soft = Mattes(soft=True, grow=grow).opacity(hard, 1, lambda _: ball(0))
        radius = np.sqrt(np.count_nonzero(soft >= 0.5) / np.pi)
        assert radius == pytest.approx(14 + grow, abs=0.7)
    wide = Mattes(soft=True, feather=12).opacity(hard, 1, lambda _: ball(0))
    shades = [np.count_nonzero((a > 0.05) & (a < 0.95)) for a in (ball(0), wide)]
    assert shades[1] > 1.3 * shades[0]
    held = Mattes(soft=True, hold_out=(2,)).opacity(hard, 1, lambda _: ball(0))
    np.testing.assert_allclose(held, ball(0) * (1 - ball(0)), atol=1e-6)


def test_two_objects_of_an_exr_keep_their_ids_and_a_dot_makes_no_layer(tmp_path: Path) -> None:
    exr = pytest.importorskip("OpenEXR", reason="needs the extra [exr]")
    labels = np.zeros(SIZE, np.uint8)
    labels[:20], labels[30:] = 4, 7
    folder = tmp_path / "maps"
    folder.mkdir()
    write_label_map(folder / "00000.png", labels)
    options = WriteOptions(mattes=Mattes(called={4: "cat.left"}))
    write_track(read_track(folder), tmp_path / "exr", "exr", options)
    with exr.File(str(tmp_path / "exr/00000.exr"), header_only=True) as file:
        names = [channel.name for channel in file.header()["channels"]]
    assert names == ["cat-left", "object7"]
    back = read_track(tmp_path / "exr")
    np.testing.assert_array_equal(next(iter(back.frames())).label_map, labels)
    assert back.names == {4: "cat-left"}


def test_without_its_package_exr_says_what_to_install(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(HodorError, match=r"pip install 'hodor-vos\[exr\]'"):
        write_track(read_track(run), tmp_path / "exr", "exr", SOFT)


def test_a_soft_mask_that_is_no_picture_is_told_by_its_name(run: Path, tmp_path: Path) -> None:
    assert read_soft_mask(run / "soft", "00001", 9) is None
    (run / "soft/1/00001.png").write_bytes(b"nothing")
    with pytest.raises(MaskError, match=r"soft/1/00001.png"):
        write_track(read_track(run), tmp_path / "rgba", "rgba", SOFT)


def test_a_run_names_the_soft_masks_that_it_leaves(tmp_path: Path) -> None:
    asked = Outputs(formats=("prores",), mattes=SOFT.mattes)
    assert asked.besides(tmp_path) == [tmp_path / "prores", tmp_path / "soft"]
