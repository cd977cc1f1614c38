"""What a client, or a folder from elsewhere, may not do to the studio."""

import asyncio
import json
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import uvicorn

from hodor.errors import HodorError
from hodor.studio.downloads import as_download
from hodor.studio.folder import SessionFolder
from hodor.studio.limits import LARGEST_BODY, LARGEST_MASK, Limits, PatientProtocol
from hodor.studio.opening import TrackerSettings, open_studio

posix = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")


@pytest.fixture(scope="module")
def running(
    clip: Path, tiny_model: Path, tmp_path_factory: Any, server_class: Any
) -> Iterator[Any]:
    session = tmp_path_factory.mktemp("s") / "s"
    server = server_class(clip, "--session", session, "--model", tiny_model)
    yield server
    server.end(signal.SIGKILL)


def _raw(address: str, head: str) -> tuple[socket.socket, str]:
    """A connection on which a request's head was sent, and its answer's first line."""
    parts = urlsplit(address)
    open_socket = socket.create_connection((str(parts.hostname), int(parts.port or 0)), 20)
    text = head.format(path=parts.path, host=parts.netloc)
    open_socket.sendall(text.encode().replace(b"\n", b"\r\n") + b"\r\n")
    return open_socket, open_socket.recv(4096).decode().splitlines()[0]


def test_a_body_of_a_gigabyte_is_refused_before_it_is_sent(running: Any) -> None:
    for method, path in (("PUT", "api/given/0/1"), ("POST", "api/track")):
        head = f"{method} {{path}}{path} HTTP/1.1\nHost: {{host}}\nContent-Length: 1000000000\n"
        connection, status = _raw(running.address, head)
        connection.close()
        assert "413" in status


def test_a_body_that_does_not_say_its_length_is_read_up_to_the_limit_and_no_further() -> None:
    parts = 0

    async def application(_: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        nonlocal parts
        parts += 1
        return {"type": "http.request", "body": bytes(2**20), "more_body": True}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    for method, most in (("PUT", LARGEST_MASK), ("PATCH", LARGEST_BODY)):
        parts = 0
        sent.clear()
        scope = {"type": "http", "method": method, "headers": []}
        asyncio.run(Limits(application)(scope, receive, send))
        assert parts == most // 2**20 + 1
        assert [m.get("status") for m in sent] == [413, None]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "api/objects/1", b'{"name": "x\\ud800y"}'),
        ("PATCH", "api/objects/1", b'{"name": "a\\u0001b"}'),
        ("PATCH", "api/objects/1", b'{"name": ["\\ud800"]}'),
        ("PATCH", "api/objects/1", b"\xff\xfe"),
        ("PATCH", "api/objects/1", b"[" * 100_000),
        ("POST", "api/track", b'{"way": "both", "frame": NaN}'),
        ("POST", "api/track", b'{"way": "both", "frame": 1e400}'),
        ("POST", "api/segment/0", b'{"box": [NaN, 0, 1, 1]}'),
        ("POST", "api/segment/0", b'{"inside": [{"points": [[1e300, 0]], "width": 4}]}'),
        ("POST", "api/segment/0", b'{"inside": [{"points": [[0, 0]], "width": Infinity}]}'),
        ("POST", "api/export", b'{"formats": ["\\ud800"]}'),
        ("PUT", "api/given/99999999999999999999/1", b""),
        ("PUT", "api/given/0/1?base=99999999999999999999999", bytes(8)),
        ("DELETE", "api/given/-1/-1", b""),
        ("GET", "api/frames/0?width=99999999999999999999", b""),
        ("GET", "api/frames/" + "9" * 5000, b""),
        ("GET", "api/exports/%00", b""),
        ("GET", "api/exports/" + "a" * 5000, b""),
        ("GET", "page/%00", b""),
        ("GET", "page/" + "a" * 5000, b""),
    ],
)
def test_nonsense_is_answered_by_a_message_and_never_by_a_failure(
    running: Any, method: str, path: str, body: bytes
) -> None:
    answer = httpx.request(
        method, running.address + path, content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code < 500
    assert httpx.get(running.address + "api/state").status_code == 200


def test_names_that_no_file_can_hold_are_refused_and_the_session_opens_again(
    open_session: Any,
) -> None:
    session = open_session()
    session.add_object()
    for name in ("x\ud800y", "a\x01b"):
        with pytest.raises(HodorError, match="an object's name has"):
            session.change_object(1, name, None)
    session.folder.close()
    assert open_session().objects[0].name == "Object 1"


def test_a_connection_that_never_says_what_it_wants_is_closed() -> None:
    class Hasty(PatientProtocol):
        idle_seconds = 0.05

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, http=Hasty, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        begun = b"POST / HTTP/1.1\r\nHost: x\r\n"
        for said in (b"", begun, begun + b"Content-Length: 9\r\n\r\nabc"):
            with socket.create_connection(bound.getsockname(), 20) as idle:
                idle.sendall(said)
                while idle.recv(4096):  # ends when the server closes
                    pass
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


@posix
@pytest.mark.parametrize("part", ["given", "exports", "results", "session.json"])
def test_links_that_leave_the_session_are_neither_read_nor_written_through(
    tmp_path: Path, part: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "session"
    root.mkdir()
    (root / part).symlink_to(outside)
    with pytest.raises(HodorError, match=r"leaves|no session's folder"):
        SessionFolder(root).read_settings()
    assert list(outside.iterdir()) == []


@posix
def test_a_download_holds_nothing_from_elsewhere(tmp_path: Path) -> None:
    import zipfile

    (tmp_path / "secret").write_text("secret")
    labels = tmp_path / "exports" / "labels"
    labels.mkdir(parents=True)
    (labels / "0.png").touch()
    (labels / "1.png").symlink_to(tmp_path / "secret")
    (tmp_path / "exports" / "link").symlink_to(tmp_path / "secret")
    assert zipfile.ZipFile(as_download(tmp_path / "exports", "labels")).namelist() == [
        "labels/0.png"
    ]
    with pytest.raises(HodorError, match="not exported"):
        as_download(tmp_path / "exports", "link")


@pytest.mark.parametrize(
    "settings",
    [
        {"video": {"path": "http://127.0.0.1:9/v.mp4"}},
        {"video": {"path": "concat:/etc/passwd"}},
        {"video": {"path": "/nowhere.mp4"}},
        {"video": 3},
        {"video": None},
    ],
)
def test_a_session_from_elsewhere_opens_no_connection_and_ends_in_one_line(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    (tmp_path / "session.json").write_text(json.dumps({"format": "hodor-studio-1", **settings}))
    with pytest.raises(HodorError) as caught:
        open_studio(str(tmp_path), None, TrackerSettings())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"objects": 3},
        {"objects": [3]},
        {"objects": [{"id": 1}]},
        {"objects": [{"id": [1], "name": "a", "colour": "#000000"}]},
        {"objects": [{"id": 0, "name": "a", "colour": "#000000"}]},
        {"objects": [{"id": 1, "name": ["a"], "colour": "#000000"}]},
        {"objects": [{"id": 1, "name": "x\ud800y", "colour": "#000000"}]},
        {"objects": [{"id": 1, "name": "a", "colour": "red"}]},
        {"objects": [{"id": 1, "name": "a", "colour": "#000000"}] * 2},
        {"gone": {"0": [[1]]}},
        {"gone": {"first": [1]}},
        {"gone": [1]},
        {"video": {"frames": "x" * 5000, "size": [60, 90]}},
        {"video": {"frames": 40, "size": [1e400, 90]}},
        {"video": {"frames": 40}},
    ],
    ids=lambda change: str(change)[:40],
)
def test_a_sessions_file_of_another_form_is_damaged_and_never_opens_half(
    open_session: Any, change: dict[str, Any]
) -> None:
    session = open_session()
    session.add_object()
    session.folder.close()
    path = session.folder.root / "session.json"
    before = json.dumps(json.loads(path.read_text()) | change)
    path.write_text(before)
    with pytest.raises(HodorError, match=r"session\.json: is damaged") as caught:
        open_session()
    assert len(str(caught.value)) < 1000
    assert path.read_text() == before, "it can still be restored by hand"


def test_a_line_of_the_journal_that_is_none_costs_its_result_alone(
    open_session: Any, square: Any
) -> None:
    session = open_session()
    number = session.add_object().id
    session.give(0, number, square(10))
    for frame in (1, 2):
        labels = square(10 + frame).astype(np.uint8)
        origin = (0, session.said()[0][number])
        assert session.keep(frame, labels, {number: 0.5}, {number: origin})
    session.folder.close()
    path = session.folder.root / "confidence.jsonl"
    lines = [
        "[Infinity, {}]",
        "[" * 10_000,
        '[1e999, {"1": [0, 0, 0]}]',
        '[2, {"1": [0, 1e400, 0]}]',
    ]
    path.write_text(path.read_text() + "\n".join(lines) + "\n")
    curve = open_session().curves()[number]
    assert curve[:3] == [None, 0.5, 0.5]


def test_a_session_whose_model_would_have_to_be_fetched_asks_for_it_to_be_named(
    open_session: Any,
) -> None:
    session = open_session()
    session.model = "hub:someone/x"
    session.add_object()
    session.folder.close()
    with pytest.raises(HodorError, match="name it again with --model"):
        open_session()
