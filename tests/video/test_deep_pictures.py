"""Greys of more than eight bits, TIFF stacks, and what a folder of frames leaves out."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from recordings import SHARED, needs_shared
from typer.testing import CliRunner

from hodor.cli.convert import app as convert
from hodor.errors import SourceError
from hodor.studio.opening import TrackerSettings, open_studio
from hodor.video import Intensity, open_seekable, open_source, write_label_map

LOW, HIGH = 200, 4095
"""As a camera of 12 bits gives them"""


def twelve_bits(count: int) -> list[NDArray[np.uint16]]:
    """Frames of a ramp; the first alone holds the darkest value, the last the brightest."""
    frames = [
        np.linspace(1000, 3000, 12).round().astype(np.uint16).reshape(3, 4) for _ in range(count)
    ]
    frames[0][0, 0], frames[-1][2, 3] = LOW, HIGH
    return frames


def folder_of(folder: Path, frames: list[NDArray[np.uint16]]) -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number:03d}.png")
    return folder


def stack_of(path: Path, frames: list[NDArray[np.uint16]]) -> Path:
    first, *rest = [Image.fromarray(frame) for frame in frames]
    first.save(path, save_all=True, append_images=rest)
    return path


def expected(frame: NDArray[np.uint16], low: float, high: float) -> NDArray[np.uint8]:
    grey = ((frame.astype(float) - low) / (high - low)).clip(0, 1) * 255
    return np.repeat(grey.round().astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("make", [folder_of, stack_of])
@pytest.mark.parametrize(
    ("intensity", "low", "high"),
    [("auto", LOW, HIGH), ("full", 0, 65535), ("500:2500", 500, 2500)],
)
def test_deep_greys_are_stretched_alike_in_all_frames(
    tmp_path: Path, make: object, intensity: str, low: float, high: float
) -> None:
    frames = twelve_bits(5)
    path = make(tmp_path / "stack.tif", frames)  # type: ignore[operator]
    with open_source(path, intensity=Intensity.parse(intensity)) as source:
        found = [frame.pixels for frame in source.frames()]
        again = [frame.pixels for frame in source.frames(3)]
    for pixels, frame in zip(found, frames, strict=True):
        assert np.abs(pixels.astype(int) - expected(frame, low, high)).max() <= 1
    assert np.array_equal(found[3:], again)
    told = [warning for warning in source.warnings if "200 to 4095 were stretched" in warning]
    assert len(told) == (intensity == "auto")


def test_twelve_bits_are_not_black(tmp_path: Path) -> None:
    with open_source(folder_of(tmp_path / "f", twelve_bits(2))) as source:
        assert max(frame.pixels.max() for frame in source.frames()) == 255


def test_eight_bits_stay_as_they_are_beside_deep_ones(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "f", twelve_bits(2))
    Image.fromarray(np.full((3, 4), 77, np.uint8)).save(folder / "2.png")
    with open_source(folder) as source:
        assert (list(source.frames())[-1].pixels == 77).all()


def test_floating_point_greys_are_stretched_too_unless_they_are_none(tmp_path: Path) -> None:
    path = tmp_path / "f.tif"
    Image.fromarray(np.array([[-1.5, 0.0], [0.25, 2.5]], np.float32)).save(path)
    with open_source(path) as source:
        assert next(source.frames()).pixels[..., 0].tolist() == [[0, 96], [112, 255]]
    with pytest.raises(SourceError, match="floating point"):
        next(open_source(path, intensity=Intensity.parse("full")).frames())
    Image.fromarray(np.array([[np.nan, 0.0]], np.float32)).save(path)
    with pytest.raises(SourceError, match="numbers that are none"):
        next(open_source(path).frames())


@pytest.mark.parametrize("text", ["", "auto:", "5", "5:5", "9:3", "nan:1", "0:inf", "a:b"])
def test_a_range_that_is_none_is_told(text: str) -> None:
    with pytest.raises(SourceError, match="write auto, full, or LOW:HIGH"):
        Intensity.parse(text)


def test_all_pages_of_a_stack_are_frames_in_any_order(tmp_path: Path) -> None:
    pages = [np.full((4, 6), 10 * number, np.uint8) for number in range(6)]
    path = stack_of(tmp_path / "s.tif", pages)  # type: ignore[arg-type]
    (tmp_path / "folder").mkdir()
    path.rename(tmp_path / "folder" / "s.tif")
    for what in (tmp_path / "folder" / "s.tif", tmp_path / "folder"):
        with open_source(what) as source:
            frames = list(source.frames())
        assert [frame.name for frame in frames] == [f"{number:05d}" for number in range(6)]
        assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [0, 10, 20, 30, 40, 50]
        with open_seekable(what) as seekable:
            assert seekable.length == 6
            assert [int(seekable.read(t).pixels[0, 0, 0]) for t in (5, 0, 3)] == [50, 0, 30]


def test_a_page_whose_table_is_damaged_is_told_by_its_file(tmp_path: Path) -> None:
    """Each entry of the second page's table in turn gets another tag; Pillow raises all kinds."""
    pages = [np.full((4, 6), 900 + number, np.uint16) for number in range(3)]
    whole = stack_of(tmp_path / "s.tif", pages).read_bytes()
    with Image.open(tmp_path / "s.tif") as image:
        image.seek(1)
        table = int(image._frame_pos[1])  # type: ignore[attr-defined]
    damaged = tmp_path / "d.tif"
    told = []
    for entry in range(int.from_bytes(whole[table : table + 2], "little")):
        at = table + 2 + 12 * entry
        damaged.write_bytes(whole[:at] + b"\xff\x7f" + whole[at + 2 :])
        try:
            with open_source(damaged) as source:
                list(source.frames())
        except SourceError as error:
            told.append(str(error))
    assert len(told) > 2, "width and height are needed"
    assert all(str(damaged) in one and "\n" not in one for one in told)


@needs_shared
def test_every_page_of_a_stack_from_elsewhere_is_a_frame() -> None:
    with open_source(SHARED / "cases" / "21_tiff_stack" / "stack.tif") as source:
        assert len(list(source.frames())) == source.length == 4


def test_what_a_folder_leaves_out_is_counted_and_named(tmp_path: Path) -> None:
    for name in ("0.png", "1.jfif", "2.JPE", "3.tga"):
        Image.new("RGB", (4, 4)).save(tmp_path / name, "TGA" if name == "3.tga" else "JPEG")
    for name in ("4.heic", "5.jxl", "Thumbs.db", "0.json", ".hidden.heic"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "inner").mkdir()
    (tmp_path / "6.png").symlink_to(tmp_path / "gone.png")
    with open_source(tmp_path) as source:
        assert len(list(source.frames())) == 4
    (warning,) = source.warnings
    assert warning.endswith("left out: 4.heic, 5.jxl, 6.png")
    assert warning.startswith("3 files of ")


@needs_shared
@pytest.mark.parametrize(("name", "read", "skipped"), [("links", 4, "1"), ("case", 6, "1")])
def test_folders_from_elsewhere_leave_nothing_out_in_silence(
    name: str, read: int, skipped: str
) -> None:
    folder = SHARED / "cases" / "28_frames_left_out" / name
    left = [path for path in folder.iterdir() if path.is_symlink() and not path.exists()]
    with open_source(folder) as source:
        assert source.length == read
    if left or name == "case":
        assert source.warnings[0].startswith(f"{skipped} file of")


def test_a_program_is_never_started_for_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n")
    with pytest.raises(SourceError, match="cannot be read as an image"):
        open_source(path)


def test_a_name_that_is_no_text_is_told_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.png"
    try:
        Image.new("RGB", (4, 4)).save(path, "PNG")
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    with pytest.raises(SourceError, match=r"the name caf\\udce9\.png is not UTF-8"):
        open_source(tmp_path)


def test_a_session_keeps_how_deep_greys_become_eight_bits(tmp_path: Path) -> None:
    frames = twelve_bits(2)
    video, levels = folder_of(tmp_path / "f", frames), Intensity.parse("500:2500")
    for given in (levels, None):
        session = tmp_path / "s" if given else None
        studio = open_studio(
            str(video if given else tmp_path / "s"), session, TrackerSettings(), given
        )
        try:
            pixels = studio.pictures.frame(1).pixels
            assert studio.session.video.intensity == "500.0:2500.0"
        finally:
            studio.close()
        assert np.abs(pixels.astype(int) - expected(frames[1], 500, 2500)).max() <= 1


def test_pictures_beside_converted_masks_have_the_intensity_that_is_asked(tmp_path: Path) -> None:
    video = folder_of(tmp_path / "f", twelve_bits(2))
    (tmp_path / "masks").mkdir()
    for name in ("000", "001"):
        write_label_map(tmp_path / f"masks/{name}.png", np.eye(3, 4, dtype=np.uint8))
    brightest = {}
    for asked in ("auto", "full"):
        words = [str(tmp_path / "masks"), str(tmp_path / asked), "--to", "yolo"]
        words += ["--source", str(video), "--intensity", asked]
        ran = CliRunner().invoke(convert, words)
        assert ran.exit_code == 0, ran.output
        (picture,) = (tmp_path / asked).rglob("*001.jpg")
        brightest[asked] = int(np.asarray(Image.open(picture)).max())
    assert brightest["auto"] > 150
    assert brightest["full"] < 60
