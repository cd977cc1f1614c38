"""Reference masks: ids are read exactly or not at all, and every file finds its frame."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from hodor.errors import MaskError
from hodor.video import (
    Frame,
    davis_palette,
    label_map_objects,
    open_reference_masks,
    read_label_map,
    write_label_map,
)

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


def three_objects() -> NDArray[np.uint8]:
    """Ids 1, 2, 3 in (60, 80): two that touch and one alone."""
    label_map = np.zeros((60, 80), np.uint8)
    cv2.ellipse(label_map, (25, 30), (15, 20), 20, 0, 360, 1, -1)
    cv2.ellipse(label_map, (50, 35), (14, 10), 0, 0, 360, 2, -1)
    cv2.circle(label_map, (70, 10), 6, 3, -1)
    return label_map


def save(path: Path, array: NDArray[np.generic], **choices: object) -> Path:
    Image.fromarray(array).save(path, **choices)  # type: ignore[arg-type]
    return path


def save_palette(path: Path, array: NDArray[np.uint8]) -> Path:
    image = Image.fromarray(array)
    image.putpalette(davis_palette().tobytes())
    image.save(path)
    return path


def message(error: pytest.ExceptionInfo[MaskError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


# Files that say their ids.


def test_a_palette_image_gives_indices_not_colours(tmp_path: Path) -> None:
    label_map = read_label_map(save_palette(tmp_path / "m.png", three_objects()))
    assert label_map.dtype == np.uint8
    assert np.array_equal(label_map, three_objects())


def test_the_values_of_a_greyscale_image_are_ids(tmp_path: Path) -> None:
    label_map = three_objects() * 38
    assert np.array_equal(read_label_map(save(tmp_path / "m.png", label_map)), label_map)


@pytest.mark.parametrize("name", ["m.bmp", "m.tif", "m.tiff", "M.PNG"])
def test_other_formats_that_keep_pixels_are_read_too(tmp_path: Path, name: str) -> None:
    assert np.array_equal(read_label_map(save(tmp_path / name, three_objects())), three_objects())


def test_a_16_bit_image_holds_ids_above_255(tmp_path: Path) -> None:
    label_map = three_objects().astype(np.uint16) * 400
    read = read_label_map(save(tmp_path / "m.png", label_map))
    assert read.dtype == np.uint16
    assert label_map_objects(read).keys() == {400, 800, 1200}


def test_a_16_bit_image_of_small_ids_gives_8_bits(tmp_path: Path) -> None:
    read = read_label_map(save(tmp_path / "m.png", three_objects().astype(np.uint16)))
    assert read.dtype == np.uint8
    assert np.array_equal(read, three_objects())


@pytest.mark.parametrize("kind", ["255", "65535", "bilevel", "all white"])
def test_a_black_and_white_image_is_one_object_with_the_id_1(tmp_path: Path, kind: str) -> None:
    shape = np.ones((60, 80), bool) if kind == "all white" else three_objects() > 0
    image = {
        "255": np.where(shape, 255, 0).astype(np.uint8),
        "65535": np.where(shape, 65535, 0).astype(np.uint16),
        "bilevel": shape,
        "all white": np.where(shape, 255, 0).astype(np.uint8),
    }[kind]
    assert np.array_equal(read_label_map(save(tmp_path / "m.png", image)), shape)


def test_in_a_palette_image_255_is_an_id_like_any_other(tmp_path: Path) -> None:
    label_map = np.where(three_objects() > 0, 255, 0).astype(np.uint8)
    assert np.array_equal(read_label_map(save_palette(tmp_path / "m.png", label_map)), label_map)


def test_an_empty_map_is_read_and_has_no_objects(tmp_path: Path) -> None:
    label_map = read_label_map(save(tmp_path / "m.png", np.zeros((4, 4), np.uint8)))
    assert label_map_objects(label_map) == {}


def test_the_objects_of_a_map_are_its_ids_and_areas() -> None:
    label_map = np.array([[0, 7, 7], [300, 7, 0]], np.uint16)
    assert label_map_objects(label_map) == {7: 3, 300: 1}


def test_what_is_written_is_read_back_even_if_it_looks_smoothed(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    write_label_map(tmp_path / "m.png", noise)
    assert np.array_equal(read_label_map(tmp_path / "m.png"), noise)


# Files that do not.


def test_colours_are_refused_with_the_colours_found(tmp_path: Path) -> None:
    colours = davis_palette()[three_objects()]
    with pytest.raises(MaskError, match="holds colours") as error:
        read_label_map(save(tmp_path / "m.png", colours))
    red = int((three_objects() == 1).sum())
    assert f"(128, 0, 0) ({red} px)" in message(error)
    assert "palette or 8-bit greyscale PNG" in message(error)


def test_grey_saved_as_colours_is_refused_too(tmp_path: Path) -> None:
    grey = np.repeat(three_objects()[..., None], 3, axis=2)
    with pytest.raises(MaskError, match=r"\(1, 1, 1\)"):
        read_label_map(save(tmp_path / "m.png", grey))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_alpha_channel_is_refused(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "m.png")
    with pytest.raises(MaskError, match=f"mode {mode}"):
        read_label_map(tmp_path / "m.png")


def disc() -> NDArray[np.uint8]:
    """Black and white, (60, 80), with an edge of all directions."""
    drawn = Image.new("L", (80, 60))
    ImageDraw.Draw(drawn).ellipse((20, 10, 60, 50), fill=255)
    return np.asarray(drawn)


def in_colours(grey: NDArray[np.uint8], alpha: int | None = None) -> NDArray[np.uint8]:
    planes = [grey] * 3 if alpha is None else [*[grey] * 3, np.full_like(grey, alpha)]
    return np.stack(planes, -1)


@pytest.mark.parametrize("name", ["m.png", "m.bmp", "m.jpg", "m.webp", "m.gif"])
def test_black_and_white_in_colours_is_one_object(tmp_path: Path, name: str) -> None:
    found = read_label_map(save(tmp_path / name, in_colours(disc())))
    assert np.mean(found != (disc() == 255)) < 0.002
    assert found.max() == 1


def test_white_on_transparent_is_one_object(tmp_path: Path) -> None:
    white = np.full((60, 80, 4), 255, np.uint8)
    white[..., 3] = disc()
    for name, pixels in (("a.png", white), ("b.png", in_colours(disc(), 255))):
        found = read_label_map(save(tmp_path / name, pixels))
        np.testing.assert_array_equal(found, disc() == 255)


def test_shades_at_edges_are_split_at_a_threshold_that_is_named(tmp_path: Path) -> None:
    soft = cv2.GaussianBlur(disc(), (3, 3), 0)
    masks = open_reference_masks(save(tmp_path / "m.png", in_colours(soft)))
    (warning,) = masks.warnings
    assert "1 mask is black and white with shades at the edges (m.png)" in warning
    assert "from 128 of 255 on are object 1" in warning
    assert open_reference_masks(save(tmp_path / "n.png", in_colours(disc()))).warnings == []


def test_a_grey_object_beside_a_white_one_is_not_swallowed(tmp_path: Path) -> None:
    two = disc().copy()
    two[5:25, 62:78] = 128
    for name in ("m.png", "m.jpg"):
        with pytest.raises(MaskError):
            read_label_map(save(tmp_path / name, in_colours(two)))


def test_a_photo_is_no_black_and_white_mask(tmp_path: Path) -> None:
    photo = cv2.resize(np.random.default_rng(0).integers(0, 255, (6, 8), np.uint8), (80, 60))
    for name in ("m.png", "m.jpg"):
        with pytest.raises(MaskError):
            read_label_map(save(tmp_path / name, in_colours(photo)))


@pytest.mark.parametrize("name", ["m.jpg", "m.webp", "m.gif"])
def test_formats_that_change_pixels_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MaskError, match="changes pixels") as error:
        read_label_map(save(tmp_path / name, three_objects() * 80))
    message(error)


def test_at_most_eight_values_are_listed_biggest_first(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    colours[:15] = 9
    with pytest.raises(MaskError) as error:
        read_label_map(save(tmp_path / "m.png", colours))
    assert "Found: (9, 9, 9) (300 px), " in message(error)
    assert message(error).count(" px)") == 8
    assert "and 93 more" in message(error)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_image_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.png").write_bytes(content)
    with pytest.raises(MaskError, match=r"m.png cannot be read as a mask"):
        read_label_map(tmp_path / "m.png")


@pytest.mark.parametrize(
    ("name", "maker"), [("RoiSet.zip", "LaRoMe"), ("one.ROI", "LaRoMe"), ("seg.npy", "Cellpose")]
)
def test_what_other_tools_of_microscopy_write_is_told_what_makes_masks_of_it(
    tmp_path: Path, name: str, maker: str
) -> None:
    (tmp_path / name).write_bytes(b"Iout and so on")
    with pytest.raises(MaskError, match=f"each object has a number of its own, as .*{maker}"):
        read_label_map(tmp_path / name)


def test_a_missing_mask_says_that_it_is_missing(tmp_path: Path) -> None:
    for read in (read_label_map, open_reference_masks):
        with pytest.raises(MaskError, match=r"m.png does not exist"):
            read(tmp_path / "m.png")


# Smoothed edges.


def smoothings() -> dict[str, NDArray[np.uint8]]:
    binary = np.where(three_objects() == 1, 255, 0).astype(np.uint8)
    large = cv2.resize(three_objects(), None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    drawn = Image.new("L", (4 * 80, 4 * 60))
    ImageDraw.Draw(drawn).ellipse((60, 60, 200, 180), fill=255)
    thin = np.zeros((60, 80), np.uint8)
    cv2.line(thin, (5, 5), (70, 50), 255, 1, cv2.LINE_AA)
    half = np.zeros((60, 80), np.uint8)
    half[20:41, 20:60], half[40, 20:60] = 255, 128
    found, jpeg = cv2.imencode(".jpg", binary)
    assert found
    return {
        "enlarged mask": cv2.resize(binary, None, fx=2.5, fy=2.5),
        "much enlarged mask": cv2.resize(binary, None, fx=9, fy=9),
        "reduced mask": np.asarray(drawn.resize((80, 60), Image.Resampling.LANCZOS)),
        "blurred mask": cv2.GaussianBlur(binary, (0, 0), 1),
        "feathered mask": cv2.GaussianBlur(binary, (0, 0), 5),
        "thin line": thin,
        "one soft edge": half,
        "mask that was a JPEG": cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE),
        "enlarged label map 38, 76, 114": cv2.resize(three_objects() * 38, None, fx=2, fy=2),
        "enlarged label map 1, 2, 3": cv2.resize(large, None, fx=2, fy=2),
        "smoothed outline between 0 and 2": cv2.resize(
            (large == 2) * np.uint8(2), None, fx=2, fy=2
        ),
        "picture": np.tile(np.arange(256, dtype=np.uint8), (30, 1)),
    }


@pytest.mark.parametrize("kind", smoothings())
def test_smoothed_edges_are_refused_with_what_was_found(tmp_path: Path, kind: str) -> None:
    with pytest.raises(MaskError, match="smoothed edges") as error:
        read_label_map(save(tmp_path / "m.png", smoothings()[kind]))
    assert "Found: " in message(error)
    assert "nearest-neighbour" in message(error)


def test_a_smoothed_16_bit_matte_is_refused(tmp_path: Path) -> None:
    matte = cv2.GaussianBlur((three_objects() > 0).astype(np.float32), (0, 0), 1)
    with pytest.raises(MaskError, match="smoothed edges"):
        read_label_map(save(tmp_path / "m.png", (matte * 65535).astype(np.uint16)))


def believable() -> dict[str, NDArray[np.uint8]]:
    twelve = np.zeros((60, 80), np.uint8)
    for number in range(1, 13):
        left, top = 6 * number, 5 + 4 * (number % 5)
        twelve[top : top + 1 + number % 4, left : left + 1 + number % 3] = number
    on_edges = three_objects() * 3
    on_edges[28:30, 9:11] = 1
    on_edges[20:24, 38:40] = 4
    leash = three_objects()
    cv2.line(leash, (10, 5), (60, 35), 4, 1)
    row = np.repeat(np.arange(13, dtype=np.uint8), 6)[None].repeat(40, axis=0)
    void = np.where(three_objects() > 0, 15, 0).astype(np.uint8)
    void[cv2.dilate(void, np.ones((3, 3))) != cv2.erode(void, np.ones((3, 3)))] = 255
    return {
        "three objects": three_objects(),
        "large ids": three_objects() * 80,
        "twelve small objects": twelve,
        "specks on edges": on_edges,
        "a leash over two objects": leash,
        "twelve objects side by side": row,
        "a hand-written map": np.array([[0, 1, 1], [2, 2, 1], [3, 3, 0]], np.uint8),
        "stripes of one pixel": np.tile(np.array([1, 2, 3], np.uint8), (12, 4)),
        "a strip in a tiny map": np.repeat([[0, 0, 0, 1, 2, 2, 2]], 6, axis=0).astype(np.uint8),
        "single pixels": np.diag(np.arange(1, 9, dtype=np.uint8)).repeat(3, 0)[::3].copy(),
        "a void of 255 around an object": void,
    }


@pytest.mark.parametrize("kind", believable())
def test_small_thin_and_touching_objects_are_believed(tmp_path: Path, kind: str) -> None:
    label_map = believable()[kind]
    assert np.array_equal(read_label_map(save(tmp_path / "m.png", label_map)), label_map)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the data of ../shared")
@pytest.mark.shared
@pytest.mark.parametrize("step", [1, 5])
def test_the_masks_of_real_videos_are_believed_as_greyscale(tmp_path: Path, step: int) -> None:
    paths = [
        *sorted(SHARED.glob("multi/Annotations/480p/*/*.png"))[::9],
        *sorted(SHARED.glob("static/davis17_stills/**/*.png")),
    ]
    assert len(paths) > 10
    for path in paths:
        label_map = read_label_map(path)[::step, ::step]
        read = read_label_map(save(tmp_path / "m.png", label_map))
        assert np.array_equal(read, label_map), path


# Which mask belongs to which frame.


def frame(index: int, name: str | None = None, size: tuple[int, int] = (60, 80)) -> Frame:
    pixels = np.zeros((*size, 3), np.uint8)
    return Frame(index, f"{index:05d}" if name is None else name, pixels, index / 25)


def test_one_file_belongs_to_frame_0(tmp_path: Path) -> None:
    masks = open_reference_masks(save_palette(tmp_path / "anything.png", three_objects()))
    assert np.array_equal(masks.for_frame(frame(0)), three_objects())
    assert masks.for_frame(frame(1)) is None
    assert masks.unused() == []


def test_files_of_a_folder_belong_to_frames_of_their_name(tmp_path: Path) -> None:
    for name, number in (("dog_a", 1), ("dog_c", 2)):
        save(tmp_path / f"{name}.png", (three_objects() == 1) * np.uint8(number))
    masks = open_reference_masks(tmp_path, ["dog_a", "dog_b", "dog_c"])
    found = [masks.for_frame(frame(i, name)) for i, name in enumerate(["dog_a", "dog_b", "dog_c"])]
    assert found[1] is None
    assert [int(found[0].max()), int(found[2].max())] == [1, 2]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["7.png", "007.png", "00007.png", "0000007.png"])
def test_numbered_files_belong_to_the_frame_of_that_number(tmp_path: Path, name: str) -> None:
    save(tmp_path / name, three_objects())
    masks = open_reference_masks(tmp_path)
    assert masks.for_frame(frame(6)) is None
    assert np.array_equal(masks.for_frame(frame(7)), three_objects())
    assert masks.for_frame(frame(70)) is None


def test_a_name_alike_goes_before_a_number_alike(tmp_path: Path) -> None:
    for name, number in (("7.png", 1), ("007.png", 2)):
        save(tmp_path / name, (three_objects() == 1) * np.uint8(number))
    masks = open_reference_masks(tmp_path, ["7", "007"])
    assert int(masks.for_frame(frame(0, "7")).max()) == 1  # type: ignore[union-attr]
    assert int(masks.for_frame(frame(1, "007")).max()) == 2  # type: ignore[union-attr]


def test_two_files_for_one_frame_are_refused(tmp_path: Path) -> None:
    for name in ("7.png", "00007.png", "a.png", "a.tif"):
        save(tmp_path / name, three_objects())
    with pytest.raises(MaskError, match="2 problems") as error:
        open_reference_masks(tmp_path)
    assert "00007.png and" in message(error)
    assert "a.png and" in message(error)


def test_files_that_belong_to_no_frame_are_told(tmp_path: Path) -> None:
    for name in ("00000.png", "00002.png", "00099.png", "stray.png"):
        save(tmp_path / name, three_objects())
    masks = open_reference_masks(tmp_path)
    assert masks.unmatched(f"{index:05d}" for index in range(5)) == ["00099.png", "stray.png"]
    for index in range(5):
        masks.for_frame(frame(index))
    assert masks.unused() == ["00099.png", "stray.png"]


def test_masks_before_the_frame_where_a_run_goes_on_count_as_used(tmp_path: Path) -> None:
    for name in ("00000.png", "00002.png", "00004.png", "00009.png"):
        save(tmp_path / name, three_objects())
    masks = open_reference_masks(tmp_path)
    for index in range(3, 6):
        masks.for_frame(frame(index))
    assert masks.unused() == ["00009.png"]


def test_the_mask_of_frame_0_counts_as_used_by_a_run_that_goes_on_later(tmp_path: Path) -> None:
    masks = open_reference_masks(save(tmp_path / "m.png", three_objects()))
    assert masks.unused() == ["m.png"]
    masks.for_frame(frame(5))
    assert masks.unused() == []


def test_a_folder_none_of_whose_files_belongs_to_a_frame_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "mask1.png", three_objects())
    with pytest.raises(MaskError, match=r"masks are mask1.png; the frames are a, b"):
        open_reference_masks(tmp_path, ["a", "b"])


def test_every_bad_file_is_named_before_the_run(tmp_path: Path) -> None:
    save(tmp_path / "00000.png", three_objects())
    save(tmp_path / "00001.png", davis_palette()[three_objects()])
    save(tmp_path / "00002.jpg", three_objects())
    (tmp_path / "00003.png").write_bytes(b"broken")
    save(tmp_path / "00004.png", three_objects()[:50])
    with pytest.raises(MaskError, match="4 problems") as error:
        open_reference_masks(tmp_path, size=(60, 80))
    for name in ("00001.png", "00002.jpg", "00003.png", "00004.png is 80 x 50 pixels"):
        assert name in message(error)
    assert "00000.png" not in message(error)


def test_a_mask_of_another_size_than_its_frame_is_refused(tmp_path: Path) -> None:
    masks = open_reference_masks(save(tmp_path / "m.png", three_objects()))
    with pytest.raises(MaskError, match="80 x 60 pixels, but the frame is 160 x 120 pixels"):
        masks.for_frame(frame(0, size=(120, 160)))


def test_hidden_and_other_files_are_no_masks(tmp_path: Path) -> None:
    (tmp_path / ".00001.png.tmp").write_bytes(b"half")
    (tmp_path / "._00001.png").write_bytes(b"of another system")
    (tmp_path / "notes.txt").write_text("about the masks")
    with pytest.raises(MaskError, match="holds no masks"):
        open_reference_masks(tmp_path)
    save(tmp_path / "00001.png", three_objects())
    assert open_reference_masks(tmp_path).unused() == ["00001.png"]


def test_one_file_belongs_to_the_frame_that_it_is_called_as_else_to_the_first(
    tmp_path: Path,
) -> None:
    label_map = np.zeros((4, 6), np.uint8)
    label_map[1:3, 1:4] = 1
    names = [f"{number:05d}" for number in range(4)]

    def frames_of(name: str, **known: object) -> tuple[list[int], list[str]]:
        write_label_map(tmp_path / name, label_map)
        masks = open_reference_masks(tmp_path / name, **known)  # type: ignore[arg-type]
        pixels = np.zeros((4, 6, 3), np.uint8)
        shown = [Frame(t, names[t], pixels, 0.0) for t in range(4)]
        return [f.index for f in shown if masks.for_frame(f) is not None], masks.warnings

    at_two, said = frames_of("00002.png", source_names=names)
    assert at_two == [2]
    assert said == ["00002.png is called as frame 00002, and was taken for its mask"]
    assert frames_of("00002.png", numbered=True, length=4)[0] == [2]
    for name, length in (("first.png", 4), ("2.png", 4), ("00000.png", 4), ("00009.png", 4)):
        assert frames_of(name, numbered=True, length=length) == ([0], [])
    assert frames_of("00002.png", numbered=True) == ([0], [])
    assert frames_of("first.png", source_names=names) == ([0], [])


def test_what_pngs_of_mots_ignore_is_given_for_no_object(tmp_path: Path) -> None:
    ids = three_objects().astype(np.uint16)
    ids[ids == 1], ids[ids == 2], ids[ids == 3] = 1001, 2005, 10000
    (tmp_path / "M").mkdir()
    save(tmp_path / "M/000000.png", ids)
    save(tmp_path / "M/000004.png", np.where(ids == 10000, 0, ids))
    for masks in (
        open_reference_masks(tmp_path / "M", numbered=True),
        open_reference_masks(tmp_path / "M/000000.png"),
    ):
        assert masks.ids == [1001, 2005]
        assert masks.warnings == ["regions to be ignored (10000, in MOTS) were left out (1)"]
    save(tmp_path / "M/000005.png", np.where(ids == 10000, 7, ids))
    masks = open_reference_masks(tmp_path / "M", numbered=True)
    assert masks.ids == [7, 1001, 2005, 10000]
    assert masks.warnings == []


def test_a_mask_whose_sides_are_swapped_is_told_so(tmp_path: Path) -> None:
    path = save(tmp_path / "m.png", three_objects())
    with pytest.raises(MaskError, match=r"its sides are swapped: .* turn the mask by a quarter"):
        open_reference_masks(path, size=(80, 60))
    with pytest.raises(MaskError, match=r"80 x 60 pixels, but the frame is 64 x 48 .* nearest"):
        open_reference_masks(path, size=(48, 64))
