"""Time code: read from videos, counted, and kept by mattes."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from formats.tracks import track_of
from video.tiny_videos import flat_frames

from hodor.formats import FormatsSink, Labelled, Track, with_video, write_track
from hodor.video import TimeCode, open_seekable, open_source
from hodor.video.videos import VideoSource

NTSC = Fraction(30000, 1001)


def coded(
    path: Path, time_code: str, rate: Fraction = Fraction(25), codec: str = "libx264", late: int = 0
) -> Path:
    """A video of four frames, the first of them so many frames after the file's beginning."""
    with av.open(str(path), "w") as container:
        container.metadata["timecode"] = time_code
        stream = container.add_stream(codec, rate, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index, pixels in enumerate(flat_frames(4)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index + late, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def masks_of_frames(*indices: int) -> Track:
    labels = np.ones((48, 64), np.uint8)
    return Track(lambda: (Labelled(i, f"{i:05d}", i / 25, labels) for i in indices), "a", 25.0)


def time_code_of(path: Path) -> str:
    with open_source(path) as source:
        return str(source.time_code)


@pytest.mark.parametrize(
    ("text", "fps", "frames", "later"),
    [
        ("01:00:00:00", 25, 25, "01:00:01:00"),
        ("23:59:59:24", 25, 1, "00:00:00:00"),
        ("00:00:59;29", 29.97, 1, "00:01:00;02"),
        ("00:09:59;29", 29.97, 1, "00:10:00;00"),
        ("00:00:59;59", 60000 / 1001, 1, "00:01:00;04"),
        ("00:00:59:29", 29.97, 1, "00:01:00:00"),
    ],
)
def test_time_code_is_counted_with_its_dropped_numbers_and_past_midnight(
    text: str, fps: float, frames: int, later: str
) -> None:
    code = TimeCode.parse(text, fps)
    assert code is not None
    assert str(code) == text
    assert str(code.after(frames / fps)) == later


def test_every_count_of_a_day_is_read_back_from_what_is_written() -> None:
    for count in range(0, 24 * 6 * 17982, 997):
        code = TimeCode(count, NTSC, drop=True)
        assert TimeCode.parse(str(code), float(NTSC)) == code


@pytest.mark.parametrize("text", ["", "1:00", "01:00:00:25", "24:00:00:00", "01:00:00;10"])
def test_what_is_no_time_code_of_25_frames_a_second_is_none(text: str) -> None:
    assert TimeCode.parse(text, 25) is None


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mov", "libx264"), ("a.mkv", "libx264"), ("a.mxf", "mpeg2video")]
)
def test_videos_state_their_time_code(tmp_path: Path, name: str, codec: str) -> None:
    path = coded(tmp_path / name, "10:20:30:05", codec=codec)
    assert time_code_of(path) == "10:20:30:05"
    with open_seekable(path) as frames:
        assert str(frames.time_code) == "10:20:30:05"
    with open_source(path, fps=10) as source:
        assert source.time_code is None  # its frames have other times than the file's own


def test_frames_that_begin_later_than_the_track_of_time_code_are_counted_from_it(
    tmp_path: Path,
) -> None:
    assert time_code_of(coded(tmp_path / "a.mov", "01:00:00:20", late=13)) == "01:00:01:08"


@pytest.mark.parametrize("file", ["prores/1.mov", "ffv1/1.mkv"])
@pytest.mark.parametrize(
    ("text", "rate"), [("01:00:59:20", Fraction(25)), ("01:00:59;28", NTSC)], ids=["25", "ntsc"]
)
def test_mattes_keep_the_time_code_also_where_the_first_frames_have_no_masks(
    tmp_path: Path, file: str, text: str, rate: Fraction
) -> None:
    coded(tmp_path / "a.mov", text, rate)
    with open_source(tmp_path / "a.mov") as source:
        track = with_video(masks_of_frames(2, 3), source)
        write_track(track, tmp_path / Path(file).parent, Path(file).parent.name)
    assert time_code_of(tmp_path / file) == text
    with av.open(str(tmp_path / file)) as container:
        assert bool(container.streams.data) == file.endswith(".mov")


@pytest.mark.parametrize(
    ("text", "rate", "second"),
    [
        ("01:00:59;29", NTSC, (1, 1, 0, 2, False, True)),
        ("01:00:59:49", Fraction(50), (1, 1, 0, 0, False, False)),
        ("01:00:59:46", Fraction(50), (1, 0, 59, 23, True, False)),
    ],
)
def test_each_exr_has_its_own_time_code_and_the_rate(
    tmp_path: Path, text: str, rate: Fraction, second: tuple[int, int, int, int, bool, bool]
) -> None:
    exr = pytest.importorskip("OpenEXR", reason="needs the extra [exr]")
    coded(tmp_path / "a.mov", text, rate)
    with open_source(tmp_path / "a.mov") as source:
        track = with_video(track_of([np.ones((48, 64), np.uint8)] * 4), source)
        write_track(track, tmp_path / "exr", "exr")
    with exr.File(str(tmp_path / "exr/00001.exr"), header_only=True) as file:
        code = file.header()["timeCode"]
        assert file.header()["framesPerSecond"] == rate
    found = (code.hours, code.minutes, code.seconds, code.frame)
    assert (*found, bool(code.fieldPhase), bool(code.dropFrame)) == second


def test_exr_of_a_run_has_time_code_and_aspect_of_its_video(tmp_path: Path) -> None:
    exr = pytest.importorskip("OpenEXR", reason="needs the extra [exr]")
    path = coded(tmp_path / "a.mov", "01:00:59:20")
    with open_source(path) as source:
        assert isinstance(source, VideoSource)
        source.pixel_aspect = Fraction(2)
        sink = FormatsSink(
            tmp_path / "out", ["exr"], source=source, reopen=lambda: source, confidence={}
        )
        with sink:
            for frame in source.frames():
                sink.write(frame, np.ones((48, 64), np.uint8), [1])
    with exr.File(str(tmp_path / "out/exr/00003.exr"), header_only=True) as file:
        head = dict(file.header())
    assert (head["timeCode"].seconds, head["timeCode"].frame) == (59, 23)
    assert (head["framesPerSecond"], head["pixelAspectRatio"]) == (25, 2)


def test_without_time_code_none_is_made_up(tmp_path: Path) -> None:
    track = track_of([np.ones((48, 64), np.uint8)] * 2)
    write_track(track, tmp_path / "prores", "prores")
    with av.open(str(tmp_path / "prores/1.mov")) as container:
        assert len(container.streams) == 1
