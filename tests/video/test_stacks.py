"""TIFF stacks as ImageJ and OME write them: which page is of which channel, scale and rate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tifffile import imwrite
from video.tiny_videos import write_video

from hodor.errors import SourceError
from hodor.formats import read_track
from hodor.studio.opening import TrackerSettings, open_studio
from hodor.video import Intensity, open_source

CHANNELS, FRAMES = 2, 3


def values() -> Any:
    """(T, C, H, W): each page is of one grey, which tells frame and channel."""
    pages = np.arange(FRAMES)[:, None] * 10 + np.arange(CHANNELS) * 100 + 20
    return np.broadcast_to(pages[..., None, None], (FRAMES, CHANNELS, 24, 32)).astype(np.uint8)


def of_imagej(path: Path) -> None:
    imwrite(path, values(), imagej=True, metadata={"axes": "TCYX"})


def of_ome(path: Path) -> None:
    imwrite(path, values(), ome=True, metadata={"axes": "TCYX"})


def of_ome_by_channel(path: Path) -> None:
    imwrite(path, values().swapaxes(0, 1), ome=True, metadata={"axes": "CTYX"})


def seen(path: Path, channel: int | None) -> list[int]:
    """The grey of each frame."""
    with open_source(path, intensity=Intensity(channel=channel)) as source:
        return [int(frame.pixels[0, 0, 0]) for frame in source.frames()]


@pytest.mark.parametrize("write", [of_imagej, of_ome, of_ome_by_channel])
def test_one_channel_of_a_stack_is_followed(write: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    write(path)
    assert seen(path, 1) == [20, 30, 40]
    assert seen(path, 2) == [120, 130, 140]
    with pytest.raises(SourceError, match="choose a channel by --channel 1 to 2"):
        open_source(path)
    with pytest.raises(SourceError, match=r"--channel 3: .*cells.tif has 2 channels, numbered"):
        open_source(path, intensity=Intensity(channel=3))


def test_what_is_said_to_do_next_has_the_channel(hodor: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    of_imagej(path)
    for words in (["mask"], ["track", "--out", tmp_path / "out"]):
        ran = hodor(*words, path, "--channel", 2)
        assert f"hodor studio {path} --channel 2" in ran.err
        assert f"hodor mask {path} --channel 2 --show grid.png" in ran.err


def test_a_folder_of_files_with_a_page_for_each_channel(tmp_path: Path) -> None:
    for number, pages in enumerate(values()):
        imwrite(tmp_path / f"{number}.tif", pages, imagej=True, metadata={"axes": "CYX"})
    assert seen(tmp_path, 2) == [120, 130, 140]
    with pytest.raises(SourceError, match="has 2 channels"):
        open_source(tmp_path, intensity=Intensity(channel=3))


def test_a_channel_of_colours_is_seen_as_grey(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6), (10, 20, 30)).save(tmp_path / "a.png")
    with open_source(tmp_path, intensity=Intensity(channel=3)) as source:
        (frame,) = source.frames()
    assert (frame.pixels == 30).all()
    with pytest.raises(SourceError, match=r"has 3 channels \(red, green, blue\)"):
        open_source(tmp_path / "a.png", intensity=Intensity(channel=4))


def hyperstack() -> Any:
    """(T, Z, C, H, W): a grey tells frame, slice and channel; one pixel is brighter in slice 1."""
    frames, slices, channels = np.indices((FRAMES, 2, CHANNELS))
    pages = np.empty((FRAMES, 2, CHANNELS, 24, 32), np.uint16)
    pages[:] = (frames * 10 + slices * 50 + channels * 100 + 20)[..., None, None]
    pages[:, 0, :, 0, 0] = 250
    return pages


@pytest.mark.parametrize(
    ("axes", "order"),
    [("TZCYX", "imagej"), ("TZCYX", "ome"), ("TCZYX", "ome"), ("ZCTYX", "ome"), ("CTZYX", "ome")],
)
def test_one_slice_of_a_hyperstack_is_followed(axes: str, order: str, tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    pages = hyperstack().transpose(["TZCYX".index(axis) for axis in axes])
    imwrite(path, pages, **{order: True}, metadata={"axes": axes})

    def pixels(channel: int, z_slice: Any) -> list[list[int]]:
        seen = Intensity("range", 0.0, 255.0, channel, z_slice)
        with open_source(path, intensity=seen) as source:
            return [[int(f.pixels[0, 0, 0]), int(f.pixels[5, 5, 0])] for f in source.frames()]

    assert pixels(1, 1) == [[250, 20], [250, 30], [250, 40]]
    assert pixels(2, 2) == [[170, 170], [180, 180], [190, 190]]
    assert pixels(1, "max") == [[250, 70], [250, 80], [250, 90]], "the brightest of each pixel"


def test_a_hyperstack_says_how_to_go_on(hodor: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    imwrite(path, hyperstack(), imagej=True, metadata={"axes": "TZCYX"})
    choice = "choose a channel by --channel 1 to 2 and a slice by --slice 1 to 2, or --slice max"
    with pytest.raises(SourceError, match=choice):
        open_source(path)
    with pytest.raises(SourceError, match="12 pages are 2 channels x 2 slices x 3 frames"):
        open_source(path)
    with pytest.raises(SourceError, match=r"6 pages are 2 slices x 3 frames.*: choose a slice by"):
        open_source(path, intensity=Intensity(channel=1))
    with pytest.raises(SourceError, match=r"choose a channel by --channel 1 to 2$"):
        open_source(path, intensity=Intensity(z_slice=1))
    with pytest.raises(SourceError, match=r"--slice 3: .*cells.tif has 2 slices, numbered from 1"):
        open_source(path, intensity=Intensity(channel=1, z_slice=3))
    ran = hodor("mask", path, "--channel", 2, "--slice", "max", "--intensity", "0:300")
    assert f"hodor studio {path} --intensity 0.0:300.0 --channel 2 --slice max takes" in ran.err
    assert "slice '0': slices are numbered from 1" in hodor("mask", path, "--slice", 0).err


def test_slices_of_what_has_none_are_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [np.zeros((32, 32, 3), np.uint8)] * 2)
    imwrite(tmp_path / "z.tif", values()[:, 0], imagej=True, metadata={"axes": "ZYX"})
    imwrite(tmp_path / "t.tif", values()[:, 0], imagej=True, metadata={"axes": "TYX"})
    for name, why in (
        ("a.mp4", "--slice 1: slices are those of images and TIFF stacks"),
        ("z.tif", "its slices are taken for frames: leave --slice out"),
        ("t.tif", "has one slice a frame: leave --slice out"),
    ):
        with pytest.raises(SourceError, match=why):
            open_source(tmp_path / name, intensity=Intensity(z_slice=1))


def test_a_folder_of_stacks_of_slices_is_followed_in_one_or_in_the_brightest(
    tmp_path: Path,
) -> None:
    for number, pages in enumerate(hyperstack()):
        imwrite(tmp_path / f"{number}.tif", pages, imagej=True, metadata={"axes": "ZCYX"})

    def greys(z_slice: Any) -> list[int]:
        seen = Intensity("range", 0.0, 255.0, 1, z_slice)
        with open_source(tmp_path, intensity=seen) as source:
            return [int(frame.pixels[0, 0, 0]) for frame in source.frames()]

    assert greys(2) == [70, 80, 90]
    assert greys("max") == [250, 250, 250]
    with pytest.raises(SourceError, match=r"choose a channel by --channel 1 to 2$"):
        open_source(tmp_path, intensity=Intensity(z_slice=1))
    with open_source(tmp_path, intensity=Intensity(channel=1)) as source:
        list(source.frames())
        assert "--slice takes another of its slices" in " ".join(source.warnings)


def test_a_stack_of_slices_too_is_refused_whatever_the_channel(tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    imwrite(path, np.zeros((2, 3, 2, 8, 8), np.uint8), imagej=True, metadata={"axes": "TZCYX"})
    for channel in (None, 1):
        with pytest.raises(SourceError, match="3 slices x 2 frames"):
            open_source(path, intensity=Intensity(channel=channel))


def test_deep_greys_are_stretched_by_the_channel_that_is_seen(tmp_path: Path) -> None:
    deep = np.zeros((FRAMES, CHANNELS, 4, 4), np.uint16)
    deep[:, 0], deep[:, 1, 0] = 60_000, 400
    imwrite(tmp_path / "a.tif", deep, imagej=True, metadata={"axes": "TCYX"})
    with open_source(tmp_path / "a.tif", intensity=Intensity(channel=2)) as source:
        frame = next(source.frames())
    assert frame.pixels[0, 0, 0] == 255
    assert frame.pixels[1, 0, 0] == 0


def test_a_video_has_no_channels_to_choose(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [np.zeros((32, 32, 3), np.uint8)] * 2)
    with pytest.raises(SourceError, match="channels are those of images and TIFF stacks"):
        open_source(tmp_path / "a.mp4", intensity=Intensity(channel=1))


SEEN = (
    Intensity(channel=2),
    Intensity("range", 3.0, 9.5, 1),
    Intensity("full"),
    Intensity(channel=2, z_slice="max"),
    Intensity("full", z_slice=3),
)


def test_a_channel_goes_through_the_text_that_sessions_keep() -> None:
    for intensity in SEEN:
        assert Intensity.parse(intensity.text) == intensity
    assert str(Intensity(channel=2)) == str(Intensity()), "runs of before go on"
    with pytest.raises(SourceError, match="channels are numbered from 1"):
        Intensity.parse("auto", 0)


def test_the_studio_keeps_the_slice(tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    imwrite(path, hyperstack(), imagej=True, metadata={"axes": "TZCYX"})
    settings = TrackerSettings()
    open_studio(str(path), None, settings, channel=2, z_slice="max").close()
    again = open_studio(str(tmp_path / "cells.studio"), None, settings, Intensity("full"))
    again.close()
    assert again.session.video.intensity == "full of channel 2 of slice max"


def test_the_studio_keeps_the_channel(tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    of_imagej(path)
    open_studio(str(path), None, TrackerSettings(), channel=2).close()
    again = open_studio(str(tmp_path / "cells.studio"), None, TrackerSettings(), Intensity("full"))
    try:
        assert again.session.video.intensity == "full of channel 2"
        assert again.pictures.frame(1).pixels[0, 0, 0] == 130
    finally:
        again.close()


@pytest.mark.parametrize(
    ("options", "scale", "rate"),
    [
        ({"resolution": (2, 2), "metadata": {"unit": "um", "finterval": 4.0}}, 0.5, 0.25),
        ({"resolution": (1.6, 1.6), "metadata": {"unit": "micron"}}, 0.625, None),
        ({"resolution": (2000, 2000), "metadata": {"unit": "mm", "fps": 12}}, 0.5, None),
        ({"resolution": (72, 72), "metadata": {"unit": "inch"}}, None, None),
        ({"resolution": (2, 2), "metadata": {"unit": "pixel"}}, None, None),
        ({"metadata": {"finterval": 0.5, "tunit": "min"}}, None, 1 / 30),
    ],
)
def test_scale_and_rate_of_imagej(
    options: dict[str, Any], scale: float | None, rate: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "cells.tif"
    metadata = {"axes": "TYX", **options.pop("metadata")}
    imwrite(path, values()[:, 0], imagej=True, metadata=metadata, **options)
    with open_source(path) as source:
        found = source.um_per_pixel, source.fps if source.timed else None
    track = read_track(path, "tiff")
    assert found == (track.um_per_pixel, track.fps if track.timed else None)
    assert found == (scale and pytest.approx(scale), rate and pytest.approx(rate))


def test_scale_and_rate_of_ome(tmp_path: Path) -> None:
    about = {"axes": "TYX", "PhysicalSizeX": 325.0, "PhysicalSizeXUnit": "nm",
             "PhysicalSizeY": 0.325, "PhysicalSizeYUnit": "µm",
             "TimeIncrement": 2.0, "TimeIncrementUnit": "min"}  # fmt: skip
    imwrite(tmp_path / "cells.ome.tif", values()[:, 0], ome=True, metadata=about)
    with open_source(tmp_path / "cells.ome.tif") as source:
        assert source.um_per_pixel == pytest.approx(0.325)
        assert source.timed
        assert source.fps == pytest.approx(1 / 120)


def test_pixels_that_are_not_square_have_no_scale_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    imwrite(path, values()[:, 0], imagej=True, resolution=(2, 1),
            metadata={"axes": "TYX", "unit": "um"})  # fmt: skip
    with open_source(path) as source:
        assert source.um_per_pixel is None
        assert "not square (0.5 x 1 µm)" in source.warnings[0]
    assert "not square" in read_track(path, "tiff").warnings[0]


def test_images_of_a_folder_say_their_scale(tmp_path: Path) -> None:
    for number in range(2):
        imwrite(tmp_path / f"{number}.tif", values()[number, 0], imagej=True, resolution=(4, 4),
                metadata={"axes": "YX", "unit": "um"})  # fmt: skip
    with open_source(tmp_path) as source:
        assert source.um_per_pixel == pytest.approx(0.25)
        assert not source.timed


@pytest.mark.parametrize(
    "about",
    [
        "ImageJ=1\nimages=3\nunit=um\nfinterval=nan\n",
        "ImageJ=1\nimages=3\nunit=um\nfinterval=1e-400\ntunit=century\n",
        '<OME><Pixels SizeC="0" PhysicalSizeX="1e999" PhysicalSizeY="-1" TimeIncrement="x"/></OME>',
    ],
)
def test_a_scale_that_is_none_is_not_taken(about: str, tmp_path: Path) -> None:
    first, *rest = [Image.new("L", (8, 6), t) for t in range(3)]
    first.save(tmp_path / "a.tif", save_all=True, append_images=rest, tiffinfo={270: about})
    with open_source(tmp_path / "a.tif") as source:
        assert (source.um_per_pixel, source.timed) == (None, False)
        assert len(list(source.frames())) == 3
