"""Clips made of still images: what is drawn, where, in front of what, and from which images."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hodor.data import is_held_out
from hodor.errors import DataError
from hodor.evaluation import (
    Cutout,
    DavisDataset,
    Keyframe,
    Path2D,
    cut_out,
    make_clip,
    moving_stills_benchmark,
    write_davis,
)

SIZE = (64, 96)
RED, GREEN, GREY = (200, 0, 0), (0, 200, 0), (90, 90, 90)


def plain(colour: tuple[int, int, int], height: int = 40, width: int = 60) -> NDArray[np.uint8]:
    return np.full((height, width, 3), colour, np.uint8)


def block(colour: tuple[int, int, int], height: int = 20, width: int = 20) -> Cutout:
    """A block of one colour in a blue picture."""
    image, mask = plain((0, 0, 255)), np.zeros((40, 60), bool)
    mask[5 : 5 + height, 7 : 7 + width] = True
    image[mask] = colour
    return Cutout(image, mask)


def still(x: float, y: float, size: float, angle: float = 0.0) -> Path2D:
    return Path2D((Keyframe(0, x, y, size, angle),))


def box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of the set pixels, ends exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def test_an_object_is_where_its_path_says_and_as_large() -> None:
    frames, maps = make_clip(
        [block(RED)], plain(GREY), size=SIZE, frames=2, paths=[still(0.25, 0.5, 0.5)]
    )
    # Half of 64 px high, its middle at (24, 32).
    assert box(maps[0] == 1) == (16, 48, 8, 40)
    assert frames.shape == (2, *SIZE, 3)
    assert frames.dtype == maps.dtype == np.uint8
    assert tuple(frames[0, 32, 24]) == RED
    assert tuple(frames[0, 32, 80]) == GREY


def corner(colour: tuple[int, int, int]) -> Cutout:
    """An L upside down in a blue picture: an upright on the left, a bar to the right on top."""
    image, mask = plain((0, 0, 255)), np.zeros((40, 60), bool)
    mask[4:36, 12:20] = mask[4:12, 12:44] = True
    image[mask] = colour
    return Cutout(image, mask)


def test_edges_are_soft_in_colour_hard_in_labels_and_free_of_the_old_background() -> None:
    frames, maps = make_clip(
        [corner(RED)], plain((0, 0, 0)), size=SIZE, frames=1, paths=[still(0.5, 0.5, 0.8, 30)]
    )
    reds = frames[0, :, :, 0]
    assert set(np.unique(maps)) == {0, 1}
    assert ((reds > 20) & (reds < 180)).any()
    assert frames[0, :, :, 2].max() == 0
    assert reds[maps[0] == 1].min() >= 90
    assert reds[maps[0] == 0].max() <= 110


def test_angles_turn_clockwise() -> None:
    _, maps = make_clip(
        [corner(RED)], plain(GREY), size=(96, 96), frames=1, paths=[still(0.5, 0.5, 0.75, 90)]
    )
    # The upright now lies on top and the bar hangs from it on the right.
    assert maps[0, 16:28, 16:80].mean() > 0.8
    assert maps[0, 16:80, 68:80].mean() > 0.8
    assert not maps[0, 40:, :56].any()


def test_what_is_nearer_hides_what_is_farther() -> None:
    cutouts, paths = [block(RED), block(GREEN)], [still(0.4, 0.5, 0.5), still(0.5, 0.5, 0.5)]
    for depth, front in (((0, 1), 2), ((1, 0), 1)):
        frames, maps = make_clip(
            cutouts, plain(GREY), size=SIZE, frames=1, paths=paths, depth=depth
        )
        shared = np.s_[0, 20:44, 36:52]
        assert (maps[shared] == front).all()
        assert tuple(frames[0, 32, 44]) == (RED, GREEN)[front - 1]


def test_paths_pass_through_their_keyframes_smoothly_and_stand_still_beyond() -> None:
    keyframes = (Keyframe(0, 0.2, 0.5, 0.2), Keyframe(0.3, 0.6, 0.4, 0.4, 20, 1.2))
    path = Path2D((*keyframes, Keyframe(0.8, 0.8, 0.5, 0.2)))
    for keyframe in keyframes:
        found = path.at(keyframe.time)
        assert (found.x, found.y, found.size) == pytest.approx(
            (keyframe.x, keyframe.y, keyframe.size)
        )
    assert path.at(1).x == path.at(0.8).x == 0.8
    steps = np.diff([path.at(t).x for t in np.linspace(0, 0.8, 161)])
    assert np.abs(np.diff(steps)).max() < 0.1 * np.abs(steps).max()


def test_keyframes_out_of_order_are_refused() -> None:
    with pytest.raises(DataError, match="must rise"):
        Path2D((Keyframe(0.5, 0, 0, 1), Keyframe(0.2, 0, 0, 1)))
    with pytest.raises(DataError, match="above 0"):
        Path2D((Keyframe(0, 0, 0, 0),))


def test_a_wobble_bends_the_object_over_time() -> None:
    path = Path2D((Keyframe(0, 0.5, 0.5, 0.5),), wobble=0.05)
    _, maps = make_clip([block(RED)], plain(GREY), size=SIZE, frames=5, paths=[path])
    assert (maps[0] != maps[1]).any()
    areas = (maps == 1).sum(axis=(1, 2))
    assert areas.max() < 1.2 * areas.min()


def test_an_open_shutter_blurs_motion_but_not_labels() -> None:
    path = Path2D((Keyframe(0, 0.3, 0.5, 0.4), Keyframe(1, 0.7, 0.5, 0.4)))
    clips = [
        make_clip([block(RED)], plain((0, 0, 0)), size=SIZE, frames=5, paths=[path], shutter=s)
        for s in (0.0, 0.8)
    ]
    np.testing.assert_array_equal(clips[0][1], clips[1][1])
    partly = [((f[2, 32, :, 0] > 10) & (f[2, 32, :, 0] < 190)).sum() for f, _ in clips]
    assert partly[1] > 2 * partly[0]


def test_the_camera_pans_over_the_background() -> None:
    background = np.zeros((64, 192, 3), np.uint8)
    background[:, 96:] = 255
    camera = Path2D((Keyframe(0, 0.25, 0.5, 1), Keyframe(1, 0.75, 0.5, 1)))
    frames, maps = make_clip(
        [block(RED, 10, 10)], background, size=SIZE, frames=3,
        paths=[still(0.5, 0.1, 0.1)], camera=camera,
    )  # fmt: skip
    assert maps.any()
    assert (frames[0, 32:].max(), frames[2, 32:].min()) == (0, 255)
    assert frames[1, 40, 10].max() == 0
    assert frames[1, 40, 85].min() == 255


def test_random_clips_show_all_at_first_hide_something_later_and_repeat_with_their_seed() -> None:
    cutouts = [block(RED), block(GREEN), block(GREY, 30, 12)]
    hidden = 0
    for seed in range(3):
        clip = make_clip(cutouts, plain(GREY), size=SIZE, frames=12, seed=seed)
        areas = np.array([[(m == i).sum() for i in (1, 2, 3)] for m in clip[1]])
        assert (areas[0] > 50).all()
        assert (areas[:4] > 0).all()
        hidden += bool((areas.min(axis=0) < 0.8 * areas[0]).any())
        again = make_clip(cutouts, plain(GREY), size=SIZE, frames=12, seed=seed)
        np.testing.assert_array_equal(clip[0], again[0])
        np.testing.assert_array_equal(clip[1], again[1])
    assert hidden >= 2
    other = make_clip(cutouts, plain(GREY), size=SIZE, frames=12, seed=9)
    assert (other[1] != again[1]).any()


@pytest.mark.parametrize(
    ("paths", "depth", "message"),
    [
        ([still(0.5, 0.5, 0.3)], None, "2 cut-outs need a path each, got 1"),
        ([still(0.5, 0.5, 0.3)] * 2, [0, 0], "each of 0 to 1 once"),
        ([still(0.5, 0.5, 0.3), still(0.5, 0.5, 0.6)], [0, 1], r"objects \[1\] cannot be seen"),
        ([still(0.5, 0.5, 0.3), still(3, 0.5, 0.6)], None, r"objects \[2\] cannot be seen"),
    ],
)
def test_clips_that_cannot_be_made_are_refused(
    paths: list[Path2D], depth: list[int] | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        make_clip(
            [block(RED), block(GREEN)], plain(GREY), size=SIZE, frames=2, paths=paths, depth=depth
        )


def test_only_whole_objects_away_from_the_border_are_cut_out() -> None:
    image = plain(GREY)
    good = np.zeros((40, 60), bool)
    good[10:30, 10:30] = True
    speck, two, border, tiny = good.copy(), good.copy(), good.copy(), np.zeros_like(good)
    speck[35, 50:55] = True
    two[5:35, 40:50] = True
    border[10:30, 0:30] = True
    tiny[10:15, 10:19] = True
    huge = np.zeros_like(good)
    huge[1:39, 1:59] = True
    found = cut_out(image, speck)
    assert found is not None
    np.testing.assert_array_equal(found.mask, good)
    assert [cut_out(image, mask) for mask in (two, border, tiny, huge, good & False)] == [None] * 5


def test_a_clip_is_not_written_over_something_else(tmp_path: Path) -> None:
    clip = ("a", np.zeros((3, 8, 8, 3), np.uint8), np.ones((3, 8, 8), np.uint8))
    write_davis([clip], tmp_path / "new")
    assert (tmp_path / "new/ImageSets/2017/val.txt").read_text() == "a\n"
    with pytest.raises(DataError, match="not an empty folder"):
        write_davis([clip], tmp_path / "new")


def test_the_same_images_are_held_out_for_ever() -> None:
    held_out = [i for i in range(100) if is_held_out(f"{i:04d}")]
    assert held_out == HELD_OUT
    share = np.mean([is_held_out(f"image {i}") for i in range(4000)])
    assert 0.04 < share < 0.06


# By sha256sum: the first 16 hexadecimal digits, divided by 20, leave nothing.
HELD_OUT = [9, 11, 18, 33, 64, 76, 82]


@pytest.fixture
def stills(tmp_path: Path) -> Path:
    """Twelve held-out images, eight of which can be cut out, and four others."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    names = [f"still-{i}" for i in range(400)]
    held_out = [name for name in names if is_held_out(name)][:12]
    others = [name for name in names if not is_held_out(name)][:4]
    rng = np.random.default_rng(5)
    for index, name in enumerate(held_out + others):
        image = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
        mask = np.zeros((40, 60), np.uint8)
        mask[8:30, 10 : 10 + 12 + index] = 255
        if index in (8, 9, 10, 11):
            mask = np.roll(mask, 25, axis=0)
        Image.fromarray(image).save(tmp_path / f"images/{name}.jpg")
        Image.fromarray(mask).save(tmp_path / f"masks/{name}.png")
    return tmp_path


def test_a_benchmark_is_made_of_held_out_images_only(stills: Path) -> None:
    roots = [stills / name for name in ("one", "two")]
    for root in roots:
        dataset = moving_stills_benchmark(
            stills / "images", stills / "masks", root, clips=4, seed=3, size=SIZE, frames=4
        )
        assert isinstance(dataset, DavisDataset)
        assert [len(s.object_ids) for s in dataset.sequences] == [2, 3, 4, 5]
        assert {s.size for s in dataset.sequences} == {SIZE}
    sources = json.loads((roots[0] / "sources.json").read_text())
    for cast in sources.values():
        used = [cast["background"], *cast["objects"]]
        assert all(is_held_out(stem) for stem in used)
        assert len(set(used)) == len(used)
    files = [sorted(p.relative_to(r) for p in r.rglob("*.*")) for r in roots]
    assert files[0] == files[1]
    assert all((roots[0] / f).read_bytes() == (roots[1] / f).read_bytes() for f in files[0])


def test_too_few_images_for_a_benchmark_are_counted(stills: Path) -> None:
    for path in sorted((stills / "images").iterdir())[:9]:
        path.unlink()
    with pytest.raises(DataError, match=r"images has \d images to cut out and \d to be back"):
        moving_stills_benchmark(stills / "images", stills / "masks", stills / "new", clips=1)


def test_an_object_that_leaves_is_out_of_the_picture_and_comes_back() -> None:
    _, maps = make_clip(
        [block(RED), block(GREEN)], plain(GREY), size=SIZE, frames=41, seed=3, leaves=(0.4, 0.65)
    )
    areas = (maps == 1).sum((1, 2))
    assert areas[0] > 0
    assert (areas[17:26] == 0).all()
    assert areas[-1] > 0
    assert (maps == 2).any((1, 2)).all()
