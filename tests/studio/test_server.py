"""The server as a process: who may connect, what it answers, what a kill costs."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from hodor.studio.guard import allowed
from hodor.studio.runs import decode_runs, encode_runs

pytestmark = pytest.mark.slow

SIZE = (60, 90)


@pytest.fixture(scope="module")
def running(
    clip: Path, tiny_model: Path, tmp_path_factory: Any, server_class: Any
) -> Iterator[Any]:
    """A server over the clip, for tests that leave it as they found it."""
    server = server_class(
        clip, "--session", tmp_path_factory.mktemp("s") / "s", "--model", tiny_model
    )
    yield server
    server.end(signal.SIGKILL)


def _live(address: str) -> str:
    return address.replace("http", "ws", 1) + "api/live"


def test_only_the_token_opens_the_page_and_its_routes(running: Any) -> None:
    parts = urlsplit(running.address)
    root = f"http://{parts.netloc}"
    for path in ("/", "/api/state", "/wrong/api/state", "/page/app.js", f"{parts.path[:-2]}/"):
        answer = httpx.get(root + path)
        assert answer.status_code == 403, path
        assert "open the address" in answer.text
    assert httpx.get(running.address).status_code == 200
    assert httpx.get(running.address[:-1], follow_redirects=True).status_code == 200
    assert httpx.get(running.address + "page/app.js").status_code == 200
    assert httpx.get(running.address + "api/state").json()["video"]["frames"] == 40


def test_a_foreign_host_is_refused_even_with_the_token(running: Any) -> None:
    port = urlsplit(running.address).port
    wrong = (f"evil.example:{port}", "127.0.0.1:1", "evil.example", f"127.0.0.1.evil:{port}", "a:b")
    for host in wrong:
        assert httpx.get(running.address, headers={"Host": host}).status_code == 403, host
    assert httpx.get(running.address, headers={"Host": f"localhost:{port}"}).status_code == 200


def test_another_pages_requests_are_refused(running: Any) -> None:
    answer = httpx.post(running.address + "api/objects", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert httpx.get(running.address + "api/state").json()["objects"] == []


def test_the_live_connection_asks_for_token_host_and_origin_too(running: Any) -> None:
    with connect(_live(running.address)) as live:
        assert json.loads(live.recv())["type"] == "pages"
    parts = urlsplit(running.address)
    wrong = f"ws://{parts.netloc}/wrong/api/live"
    with pytest.raises(InvalidStatus), connect(wrong):
        pass
    with (
        pytest.raises(InvalidStatus),
        connect(_live(running.address), origin="http://evil.example"),
    ):  # type: ignore[arg-type]
        pass


def test_bound_to_everywhere_it_answers_to_numbers_but_not_to_foreign_names() -> None:
    assert allowed("192.168.1.7", "0.0.0.0")
    assert allowed("::1", "::")
    assert not allowed("evil.example", "0.0.0.0")
    assert not allowed("192.168.1.7", "127.0.0.1")


def test_frames_come_as_jpeg_and_a_frame_that_is_not_there_is_told(running: Any) -> None:
    answer = httpx.get(running.address + "api/frames/3?width=640")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Frame"] == "3"
    assert answer.content[:2] == b"\xff\xd8"
    missing = httpx.get(running.address + "api/frames/40")
    assert (missing.status_code, missing.json()) == (
        422,
        {"message": "frame 40: the video has 40 frames"},
    )


def test_wrong_masks_are_refused_in_one_line(running: Any) -> None:
    url = running.address + "api/given/0/1"
    assert "no runs" in httpx.put(url, content=b"abc").json()["message"]
    mask = np.ones((5, 5), np.uint8)
    assert "5400" not in httpx.put(url, content=encode_runs(mask)).json()["message"]
    fitting = encode_runs(np.ones(SIZE, np.uint8))
    assert "not there any more" in httpx.put(url, content=fitting).json()["message"]


def test_downloads_stay_within_the_exports(running: Any) -> None:
    for name in ("..%2Fsession.json", ".server.json", "labels", "..%2f..%2f..%2fetc%2fpasswd"):
        assert httpx.get(f"{running.address}api/exports/{name}").status_code in (404, 422), name


@pytest.mark.slow
def test_a_killed_server_goes_on_at_the_same_address_with_all_that_was_said(
    serve: Callable[..., Any], clip: Path, tiny_model: Path, tmp_path: Path, square: Any
) -> None:
    session = tmp_path / "session"
    server = serve(clip, "--session", session, "--model", tiny_model)
    client = httpx.Client(base_url=server.address, timeout=None)
    client.post("api/objects")
    saved = client.put("api/given/0/1?base=0", content=encode_runs(square(10)))
    assert saved.status_code == 200
    with connect(_live(server.address)) as live:
        client.post("api/track", json={"way": "both", "frame": 0})
        while json.loads(live.recv()).get("frame") != 9:
            pass
        server.end(signal.SIGKILL)
    again = serve(session)
    assert again.address == server.address
    state = client.get("api/state").json()
    assert state["given"] == {"1": [0]}
    assert state["model"] == str(tiny_model)
    first = state["stale"]["1"][0][0]
    assert first >= 10
    labels = decode_runs(client.get("api/labels/0").content, SIZE)
    assert np.array_equal(labels == 1, square(10))
    assert httpx.get(f"{server.address}api/curves").json()["1"][9] is not None


def test_a_session_that_is_open_a_video_that_is_gone_and_a_text_file_end_in_one_line(
    clip: Path, tmp_path: Path, hodor: Callable[..., Any], open_session: Any
) -> None:
    session = open_session("taken")
    ran = hodor("studio", session.folder.root, "--no-browser")
    assert ran.code == 1
    assert "/x/clip.mp4 does not exist" in ran.err
    assert f"hodor studio VIDEO --session {session.folder.root}" in " ".join(ran.err.split())
    ran = hodor("studio", clip, "--session", session.folder.root, "--no-browser")
    assert "another hodor studio has this session open" in ran.err
    text = tmp_path / "notes.txt"
    text.write_text("no video")
    ran = hodor("studio", text, "--no-browser")
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert not (tmp_path / "notes.studio").exists()


def test_the_page_is_there_before_pytorch_is_loaded(
    run_python: Callable[..., Any], clip: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; from hodor.studio import TrackerSettings, open_studio, serve\n"
        "from pathlib import Path\n"
        "studio = open_studio(sys.argv[1], Path(sys.argv[2]), TrackerSettings())\n"
        "print('torch' in sys.modules)"
    )
    assert run_python(program, clip, tmp_path / "s").stdout.strip() == "False"


def test_without_the_extra_the_command_says_what_to_install_and_makes_nothing(
    run_python: Callable[..., Any], clip: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from hodor.cli import main; sys.argv = ['hodor', *sys.argv[1:]]; main()"
    )
    ran = run_python(program, "studio", clip, "--session", tmp_path / "s", "--no-browser")
    assert ran.returncode == 1
    assert "pip install 'hodor-vos[studio]'" in ran.stderr
    assert not (tmp_path / "s").exists()
