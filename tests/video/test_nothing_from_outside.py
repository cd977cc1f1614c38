"""What a file says makes the program open nothing but files beside it, and no connection."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from video.tiny_videos import flat_frames, write_video

from hodor.errors import SourceError
from hodor.video import open_seekable, open_source


@pytest.fixture
def listener() -> Iterator[tuple[int, socket.socket]]:
    """A port that nobody may knock at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server.getsockname()[1], server


def hls(*names: str) -> str:
    parts = "".join(f"#EXTINF:1,\n{name}\n" for name in names)
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{parts}#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    "text",
    [
        hls("http://127.0.0.1:{port}/part.ts"),
        hls("tcp://127.0.0.1:{port}"),
        '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="http://127.0.0.1:{port}/k"\n' + hls("a.ts"),
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "ffconcat version 1.0\nfile 'http://127.0.0.1:{port}/a.mp4'\n",
        "<MPD><BaseURL>http://127.0.0.1:{port}/</BaseURL></MPD>",
    ],
    ids=["part", "socket", "key", "session", "list", "manifest"],
)
def test_a_file_on_this_machine_opens_no_connection(
    tmp_path: Path, listener: tuple[int, socket.socket], text: str
) -> None:
    port, server = listener
    path = tmp_path / "a.m3u8"
    path.write_text(text.replace("{port}", str(port)))
    for opened in (open_source, open_seekable):
        with pytest.raises(SourceError) as caught:
            opened(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(BlockingIOError):
        server.accept()


def test_a_playlist_opens_files_beside_it_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "list"
    (folder / "parts").mkdir(parents=True)
    write_video(folder / "parts" / "a.ts", flat_frames(5), format="mpegts")
    write_video(tmp_path / "b.ts", flat_frames(5), format="mpegts")
    playlist = folder / "a.m3u8"
    playlist.write_text(hls("parts/a.ts"))
    assert len(list(open_source(playlist).frames())) == 5
    for name in ("../b.ts", str(tmp_path / "b.ts"), f"file://{tmp_path}/b.ts"):
        playlist.write_text(hls(name))
        with pytest.raises(SourceError, match="does not lie beside it"):
            open_source(playlist)


def test_playlists_without_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.m3u8").write_text(hls("a.m3u8"))
    with pytest.raises(SourceError, match="names others without end"):
        open_source(tmp_path / "a.m3u8")
