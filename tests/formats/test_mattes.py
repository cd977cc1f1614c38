"""Mattes: what an editor gets of colours, alpha and times."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from formats.tracks import COUNT, FPS, SIZE, hard_track, label_map_at, pixels_at, track_of
from numpy.typing import NDArray
from PIL import Image

from hodor.errors import HodorError
from hodor.formats import (
    FORMATS,
    Labelled,
    Mattes,
    Track,
    WriteOptions,
    guess_format,
    read_track,
    write_track,
)


def decoded(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.time is not None
            yield frame.time, frame.reformat(format="rgba", threads=1).to_ndarray()


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "wrong"),
    # ProRes has YCbCr of 10 bits and is lossy; FFV1 is not.
    [("prores", "prores", "yuva444p12le", 4), ("ffv1", "ffv1", "bgra", 0)],
)
def test_a_video_for_each_object_has_its_picture_and_its_alpha(
    name: str, codec: str, pixels: str, wrong: int, tmp_path: Path
) -> None:
    write_track(hard_track(pixels=True), tmp_path / name, name)
    files = sorted((tmp_path / name).iterdir())
    assert [int(file.stem) for file in files] == [1, 300, 7]
    for file in files:
        with av.open(str(file)) as container:
            (stream,) = container.streams.video
            assert stream.codec_context.name == codec
            assert stream.codec_context.pix_fmt == pixels
            assert stream.average_rate == Fraction(30000, 1001)
        frames = list(decoded(file))
        assert len(frames) == COUNT
        for index, (time, picture) in enumerate(frames):
            assert time == pytest.approx(index / FPS, abs=6e-4)
            alpha = np.where(label_map_at(index) == int(file.stem), 255, 0)
            np.testing.assert_array_equal(picture[..., 3], alpha)
            assert np.abs(picture[..., :3].astype(int) - pixels_at(index)).max() <= wrong


def test_without_the_video_the_picture_is_white(tmp_path: Path) -> None:
    write_track(hard_track(), tmp_path / "ffv1", "ffv1")
    _, picture = next(decoded(tmp_path / "ffv1/1.mkv"))
    assert (picture[..., :3] == 255).all()


def test_times_that_stand_still_do_not_stop_the_encoder(tmp_path: Path) -> None:
    def frames() -> Iterator[Labelled]:
        for index, time in enumerate([0.0, 0.04, 0.04, 0.5]):
            yield Labelled(index, f"{index}", time, np.ones(SIZE, np.uint8))

    write_track(Track(frames, "clip", 25.0), tmp_path / "prores", "prores")
    times = [time for time, _ in decoded(tmp_path / "prores/1.mov")]
    assert times == pytest.approx([0, 0.04, 0.04, 0.5], abs=1e-4)
    assert times == sorted(set(times))


def test_no_pixel_of_a_wide_matte_is_stray(tmp_path: Path) -> None:
    """Threads of the converter of colours left some where their parts met: 854 x 480, the size of
    DAVIS, showed it in every second frame.
    """
    label_map = np.zeros((480, 854), np.uint8)
    label_map[200:300, 300:500] = 1

    def frames() -> Iterator[Labelled]:
        for index in range(12):
            yield Labelled(index, f"{index}", index / 25, label_map)

    write_track(Track(frames, "clip", 25.0), tmp_path / "prores", "prores")
    for _, picture in decoded(tmp_path / "prores" / "1.mov"):
        np.testing.assert_array_equal(picture[..., 3], 255 * label_map)
    assert FORMATS["prores"].pixels


def disc(radius: float) -> NDArray[np.float64]:
    """Distance of each pixel to a circle's line, positive inside."""
    rows, columns = np.mgrid[:100, :140]
    return radius - np.hypot(rows - 50.0, columns - 60.0)


def test_growing_moves_the_edge_by_so_many_pixels() -> None:
    label_map = (disc(20) > 0).astype(np.uint8)
    for grow in (-4, 3):
        alpha = Mattes(grow=grow).alpha(label_map, 1)
        assert set(np.unique(alpha)) == {0, 255}
        radius = np.sqrt(np.count_nonzero(alpha) / np.pi)
        assert radius == pytest.approx(20 + grow, abs=0.5)


def test_feathering_lets_alpha_rise_over_so_many_pixels_around_the_edge() -> None:
    label_map = np.zeros((40, 60), np.uint8)
    label_map[:, 30:] = 1
    alpha = Mattes(feather=8).alpha(label_map, 1)[20] / 255
    assert (alpha[:26] == 0).all()
    assert (alpha[34:] == 1).all()
    np.testing.assert_allclose(alpha[26:34], (np.arange(8) + 0.5) / 8, atol=0.01)


def test_what_is_held_out_cuts_the_others_and_gets_no_matte(tmp_path: Path) -> None:
    label_map = np.zeros((40, 60), np.uint8)
    label_map[:, 10:30], label_map[:, 30:50] = 1, 2
    mattes = Mattes(grow=5, hold_out=(2,))
    alpha = mattes.alpha(label_map, 1)
    assert (alpha[:, 30:] == 0).all()
    assert (alpha[:, 5:30] == 255).all()
    write_track(track_of([label_map]), tmp_path / "out", "rgba", WriteOptions(mattes=mattes))
    assert [folder.name for folder in (tmp_path / "out").iterdir()] == ["1"]
    with pytest.raises(HodorError, match="no object 9; objects are 1, 2"):
        write_track(
            track_of([label_map]),
            tmp_path / "x",
            "rgba",
            WriteOptions(mattes=Mattes(hold_out=(9,))),
        )
    both = WriteOptions(mattes=Mattes(hold_out=(1, 2)))
    with pytest.raises(HodorError, match="--hold-out 1 --hold-out 2: no object is left to get"):
        write_track(track_of([label_map]), tmp_path / "x", "rgba", both)
    assert not (tmp_path / "x").exists()


def test_files_are_called_by_the_names_given(tmp_path: Path) -> None:
    label_map = np.zeros((40, 60), np.uint8)
    label_map[:, 10:20], label_map[:, 20:30], label_map[:, 30:40] = 1, 2, 3
    mattes = Mattes(called={1: "camel", 2: "a/b: man", 3: "a/b: man"})
    write_track(track_of([label_map]), tmp_path / "out", "ffv1", WriteOptions(mattes=mattes))
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == ["a-b-man-2.mkv", "a-b-man-3.mkv", "camel.mkv", "ids.json"]
    (found,) = read_track(tmp_path / "out").frames()
    np.testing.assert_array_equal(found.label_map, label_map)


@pytest.mark.parametrize("made", [{"feather": -1}, {"grow": float("nan")}])
def test_edges_that_are_none_are_refused(made: dict[str, float]) -> None:
    with pytest.raises(HodorError, match="give pixels"):
        Mattes(**made)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["[1]", '{"../mattes": 3}'])
def test_a_note_of_another_program_beside_label_maps_does_not_matter(
    tmp_path: Path, text: str
) -> None:
    for folder in ("masks", "mattes"):
        (tmp_path / folder).mkdir()
    Image.new("RGBA", (8, 6)).save(tmp_path / "mattes/0.png")
    Image.fromarray(np.full((6, 8), 2, np.uint8)).save(tmp_path / "masks/0.png")
    (tmp_path / "masks/ids.json").write_text(text)
    assert guess_format(tmp_path / "masks") == "png"
