"""Sources: every kind of input gives every frame once, upright, in RGB, or one clear error."""

import gc
import re
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from video.tiny_videos import (
    Pixels,
    flat_frames,
    noise_frames,
    number_of,
    write_silence,
    write_video,
)

from hodor.errors import SourceError
from hodor.video import Frame, LiveSource, Source, open_source, read_image
from hodor.video.containers import Input
from hodor.video.live import _Reader, camera_input, stream_input


def read_all(source: Source) -> list[Frame]:
    with source:
        return list(source.frames())


def numbers_in(frames: list[Frame]) -> list[int]:
    return [number_of(frame.pixels) for frame in frames]


def save_image(path: Path, level: int = 100) -> Path:
    Image.fromarray(np.full((8, 12, 3), level, np.uint8)).save(path)
    return path


def one_line(error: pytest.ExceptionInfo[SourceError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# Video files.


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("clip.mp4", "libx264"),
        ("clip.mkv", "libx264"),
        ("clip.ts", "libx264"),
        ("clip.avi", "libx264"),
        ("clip.h264", "libx264"),
        ("clip.mov", "mpeg4"),
        ("clip.mpg", "mpeg2video"),
        ("clip.webm", "libvpx-vp9"),
    ],
)
def test_every_frame_of_a_video_comes_once_in_order_with_its_time(
    tmp_path: Path, name: str, codec: str
) -> None:
    source = open_source(write_video(tmp_path / name, flat_frames(12), codec=codec))
    frames = read_all(source)
    assert numbers_in(frames) == list(range(12))
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.name for frame in frames] == [f"{index:05d}" for index in range(12)]
    assert [frame.time for frame in frames] == pytest.approx(
        [index / 25 for index in range(12)], abs=0.002
    )
    assert (source.name, source.fps, source.live, source.warnings) == ("clip", 25, False, [])


def test_a_frame_is_rgb_of_the_source_size(tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 220
    (frame,) = read_all(open_source(write_video(tmp_path / "red.mp4", [red])))
    assert frame.pixels.shape == (48, 64, 3)
    assert frame.pixels.dtype == np.uint8
    assert np.abs(frame.pixels.astype(int) - red).max() <= 6


def test_odd_sizes_keep_every_pixel(tmp_path: Path) -> None:
    frames = flat_frames(2, size=(17, 33))
    path = write_video(tmp_path / "odd.mkv", frames, codec="ffv1", pix_fmt="yuv444p")
    assert [frame.pixels.shape for frame in read_all(open_source(path))] == [(17, 33, 3)] * 2


def test_a_variable_frame_rate_gives_each_frame_once_at_its_real_time(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.2, 0.21, 1.0]
    path = write_video(tmp_path / "uneven.mkv", flat_frames(5), times=times)
    source = open_source(path)
    frames = read_all(source)
    assert numbers_in(frames) == [0, 1, 2, 3, 4]
    assert [frame.time for frame in frames] == pytest.approx(times, abs=0.0005)
    assert source.warnings == []


def test_times_count_from_the_first_frame_even_if_the_file_starts_later(tmp_path: Path) -> None:
    path = write_video(tmp_path / "late.mkv", flat_frames(3), times=[7.0, 7.1, 7.5])
    frames = read_all(open_source(path))
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.5], abs=0.0005)


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([0, 40, 40, 120, 160], [0, 0.04, 0.06, 0.12, 0.16]),
        ([0, 40, 20, 120, 160], [0, 0.04, 0.06, 0.12, 0.16]),
        ([9000, 9040, 0, 40, 80], [0, 0.04, 0.08, 0.12, 0.16]),
    ],
    ids=["a repeated time", "a step back", "a new beginning"],
)
def test_times_rise_even_where_timestamps_do_not(
    tmp_path: Path, stamps: list[int], times: list[float]
) -> None:
    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, width=64, height=48, pix_fmt="yuv444p")
        for index, pixels in enumerate(flat_frames(5)):
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                packet.time_base = Fraction(1, 1000)
                packet.pts, packet.dts = stamps[index] + 10_000, index
                container.mux(packet)
    frames = read_all(open_source(path))
    assert numbers_in(frames) == [0, 1, 2, 3, 4]
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-6)


def test_a_given_fps_replaces_the_timestamps_of_a_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "uneven.mkv", flat_frames(3), times=[0.0, 0.5, 0.6])
    source = open_source(path, fps=10)
    assert [frame.time for frame in source.frames()] == pytest.approx([0, 0.1, 0.2])
    assert source.fps == 10


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf")])
def test_an_impossible_fps_is_refused(fps: float) -> None:
    with pytest.raises(SourceError, match="fps must be a number above 0"):
        open_source(np.zeros((1, 4, 4, 3), np.uint8), fps=fps)


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write a mp4's display matrix as phones do: nine numbers in the track header ("tkhd")."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    numbers = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    content[at : at + 36] = np.array(numbers, ">i4").tobytes()
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((1, 0, 0, 1), lambda p: p),
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda p: np.rot90(p, 2).transpose(1, 0, 2)),
    ],
    ids=["as is", "90 right", "180", "90 left", "mirrored", "flipped", "transposed", "transversed"],
)
def test_rotation_metadata_is_applied(tmp_path: Path, matrix: tuple[int, ...], turned) -> None:
    picture = np.full((48, 64, 3), 60, np.uint8)
    picture[:16, :16] = 200
    picture[32:, :16] = 130
    path = write_video(tmp_path / "phone.mp4", [picture])
    set_display_matrix(path, *matrix)
    (frame,) = read_all(open_source(path))
    expected = turned(picture)
    assert frame.pixels.shape == expected.shape
    assert frame.pixels.flags.c_contiguous
    assert np.abs(frame.pixels.astype(int) - expected).mean() < 4


def test_a_sound_track_changes_nothing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "sound.mkv", flat_frames(6), audio=True)
    source = open_source(path)
    assert numbers_in(read_all(source)) == list(range(6))
    assert source.warnings == []


def test_start_skips_frames_and_keeps_indices_names_and_times(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "clip.mp4", flat_frames(8)))
    frames = list(source.frames(start=5))
    assert numbers_in(frames) == [frame.index for frame in frames] == [5, 6, 7]
    assert frames[0].name == "00005"
    assert frames[0].time == pytest.approx(0.2)
    assert list(source.frames(start=8)) == []


def test_a_source_can_be_read_again(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "clip.mp4", flat_frames(4)))
    next(iter(source.frames()))
    assert numbers_in(list(source.frames())) == numbers_in(list(source.frames())) == [0, 1, 2, 3]


def test_length_is_known_only_where_the_file_states_it(tmp_path: Path) -> None:
    stated = open_source(write_video(tmp_path / "clip.mp4", flat_frames(9)))
    guessed = open_source(write_video(tmp_path / "clip.mkv", flat_frames(9)))
    assert (stated.length, stated.estimated_length) == (9, 9)
    assert (guessed.length, guessed.estimated_length) == (None, 9)


@pytest.mark.parametrize("tag", ["00:00:00.1>0000000", "00:00:nan000000000", "00:00:1e3000000000"])
def test_a_duration_that_is_none_says_nothing_of_the_length(tag: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mkv", flat_frames(9))
    written = re.search(rb"\d\d:\d\d:\d\d\.\d{9}", path.read_bytes())
    assert written
    path.write_bytes(path.read_bytes().replace(written[0], tag.encode()))
    source = open_source(path)
    assert source.estimated_length in (None, 9)
    assert len(list(source.frames())) == 9


def test_reading_holds_a_few_frames_however_long_the_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.mp4", flat_frames(150, size=(240, 320)))
    tracemalloc.start()
    try:
        count = sum(1 for _ in open_source(path).frames())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 150
    assert peak < 8 * 240 * 320 * 3


def test_frames_of_film_are_told_what_to_become(tmp_path: Path) -> None:
    (tmp_path / "shot.1001.exr").touch()
    with pytest.raises(SourceError, match=r"holds shot.1001.exr; frames in EXR and DPX are not"):
        open_source(tmp_path)


def test_decoded_pictures_are_freed_without_the_garbage_collector(tmp_path: Path) -> None:
    """Pictures in cycles of references would wait for it, gigabytes of them in large videos."""
    path = write_video(tmp_path / "clip.mp4", flat_frames(60))
    set_display_matrix(path, 0, 1, -1, 0)
    source = open_source(path)
    gc.collect()
    gc.disable()
    try:
        count = sum(1 for _ in source.frames())
        left = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert count == 60
    assert left <= 2


# Damage.


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def same_pixels(frames: list[Frame], others: list[Frame]) -> bool:
    return all(np.array_equal(a.pixels, b.pixels) for a, b in zip(frames, others, strict=True))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cut.mkv", {}),
        ("cut.mp4", {"movflags": "faststart"}),
        ("cut.webm", {}),
    ],
    ids=["mkv", "mp4 with its index first", "webm"],
)
def test_a_truncated_video_gives_its_intact_frames_and_one_warning(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    path = write_video(tmp_path / name, noise_frames(40), codec=codec, options=options)
    whole = read_all(open_source(path))
    source = open_source(cut(path, 0.6))
    frames = read_all(source)
    assert 5 < len(frames) < 35
    by_time = {frame.time: frame for frame in whole}
    assert same_pixels(frames, [by_time[frame.time] for frame in frames])
    assert [frame.index for frame in frames] == list(range(len(frames)))
    (warning,) = source.warnings
    assert f"{name} is truncated: {len(frames)} of about 40 frames" in warning
    assert f"stopped at {frames[-1].time:.2f} s" in warning


def test_a_cut_is_noticed_also_beside_a_longer_sound_track(tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut.mkv", noise_frames(40), audio=True)
    source = open_source(cut(path, 0.6))
    frames = read_all(source)
    assert 5 < len(frames) < 35
    assert f"is truncated: {len(frames)} of about 40 frames" in source.warnings[0]


def test_no_intact_frame_is_lost_at_the_cut_to_threads_that_decode_ahead(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    cut(write_video(path, noise_frames(40), options={"movflags": "faststart"}), 0.6)
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "SLICE"
        single = 0
        for packet in container.demux(video=0):
            if not packet.is_corrupt:
                single += len(packet.decode())
    assert len(read_all(open_source(path))) == single


def test_damage_in_the_middle_costs_frames_but_not_the_rest(tmp_path: Path) -> None:
    path = write_video(tmp_path / "bad.mp4", noise_frames(40), codec_options={"g": "10"})
    whole = read_all(open_source(path))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1500] = bytes(1500)
    path.write_bytes(content)
    source = open_source(path)
    frames = read_all(source)
    assert 28 <= len(frames) <= 40
    assert np.array_equal(frames[-1].pixels, whole[-1].pixels)
    assert frames[-1].time == whole[-1].time
    assert {frame.time for frame in frames} <= {frame.time for frame in whole}
    (warning,) = source.warnings
    assert "bad.mp4 is damaged" in warning
    assert f"{len(frames)} frames could be decoded" in warning


def test_a_video_whose_index_was_cut_off_is_a_clear_error(tmp_path: Path) -> None:
    path = cut(write_video(tmp_path / "cut.mp4", noise_frames(20)), 0.6)
    with pytest.raises(SourceError, match="cut off") as error:
        open_source(path)
    assert "cut.mp4" in one_line(error)


def test_a_video_none_of_whose_frames_decodes_is_an_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "void.mp4", noise_frames(5), options={"movflags": "faststart"})
    content = path.read_bytes()
    head = content.index(b"mdat") + 4
    path.write_bytes(content[:head] + bytes(len(content) - head))
    source = open_source(path)
    with pytest.raises(SourceError, match="none of its frames decodes") as error:
        list(source.frames())
    assert "void.mp4" in one_line(error)


# What is no source.


def test_a_missing_path_says_that_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist") as error:
        open_source(tmp_path / "nowhere.mp4")
    assert "nowhere.mp4" in one_line(error)


@pytest.mark.parametrize("name", ["notes.txt", "notes.mp4", "notes.png", "notes.json"])
def test_a_text_file_is_no_source_under_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("Frame one shows a dog.\n" * 50)
    with pytest.raises(SourceError, match=name) as error:
        open_source(path)
    one_line(error)


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "zero.mp4").touch()
    with pytest.raises(SourceError, match=r"zero.mp4 is empty \(0 bytes\)"):
        open_source(tmp_path / "zero.mp4")


def test_a_song_with_a_cover_is_no_video(tmp_path: Path) -> None:
    cover = save_image(tmp_path / "cover.png").read_bytes()
    with av.open(str(tmp_path / "song.mka"), "w", format="matroska") as container:
        container.add_attachment("cover.png", "image/png", cover)
        write_silence(container)
    with av.open(str(tmp_path / "song.mka")) as container:
        assert len(container.streams.video) == 1
    with pytest.raises(SourceError, match="holds no video"):
        open_source(tmp_path / "song.mka")


def test_sound_without_pictures_is_no_source(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.m4a"), "w") as container:
        write_silence(container)
    with pytest.raises(SourceError, match="holds no video"):
        open_source(tmp_path / "song.m4a")


# Folders, patterns, images.


def test_a_folder_gives_its_images_in_the_order_in_which_people_count(tmp_path: Path) -> None:
    for level, name in enumerate(["a2.png", "a10.PNG", "a1.png", "b.bmp", "a02x.webp", "3.Tif"]):
        save_image(tmp_path / name, level)
    for name in (".hidden.png", "notes.txt", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"no image")
    (tmp_path / "folder.png").mkdir()
    source = open_source(tmp_path)
    frames = read_all(source)
    assert [frame.name for frame in frames] == ["3", "a1", "a2", "a02x", "a10", "b"]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert frames[1].pixels[0, 0].tolist() == [2, 2, 2]
    assert (source.length, source.name, source.fps) == (6, tmp_path.name, 25)


def test_the_fps_of_a_folder_sets_its_times(tmp_path: Path) -> None:
    for index in range(3):
        save_image(tmp_path / f"{index}.png")
    source = open_source(tmp_path, fps=10)
    assert [frame.time for frame in source.frames()] == pytest.approx([0, 0.1, 0.2])
    assert [frame.index for frame in source.frames(start=2)] == [2]


def test_two_images_of_one_name_are_refused_by_name(tmp_path: Path) -> None:
    save_image(tmp_path / "a.jpg")
    save_image(tmp_path / "a.png")
    save_image(tmp_path / "b.png")
    with pytest.raises(SourceError, match="share a name") as error:
        open_source(tmp_path)
    assert "a.jpg" in one_line(error)
    assert "a.png" in one_line(error)
    assert "b.png" not in one_line(error)


def test_a_folder_without_images_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="it is empty"):
        open_source(tmp_path)
    (tmp_path / "shot1").mkdir()
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(SourceError, match=r"it holds clip.mp4, shot1/; name a video"):
        open_source(tmp_path)


def test_a_pattern_chooses_images(tmp_path: Path) -> None:
    for name in ("left_1.png", "left_2.png", "right_1.png", "left_10.png", "left_notes.txt"):
        save_image(tmp_path / name) if name.endswith("png") else (tmp_path / name).touch()
    source = open_source(str(tmp_path / "left_*"))
    assert [frame.name for frame in source.frames()] == ["left_1", "left_2", "left_10"]


def test_a_pattern_that_matches_one_video_opens_it(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", flat_frames(2))
    assert open_source(str(tmp_path / "*.mp4")).length == 2


def test_a_pattern_without_images_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nothing matches"):
        open_source(str(tmp_path / "*.png"))
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).touch()
    with pytest.raises(SourceError, match="its 2 matches are no images"):
        open_source(str(tmp_path / "*.txt"))


def test_brackets_in_a_name_that_exists_are_no_pattern(tmp_path: Path) -> None:
    path = save_image(tmp_path / "shot[1].png")
    assert [frame.name for frame in open_source(str(path)).frames()] == ["shot[1]"]


def test_one_image_is_a_source_of_one_frame(tmp_path: Path) -> None:
    source = open_source(save_image(tmp_path / "still.jpg"))
    (frame,) = read_all(source)
    assert (frame.index, frame.name, frame.time, source.length) == (0, "still", 0, 1)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[:, :6] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # "Turn right to see it upright."
    Image.fromarray(pixels).save(tmp_path / "phone.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "phone.png"), np.rot90(pixels, -1))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(np.full((2, 2), 70, np.uint8)), (70, 70, 70)),
        (Image.fromarray(np.full((2, 2), 65535, np.uint16)), (255, 255, 255)),
        (Image.fromarray(np.full((2, 2), 100 * 257, np.uint16)), (100, 100, 100)),
        (Image.new("1", (2, 2), 1), (255, 255, 255)),
        (Image.new("RGB", (2, 2), (10, 60, 90)).quantize(), (10, 60, 90)),
        (Image.new("RGBA", (2, 2), (10, 60, 90, 255)), (10, 60, 90)),
        (Image.new("RGBA", (2, 2), (10, 60, 90, 0)), (0, 0, 0)),
        (Image.new("LA", (2, 2), (90, 255)), (90, 90, 90)),
    ],
    ids=["grey", "16-bit white", "16-bit", "bilevel", "palette", "opaque", "transparent", "LA"],
)
def test_images_of_every_kind_become_rgb(
    tmp_path: Path, image: Image.Image, expected: tuple[int, int, int]
) -> None:
    image.save(tmp_path / "image.png")
    pixels = read_image(tmp_path / "image.png")
    assert pixels.shape == (2, 2, 3)
    assert pixels.dtype == np.uint8
    assert tuple(pixels[0, 0].tolist()) == expected


def test_an_image_of_floating_point_numbers_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "depth.tif")
    with pytest.raises(SourceError, match=r"depth.tif .*floating point"):
        read_image(tmp_path / "depth.tif")


def test_pages_after_the_first_are_left_out_with_a_warning(tmp_path: Path) -> None:
    pages = [Image.new("L", (4, 4), level) for level in (10, 20)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    save_image(tmp_path / "zebra.png")
    source = open_source(tmp_path)  # by itself it is a video of two frames
    frame, _ = read_all(source)
    assert frame.pixels[0, 0, 0] == 10
    assert "holds 2 pages" in source.warnings[0]


def test_a_damaged_image_in_a_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    save_image(tmp_path / "1.png")
    Image.fromarray(noise_frames(1)[0]).save(tmp_path / "2.jpg")
    cut(tmp_path / "2.jpg", 0.5)
    frames = open_source(tmp_path).frames()
    assert next(frames).name == "1"
    with pytest.raises(SourceError, match=r"2.jpg cannot be read") as error:
        next(frames)
    one_line(error)


# Arrays.


def test_arrays_are_frames_as_they_are() -> None:
    stack = np.stack(flat_frames(3))
    for given in (stack, list(stack)):
        frames = read_all(open_source(given, fps=2))
        assert numbers_in(frames) == [0, 1, 2]
        assert [(frame.name, frame.time) for frame in frames[1:]] == [("00001", 0.5), ("00002", 1)]
        assert [frame.index for frame in open_source(given).frames(start=2)] == [2]


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((4, 4, 3), np.uint8), r"\(4, 4, 3\) uint8"),
        (np.zeros((2, 4, 4, 3), np.float32), r"\(4, 4, 3\) float32"),
        (np.zeros((2, 3, 4, 4), np.uint8), r"\(3, 4, 4\) uint8"),
        ([np.zeros((4, 4), np.uint8)], r"\(4, 4\) uint8"),
        (["a.png"], "str"),
        ([], "no frames"),
    ],
)
def test_other_arrays_are_refused_with_what_was_found(array: object, found: str) -> None:
    with pytest.raises(SourceError, match=found):
        open_source(array)  # type: ignore[arg-type]


@pytest.mark.parametrize("what", [None, 2.5, {"a": 1}])
def test_what_is_no_source_is_refused_with_what_sources_are(what: object) -> None:
    with pytest.raises(SourceError, match=f"path, .*arrays; found {type(what).__name__}"):
        open_source(what)  # type: ignore[arg-type]


# Cameras and streams.


def test_a_number_is_a_cameras() -> None:
    with pytest.raises(SourceError, match="97"):
        open_source(97)


def reader_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name == "hodor-live-reader"]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Half a second at 25 frames a second."""
    return write_video(tmp_path / "recording.mp4", flat_frames(13))


def test_a_slow_consumer_of_a_camera_gets_the_newest_frames(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    come, put = threading.Semaphore(0), _Reader._put

    def counted(reader: _Reader, shot: Any) -> None:
        put(reader, shot)
        come.release()

    monkeypatch.setattr(_Reader, "_put", counted)
    source = LiveSource(recording, pace=True)
    frames = []
    with source:
        for frame in source.frames():
            frames.append(frame)
            for _ in range(3 if len(frames) <= 4 else 0):  # as slow as three frames
                come.acquire()
    indices = [frame.index for frame in frames]
    assert indices[0] == 0
    assert indices == sorted(set(indices))
    assert numbers_in(frames) == indices
    assert 2 <= len(frames) < 13
    assert source.dropped == 13 - len(frames)
    assert source.live
    assert reader_threads() == []


def test_a_quick_consumer_of_a_camera_gets_frames_as_they_are_captured(recording: Path) -> None:
    source = LiveSource(recording, pace=True)
    began = time.monotonic()
    frames = [(frame, time.monotonic()) for frame in source.frames()]
    assert time.monotonic() - began >= 12 * 0.04
    assert len(frames) + source.dropped == 13
    assert len(frames) >= 10
    delays = [now - (frame.captured or 0) for frame, now in frames]
    assert min(delays) >= 0
    assert float(np.median(delays)) < 0.1
    assert frames[-1][0].time == pytest.approx(frames[-1][0].index * 0.04, abs=0.2)


def test_the_first_frame_of_a_camera_is_never_dropped(recording: Path) -> None:
    with LiveSource(recording) as source:
        frames = source.frames()
        first = next(frames)
    assert (first.index, number_of(first.pixels)) == (0, 0)


def test_the_first_frame_waits_for_a_consumer_that_is_late_from_the_start(
    recording: Path,
) -> None:
    """As when the consumer's thread gets no time: the first, then the newest."""
    container, stream = Input(str(recording)).open()
    reader = _Reader(container, stream, pace=False)
    reader.start()
    reader._thread.join()
    shots = [reader.take(), reader.take(), reader.take()]
    assert [shot and shot.number for shot in shots] == [0, 12, None]
    assert reader.stop() == 11


def test_a_resumed_camera_goes_on_counting(recording: Path) -> None:
    with LiveSource(recording) as source:
        assert next(iter(source.frames(start=40))).index == 40


def test_a_consumer_that_stops_early_ends_the_reader_thread(recording: Path) -> None:
    source = LiveSource(recording, pace=True)
    frames = source.frames()
    next(frames)
    assert len(reader_threads()) == 1
    frames.close()  # type: ignore[attr-defined]
    assert reader_threads() == []


def test_closing_a_camera_ends_a_loop_over_it_in_another_thread(tmp_path: Path) -> None:
    # The second frame would come after a minute and a half.
    source = LiveSource(
        write_video(tmp_path / "slow.mkv", flat_frames(2), times=[0, 90]), pace=True
    )
    seen: list[int] = []
    begun = threading.Event()

    def consume() -> None:
        for frame in source.frames():
            seen.append(frame.index)
            begun.set()

    consumer = threading.Thread(target=consume)
    consumer.start()
    begun.wait()
    source.close()
    consumer.join()
    assert seen == [0]
    assert reader_threads() == []


def test_a_missing_camera_is_an_error_that_lists_those_found() -> None:
    with pytest.raises(SourceError, match=r"no camera /dev/video97; cameras found:"):
        camera_input("97", platform="linux")


def test_cameras_are_opened_as_each_platform_names_them() -> None:
    assert camera_input("camera:1", platform="darwin").target == "1:none"
    assert camera_input("camera:1", platform="darwin").format == "avfoundation"
    assert camera_input("camera:Front View", platform="win32").target == "video=Front View"
    assert camera_input("camera:Front View", platform="win32").format == "dshow"
    assert camera_input("camera:/dev/null", platform="linux").target == "/dev/null"
    assert camera_input("0", fps=30, platform="darwin").options["framerate"] == "30"


def test_a_folder_named_like_a_camera_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0").mkdir()
    save_image(tmp_path / "0" / "1.png")
    monkeypatch.chdir(tmp_path)
    assert open_source("0").length == 1


def test_messages_about_streams_hide_passwords() -> None:
    with pytest.raises(SourceError) as error:
        open_source("rtsp://me:secret@127.0.0.1:9/door")
    assert "rtsp://127.0.0.1:9/door cannot be opened" in one_line(error)
    assert stream_input("rtsp://me:secret@host/a").label == "rtsp://host/a"


@contextmanager
def served(content: bytes, *, lengthless: bool) -> Iterator[str]:
    """A server on this machine; without a length it sends as a live stream does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if not lengthless:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_video_file_behind_a_url_is_read_whole(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", flat_frames(10), options={"movflags": "faststart"})
    with served(path.read_bytes(), lengthless=False) as url:
        source = open_source(f"{url}/clip.mp4")
        assert (source.live, source.name) == (False, "clip")
        assert numbers_in(read_all(source)) == list(range(10))


def test_a_stream_without_an_end_behind_a_url_is_live(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "live.mkv", flat_frames(10), format="matroska", options={"live": "1"}
    )
    with served(path.read_bytes(), lengthless=True) as url, open_source(f"{url}/cam") as source:
        assert (source.live, source.name) == (True, "cam")
        indices = [frame.index for frame in source.frames()]
    assert indices[0] == 0
    assert indices == sorted(set(indices))
    assert indices[-1] == 9


def test_pixels_type_is_what_arrays_take(tmp_path: Path) -> None:
    """A video's frames can be given back as an array source."""
    frames = read_all(open_source(write_video(tmp_path / "clip.mp4", flat_frames(2))))
    again: list[Pixels] = [frame.pixels for frame in frames]
    assert same_pixels(read_all(open_source(again)), frames)
