"""Sinks: what is written is right, whole, and the same whether or not a run was killed."""

import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from threading import Barrier

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

from hodor.errors import HodorError, MaskError
from hodor.video import (
    Frame,
    LabelMapSink,
    OverlaySink,
    RleSink,
    Sink,
    davis_palette,
    draw_overlay,
    open_source,
    read_label_map,
    sinks,
    write_label_map,
)
from hodor.video.overlay_parts import Codec

SIZE = (36, 50)
TIMES = [0, 0.04, 0.08, 0.2, 0.21, 0.25, 0.3, 0.7, 0.701, 0.8]
"""Uneven, in seconds."""

OpenSink = Callable[[Path, int], Sink]


def frame_at(index: int, size: tuple[int, int] = SIZE) -> Frame:
    pixels = np.full((*size, 3), 30 + 15 * index, np.uint8)
    return Frame(index, f"{index:05d}", pixels, TIMES[index])


def label_map_at(index: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Object 1 moves right, object 2 stays, object 3 is seen in even frames."""
    label_map = np.zeros(size, np.uint8)
    label_map[5:15, 2 + index : 14 + index] = 1
    label_map[20:30, 20:40] = 2
    label_map[32:35, 45:48] = 3 * (index % 2 == 0)
    return label_map


def write_frames(sink: Sink, indices: Sequence[int], commit_after: Sequence[int] = ()) -> None:
    for index in indices:
        sink.write(frame_at(index), label_map_at(index), [1, 2, 3])
        if index in commit_after:
            sink.commit()


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def video_frames(path: Path) -> list[tuple[int, bytes]]:
    """Times in ticks and decoded pixels."""
    with av.open(str(path)) as container:
        return [
            (frame.pts, frame.to_ndarray(format="rgb24", threads=1).tobytes())
            for frame in container.decode(video=0)
        ]


def run_python(script: str, folder: Path, expected: int = 0, **variables: str) -> str:
    """Run a script that may import this file; give what it prints. variables: of environment."""
    paths = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    command = [sys.executable, "-c", script, str(folder)]
    environment = os.environ | {"PYTHONPATH": paths} | variables
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == expected, run.stderr
    return run.stdout


# Kill and resume, for every sink alike.


def open_label_maps(folder: Path, resume_from: int) -> Sink:
    return LabelMapSink(folder / "masks", resume_from=resume_from)


def open_label_maps_in_threads(folder: Path, resume_from: int) -> Sink:
    return LabelMapSink(folder / "masks", resume_from=resume_from, threads=3)


def open_overlay(folder: Path, resume_from: int) -> Sink:
    return OverlaySink(folder / "overlay.mp4", 25, resume_from=resume_from)


def open_mpeg4_overlay(folder: Path, resume_from: int) -> Sink:
    return OverlaySink(folder / "overlay.mp4", 25, codec="mpeg4", resume_from=resume_from)


def open_rle(folder: Path, resume_from: int) -> Sink:
    return RleSink(folder / "masks.json", video="clip", resume_from=resume_from)


SINKS: list[OpenSink] = [
    open_label_maps,
    open_label_maps_in_threads,
    open_overlay,
    open_mpeg4_overlay,
    open_rle,
]
EVERY_SINK = pytest.mark.parametrize(
    "open_sink",
    SINKS,
    ids=["label maps", "label maps in threads", "overlay", "overlay as mpeg4", "rle"],
)


def write_and_die(
    open_sink: OpenSink, folder: Path, indices: range, commit_after: list[int]
) -> None:
    """Write frames and close nothing, as if killed: no thread writes on either."""
    before = set(threading.enumerate())
    sink = open_sink(folder, 0)
    write_frames(sink, indices, commit_after=commit_after)
    del sink
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join()


def same_results(folder: Path, other: Path) -> bool:
    """Same files; videos by decoded pixels and times, all else by bytes."""
    mine, theirs = contents(folder), contents(other)
    if mine.keys() != theirs.keys():
        return False
    return all(
        video_frames(folder / name) == video_frames(other / name)
        if name.endswith(".mp4")
        else mine[name] == theirs[name]
        for name in mine
    )


@EVERY_SINK
def test_a_killed_run_that_is_resumed_ends_like_one_that_was_not(
    tmp_path: Path, open_sink: OpenSink
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with open_sink(whole, 0) as sink:
        write_frames(sink, range(10), commit_after=[4])
    write_and_die(open_sink, killed, range(8), commit_after=[4])  # frames 5 to 7 are lost
    with open_sink(killed, 5) as sink:
        write_frames(sink, range(5, 10))
    assert same_results(whole, killed)


DIE = """
import os, sys
from pathlib import Path
import test_sinks as t

for open_sink in t.SINKS:
    sink = open_sink(Path(sys.argv[1]) / open_sink.__name__, 0)
    t.write_frames(sink, range(9), commit_after=[2, 6])
    t.KEPT.append(sink)
os._exit(9)
"""
KEPT: list[Sink] = []
"""Keeps sinks from being tidied up before their process dies."""


def test_a_process_that_dies_leaves_what_it_committed(tmp_path: Path) -> None:
    run_python(DIE, tmp_path, expected=9)
    for open_sink in SINKS:
        whole, killed = tmp_path / "whole" / open_sink.__name__, tmp_path / open_sink.__name__
        with open_sink(killed, 7) as sink:
            write_frames(sink, range(7, 10))
        with open_sink(whole, 0) as sink:
            write_frames(sink, range(10), commit_after=[2, 6])
        assert same_results(whole, killed), open_sink.__name__


@EVERY_SINK
def test_commits_later_than_the_resumed_frame_are_dropped(
    tmp_path: Path, open_sink: OpenSink
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with open_sink(whole, 0) as sink:
        write_frames(sink, range(10), commit_after=[2, 5])
    write_and_die(open_sink, killed, range(8), commit_after=[2, 5, 7])
    with open_sink(killed, 3) as sink:
        write_frames(sink, range(3, 10), commit_after=[5])
    assert same_results(whole, killed)


@EVERY_SINK
def test_a_run_killed_before_its_end_was_noted_is_finished_by_closing(
    tmp_path: Path, open_sink: OpenSink
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with open_sink(whole, 0) as sink:
        write_frames(sink, range(10), commit_after=[9])
    write_and_die(open_sink, killed, range(10), commit_after=[9])
    open_sink(killed, 10).close()
    assert same_results(whole, killed)
    open_sink(killed, 10).close()
    assert same_results(whole, killed)


@EVERY_SINK
def test_a_new_run_replaces_an_old_one(tmp_path: Path, open_sink: OpenSink) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    for _ in range(2):
        with open_sink(twice, 0) as sink:
            write_frames(sink, range(3))
    with open_sink(once, 0) as sink:
        write_frames(sink, range(3))
    write_and_die(open_sink, twice, range(7), commit_after=[1, 6])
    for index in range(3, 7):
        (twice / "masks" / f"{index:05d}.png").unlink(missing_ok=True)
    with open_sink(twice, 0) as sink:
        write_frames(sink, range(3))
    assert same_results(once, twice)


def write_then_fail(sink: Sink) -> None:
    write_frames(sink, range(7), commit_after=[4])
    raise MaskError("a bad mask")


@EVERY_SINK
def test_an_error_in_the_body_leaves_a_run_that_can_be_resumed(
    tmp_path: Path, open_sink: OpenSink
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    sink = open_sink(broken, 0)
    with pytest.raises(MaskError), sink:
        write_then_fail(sink)
    with open_sink(broken, 5) as sink:
        write_frames(sink, range(5, 10))
    with open_sink(whole, 0) as sink:
        write_frames(sink, range(10), commit_after=[4])
    assert same_results(whole, broken)


@EVERY_SINK
def test_nothing_hidden_is_left_after_closing_twice(tmp_path: Path, open_sink: OpenSink) -> None:
    sink = open_sink(tmp_path / "out", 0)
    write_frames(sink, range(4), commit_after=[1])
    sink.close()
    sink.close()
    assert [name for name in contents(tmp_path) if "/." in name or ".tmp" in name] == []
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("open_sink", [open_overlay, open_rle])
def test_resuming_where_no_commit_was_is_refused(tmp_path: Path, open_sink: OpenSink) -> None:
    write_frames(open_sink(tmp_path, 0), range(6), commit_after=[4])
    with pytest.raises(HodorError, match="cannot be resumed from frame 9"):
        open_sink(tmp_path, 9)


@pytest.mark.parametrize("open_sink", [open_overlay, open_rle])
def test_resuming_without_the_parts_is_refused(tmp_path: Path, open_sink: OpenSink) -> None:
    sink = open_sink(tmp_path, 5)
    with pytest.raises(HodorError, match="are gone; start anew"):
        write_frames(sink, [5])


FILL_THE_DISK = """
import sys
from pathlib import Path
import test_sinks as t

for open_sink in t.SINKS:
    sink = open_sink(Path(sys.argv[1]) / open_sink.__name__, 0)
    t.write_frames(sink, range(3), commit_after=[2])
    with t.size_limit(4000):
        try:
            t.write_noise(sink, range(3, 30))
        except t.HodorError as error:
            print(error)
            sink.abandon()
"""

FILL_THE_DISK_AT_THE_END = """
import sys
from pathlib import Path
import test_sinks as t

for open_sink in (t.open_overlay, t.open_rle):
    sink = open_sink(Path(sys.argv[1]) / open_sink.__name__, 0)
    t.write_frames(sink, range(10), commit_after=range(10))
    with t.size_limit(2500):
        try:
            sink.close()
        except t.HodorError as error:
            print(error)
"""


@contextmanager
def size_limit(limit: int) -> Iterator[None]:
    """A limit on the size of files fails the calls that a full disk fails."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_noise(sink: Sink, indices: Sequence[int]) -> None:
    """Frames that take much room in every format."""
    noise = np.random.default_rng(0)
    size = SIZE if isinstance(sink, OverlaySink) else (300, 400)
    for index in indices:
        pixels = noise.integers(0, 255, (*size, 3), np.uint8)
        label_map = noise.integers(0, 3, size, np.uint8)
        sink.write(Frame(index, f"{index:05d}", pixels, index / 5), label_map, [1, 2])
    sink.commit()


@pytest.mark.skipif(os.name != "posix", reason="limits of file sizes are POSIX's")
def test_a_full_disk_is_one_clear_error_and_what_was_written_stays(tmp_path: Path) -> None:
    errors = run_python(FILL_THE_DISK, tmp_path).splitlines()
    assert len(errors) == len(SINKS)
    for open_sink, error in zip(SINKS, errors, strict=True):
        whole, full = tmp_path / "whole" / open_sink.__name__, tmp_path / open_sink.__name__
        assert str(full) in error
        assert "cannot be written (File too large)" in error
        assert not [name for name in contents(full) if name.endswith(".tmp")]
        with open_sink(full, 3) as sink:
            write_frames(sink, range(3, 5))
        with open_sink(whole, 0) as sink:
            write_frames(sink, range(5), commit_after=[2])
        assert same_results(whole, full), open_sink.__name__


@pytest.mark.skipif(os.name != "posix", reason="limits of file sizes are POSIX's")
def test_a_disk_that_fills_while_the_final_file_is_made_loses_nothing(tmp_path: Path) -> None:
    errors = run_python(FILL_THE_DISK_AT_THE_END, tmp_path).splitlines()
    for open_sink, error in zip((open_overlay, open_rle), errors, strict=True):
        whole, full = tmp_path / "whole" / open_sink.__name__, tmp_path / open_sink.__name__
        assert "cannot be written (File too large)" in error
        assert not [name for name in contents(full) if name.endswith(".tmp")]
        open_sink(full, 10).close()
        with open_sink(whole, 0) as sink:
            write_frames(sink, range(10), commit_after=range(10))
        assert same_results(whole, full), open_sink.__name__


def test_what_a_kill_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    for written in ("masks/.00009.png", ".overlay.mp4", ".masks.json"):
        name = f"{written}.0123456789ab.tmp"
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"half")
    for open_sink in SINKS:
        open_sink(tmp_path, 0)
    assert contents(tmp_path) == {}


@EVERY_SINK
def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(
    tmp_path: Path, open_sink: OpenSink
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HodorError, match="file"):
        open_sink(tmp_path / "file" / "out", 0)


# Label maps.


def test_label_maps_are_palette_images_with_the_davis_colours(tmp_path: Path) -> None:
    with LabelMapSink(tmp_path) as sink:
        sink.write(frame_at(3), label_map_at(3), [1, 2])
    with Image.open(tmp_path / "00003.png") as image:
        assert image.mode == "P"
        assert bytes(image.getpalette() or [])[: 3 * 4] == davis_palette()[:4].tobytes()
        assert np.array_equal(np.asarray(image), label_map_at(3))


def test_a_run_with_ids_above_255_is_written_in_16_bits(tmp_path: Path) -> None:
    label_map = np.zeros(SIZE, np.uint16)
    label_map[3:9, 3:9], label_map[20:30, 9:20] = 7, 3000
    with LabelMapSink(tmp_path, wide=True) as sink:
        sink.write(frame_at(0), label_map, [7, 3000])
        sink.write(frame_at(1), label_map_at(1), [1, 2])
    assert np.array_equal(read_label_map(tmp_path / "00000.png"), label_map)
    assert np.array_equal(read_label_map(tmp_path / "00001.png"), label_map_at(1))
    with Image.open(tmp_path / "00001.png") as image:
        assert image.mode.startswith("I")


def test_an_id_above_255_in_8_bits_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match="id 256 is above 255"):
        write_label_map(tmp_path / "a.png", np.full((2, 2), 256, np.uint16))
    assert contents(tmp_path) == {}


def test_label_maps_of_other_runs_stay_but_half_written_ones_go(tmp_path: Path) -> None:
    write_label_map(tmp_path / "old.png", label_map_at(0))
    (tmp_path / ".00007.png.0123456789ab.tmp").write_bytes(b"half")
    LabelMapSink(tmp_path).close()
    assert list(contents(tmp_path)) == ["old.png"]


def test_label_maps_are_written_several_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = Barrier(3)

    def meet(path: Path, *_: object, wide: bool) -> None:
        met.wait(60)  # for the other two
        path.touch()

    monkeypatch.setattr(sinks, "write_label_map", meet)
    with LabelMapSink(tmp_path, threads=3) as sink:
        write_frames(sink, range(6))
        sink.commit()
        assert len(contents(tmp_path)) == 6


def test_a_label_map_that_a_thread_cannot_write_fails_the_run_and_earlier_ones_are_there(
    tmp_path: Path,
) -> None:
    wrong = np.full(SIZE, 256, np.uint16)
    sink = LabelMapSink(tmp_path, threads=2)
    write_frames(sink, [0])
    sink.write(frame_at(1), wrong, [256])
    with pytest.raises(MaskError, match="id 256 is above 255"):
        sink.commit()
    assert list(contents(tmp_path)) == ["00000.png"]
    sink.write(frame_at(2), label_map_at(2), [1])
    sink.commit()
    assert list(contents(tmp_path)) == ["00000.png", "00002.png"]
    sink.write(frame_at(3), wrong, [256])
    sink.abandon()  # tells nothing: something else has failed already


# Overlay.


def test_the_overlay_shows_the_drawn_frames_at_their_own_times(tmp_path: Path) -> None:
    drawn = []
    with open_overlay(tmp_path, 0) as sink:
        for index in range(10):
            label_map = label_map_at(index).repeat(8, axis=0).repeat(8, axis=1)
            frame = frame_at(index, label_map.shape)
            drawn.append(draw_overlay(frame.pixels, label_map, [1, 2, 3]))
            sink.write(frame, label_map, [1, 2, 3])
            if index in (0, 5):
                sink.commit()
    frames = list(open_source(tmp_path / "overlay.mp4").frames())
    assert [frame.time for frame in frames] == pytest.approx(TIMES, abs=1e-5)
    for frame, expected in zip(frames, drawn, strict=True):
        # Edges differ, since colour has half the resolution in yuv420p.
        difference = np.abs(frame.pixels.astype(int) - expected)
        assert np.median(difference) <= 1
        assert difference.mean() < 3


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_the_overlay_keeps_the_colours_of_the_frames(tmp_path: Path, codec: Codec) -> None:
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 160, 40)], np.uint8)
    pixels = np.repeat(np.repeat(colours[None], 64, axis=0), 64, axis=1)
    with OverlaySink(tmp_path / "o.mp4", 25, codec=codec) as sink:
        sink.write(Frame(0, "0", pixels, 0.0), np.zeros(pixels.shape[:2], np.uint8), [])
    (frame,) = open_source(tmp_path / "o.mp4").frames()
    assert np.abs(frame.pixels[32, 32::64].astype(int) - colours).max() <= 4


def test_the_overlay_is_what_players_expect(tmp_path: Path) -> None:
    with open_overlay(tmp_path, 0) as sink:
        write_frames(sink, range(10), commit_after=[4])
    content = (tmp_path / "overlay.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # Plays while it loads.
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.frames, stream.start_time) == (10, 0)
        assert stream.duration * stream.time_base == Fraction(8, 10) + Fraction(1, 25)


@pytest.mark.parametrize(
    ("size", "expected"), [((35, 49), (36, 50)), ((36, 49), (36, 50)), ((35, 50), (36, 50))]
)
def test_odd_sides_grow_by_one_pixel_and_lose_none(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    with open_overlay(tmp_path, 0) as sink:
        sink.write(frame_at(5, size), np.zeros(size, np.uint8), [])
    (frame,) = open_source(tmp_path / "overlay.mp4").frames()
    assert frame.pixels.shape[:2] == expected
    assert np.abs(frame.pixels.astype(int) - 105).max() <= 3


def test_frames_of_another_size_are_fitted_with_black_bars(tmp_path: Path) -> None:
    with open_overlay(tmp_path, 0) as sink:
        sink.write(frame_at(5, (40, 80)), np.zeros((40, 80), np.uint8), [])
        sink.write(frame_at(6, (80, 80)), np.zeros((80, 80), np.uint8), [])
    _, second = open_source(tmp_path / "overlay.mp4").frames()
    assert second.pixels.shape == (40, 80, 3)
    assert second.pixels[:, :18].max() < 20
    assert second.pixels[:, 62:].max() < 20
    assert np.abs(second.pixels[2:-2, 24:56].astype(int) - 120).max() <= 4


def test_a_resumed_overlay_keeps_the_size_of_its_first_frame(tmp_path: Path) -> None:
    first = open_overlay(tmp_path, 0)
    first.write(frame_at(0), label_map_at(0), [1])
    first.commit()
    del first
    with open_overlay(tmp_path, 1) as sink:
        sink.write(frame_at(1, (80, 80)), np.zeros((80, 80), np.uint8), [])
    assert [f.pixels.shape[:2] for f in open_source(tmp_path / "overlay.mp4").frames()] == [
        SIZE
    ] * 2


def test_times_that_stand_still_or_go_back_still_make_a_video(tmp_path: Path) -> None:
    with open_overlay(tmp_path, 0) as sink:
        for index, time in enumerate([0.0, 0.5, 0.5, 0.1, 0.6]):
            frame = Frame(index, str(index), frame_at(index).pixels, time)
            sink.write(frame, label_map_at(index), [1])
            if index == 2:
                sink.commit()
    frames = list(open_source(tmp_path / "overlay.mp4").frames())
    assert [frame.time for frame in frames] == pytest.approx([0, 0.5, 0.5, 0.5, 0.6], abs=1e-4)


def test_two_overlays_in_one_folder_do_not_meet(tmp_path: Path) -> None:
    with OverlaySink(tmp_path / "a.mp4", 25) as one, OverlaySink(tmp_path / "b.mp4", 25) as two:
        write_frames(one, range(4), commit_after=[1])
        write_frames(two, range(7), commit_after=[1])
    assert len(video_frames(tmp_path / "a.mp4")) == 4
    assert len(video_frames(tmp_path / "b.mp4")) == 7


@pytest.mark.slow
def test_the_overlay_depends_on_nothing_but_its_frames(tmp_path: Path) -> None:
    """An encoder that reads memory it has not written gives another video now and then.

    The C library of Linux fills fresh memory as it is told, which makes this happen every time.
    """
    script = """
import sys, numpy as np
from test_sinks import *
rows, columns = np.mgrid[:480, :854]
with OverlaySink(sys.argv[1] + "/overlay.mp4", 25) as sink:
    for t in range(12):
        waves = [np.sin((rows * a + columns) / 40 + t / 3) for a in (0.5, -3, 0.4)]
        pixels = np.uint8(127 + 100 * np.stack(waves, axis=2))
        sink.write(Frame(t, str(t), pixels, t / 25), np.zeros(pixels.shape[:2], np.uint8), [])
"""
    for folder, fill in (("fresh", "0"), ("filled", "1"), ("filled otherwise", "2")):
        (tmp_path / folder).mkdir()
        run_python(
            script, tmp_path / folder, MALLOC_PERTURB_=fill, MALLOC_MMAP_THRESHOLD_="2000000000"
        )
    fresh = video_frames(tmp_path / "fresh" / "overlay.mp4")
    assert len(fresh) == 12
    assert video_frames(tmp_path / "filled" / "overlay.mp4") == fresh
    assert video_frames(tmp_path / "filled otherwise" / "overlay.mp4") == fresh


# COCO run lengths.


def test_the_json_says_where_each_object_is_in_each_frame(tmp_path: Path) -> None:
    with open_rle(tmp_path, 0) as sink:
        write_frames(sink, range(3))
    result = json.loads((tmp_path / "masks.json").read_text())
    assert (result["video"], result["size"]) == ("clip", list(SIZE))
    assert [frame["index"] for frame in result["frames"]] == [0, 1, 2]
    second = result["frames"][1]
    assert (second["name"], second["time"]) == ("00001", 0.04)
    assert [item["id"] for item in second["objects"]] == [1, 2]
    assert second["objects"][0]["area"] == 120
    assert second["objects"][0]["bbox"] == [3, 5, 12, 10]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_run_lengths_give_the_masks_back(tmp_path: Path) -> None:
    with open_rle(tmp_path, 0) as sink:
        write_frames(sink, range(4))
    for frame in json.loads((tmp_path / "masks.json").read_text())["frames"]:
        restored = np.zeros(SIZE, np.uint8)
        for item in frame["objects"]:
            assert item["segmentation"]["size"] == list(SIZE)
            restored += item["id"] * coco.decode(item["segmentation"])
        assert np.array_equal(restored, label_map_at(frame["index"]))


def test_frames_without_objects_are_listed_too(tmp_path: Path) -> None:
    with open_rle(tmp_path, 0) as sink:
        sink.write(frame_at(0), np.zeros(SIZE, np.uint8), [])
        sink.write(frame_at(1), np.zeros(SIZE, np.uint8), [1])
    frames = json.loads((tmp_path / "masks.json").read_text())["frames"]
    assert [frame["objects"] for frame in frames] == [[], []]


def test_a_line_torn_by_a_kill_is_cut_off(tmp_path: Path) -> None:
    sink = open_rle(tmp_path, 0)
    write_frames(sink, range(3), commit_after=[2])
    del sink
    parts = tmp_path / ".masks.json.parts.jsonl"
    parts.write_bytes(parts.read_bytes() + b'{"index": 3, "na')
    with open_rle(tmp_path, 3) as resumed:
        write_frames(resumed, [3])
    frames = json.loads((tmp_path / "masks.json").read_text())["frames"]
    assert [frame["index"] for frame in frames] == [0, 1, 2, 3]


@pytest.mark.parametrize("line", [b"{", b"[]", b"7", b'{"index": "x"}', b"\xff", b""])
def test_a_damaged_line_among_the_parts_is_told_with_how_to_go_on(
    tmp_path: Path, line: bytes
) -> None:
    sink = open_rle(tmp_path, 0)
    write_frames(sink, range(3), commit_after=[2])
    del sink
    parts = tmp_path / ".masks.json.parts.jsonl"
    lines = parts.read_bytes().split(b"\n")
    parts.write_bytes(b"\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(HodorError, match=r"parts\.jsonl.*(anew|without)") as told:
        open_rle(tmp_path, 3)
    assert "\n" not in str(told.value)
