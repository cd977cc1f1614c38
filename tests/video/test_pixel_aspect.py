"""Videos whose pixels are not square, animated AVIF, frames that change size."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, features
from recordings import SHARED, needs_shared
from video.tiny_videos import flat_frames

from hodor.formats import read_track, with_video, write_track
from hodor.video import (
    Frame,
    OverlaySink,
    RleSink,
    open_seekable,
    open_source,
    write_label_map,
)


def anamorphic(path: Path, aspect: Fraction = Fraction(16, 15)) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for pixels in flat_frames(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def aspect_of(path: Path) -> Fraction | None:
    with av.open(str(path)) as container:
        return container.streams.video[0].sample_aspect_ratio


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_an_overlay_has_the_pixels_of_its_video(tmp_path: Path, codec: str) -> None:
    anamorphic(tmp_path / "a.mp4")
    with open_source(tmp_path / "a.mp4") as source:
        assert source.pixel_aspect == Fraction(16, 15)
        out = tmp_path / "o.mp4"
        with OverlaySink(out, source.fps, pixel_aspect=source.pixel_aspect, codec=codec) as sink:  # type: ignore[arg-type]
            for frame in source.frames():
                sink.write(frame, np.zeros(frame.pixels.shape[:2], np.uint8), [])
                sink.commit()
    assert aspect_of(out) == Fraction(16, 15)
    with open_seekable(tmp_path / "a.mp4") as frames:
        assert frames.pixel_aspect == Fraction(16, 15)


@pytest.mark.parametrize("aspect", [Fraction(16, 15), Fraction(8, 9), Fraction(2), Fraction(5, 7)])
@pytest.mark.parametrize("file", ["prores/1.mov", "ffv1/1.mkv"])
def test_mattes_have_the_pixels_of_their_video(tmp_path: Path, file: str, aspect: Fraction) -> None:
    anamorphic(tmp_path / "a.mp4", aspect)
    (tmp_path / "masks").mkdir()
    labels = np.zeros((48, 64), np.uint8)
    labels[10:20, 10:30] = 1
    for number in range(4):
        write_label_map(tmp_path / f"masks/{number:05d}.png", labels)
    with open_source(tmp_path / "a.mp4") as source:
        track = with_video(read_track(tmp_path / "masks"), source)
        write_track(track, tmp_path / Path(file).parent, Path(file).parent.name)
    with av.open(str(tmp_path / file)) as container:
        (stream,) = container.streams.video
        # FFmpeg reads a Matroska file's sides in whole pixels: 64 x 48 at 5:7 is 46 wide, not 45.7.
        assert stream.sample_aspect_ratio == (
            Fraction(46, 64) if file.endswith(".mkv") and aspect == Fraction(5, 7) else aspect
        )
        assert "stereo_mode" not in stream.metadata
        alphas = [f.reformat(format="rgba").to_ndarray()[..., 3] for f in container.decode(stream)]
    assert len(alphas) == 4
    np.testing.assert_array_equal(alphas[3], labels * 255)
    assert track.warnings == []


@needs_shared
def test_the_pixel_aspect_of_a_file_from_elsewhere_is_read() -> None:
    with open_source(SHARED / "cases" / "23_pixel_aspect_lost" / "sar.mp4") as source:
        assert source.pixel_aspect == Fraction(16, 15)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
def test_all_pictures_of_an_animated_avif_are_frames(tmp_path: Path) -> None:
    first, *rest = [Image.fromarray(pixels) for pixels in flat_frames(5)]
    path = tmp_path / "a.avif"
    first.save(path, save_all=True, append_images=rest, duration=40)
    with open_source(path) as source:
        shades = [round(float(frame.pixels.mean())) for frame in source.frames()]
    assert shades == pytest.approx([20, 30, 40, 50, 60], abs=2)
    with open_seekable(path) as frames:
        assert frames.length == 5


def test_run_lengths_of_frames_that_change_size_say_each_size_and_go_on_after_a_kill(
    tmp_path: Path,
) -> None:
    sizes = [(10, 12), (10, 12), (6, 8), (10, 12)]
    path = tmp_path / "masks.json"

    def write(sink: RleSink, first: int, last: int) -> None:
        for index in range(first, last):
            label_map = np.zeros(sizes[index], np.uint8)
            label_map[1:3, 1:4] = 1
            pixels = np.zeros((*sizes[index], 3), np.uint8)
            sink.write(Frame(index, f"{index:05d}", pixels, index / 25), label_map, [1])
        sink.commit()

    killed = RleSink(path, video="v")
    write(killed, 0, 2)
    killed.abandon()
    with RleSink(path, video="v", resume_from=2) as sink:
        write(sink, 2, 4)
    frames = json.loads(path.read_text())["frames"]
    assert [frame.get("size") for frame in frames] == [None, None, [6, 8], None]
    track = read_track(path)
    assert [frame.label_map.shape for frame in track.frames()] == sizes
    assert all(int(frame.label_map.sum()) == 6 for frame in track.frames())
