"""The sound of a video: copied into its overlay, where the picture begins and ends."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from video.tiny_videos import flat_frames

from hodor.formats import Labelled, Track, with_video, write_track
from hodor.video import OverlaySink, Sound, open_seekable, open_source
from hodor.video.containers import Input
from hodor.video.sound import SoundCopy

FRAMES, FPS, RATE = 25, 25, 48000


def with_sound(
    path: Path, codec: str = "pcm_s16le", *, late: int = 0, seconds: float = 1.0, tracks: int = 1
) -> Path:
    """A second of pictures, the first so many frames late, beside silence that a click ends.

    The click is 0.2 seconds after the first picture.
    """
    samples = np.zeros(round(RATE * seconds), np.int16)
    click = round(RATE * (late / FPS + 0.2))
    samples[click : click + 480] = 20000
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", FPS, options={"bf": "0"})
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sounds = [container.add_stream(codec, RATE, layout="mono") for _ in range(tracks)]
        for index, pixels in enumerate(flat_frames(FRAMES)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index + late, Fraction(1, FPS)
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
        for sound in sounds:
            wanted = sound.codec_context
            resampler = av.AudioResampler(
                wanted.format.name, "mono", RATE, frame_size=wanted.frame_size or 1024
            )
            heard = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = RATE, 0, Fraction(1, RATE)
            for part in [*resampler.resample(heard), *resampler.resample(None)]:
                container.mux(sound.encode(part))
            container.mux(sound.encode(None))
    return path


def overlay(video: Path, out: Path, commits: tuple[int, ...] = (9,)) -> list[str]:
    with (
        open_source(video) as source,
        OverlaySink(out, source.fps, sound=source.sound) as sink,
    ):
        for frame in source.frames():
            sink.write(frame, np.zeros(frame.pixels.shape[:2], np.uint8), [])
            if frame.index in commits:
                sink.commit()
    return sink.warnings


def heard(path: Path) -> tuple[float, NDArray[np.float64]]:
    """When the sound begins, in seconds of the picture, and its samples (N,) in -1..1."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        parts = []
        resampler = av.AudioResampler("flt", "mono", RATE)
        begin = None
        for frame in container.decode(stream):
            begin = float(frame.time or 0) if begin is None else begin
            parts += [one.to_ndarray()[0] for one in resampler.resample(frame)]
    with open_source(path) as source:
        assert source.sound is not None
        first = source.sound.begin()
    assert begin is not None
    return begin - first, np.concatenate(parts).astype(float)


@pytest.mark.parametrize("late", [0, 7], ids=["together", "picture later"])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mov", "pcm_s16le"), ("a.mp4", "aac"), ("a.mkv", "flac"), ("a.mkv", "libopus")],
)
def test_the_overlay_has_the_sound_of_its_video_at_its_time(
    tmp_path: Path, name: str, codec: str, late: int
) -> None:
    video = with_sound(tmp_path / name, codec, late=late, seconds=3.0)
    assert overlay(video, tmp_path / "o.mp4") == []
    begin, samples = heard(tmp_path / "o.mp4")
    click = begin + np.flatnonzero(np.abs(samples) > 0.3)[0] / RATE
    assert click == pytest.approx(0.2, abs=2e-3)
    # The sound ends with the picture, to a packet.
    assert begin + len(samples) / RATE == pytest.approx(1.0, abs=0.1)
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert container.streams.video[0].frames == FRAMES


def test_pcm_is_copied_sample_by_sample_in_all_its_tracks(tmp_path: Path) -> None:
    video = with_sound(tmp_path / "a.mov", tracks=3)
    overlay(video, tmp_path / "o.mp4")
    found = []
    for path in (video, tmp_path / "o.mp4"):
        with av.open(str(path)) as container:
            assert len(container.streams.audio) == 3
            packets = container.demux(container.streams.audio[2])
            found.append(b"".join(bytes(packet) for packet in packets))
    assert found[0] == found[1]


def test_a_run_that_goes_on_gives_the_bytes_of_one_that_was_not_stopped(tmp_path: Path) -> None:
    video = with_sound(tmp_path / "a.mp4", "aac", late=3)
    overlay(video, tmp_path / "whole.mp4", commits=(9, 14))
    out = tmp_path / "stopped.mp4"
    for start, stop in ((0, 12), (10, 25)):  # Frames 10 and 11 are lost by the stop.
        with open_source(video) as source:
            sink = OverlaySink(out, source.fps, sound=source.sound, resume_from=start)
            for frame in source.frames(start):
                if frame.index < stop:
                    sink.write(frame, np.zeros(frame.pixels.shape[:2], np.uint8), [])
                if frame.index in (9, 14):
                    sink.commit()
            sink.abandon() if stop < FRAMES else sink.close()
    assert out.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_sound_that_mp4_does_not_take_is_told_once_and_the_picture_is_whole(
    tmp_path: Path,
) -> None:
    video = with_sound(tmp_path / "a.mov", "pcm_mulaw", tracks=2)
    (told,) = overlay(video, tmp_path / "o.mp4")
    assert "pcm_mulaw" in told
    assert "was left out of the overlay" in told
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert len(container.streams) == 1
        assert container.streams.video[0].frames == FRAMES


def test_a_video_that_is_gone_at_the_end_costs_the_sound_alone(tmp_path: Path) -> None:
    with open_source(with_sound(tmp_path / "a.mov")) as source:
        frames = list(source.frames())
        gone = Sound(Input(str(tmp_path / "gone.mov")), lambda: 0.0)
        with OverlaySink(tmp_path / "o.mp4", source.fps, sound=gone) as sink:
            for frame in frames:
                sink.write(frame, np.zeros(frame.pixels.shape[:2], np.uint8), [])
    (told,) = sink.warnings
    assert "has no sound" in told
    assert "\n" not in told
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert container.streams.video[0].frames == FRAMES


def test_sound_is_of_videos_with_their_own_times(tmp_path: Path) -> None:
    video = with_sound(tmp_path / "a.mov")
    with open_source(video, fps=10) as source:
        assert source.sound is None
    with open_seekable(video) as frames:
        assert frames.sound is not None
    overlay(video, tmp_path / "o.mp4")
    with open_source(np.zeros((2, 48, 64, 3), np.uint8)) as source:
        assert source.sound is None


def test_sound_whose_times_begin_anew_is_told_and_the_picture_is_whole(tmp_path: Path) -> None:
    part = with_sound(tmp_path / "part.ts", "aac").read_bytes()
    (tmp_path / "a.ts").write_bytes(part + part)
    (told,) = overlay(tmp_path / "a.ts", tmp_path / "o.mp4")
    assert "goes back in time" in told
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert container.streams.video[0].frames == 2 * FRAMES


def test_sound_that_cannot_be_written_is_told_and_the_picture_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: SoundCopy) -> Iterator[None]:
        yield from ()
        raise ValueError("invalid argument")

    monkeypatch.setattr(SoundCopy, "packets", refused)
    (told,) = overlay(with_sound(tmp_path / "a.mov"), tmp_path / "o.mp4")
    assert "has no sound" in told
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.streams.video[0].frames == FRAMES


@pytest.mark.parametrize(("name", "file"), [("prores", "1.mov"), ("ffv1", "1.mkv")])
def test_mattes_have_the_sound_of_their_video_at_its_time(
    name: str, file: str, tmp_path: Path
) -> None:
    video = with_sound(tmp_path / "in.mov", late=3)
    masks = [Labelled(0, "00000", 0.0, np.ones((48, 64), np.uint8))]
    with open_source(video) as source:
        track = with_video(Track(lambda: iter(masks), "in", FPS), source, whole=True)
        write_track(track, tmp_path / "out", name)
    assert not track.warnings
    begin, samples = heard(tmp_path / "out" / file)
    click = begin + int(np.argmax(samples > 0.3)) / RATE
    assert click == pytest.approx(0.2, abs=0.01)


def test_a_video_that_is_gone_costs_the_mattes_their_sound_alone(tmp_path: Path) -> None:
    gone = Sound(Input(str(tmp_path / "gone.mov")), lambda: 0.0)
    masks = [Labelled(t, f"{t:05d}", t / FPS, np.full((48, 64), 2, np.uint8)) for t in range(3)]
    track = Track(lambda: iter(masks), "in", FPS, sound=gone)
    write_track(track, tmp_path / "out", "prores")
    (told,) = track.warnings
    assert "the mattes have no sound" in told
    with av.open(str(tmp_path / "out" / "2.mov")) as container:
        assert len(list(container.decode(video=0))) == 3
